"""The options of `python -m helpers grade`, each read from text, and refused in a sentence."""

import argparse
import json
import math
import os
from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from pathlib import Path

from helpers.checks.registry import EXERCISES, PROJECT_ID
from helpers.course import gradebook

GRADED = tuple(sorted((*EXERCISES, PROJECT_ID)))  # in the order of the table
LESSONS = sorted({name.split(".")[0] for name in GRADED})
NO_DATE = ""  # what --due none stands for
_GIB_A_JOB = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "Answers run in bubblewrap, without network and files. README, For instructors."
    add = parser.add_argument
    add(
        "folder",
        type=Path,
        help="folder, zip or notebook: NAME/…, NAME.ipynb, nbgrader's submitted/, Moodle's, Canvas's",
    )
    add("--out", type=_file, default=Path("grades.csv"), help="default: grades.csv")
    add("--jobs", type=_jobs, default=_default_jobs(), help="learners at a time (default: %(default)s)")
    add("--seconds", type=_seconds, default=30, help="limit for one answer, imports aside (default: 30)")
    which, lesson, one = parser.add_mutually_exclusive_group(), _one_of("lesson", LESSONS), _one_of("exercise", GRADED)
    one_lesson = "grade only exercises of this one; may be repeated"
    which.add_argument("--lesson", action="append", type=lesson, metavar="N", help=one_lesson)
    which.add_argument("--exercise", action="append", type=one, metavar="N.N", help="regrade this one alone; likewise")
    add("--due", type=due, metavar="DATE", help="2027-01-31, or 2027-01-31T18:00: what is newer is late; none: no date")
    add("--changes", type=Path, metavar="CSV", help="points by hand (default: grades.changes.csv, if there)")
    add("--format", choices=list(gradebook.FORMATS), help="write a file for this gradebook, too")
    add("--seed-from", type=seed, metavar="FILE", help="draw the inputs of an earlier grading again")
    add("--unsafe", action="store_true", help="run answers with your rights, WITHOUT isolation")


def _file(text: str) -> Path:
    if not text or text.endswith(("/", os.sep)):
        raise argparse.ArgumentTypeError(f"{text!r} is no file. Name one, for example grades.csv.")
    if Path(text).suffix.lower() != ".csv":
        other = Path(text).with_suffix(".csv").name
        raise argparse.ArgumentTypeError(f"{text!r}: a CSV is written, which any spreadsheet opens. Name it {other}.")
    return Path(text)


def _default_jobs() -> int:
    import psutil

    return max(1, min(os.cpu_count() or 1, int(psutil.virtual_memory().available / 2**30 / _GIB_A_JOB)))


def _jobs(text: str) -> int:
    if not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and 64.")
    return int(text)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not (math.isfinite(seconds) and 0 < seconds <= 86_400):
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 86400 (a day).")
    return seconds


def _one_of(kind: str, known: Sequence[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in known:
            several = f"--{kind} {known[0]} --{kind} {known[1]}"
            said = f"{text!r} is not one of {', '.join(known)}. For several, repeat the option: {several}."
            raise argparse.ArgumentTypeError(said)
        return text

    return read


def due(text: str) -> datetime | str:
    """A date in this machine's time, as the dates of files are; of a day alone its end; `NO_DATE` for none."""
    if text == "none":
        return NO_DATE
    try:
        try:
            read = datetime.combine(date.fromisoformat(text), time(23, 59, 59))
        except ValueError:
            read = datetime.fromisoformat(text)
        return in_local_time(read)
    except (ValueError, OverflowError, OSError):  # the latter: years for which no system knows the time zone
        wanted = "2027-01-31 (to its end), 2027-01-31T18:00, 2027-01-31T18:00+02:00, or none"
        raise argparse.ArgumentTypeError(f"{text!r} is no date such as {wanted}.") from None


def in_local_time(when: datetime) -> datetime:
    """The same moment as this machine's clock shows it, without a time zone."""
    return when.astimezone().replace(tzinfo=None)


def seed(text: str) -> str:
    try:
        return str(json.loads(Path(text).read_text(encoding="utf-8"))["seed"])
    except (OSError, ValueError, KeyError, TypeError):
        raise argparse.ArgumentTypeError(f"{text} is no seed.json that a grading left behind.") from None
