"""The table that a grading writes: its rows, its text, whether it can be written, and what it says in sum."""

import csv
import io
import tempfile
import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from helpers.course.notebook import write_text

COLUMNS = ("learner", "exercise", "points", "of", "status", "reason")


@dataclass(frozen=True)
class Row:
    """The result of one learner in one exercise. Status and points are apart: a wrong answer ran ok."""

    learner: str
    exercise: str
    points: int
    of: int
    status: str
    reason: str


def write(rows: list[Row], out: Path) -> None:
    """As UTF-8 with a mark in front, without which Excel takes ü for Ã¼."""
    write_text("\ufeff" + csv_text(rows), out)


def csv_text(rows: list[Row]) -> str:
    """The table; no cell of it can act as a formula in a spreadsheet."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([_harmless(getattr(row, column)) for column in COLUMNS])
    return text.getvalue()


def _harmless(value: object) -> str:
    """An apostrophe keeps a spreadsheet from computing it."""
    text = printable(value)
    first = unicodedata.normalize("NFKC", text.lstrip()[:1])  # full-width signs start a formula too
    return f"'{text}" if first and first in "=+-@" else text


def printable(value: object) -> str:
    """Text of bounded length without anything that a terminal would obey."""
    return "".join(character if character.isprintable() else "?" for character in str(value))[:500]


def summary(rows: list[Row]) -> str:
    """How many rows of each kind, those that ran apart by whether they are right."""
    kinds = Counter(("right" if row.points else "wrong") if row.status == "ok" else row.status for row in rows)
    order = ("right", "wrong", "missing", "refused", "crash", "timeout")
    return f"{len(rows)} rows: " + ", ".join(f"{kinds[kind]} {kind}" for kind in order if kinds[kind])


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
        tempfile.NamedTemporaryFile(dir=out.parent, prefix=f".{out.name}.seed.json.").close()
    except OSError as error:
        return f"--out {out} cannot be written: {error.strerror}."
    return ""
