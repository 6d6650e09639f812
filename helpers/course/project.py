"""Exercise 5.4 in a grading: the row of the adapter that a learner handed in.

No code of the learner runs: one file of tensors is read, of bounded size, and the grader writes with it.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from helpers.checks.registry import PROJECT_ID, PROJECT_POINTS
from helpers.course.grading import Grading, dated, one_at_a_time, refused
from helpers.course.handin import ZIP
from helpers.course.submission import UNREAD, Submission, digest_of
from helpers.course.table import Row
from helpers.download import CourseError

SOLUTION = Path(__file__).parents[2] / "solutions" / "adapter_model.safetensors"


def row_of(submission: Submission, grading: Grading) -> Row:
    """What the adapter does on prompts that the seed of this grading draws; about a minute.

    Raises:
        CourseError: the course's own model, ratings or reward adapter cannot be had.
    """
    row = Row(submission.learner, PROJECT_ID, 0, PROJECT_POINTS, "ok", "", isolation="not needed: no code runs")
    if submission.adapter is None and (zips := [fault for fault in submission.faults if ZIP in fault.lower()]):
        return refused(row, submission, zips)  # it may be in there
    if submission.adapter is None:
        return replace(row, status="missing", reason="no adapter_model.safetensors in the folder")
    from helpers.checks import project  # peft and transformers take seconds to import, and few need them

    name, file = submission.adapter
    row = dated(row, submission, name)
    if digest_of(file) != submission.adapter_digest:
        return replace(row, status="refused", reason=f"{name} changed while this was graded")
    try:
        with one_at_a_time:
            verdict = project.verdict_on(file, grading.seed_of(PROJECT_ID))
    except CourseError:
        raise
    except Exception as error:  # whatever an adapter upsets here must not stop the others
        return replace(row, status="refused", reason=f"it could not be graded ({type(error).__name__})")
    figures = "; ".join(f"{what}: {value:+.2f}" for what, value in verdict.figures.items())
    of_which = "" if name == project.FILE else f"{name}: "  # there may be others
    if verdict.passed:
        return replace(row, points=PROJECT_POINTS, reason=of_which + figures)
    status = "refused" if verdict.hint_name == "unreadable" else "ok"
    said = f"{verdict.reason} ({figures})" if figures else verdict.reason
    return replace(row, status=status, reason=of_which + said, hint=verdict.hint_name)


def prepare(grading: Grading) -> None:
    """Measure what all adapters of a grading are compared with: what is missing for it should be said first, not last.

    Raises:
        CourseError: the course's own model, ratings or reward adapter cannot be had.
    """
    from helpers.checks import project
    from helpers.model import start_lesson

    print(f"{PROJECT_ID}: first the unchanged model writes, for comparison; up to a minute.", file=sys.stderr)
    start_lesson()  # quiet, beside the progress bar of the grading
    with one_at_a_time:
        project.before(grading.seed_of(PROJECT_ID))


def same_file(handed_in: Sequence[Submission]) -> list[list[str]]:
    """The learners whose adapters are equal to the byte, where more than one has it, or it is that of the course: for
    the instructor to judge."""
    owners = {digest_of(SOLUTION): ["the solutions of the course"]}
    for one in handed_in:
        if one.adapter and not one.adapter_digest.startswith(UNREAD):
            owners.setdefault(one.adapter_digest, []).append(one.learner)
    return [learners for learners in owners.values() if len(learners) > 1]
