"""`python -m helpers grade FOLDER --out grades.csv`: grade every submission FOLDER/NAME/*.ipynb.

Answers run in a process of their own on inputs drawn for this grading alone; what is due never enters that process.
"""

import argparse
import contextlib
import hashlib
import json
import math
import os
import secrets
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from helpers.checks.exercise import Exercise
from helpers.checks.registry import EXERCISES
from helpers.checks.sandbox import fault_of_child, run_answer
from helpers.course import table
from helpers.course.notebook import write_text
from helpers.course.submission import Submission, submissions
from helpers.course.table import Row

_MOST_ANSWERS = 10  # to one exercise from one learner; each may take the whole time limit
_MOST_NAMES = 10  # of skipped files, in one line


@dataclass(frozen=True)
class Grading:
    """What all submissions of one grading have in common."""

    seed: str
    seconds: float

    def inputs(self, asked: Exercise) -> dict:
        """The same for all learners, and known to nobody before."""
        digest = hashlib.sha256(f"{self.seed}/{asked.id}".encode()).digest()
        return asked.inputs(int.from_bytes(digest[:7], "big"))


class Ended(BaseException):
    """Somebody asked this process to end. No `except Exception` holds it up."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "This is not a sandbox yet: an answer runs with your rights. Grade strangers' work in a container."
    parser.add_argument("folder", type=Path, help="holds one folder for each learner, with notebooks in it")
    parser.add_argument("--out", type=_file, default=Path("grades.csv"), help="default: grades.csv")
    parser.add_argument(
        "--seconds", type=_seconds, default=30, help="limit for one answer, imports aside (default: 30)"
    )
    parser.add_argument("--seed-from", type=_seed, metavar="FILE", help="draw the inputs of an earlier grading again")


def _file(text: str) -> Path:
    if not text or text.endswith(("/", os.sep)):
        raise argparse.ArgumentTypeError(f"{text!r} is no file. Name one, for example grades.csv.")
    return Path(text)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not (math.isfinite(seconds) and 0 < seconds <= 86_400):
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 86400 (a day).")
    return seconds


def _seed(text: str) -> str:
    try:
        return str(json.loads(Path(text).read_text(encoding="utf-8"))["seed"])
    except (OSError, ValueError, KeyError, TypeError):
        raise argparse.ArgumentTypeError(f"{text} is no seed.json that a grading left behind.") from None


def run(args: argparse.Namespace) -> int:
    try:
        handed_in = _handed_in(args.folder)
        if fault := table.fault_of_out(args.out) or fault_of_child():
            raise ValueError(fault)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    grading = Grading(args.seed_from or secrets.token_hex(16), args.seconds)
    rows, partial = [], args.out.with_name(f"{args.out.name}.partial")
    try:
        with _ended_by_signals(), tqdm(total=len(handed_in) * len(EXERCISES), unit="exercise", desc="grading") as bar:
            for submission in handed_in:
                for asked in EXERCISES.values():
                    rows.append(graded(submission, asked, grading))
                    bar.update()
    except (KeyboardInterrupt, Ended) as error:
        table.write(rows, partial)
        print(f"\nStopped. {partial} has the {len(rows)} finished rows; a new run begins anew.", file=sys.stderr)
        return 128 + (error.args[0] if error.args else signal.SIGINT)
    table.write(rows, args.out)
    _record_seed(grading, args.out)
    partial.unlink(missing_ok=True)
    print(f"{args.out}: {table.summary(rows)}")
    return 0


def _handed_in(folder: Path) -> list[Submission]:
    """What is to be graded; what was skipped is printed.

    Raises:
        ValueError: there is nothing.
    """
    try:
        handed_in, skipped = submissions(folder)
    except OSError as error:
        raise ValueError(
            f"{folder} is no folder that can be read: {error.strerror}. It should hold NAME/*.ipynb."
        ) from None
    for why, names in skipped.items():
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        print(f"skipped ({why}): {table.printable(', '.join(names[:_MOST_NAMES]))}{more}", file=sys.stderr)
    if not handed_in:
        raise ValueError(f"{folder} holds no learner's folder. Put each learner's notebooks in one: NAME/*.ipynb.")
    if all(submission.is_empty for submission in handed_in):
        first = handed_in[0]
        why = first.nothing or "none of the notebooks read has an exercise"
        raise ValueError(
            f"No exercise was found in the {len(handed_in)} folders of {folder}. In {table.printable(first.learner)}: "
            f"{table.printable(why)}. Notebooks are looked for as NAME/*.ipynb."
        )
    return handed_in


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """A signal that would end this process unwinds it instead, so that the answer's process and folder go too."""

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


def graded(submission: Submission, asked: Exercise, grading: Grading) -> Row:
    """The row of this learner in this exercise: of several answers, the best."""
    answers = submission.answers.get(asked.answer_id, [])
    rows = [_graded_answer(submission.learner, asked, source, grading) for _, source in answers[:_MOST_ANSWERS]]
    answered = [place for place, row in enumerate(rows) if row.status != "missing"]  # a template is no answer
    if not answered:
        return _nothing_found(submission, asked, rows)
    best = max(answered, key=lambda place: (rows[place].points, rows[place].status == "ok", -place))
    row = rows[best]
    if len(answered) == 1 and len(answers) <= _MOST_ANSWERS:
        return row
    tried = "" if len(answers) <= _MOST_ANSWERS else f" (of {len(answers)}: the newest {_MOST_ANSWERS} were run)"
    reason = f"best of {len(answered)} different answers{tried}, from {answers[best][0]}"
    return replace(row, reason=f"{reason}; {row.reason}" if row.reason else reason)


def _graded_answer(learner: str, asked: Exercise, source: str, grading: Grading) -> Row:
    inputs = grading.inputs(asked)
    try:
        ran = run_answer(asked, source, inputs, grading.seconds)
        if ran.status != "ok":
            return Row(learner, asked.id, 0, asked.points, ran.status, ran.reason)
        verdict = asked.verdict(inputs, ran.outputs)
    except Exception as error:  # whatever an answer upsets here, a full disk included, must not stop the others
        reason = f"it could not be graded ({type(error).__name__})"
        return Row(learner, asked.id, 0, asked.points, "refused", reason)
    if verdict.passed:
        return Row(learner, asked.id, asked.points, asked.points, "ok", "")
    return Row(learner, asked.id, 0, asked.points, "ok", f"{verdict.hint_name}: {verdict.hint}")


def _nothing_found(submission: Submission, asked: Exercise, unfilled: list[Row]) -> Row:
    """Where the answer may stand in what is not graded, it is refused, not missing: somebody should look."""
    row = Row(submission.learner, asked.id, 0, asked.points, "refused", "")
    if stray := submission.strays.get(asked.answer_id):
        cell = f"{stray}: a cell without the grade_id {asked.answer_id} defines {asked.function}"
        return replace(row, reason=f"{cell}; only the cell with it is graded")
    if submission.faults:
        return replace(row, reason="; ".join(submission.faults))
    if unfilled:
        return unfilled[0]
    return replace(row, status="missing", reason=submission.nothing or "none of the notebooks read has this exercise")


def _record_seed(grading: Grading, out: Path) -> None:
    """Written when all answers have run: until then no file holds it."""
    record = {"seed": grading.seed, "seconds": grading.seconds}
    write_text(json.dumps(record, indent=1) + "\n", out.with_name(f"{out.name}.seed.json"))
