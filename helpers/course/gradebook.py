"""The sums of points as the gradebooks of Canvas and Moodle import them, and points that somebody changed by hand."""

import codecs
import csv
import difflib
import html
import math
import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path

from helpers.checks.registry import EXERCISES, PROJECT_ID, PROJECT_POINTS
from helpers.course.handin import name_and_number
from helpers.course.table import Row, lines_of, printable

TITLE = "RLHF on a budget"  # of the assignment, in Canvas
CHANGED = ("learner", "exercise", "points", "reason")
_MOST = {asked.id: asked.points for asked in EXERCISES.values()} | {PROJECT_ID: PROJECT_POINTS}


def _title(rows: list[Row]) -> str:
    """Another one for other lessons, so that Canvas does not put one's points in the place of another's."""
    lessons = sorted({row.exercise[0] for row in rows})
    if lessons == sorted({exercise[0] for exercise in _MOST}):
        return TITLE
    return f"{TITLE}, {'lesson' if len(lessons) == 1 else 'lessons'} {', '.join(lessons)}"


def canvas(rows: list[Row]) -> str:
    """What Canvas takes under Grades, Import. It finds people by ID, the number in the names of exported files."""
    most = _most_points(rows)
    lines = [
        ("Student", "ID", "SIS User ID", "SIS Login ID", "Section", _title(rows)),
        ("    Points Possible", "", "", "", "", most),
    ]
    for learner, own in _by_learner(rows).items():
        name, number = name_and_number(learner)
        lines.append((name, number, "", "" if number else name, "", _points(own)))
    return lines_of(lines)


def moodle(rows: list[Row]) -> str:
    """The grading worksheet of a Moodle assignment. It finds people by the number in the names of the folders."""
    heads = ("Identifier", "Full name", "Grade", "Maximum grade", "Last modified (grade)", "Feedback comments")
    lines, most = [heads], _most_points(rows)
    for learner, own in _by_learner(rows).items():
        name, number = name_and_number(learner)
        said = "; ".join(f"{row.exercise}: {row.points:g}/{row.of}{_remark(row)}" for row in own)
        lines.append((f"Participant {number}" if number else "", name, _points(own), most, "", html.escape(said)))
    return lines_of(lines)


def _remark(row: Row) -> str:
    """A word at most, so that all exercises fit; a learner's own page has the reasons."""
    if row.by_hand:
        return " by hand"
    return "" if row.status == "ok" else f" {row.status}"


FORMATS = {"canvas": canvas, "moodle": moodle}


def _by_learner(rows: list[Row]) -> dict[str, list[Row]]:
    found = {}
    for row in rows:
        found.setdefault(row.learner, []).append(row)
    return found


def _points(rows: list[Row]) -> str:
    return f"{sum(row.points for row in rows):g}"


def _most_points(rows: list[Row]) -> int:
    return sum({row.exercise: row.of for row in rows}.values())


@dataclass(frozen=True)
class Change:
    """Points that an instructor gave by hand."""

    points: float
    reason: str


def changes(path: Path) -> dict[tuple[str, str], Change]:
    """Read the points that somebody changed: a CSV with learner, exercise, points, reason.

    A spreadsheet may have written it: with semicolons or tabs, 0,5 for a half, in UTF-16 or an encoding of Windows.

    Raises:
        ValueError: it cannot be read, or a line of it is not complete; the message names the line.
    """
    try:
        text = _text(path.read_bytes())
        separator = next((mark for mark in ";\t" if mark in text.partition("\n")[0]), ",")
        read = csv.DictReader(text.splitlines(keepends=True), delimiter=separator)
        lines, columns = list(read), read.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} cannot be read ({error}). It should be a CSV with {', '.join(CHANGED)}.") from None
    if missing := [name for name in CHANGED if name not in columns]:  # else its first line would be lost as names
        first = printable(", ".join(columns) or "empty")
        raise ValueError(
            f"{path}: its first line should name the columns {', '.join(CHANGED)}; it is {first!r}, without "
            f"{', '.join(missing)}. Put such a line in front."
        )
    found = {}
    for number, line in enumerate(lines, start=2):
        if None in line:
            raise ValueError(
                f"{path}, line {number}: more columns than the first line has. Put quotes around what holds a "
                f'{separator!r}, as in "1{separator}5".'
            )
        learner, exercise, points, reason = (_composed(line.get(column) or "") for column in CHANGED)
        if not (learner or exercise or points or reason):
            continue
        try:
            value = float(points.replace(",", "."))
        except ValueError:
            value = math.nan
        if not (learner and exercise and reason and math.isfinite(value) and value >= 0):
            raise ValueError(
                f"{path}, line {number}: {', '.join(CHANGED)} must all be there, and points a number from 0."
            )
        if value > _MOST.get(exercise, value):
            raise ValueError(f"{path}, line {number}: {exercise} gives {_MOST[exercise]} points at most, not {points}.")
        if (learner, exercise) in found:
            raise ValueError(f"{path}, line {number}: {learner}, {exercise} stands there twice.")
        found[learner, exercise] = Change(value, reason)
    return found


def _composed(text: str) -> str:
    """An umlaut may be one character or two, as on a Mac; both look alike."""
    return unicodedata.normalize("NFC", text).strip()


def _text(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252")


def changed(rows: list[Row], by_hand: dict[tuple[str, str], Change]) -> tuple[list[Row], list[str]]:
    """The rows with the points that somebody gave by hand; and a sentence on each line that is for no row, or takes
    points away.

    The learner may be named as the table names it, with an apostrophe in front where it starts like a formula.
    """
    left, new, less = dict(by_hand), [], []
    for row in rows:
        learner = _composed(row.learner)
        names = [key for key in ((learner, row.exercise), (f"'{learner}", row.exercise)) if key in left]
        if names:
            change = left.pop(names[0])
            was = f"; the grader gave {row.points:g}" + (f": {row.reason}" if row.reason else "")
            points = int(change.points) if change.points == int(change.points) else change.points
            if points < row.points:
                less.append(f"by hand {points:g}, the grader gives {row.points:g}: {row.learner}, {row.exercise}")
            row = replace(row, points=points, reason=f"by hand: {change.reason}{was}", by_hand=True)
        new.append(row)
    return new, less + [_stray(*key, {row.learner for row in rows}) for key in left]


def _stray(learner: str, exercise: str, learners: set[str]) -> str:
    if learner in learners:
        return f"points by hand for {learner}, exercise {exercise}, which is not in this grading"
    said = f"points by hand for nobody here: {learner}, {exercise}"
    close = difflib.get_close_matches(learner, learners, n=3)
    return f"{said} (is {' or '.join(close)} meant?)" if close else said
