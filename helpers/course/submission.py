"""What a learner handed in: the answer cells of their notebooks, found by grade_id. All of it is untrusted."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from helpers.checks import plain
from helpers.checks.exercise import Exercise
from helpers.checks.registry import EXERCISES

_MOST_NOTEBOOK_BYTES = 20 * 2**20
_MOST_SOURCE = 100_000
_MOST_NOTEBOOKS = 100
_MADE_BY_MACHINES = ("__MACOSX", ".ipynb_checkpoints")
_ANSWER_IDS = {asked.answer_id for asked in EXERCISES.values()}


@dataclass
class Submission:
    """Different answers to each exercise, newest notebook first, and what somebody may want to know besides."""

    learner: str
    answers: dict[str, list[tuple[str, str]]] = field(default_factory=dict)  # answer_id -> (notebook, source)
    strays: dict[str, str] = field(default_factory=dict)  # answer_id -> notebook that has the function elsewhere
    faults: list[str] = field(default_factory=list)  # notebooks that could not be read
    nothing: str = ""  # why no notebook was read

    @property
    def is_empty(self) -> bool:
        """No exercise is in it, and nothing that might hold one."""
        return not (self.answers or self.strays or self.faults)


def submissions(folder: Path) -> tuple[list[Submission], dict[str, list[str]]]:
    """Of every learner, sorted by name: `folder/NAME/*.ipynb`; and the names of what is no learner's folder, by why.

    Raises:
        OSError: the folder cannot be read.
    """
    learners, skipped = [], {}
    for path in sorted(folder.iterdir()):
        if path.name in _MADE_BY_MACHINES:
            continue
        if why := _why_no_learner(path):
            skipped.setdefault(why, []).append(path.name)
        else:
            learners.append(path)
    return [_submission(path) for path in learners], skipped


def _why_no_learner(path: Path) -> str:
    if path.is_symlink():
        return "links are not followed"
    if path.name.startswith("."):
        return "hidden"
    return "" if path.is_dir() else "a file, not a learner's folder"


def _submission(folder: Path) -> Submission:
    submission = Submission(folder.name)
    try:
        notebooks = sorted(_notebooks(folder), key=lambda path: (-path.lstat().st_mtime, path.name))
        if not notebooks:
            inner = sorted(str(path.relative_to(folder)) for path in folder.glob("*/*.ipynb"))
            inner = [name for name in inner if Path(name).parts[0] not in _MADE_BY_MACHINES]
            submission.nothing = f"only in subfolders: {inner[0]}" if inner else "no .ipynb in the folder"
    except OSError:
        submission.faults.append("the folder cannot be read")
        return submission
    if len(notebooks) > _MOST_NOTEBOOKS:
        submission.faults.append(f"{len(notebooks)} notebooks: only the newest {_MOST_NOTEBOOKS} were read")
    for path in notebooks[:_MOST_NOTEBOOKS]:
        try:
            cells = code_cells(plain.read_bytes(path, _MOST_NOTEBOOK_BYTES))
        except (ValueError, OSError) as error:
            reason = "a folder, not a notebook" if path.is_dir() and not path.is_symlink() else error
            submission.faults.append(f"{path.name}: {reason}")
        else:
            _take(submission, path.name, cells)
    return submission


def _notebooks(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.suffix.lower() == ".ipynb" and path.name[0] != "."]


def _take(submission: Submission, name: str, cells: list[tuple[str, str]]) -> None:
    known = {(answer_id, source) for answer_id, answers in submission.answers.items() for _, source in answers}
    for answer_id, source in cells:
        if answer_id in _ANSWER_IDS:
            if (answer_id, source) not in known:
                known.add((answer_id, source))
                submission.answers.setdefault(answer_id, []).append((name, source))
            continue
        for asked in EXERCISES.values():
            if _defines(source, asked):
                submission.strays.setdefault(asked.answer_id, name)


def _defines(source: str, asked: Exercise) -> bool:
    return re.search(rf"^\s*(def\s+{asked.function}\s*\(|{asked.function}\s*=(?!=))", source, re.MULTILINE) is not None


def code_cells(content: bytes) -> list[tuple[str, str]]:
    """The grade_id ('' for none) and the source of every code cell. A cell that is malformed spoils no other.

    Raises:
        ValueError: this is no notebook, or an answer in it is too long.
    """
    cells = _cells(content)
    found = [_code_cell(cell) for cell in cells if isinstance(cell, dict) and cell.get("cell_type") == "code"]
    if any(len(source) > _MOST_SOURCE for answer_id, source in found if answer_id in _ANSWER_IDS):
        raise ValueError(f"an answer is longer than {_MOST_SOURCE:,} characters")
    return found


def _cells(content: bytes) -> list:
    if not content.strip():
        raise ValueError("an empty file")
    try:
        read = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ValueError("not a notebook (no UTF-8 text)") from None
    except (ValueError, RecursionError):
        raise ValueError("not a notebook (no JSON)") from None
    if isinstance(read, dict) and isinstance(read.get("cells"), list):
        return read["cells"]
    if isinstance(read, dict) and "worksheets" in read:
        raise ValueError("a notebook of format 3: open it in JupyterLab and save it")
    raise ValueError("not a notebook (JSON without cells)")


def _code_cell(cell: dict) -> tuple[str, str]:
    metadata = cell.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    answer_id = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
    lines = cell.get("source")
    lines = [lines] if isinstance(lines, str) else lines if isinstance(lines, list) else []
    source = "".join(line for line in lines if isinstance(line, str))
    return answer_id if isinstance(answer_id, str) else "", source
