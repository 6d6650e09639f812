"""Grade several learners at a time, each in a sandbox of their own, and note each as soon as it is done."""

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tqdm import tqdm

from helpers.checks.exercise import Exercise
from helpers.checks.sandbox import Sandbox, Stopped
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

    The project is graded in this thread, where a signal ends it at once. The other threads only wait for processes;
    they live until all is done, since bubblewrap ends with the thread that started it.

    Args:
        handed_in: what to grade.
        exercises: to grade of each.
        grading: what is common to all.
        jobs: learners at a time.
        hidden: folders that no answer may see.
        journal: takes the rows.
    """
    sandboxes, with_adapter = _Sandboxes(), []

    def work(submission: Submission) -> tuple[list[Row], float]:
        started = time.monotonic()
        wanted = [asked for asked in exercises if asked.answer_id in submission.answers]
        with sandboxes.one(Sandbox(wanted, grading.isolated, hidden)) as sandbox:
            return graded(submission, exercises, grading, sandbox.run), time.monotonic() - started

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
            sandboxes.stop()
            raise


class _Sandboxes:
    """Those that are open, so that all can be ended at once."""

    def __init__(self):
        self._open, self._stopped, self._lock = set(), False, threading.Lock()

    @contextlib.contextmanager
    def one(self, sandbox: Sandbox) -> Iterator[Sandbox]:
        with self._lock:
            if self._stopped:
                raise Stopped
            self._open.add(sandbox)
        try:
            with sandbox:
                yield sandbox
        finally:
            with self._lock:
                self._open.discard(sandbox)

    def stop(self) -> None:
        with self._lock:
            self._stopped, now = True, list(self._open)
        for sandbox in now:
            sandbox.stop()
