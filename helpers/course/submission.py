"""What a learner handed in: the answer cells of their notebooks, found by grade_id. All of it is untrusted."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from helpers.checks import plain
from helpers.checks.registry import EXERCISES

_MOST_NOTEBOOK_BYTES = 20 * 2**20
_MOST_SOURCE = 100_000
_MOST_NOTEBOOKS = 100
_ANSWER_IDS = {asked.answer_id for asked in EXERCISES.values()}


@dataclass
class Submission:
    """Different answers to each exercise, with the name of their notebook, and what could not be read."""

    learner: str
    answers: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def submissions(folder: Path) -> list[Submission]:
    """Of every learner, sorted by name: `folder/NAME/*.ipynb`, whatever the notebooks are called."""
    learners = [path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()]
    return [_submission(path) for path in sorted(learners) if not path.name.startswith(".")]


def _submission(folder: Path) -> Submission:
    submission = Submission(folder.name)
    try:
        notebooks = sorted(path for path in folder.iterdir() if path.suffix == ".ipynb" and path.name[0] != ".")
    except OSError:
        submission.faults.append("the folder cannot be read")
        return submission
    if len(notebooks) > _MOST_NOTEBOOKS:
        submission.faults.append(f"{len(notebooks)} notebooks: only the first {_MOST_NOTEBOOKS} were read")
    for path in notebooks[:_MOST_NOTEBOOKS]:
        try:
            found = answer_cells(plain.read_bytes(path, _MOST_NOTEBOOK_BYTES))
        except (ValueError, OSError) as error:
            submission.faults.append(f"{path.name}: {error}")
            continue
        for answer_id, source in found:
            answers = submission.answers.setdefault(answer_id, [])
            if source not in [other for _, other in answers]:
                answers.append((path.name, source))
    return submission


def answer_cells(content: bytes) -> list[tuple[str, str]]:
    """The grade_id and source of every answer cell.

    Raises:
        ValueError: this is no notebook, or an answer in it is too long.
    """
    try:
        cells = json.loads(content.decode("utf-8-sig"))["cells"]
        found = [_answer_cell(cell) for cell in cells]
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        raise ValueError("not a notebook") from None
    found = [(answer_id, source) for answer_id, source in found if answer_id in _ANSWER_IDS]
    if any(len(source) > _MOST_SOURCE for _, source in found):
        raise ValueError(f"an answer is longer than {_MOST_SOURCE:,} characters")
    return found


def _answer_cell(cell: dict) -> tuple[str, str]:
    if cell["cell_type"] != "code":
        return "", ""
    answer_id = cell.get("metadata", {}).get("nbgrader", {}).get("grade_id", "")
    return str(answer_id), "".join(cell["source"])
