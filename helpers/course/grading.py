"""From what a learner handed in to the rows of the table: run each answer, reach each verdict."""

import copy
import hashlib
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache

from helpers.checks.ending import Run
from helpers.checks.exercise import Exercise
from helpers.checks.sandbox import Stopped
from helpers.course.submission import Submission
from helpers.course.table import Row

_MOST_TIMEOUTS = 6  # of one learner
_MOST_ANSWERS = 10  # to one exercise from one learner; each may take the whole time limit
one_at_a_time = threading.Lock()  # inputs and verdicts draw from torch's one generator

Runner = Callable[[Exercise, str, dict, float], Run]


@dataclass(frozen=True)
class Grading:
    """What all submissions of one grading have in common."""

    seed: str
    seconds: float = 30.0
    isolated: bool = True
    with_project: bool = False

    def inputs(self, asked: Exercise) -> dict:
        """The same for all learners, and known to nobody before."""
        return copy.deepcopy(_drawn(asked, self.seed_of(asked.id)))

    def seed_of(self, exercise_id: str) -> int:
        """Another one for each exercise."""
        return int.from_bytes(hashlib.sha256(f"{self.seed}/{exercise_id}".encode()).digest()[:7], "big")


@cache
def _drawn(asked: Exercise, seed: int) -> dict:
    return asked.inputs(seed)


def graded(submission: Submission, exercises: Iterable[Exercise], grading: Grading, run: Runner) -> list[Row]:
    """The rows of one learner, one for each exercise.

    Args:
        submission: what was handed in.
        exercises: to grade.
        grading: what is common to all learners.
        run: calls an answer: exercise, source, inputs, seconds.
    """
    run = _patient(run)
    rows = (_of_exercise(submission, asked, grading, run) for asked in exercises)
    isolation = "bubblewrap" if grading.isolated else "none (--unsafe)"
    return [replace(row, isolation=isolation) for row in rows]


def _patient(run: Runner) -> Runner:
    """The runner for one learner, who may not hold up all others: after some answers without an end, none is run."""
    endless = 0

    def bounded(*call) -> Run:
        nonlocal endless
        if endless >= _MOST_TIMEOUTS:
            return Run("timeout", f"not run: {_MOST_TIMEOUTS} answers of this learner before it came to no end")
        ran = run(*call)
        endless += ran.status == "timeout"
        return ran

    return bounded


def _of_exercise(submission: Submission, asked: Exercise, grading: Grading, run: Runner) -> Row:
    """Of several answers, the best; of those that have the same points, the oldest, and of wrong ones the newest."""
    answers = submission.answers.get(asked.answer_id, [])
    rows = []
    for name, source in answers[:_MOST_ANSWERS]:
        row = replace(_of_answer(submission.learner, asked, source, grading, run), code=source)
        rows.append(dated(row, submission, name))
    answered = [place for place, row in enumerate(rows) if row.status != "missing"]  # a template is no answer
    if not answered:
        return _nothing_found(submission, asked, rows)
    best = max(answered, key=lambda at: (rows[at].points, rows[at].status == "ok", at if rows[at].points else -at))
    row = rows[best]
    if len(answered) == 1 and len(answers) <= _MOST_ANSWERS:
        return row
    tried = "" if len(answers) <= _MOST_ANSWERS else f" (of {len(answers)}: the newest {_MOST_ANSWERS} were run)"
    reason = f"best of {len(answered)} different answers{tried}, from {answers[best][0]}"
    return replace(row, reason=f"{reason}; {row.reason}" if row.reason else reason)


def _of_answer(learner: str, asked: Exercise, source: str, grading: Grading, run: Runner) -> Row:
    row = Row(learner, asked.id, 0, asked.points, "ok", "")
    try:
        with one_at_a_time:
            inputs = grading.inputs(asked)
        ran = run(asked, source, inputs, grading.seconds)
        if ran.status != "ok":
            return replace(row, status=ran.status, reason=ran.reason)
        with one_at_a_time:
            verdict = asked.verdict(inputs, ran.outputs)
    except Stopped:
        raise
    except Exception as error:  # whatever an answer upsets here, a full disk included, must not stop the others
        return replace(row, status="refused", reason=f"it could not be graded ({type(error).__name__})")
    if verdict.passed:
        return replace(row, points=asked.points)
    return replace(row, reason=verdict.hint, hint=verdict.hint_name)


def dated(row: Row, submission: Submission, name: str) -> Row:
    """The row with the date of the file that it is about, where that is known."""
    if name not in submission.dates:
        return row
    try:
        handed_in = datetime.fromtimestamp(submission.dates[name])
    except (ValueError, OverflowError, OSError):  # some file systems hold years that no calendar has
        return row
    return replace(row, handed_in=handed_in.isoformat(" ", "seconds"))


def refused(row: Row, submission: Submission, faults: list[str]) -> Row:
    """The row for files that could not be read, with the date of the newest of them."""
    named = [name for name in submission.dates if any(fault.startswith(f"{name}: ") for fault in faults)]
    newest = max(named, key=submission.dates.get, default="")
    return dated(replace(row, status="refused", reason="; ".join(faults)), submission, newest)


def with_lateness(row: Row, says_late: bool, due: datetime | None) -> Row:
    """The row with whether it was late: as the export says, or by the date; '' where nobody said what is due when."""
    if not row.handed_in:
        return row
    is_late = says_late or (due is not None and datetime.fromisoformat(row.handed_in) > due)
    return replace(row, late="yes" if is_late else "no" if due else "")


def _lesson_of(fault: str) -> str:
    """The lesson that a notebook belongs to which could not be read, by its name; '' where that does not tell."""
    named = re.search(r"(?<!\d)([1-6])_[a-z]+_[a-z_]+[^/]*\.ipynb: ", fault)
    return named[1] if named else ""


def _nothing_found(submission: Submission, asked: Exercise, unfilled: list[Row]) -> Row:
    """Where the answer may stand in what is not graded, it is refused, not missing: somebody should look."""
    row = Row(submission.learner, asked.id, 0, asked.points, "refused", "")
    if strays := submission.strays.get(asked.answer_id):
        name, cell = min(strays.values()), f"a cell without the grade_id {asked.answer_id} defines {asked.function}"
        return dated(replace(row, reason=f"{name}: {cell}; only the cell with it is graded"), submission, name)
    if name := submission.not_code.get(asked.answer_id):
        return dated(replace(row, reason=f"{name}: the cell of the answer is text, not code"), submission, name)
    if faults := [fault for fault in submission.faults if _lesson_of(fault) in ("", asked.id[0])]:
        return refused(row, submission, faults)
    if unfilled:
        return unfilled[0]
    return replace(row, status="missing", reason=submission.nothing or "none of the notebooks read has this exercise")
