"""`python -m helpers grade FOLDER --out grades.csv`: grade every submission in a folder or a zip of one.

Answers run shut in, on inputs drawn for this grading alone; what is due never enters their process. A killed run goes
on where it was: what is known of each learner stands in a journal beside the table.
"""

import argparse
import contextlib
import json
import secrets
import shutil
import signal
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from helpers.checks.isolation import fault_of_hidden
from helpers.checks.registry import EXERCISES, PROJECT_ID
from helpers.checks.sandbox import fault_of_sandbox
from helpers.course import grade_options, gradebook, pages, table
from helpers.course.grade_options import GRADED, LESSONS, in_local_time
from helpers.course.grading import Grading, with_lateness
from helpers.course.handin import NOTEBOOK, hand_ins, of_the_course
from helpers.course.journal import Found, Journal
from helpers.course.notebook import write_text
from helpers.course.pool import Ended, grade_all
from helpers.course.project import prepare, same_file
from helpers.course.submission import Submission, submission
from helpers.course.table import Row
from helpers.course.unzip import unzipped, with_zips_opened
from helpers.download import temporary_folder

SEED = ".seed.json"
UNSAFE = "--unsafe: answers run WITHOUT ISOLATION, with your rights, on your files. Only for submissions you trust."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    grade_options.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    try:
        with _folder(args.folder) as (folder, refused), temporary_folder() as inside:
            return _run(args, folder, refused, inside)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:  # a full disk, or a folder that went away
        print(f"{error}. What is graded so far is kept: mend it, and the same command goes on.", file=sys.stderr)
        return 2


@contextlib.contextmanager
def _folder(path: Path) -> Iterator[tuple[Path, list[tuple[Path, str]]]]:
    """The folder, or one that holds a single notebook or what is in a zip; and what was refused and is named."""
    if path.is_file() and path.suffix.lower() == NOTEBOOK:
        with temporary_folder() as into:
            shutil.copy2(path, into)
            yield Path(into), []
        return
    if not (path.is_file() and path.suffix.lower() == ".zip"):
        yield path, []
        return
    with temporary_folder() as into:
        folder, refused = unzipped(path, into)
        faults = [f"{one.name} ({one.why})" for one in refused]
        _print_skipped({"refused, in the zip": faults})
        yield folder, [(one.place, one.why) for one in refused if one.place]


def _run(args: argparse.Namespace, folder: Path, refused: list[tuple[Path, str]], inside: Path) -> int:
    handed_in = _handed_in(folder, refused, inside, args)
    by_hand = _by_hand(args)
    if args.unsafe:
        print(UNSAFE, file=sys.stderr)
    if fault := table.fault_of_out(args.out) or fault_of_sandbox(not args.unsafe):
        raise ValueError(fault)
    if not args.unsafe and (fault := fault_of_hidden(_hidden(args, folder))):
        raise ValueError(f"{fault} Move FOLDER, and --out, to a folder of their own.")
    journal = Journal(_beside(args.out, ".journal"))
    with journal.locked():
        return _graded(args, folder, journal, handed_in, by_hand)


def _graded(
    args: argparse.Namespace, folder: Path, journal: Journal, handed_in: list[Submission], by_hand: dict
) -> int:
    found, grading = _begun(args, journal, {one.learner: one.digest for one in handed_in})
    exercises = [EXERCISES[name] for name in found.begun["exercises"] if name in EXERCISES]
    left = [one for one in handed_in if found.done.get(one.learner) != one.digest]
    if not found.finished and len(left) < len(handed_in):
        print(f"Going on: {len(handed_in) - len(left)} of {len(handed_in)} learners are done.", file=sys.stderr)
    if grading.with_project and any(one.adapter for one in left):
        prepare(grading)
    hidden = _hidden(args, folder)
    try:
        with _ended_by_signals():
            if left:
                grade_all(left, exercises, grading, args.jobs, hidden, journal)
    except (KeyboardInterrupt, Ended) as error:
        known = journal.read().done
        done = sum(known.get(one.learner) == one.digest for one in handed_in)
        print(f"\nStopped. {done} of {len(handed_in)} learners are done; the same command goes on.", file=sys.stderr)
        return 128 + (error.args[0] if error.args else signal.SIGINT)
    journal.finish()
    if args.due is not None:
        journal.note_due(args.due.isoformat() if args.due else grade_options.NO_DATE)
    _write(args, journal.read(), handed_in, by_hand)
    return 0


def _hidden(args: argparse.Namespace, folder: Path) -> tuple[Path, ...]:
    """The folders that no answer may see."""
    return folder, args.folder.parent, args.out.parent


def _begun(args: argparse.Namespace, journal: Journal, digests: dict[str, str]) -> tuple[Found, Grading]:
    """Go on with what was stopped, keep what is finished, regrade one exercise, or begin anew.

    Where anything is new, all are graded on new inputs: pages that learners have seen tell of the old ones.

    Args:
        digests: learner -> digest of what is handed in now.

    Raises:
        ValueError: there is nothing to regrade an exercise of.
    """
    found = journal.read()
    seed = found.begun.get("seed")
    asked = [name for name in GRADED if name.split(".")[0] in (args.lesson or LESSONS)]
    begun = {"seconds": args.seconds, "isolated": not args.unsafe, "exercises": args.exercise or asked}
    if args.exercise and not seed:
        raise ValueError(
            f"{journal.path} is not there: grade all exercises once before you regrade one. To look into a complaint "
            "under another --out, take --lesson in the place of --exercise."
        )
    wanted = {**begun, "seed": args.seed_from or seed}
    if not found.finished and found.begun == wanted:
        return found, _grading(found.begun)
    if found.whole == wanted and found.whole_done == found.done == digests:
        print(f"Nothing is new, and all results stand. Move {journal.path} away to grade anew.", file=sys.stderr)
        return found, _grading(found.begun)
    if found.begun and not args.exercise:
        _say_anew(args, found, wanted, digests)
    elif not found.begun and args.out.exists():  # its journal was moved away, or it is somebody's own
        _keep(args.out)
    fresh = args.seed_from or (seed if args.exercise else secrets.token_hex(16))  # graded again, on the same inputs
    journal.begin({**begun, "seed": fresh}, anew=not args.exercise, folder=str(args.folder.resolve()))
    found = journal.read()
    return found, _grading(found.begun)


def _say_anew(args: argparse.Namespace, found: Found, wanted: dict, digests: dict[str, str]) -> None:
    """Say why all are graded again; where rows of the table may go by that, it is kept beside the new one."""
    options = {"exercises": "--lesson", "seconds": "--seconds", "isolated": "--unsafe", "seed": "--seed-from"}
    others = [f"another {option}" for key, option in options.items() if found.whole[key] != wanted[key]]
    if found.folder and found.folder != str(args.folder.resolve()):
        others.append("another FOLDER")
    before = found.whole_done | found.done
    new = [one for one in before | digests if before.get(one) != digests.get(one)]
    why = ", ".join(others) or f"{len(new)} of the submissions new, changed or gone"
    was = "is finished" if found.finished else "was stopped"
    print(f"An earlier grading {was}. This one, with {why}, begins anew, on new inputs.", file=sys.stderr)
    if args.out.exists() and (others or before.keys() - digests.keys()):
        _keep(args.out)


def _keep(out: Path) -> None:
    """Copy the table to OUT.bak, or the first of OUT.bak2, OUT.bak3, … that is free; and its seed beside it, for its
    inputs may be asked for again."""
    numbered = (f".bak{number}" for number in ("", *range(2, 10_000)))
    ending = next(name for name in numbered if not _beside(out, name).exists())
    shutil.copy2(out, _beside(out, ending))
    with contextlib.suppress(FileNotFoundError):
        shutil.copy2(_beside(out, SEED), _beside(out, SEED + ending))
    print(f"The table of before is kept as {_beside(out, ending)}.", file=sys.stderr)


def _grading(begun: dict) -> Grading:
    return Grading(begun["seed"], begun["seconds"], begun["isolated"], PROJECT_ID in begun["exercises"])


def _by_hand(args: argparse.Namespace) -> dict:
    path = args.changes or args.out.with_name(f"{args.out.stem}.changes.csv")
    return gradebook.changes(path) if args.changes or path.exists() else {}


def _beside(out: Path, ending: str) -> Path:
    return out.with_name(out.name + ending)


def _feedback(out: Path) -> Path:
    return out.with_name(f"{out.stem}.feedback")


def _write(args: argparse.Namespace, found: Found, handed_in: list[Submission], by_hand: dict) -> None:
    due = in_local_time(datetime.fromisoformat(found.due)) if found.due else None
    says_late = {one.learner: one.late for one in handed_in}
    rows = [with_lateness(row, says_late.get(row.learner, False), due) for row in _sorted(found, handed_in)]
    moved = table.moved(rows, found.before)
    rows, nobody = gradebook.changed(rows, by_hand)
    table.write(rows, args.out)
    record = {"seed": found.begun["seed"], "seconds": found.begun["seconds"]}
    write_text(json.dumps(record, indent=1) + "\n", _beside(args.out, SEED))
    overview, feedback = args.out.with_name(f"{args.out.stem}.overview.html"), _feedback(args.out)
    copies = same_file(handed_in) if PROJECT_ID in found.begun["exercises"] else []
    same = [f"{PROJECT_ID}: one and the same adapter from {', '.join(names)}" for names in copies]
    pages.write(rows, overview, feedback, same + nobody)
    print(f"{args.out}: {table.summary(rows)}")
    print(f"{overview} shows all learners; {feedback} holds a page for each.")
    if due:
        print(_lateness(rows, due))
    if by_hand:
        print(f"points by hand: {sum(row.by_hand for row in rows)} rows have them")
    for remark in (*same, *moved):
        print(table.printable(remark))
    for name, as_text in gradebook.FORMATS.items():
        book = args.out.with_name(f"{args.out.stem}.{name}.csv")
        if name == args.format or book.exists():  # one of an earlier call would tell of earlier points
            write_text(as_text(rows), book)
            print(f"{book} is for {name.capitalize()}'s gradebook.")
            if name == "moodle":
                pages.for_moodle(dict.fromkeys(row.learner for row in rows), feedback, book.with_suffix(".zip"))
                print(f'{book.with_suffix(".zip")} is for its "Upload multiple feedback files in a zip".')
    for remark in nobody:
        print(table.printable(remark), file=sys.stderr)


def _lateness(rows: list[Row], due: datetime) -> str:
    late = [row for row in rows if row.late == "yes"]
    count = f"{len(late)} rows of {len({row.learner for row in late})} learners are late"
    when = f"{due.astimezone():%Y-%m-%d %H:%M:%S, in this machine's time, %Z (UTC%z)}"
    return f"due {when}: {count}; --due none takes it off"


def _sorted(found: Found, handed_in: list[Submission]) -> list[Row]:
    """By learner and exercise; where one exercise was graded again, also those who are no longer in the folder."""
    learners = {one.learner: place for place, one in enumerate(handed_in)}
    order = {name: place for place, name in enumerate(GRADED)}
    last = len(learners)
    known = [row for row in found.rows.values() if row.exercise in order]
    return sorted(known, key=lambda row: (learners.get(row.learner, last), row.learner, order[row.exercise]))


def _handed_in(
    folder: Path, refused: list[tuple[Path, str]], inside: Path, args: argparse.Namespace
) -> list[Submission]:
    """What is to be graded; what was skipped, or will not fit the gradebook, is printed. `inside` takes what is in the
    zips of learners.

    Raises:
        ValueError: there is nothing.
    """
    wanted = "It should be a zip or hold NAME/*.ipynb or NAME.ipynb."
    try:
        found, skipped = hand_ins(folder, refused)
    except OSError as error:
        raise ValueError(f"{folder} is no folder that can be read: {error.strerror}. {wanted}") from None
    _print_skipped(skipped)
    if args.folder.suffix.lower() != NOTEBOOK and (named := of_the_course(found, folder)):
        raise ValueError(
            f"{args.folder} holds {table.printable(named[0])} itself, which is a notebook of the course, while files "
            "here should bear learners' names. If FOLDER is one learner's own, give the folder above it; else put the "
            "notebook into a folder with the learner's name."
        )
    others = {one.exported_by for one in found} - {"", args.format}
    if args.format and others:
        other = others.pop()
        raise ValueError(
            f"--format {args.format}: the numbers in these names are {other.title()}'s, and would be another person's "
            f"there. Take --format {other}."
        )
    if not found:
        zips = [table.printable(path) for path in sorted(folder.glob("*.zip"))]
        raise ValueError(f"{folder} holds nothing of a learner. {f'Name the zip: {zips[0]}' if zips else wanted}")
    learners = [one for one in found if one.learner != _feedback(args.out).name]
    read = [submission(with_zips_opened(one, inside / str(place))) for place, one in enumerate(learners)]
    if all(one.is_empty for one in read):
        first = table.printable(read[0].learner)
        why = read[0].nothing or "none of the notebooks read has an exercise"
        raise ValueError(f"No exercise was found in {len(read)} submissions in {folder}. In {first}: {why}. {wanted}")
    return read


def _print_skipped(skipped: dict[str, list[str]]) -> None:
    for why, names in skipped.items():
        if names:
            print(f"skipped ({why}): {table.first_of(names)}", file=sys.stderr)


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """A signal that would end this process unwinds it instead, so that the answers' processes go too."""

    def unwind(number, _):
        raise Ended(number)

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    heeded = [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]  # nohup ignores SIGHUP
    before = {number: signal.signal(number, unwind) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
