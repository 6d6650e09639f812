"""Grade several learners at a time, each with a sandbox to themselves, and note each as soon as it is done."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from queue import SimpleQueue

from tqdm import tqdm

from helpers.checks.exercise import Exercise
from helpers.checks.sandbox import Sandbox
from helpers.course.grading import Grading, graded
from helpers.course.journal import Journal
from helpers.course.project import row_of
from helpers.course.submission import Submission
from helpers.course.table import Row


class Ended(BaseException):
    """Somebody asked this process to end. No `except Exception` holds it up."""


def grade_all(
    handed_in: Sequence[Submission],
    exercises: Sequence[Exercise],
    grading: Grading,
    jobs: int,
    hidden: Sequence[Path],
    journal: Journal,
) -> None:
    """Grade every learner, `jobs` at a time, and note the rows in the journal.

    A sandbox serves one learner after the other: what a start takes, imports above all, is more than all answers of
    one. The project is graded in this thread, where a signal ends it at once. The other threads only wait for
    processes; they live until all is done, since bubblewrap ends with the thread that started it.

    Args:
        handed_in: what to grade.
        exercises: to grade of each.
        grading: what is common to all.
        jobs: learners at a time.
        hidden: folders that no answer may see.
        journal: takes the rows.
    """
    sandboxes = [Sandbox(exercises, grading.isolated, hidden) for _ in range(jobs)]
    free, with_adapter = SimpleQueue(), []
    for sandbox in sandboxes:
        free.put(sandbox)

    def work(submission: Submission) -> tuple[list[Row], float]:
        started, sandbox = time.monotonic(), free.get()
        try:
            return graded(submission, exercises, grading, sandbox.run), time.monotonic() - started
        finally:
            if not grading.isolated:
                sandbox.end()  # an answer may have left anything anywhere
            free.put(sandbox)

    with tqdm(total=len(handed_in), unit="learner", desc="grading") as bar, ThreadPoolExecutor(jobs) as pool:
        try:
            running = {pool.submit(work, submission): submission for submission in handed_in}
            for done in as_completed(running):
                submission = running.pop(done)
                rows, seconds = done.result()
                if grading.with_project and submission.adapter:  # it takes long, and nobody else should wait for it
                    with_adapter.append((submission, rows, seconds))
                    continue
                if grading.with_project:
                    rows.append(row_of(submission, grading))
                journal.add(submission.learner, submission.digest, rows, seconds)
                bar.update()
            for submission, rows, seconds in with_adapter:
                journal.add(submission.learner, submission.digest, [*rows, row_of(submission, grading)], seconds)
                bar.update()
        except BaseException:  # a signal, or a full disk: let no thread go on
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        finally:
            for sandbox in sandboxes:
                sandbox.stop()
