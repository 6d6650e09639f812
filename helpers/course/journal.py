"""What a grading has found so far, in a file that a killed run leaves whole: one line of JSON for each learner."""

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from helpers.course.table import Row


@dataclass
class Found:
    """What a journal holds: how the last grading was begun, whether it came to its end, and all results so far."""

    begun: dict = field(default_factory=dict)  # seed, seconds, isolated, exercises …
    finished: bool = False
    rows: dict[tuple[str, str], Row] = field(default_factory=dict)  # (learner, exercise) -> the newest
    done: dict[str, str] = field(default_factory=dict)  # learner -> digest of the submission; of the last grading
    folder: str = ""  # what was graded
    due: str = ""  # the date from which on answers are late, as ISO 8601 has it
    before: list[list] = field(default_factory=list)  # learner, exercise, points: of the grading that this one replaced
    whole: dict = field(default_factory=dict)  # as begun, of the first grading here, which was one of all exercises
    whole_done: dict[str, str] = field(default_factory=dict)  # as done, of that grading


class Journal:
    """Lines are written to the disk one by one; a half line at the end, left by a kill, is cut off and its learner
    graded again."""

    def __init__(self, path: Path):
        self.path = path

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Inside, no other grading gets this journal.

        Raises:
            ValueError: another one has it.
        """
        with self.path.open("ab") as file:
            if not _locked(file):
                raise ValueError(f"{self.path}: another grading is writing it. Wait for it, or name another --out.")
            try:
                yield
            finally:
                if not file.seek(0, os.SEEK_END):
                    self.path.unlink()  # nothing came of it

    def read(self) -> Found:
        """All that is known; nothing where there is no file.

        Raises:
            ValueError: this is no journal.
        """
        found = Found()
        lines = self.path.read_bytes().split(b"\n")[:-1] if self.path.exists() else []
        for line in lines:
            try:
                self._apply(found, json.loads(line))
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{self.path} is no journal of a grading. Move it away to begin anew.") from error
        return found

    @staticmethod
    def _apply(found: Found, entry: dict) -> None:
        if "begun" in entry:
            found.begun, found.finished, found.done = entry["begun"], False, {}
            if not found.whole:
                found.whole, found.whole_done = found.begun, found.done
            found.before = entry.get("before", found.before)
            found.folder = entry.get("folder", found.folder)
        elif "finished" in entry:
            found.finished = True
        elif "due" in entry:
            found.due = entry["due"]
        else:
            rows = [Row(**values) for values in entry["rows"]]
            found.rows |= {(row.learner, row.exercise): row for row in rows}
            found.done[entry["learner"]] = entry["digest"]

    def begin(self, begun: dict, anew: bool, folder: str = "") -> None:
        """Note how a grading is begun; `anew` drops all that was found before, but for its points and the due date."""
        if not anew:
            return self._append({"begun": begun})
        found = self.read()
        points = [[*key, row.points] for key, row in found.rows.items()] if found.finished else found.before
        self.path.write_bytes(b"")  # not another file, which would not be locked
        self._append({"begun": begun, "before": points, "folder": folder})
        self.note_due(found.due)

    def note_due(self, due: str) -> None:
        """Note from when on answers are late."""
        self._append({"due": due})

    def add(self, learner: str, digest: str, rows: list[Row], seconds: float = 0.0) -> None:
        """Note the rows of a learner, and how long they took."""
        values = [dataclasses.asdict(row) for row in rows]
        self._append({"learner": learner, "digest": digest, "seconds": round(seconds, 2), "rows": values})

    def finish(self) -> None:
        """Note that all were graded."""
        self._append({"finished": True})

    def _append(self, entry: dict) -> None:
        self.path.touch()
        with self.path.open("rb+") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(end - 1, 0))
            if file.read(1) not in (b"", b"\n"):
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
            file.seek(0, os.SEEK_END)
            file.write(json.dumps(entry).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


def _locked(file: IO) -> bool:
    """Whether it is ours until it is closed, or this process ends; always, where the system has no such locks."""
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
