"""The table that a grading writes: its rows, its text, whether it can be written, and what it says in sum."""

import csv
import io
import re
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from helpers.course.notebook import write_text

COLUMNS = (
    *("learner", "exercise", "points", "of", "status", "reason", "hint"),
    *("handed_in", "late", "isolation"),
)
_BEFORE_A_FORMULA = " \t\"'"
_MOST_NAMES, _MOST_OF_A_HINT = 10, 120  # in a line of the summary; letters of a hint
STATUSES = ("ok", "missing", "refused", "crash", "timeout")


@dataclass(frozen=True)
class Row:
    """The result of one learner in one exercise. Status and points are apart: a wrong answer ran ok."""

    learner: str
    exercise: str
    points: float  # whole, unless somebody changed them by hand
    of: int
    status: str
    reason: str  # for a wrong answer, the text of its hint
    hint: str = ""  # its name
    handed_in: str = ""  # when the notebook was last written, in this machine's time
    late: str = ""  # yes, no, or '' where nobody said what is due when
    isolation: str = ""  # bubblewrap, or none
    by_hand: bool = False  # somebody gave the points; no column of the table
    code: str = ""  # of the answer, for the page of feedback; no column of the table


def write(rows: list[Row], out: Path) -> None:
    """As UTF-8 with a mark in front, without which Excel takes ü for Ã¼."""
    write_text("\ufeff" + csv_text(rows), out)


def csv_text(rows: list[Row]) -> str:
    """The table; no cell of it can act as a formula in a spreadsheet."""
    return lines_of([COLUMNS, *([getattr(row, column) for column in COLUMNS] for row in rows)])


def lines_of(lines: Iterable[Iterable[object]]) -> str:
    """Lines of cells as CSV, each cell harmless."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([harmless(cell) for cell in line] for line in lines)
    return text.getvalue()


def harmless(value: object) -> str:
    """An apostrophe keeps a spreadsheet from computing it, one that takes ; or | for the end of a cell, too."""
    return "".join(_quoted(part) for part in re.split("([;|])", printable(value)))


def _quoted(text: str) -> str:
    bare = text.lstrip(_BEFORE_A_FORMULA)  # quotes: a spreadsheet may take them for those around a cell
    first = unicodedata.normalize("NFKC", bare[:1])  # full-width signs start a formula too
    return f"'{text}" if first and first in "=+-@" else text


def printable(value: object) -> str:
    """Text of bounded length without anything that a terminal would obey."""
    return "".join(character if character.isprintable() else "?" for character in str(value))[:500]


def summary(rows: list[Row]) -> str:
    """How many rows of each kind, those with points or that ran apart by their points; what was hardest, and why."""
    kinds = Counter(_kind(row) for row in rows)
    order = ("right", "in part", "wrong", *STATUSES[1:])
    lines = [f"{len(rows)} answers: " + ", ".join(f"{kinds[kind]} {kind}" for kind in order if kinds[kind])]
    shares = shares_of_points(rows)
    lowest = min(shares.values(), default=1)
    if lowest < 1:
        hardest = [exercise for exercise, share in shares.items() if share == lowest]
        lines.append(f"hardest exercise: {' and '.join(hardest)} ({lowest:.0%} of its points)")
    hints = Counter((row.hint, row.exercise) for row in rows if row.hint)
    if hints:
        (hint, exercise), times = max(hints.items(), key=lambda item: (item[1], item[0]))
        reasons = [row.reason for row in rows if (row.hint, row.exercise) == (hint, exercise)]
        reason = min(reasons, key=len)  # others say, too, which of several answers it is about
        said = reason if len(reason) <= _MOST_OF_A_HINT else f"{reason[:_MOST_OF_A_HINT].rpartition(' ')[0]} …"
        count = "once" if times == 1 else f"{times} times"
        lines.append(f"most frequent hint: {hint} (exercise {exercise}, {count}): {said}")
    for status in ("refused", "timeout"):
        left = [row.learner for row in rows if row.status == status and not row.by_hand]
        if names := list(dict.fromkeys(left)):
            lines.append(f"{status}, to be looked at: {first_of(names)}")
    lines += _nothing_came(rows)
    return "\n".join(map(printable, lines))


def _nothing_came(rows: list[Row]) -> list[str]:
    """Sentences on the learners from whom nothing came, unless somebody gave them points, and on such lessons."""
    lines, some = [], {row.learner for row in rows if row.status != "missing" or row.by_hand}
    if nothing := list(dict.fromkeys(row.learner for row in rows if row.learner not in some)):
        lines.append(f"nothing from: {first_of(nothing)}")
    lessons = {}
    for row in rows:
        lessons.setdefault(row.exercise[0], set()).add(row.status)
    if empty := [lesson for lesson, statuses in lessons.items() if statuses == {"missing"}]:
        lines.append(f"nobody handed in anything of lesson {', '.join(empty)}: --lesson leaves it out")
    return lines


def moved(rows: list[Row], before: list[list]) -> list[str]:
    """A sentence on the points that the grading before gave otherwise, on other inputs or other answers."""
    now = {(row.learner, row.exercise): row.points for row in rows}
    new = [
        f"{learner} {exercise} {points:g} → {now[learner, exercise]:g}"
        for learner, exercise, points in before
        if now.get((learner, exercise), points) != points
    ]
    return [f"points that the grading before gave otherwise: {first_of(new)}"] if new else []


def first_of(names: list[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return printable(", ".join(names[:_MOST_NAMES])) + more


def _kind(row: Row) -> str:
    if row.points:  # whatever it did: somebody may have given them by hand
        return "right" if row.points >= row.of else "in part"
    return "wrong" if row.status == "ok" else row.status


def shares_of_points(rows: list[Row]) -> dict[str, float]:
    """Of each exercise that was graded for somebody: the points given, of those that could be, from 0 to 1."""
    tried = [row for row in rows if row.points or row.status not in ("missing", "refused")]
    given, possible = Counter(), Counter()
    for row in tried:
        given[row.exercise] += row.points
        possible[row.exercise] += row.of
    return {exercise: given[exercise] / possible[exercise] for exercise in possible}


def fault_of_out(out: Path) -> str:
    """Why no table can be written here, '' if one can. Grading takes long; this is asked before it."""
    try:
        if out.is_dir():
            return f"--out {out} is a folder. Name a file, for example {out / 'grades.csv'}."
        if not out.parent.is_dir():
            return f"{out.parent} is no folder, so {out.name} cannot be written there."
        if out.exists():
            if not out.is_file():
                return f"--out {out} is no ordinary file."
            out.open("a").close()
        for name, is_fit in ((f"{out.stem}.feedback", Path.is_dir), (f"{out.stem}.overview.html", Path.is_file)):
            if (beside := out.with_name(name)).exists() and not is_fit(beside):
                return f"{beside} is in the way of what a grading writes there. Move it away, or name another --out."
        tempfile.NamedTemporaryFile(dir=out.parent, prefix=f".{out.name}.seed.json.").close()
    except OSError as error:
        return f"--out {out} cannot be written: {error.strerror}."
    return ""
