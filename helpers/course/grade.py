"""`python -m helpers grade FOLDER --out grades.csv`: grade every submission FOLDER/NAME/*.ipynb.

Answers run in a process of their own on inputs drawn for this grading alone; what is due never enters that process.
"""

import argparse
import csv
import hashlib
import io
import json
import secrets
import sys
import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from helpers.checks.registry import EXERCISES, Exercise
from helpers.checks.sandbox import run_answer
from helpers.course.notebook import write_text
from helpers.course.submission import Submission, submissions

COLUMNS = ("learner", "exercise", "points", "of", "status", "reason")
_MOST_COPIES = 5  # answers to one exercise from one learner; each may take the whole time limit


@dataclass(frozen=True)
class Row:
    """The result of one learner in one exercise. Status and points are apart: a wrong answer ran ok."""

    learner: str
    exercise: str
    points: int
    of: int
    status: str
    reason: str


@dataclass(frozen=True)
class Grading:
    """What all submissions of one grading have in common."""

    seed: str
    seconds: float

    def inputs(self, asked: Exercise) -> dict:
        """The same for all learners, and known to nobody before."""
        digest = hashlib.sha256(f"{self.seed}/{asked.id}".encode()).digest()
        return asked.inputs(int.from_bytes(digest[:7], "big"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="holds one folder for each learner, with notebooks in it")
    parser.add_argument("--out", type=Path, default=Path("grades.csv"), help="default: grades.csv")
    parser.add_argument("--seconds", type=float, default=30, help="limit for one answer (default: 30)")


def run(args: argparse.Namespace) -> int:
    if not args.folder.is_dir():
        print(f"{args.folder} is no folder. It should hold one folder for each learner.", file=sys.stderr)
        return 2
    if not args.out.parent.is_dir():
        print(f"{args.out.parent} is no folder, so {args.out.name} cannot be written there.", file=sys.stderr)
        return 2
    handed_in = submissions(args.folder)
    if not handed_in:
        print(f"{args.folder} holds no folders. Put each learner's notebooks in one: NAME/*.ipynb.", file=sys.stderr)
        return 2
    grading = Grading(secrets.token_hex(16), args.seconds)
    rows = []
    with tqdm(total=len(handed_in) * len(EXERCISES), unit="exercise", desc="grading") as bar:
        for submission in handed_in:
            for asked in EXERCISES.values():
                rows.append(graded(submission, asked, grading))
                bar.update()
    write_text(csv_text(rows), args.out)
    _record_seed(grading, args.out)
    counts = Counter(row.status for row in rows)
    print(f"{args.out}: {len(rows)} rows: {', '.join(f'{count} {status}' for status, count in counts.items())}")
    return 0


def graded(submission: Submission, asked: Exercise, grading: Grading) -> Row:
    """The row of this learner in this exercise: of several answers, the best."""
    answers = submission.answers.get(asked.answer_id, [])
    if not answers:
        return _nothing_found(submission, asked)
    rows = [_graded_answer(submission.learner, asked, source, grading) for _, source in answers[:_MOST_COPIES]]
    best = max(range(len(rows)), key=lambda place: (rows[place].points, rows[place].status == "ok", -place))
    row = rows[best]
    if len(answers) == 1:
        return row
    tried = "" if len(answers) <= _MOST_COPIES else f" (only the first {_MOST_COPIES} were run)"
    reason = f"best of {len(answers)} different answers{tried}, from {answers[best][0]}"
    return Row(row.learner, row.exercise, row.points, row.of, row.status, f"{reason}; {row.reason}".rstrip("; "))


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


def _nothing_found(submission: Submission, asked: Exercise) -> Row:
    """A notebook that cannot be read may have held this exercise: somebody should look."""
    if submission.faults:
        return Row(submission.learner, asked.id, 0, asked.points, "refused", "; ".join(submission.faults))
    reason = f"no cell with the grade_id {asked.answer_id}"
    return Row(submission.learner, asked.id, 0, asked.points, "missing", reason)


def csv_text(rows: list[Row]) -> str:
    """The table; no cell of it can act as a formula in a spreadsheet."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([_harmless(getattr(row, column)) for column in COLUMNS])
    return text.getvalue()


def _harmless(value: object) -> str:
    """Printable text of bounded length; an apostrophe keeps a spreadsheet from computing it."""
    text = "".join(character if character.isprintable() else "?" for character in str(value))[:500]
    first = unicodedata.normalize("NFKC", text.lstrip()[:1])  # full-width signs start a formula too
    return f"'{text}" if first and first in "=+-@" else text


def _record_seed(grading: Grading, out: Path) -> None:
    """Written when all answers have run: until then no file holds it."""
    record = {"seed": grading.seed, "seconds": grading.seconds}
    write_text(json.dumps(record, indent=1) + "\n", out.with_name(f"{out.name}.seed.json"))
