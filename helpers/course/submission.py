"""What a learner handed in: the answer cells of their notebooks, found by grade_id. All of it is untrusted."""

import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from helpers.checks import plain
from helpers.checks.exercise import Exercise
from helpers.checks.registry import EXERCISES
from helpers.course.handin import NOTEBOOK, ZIP, HandIn, one_and_more

UNREAD = "not read: "
_MOST_NOTEBOOK_BYTES = 20 * 2**20
_MOST_SOURCE = 100_000
_MOST_NOTEBOOKS = 100
_MOST_ADAPTER_BYTES = 2**20  # the project asks for less; of a larger one, nothing but its size is known
_ANSWER_IDS = {asked.answer_id for asked in EXERCISES.values()}


@dataclass
class Submission:
    """Different answers to each exercise, newest notebook first, and what somebody may want to know besides."""

    learner: str
    answers: dict[str, list[tuple[str, str]]] = field(default_factory=dict)  # answer_id -> (notebook, source)
    strays: dict[str, dict[str, str]] = field(default_factory=dict)  # answer_id -> source without the id -> notebook
    not_code: dict[str, str] = field(default_factory=dict)  # answer_id -> notebook in which its cell is text
    faults: list[str] = field(default_factory=list)  # notebooks that could not be read
    nothing: str = ""  # why no notebook was read
    dates: dict[str, float] = field(default_factory=dict)  # file -> when it was last written, seconds since 1970
    late: bool = False  # says the export
    adapter: tuple[str, Path] | None = None  # of the project, exercise 5.4
    adapter_digest: str = ""

    @property
    def is_empty(self) -> bool:
        """No exercise is in it, and nothing that might hold one."""
        return not (self.answers or self.strays or self.not_code or self.faults or self.adapter)

    @property
    def digest(self) -> str:
        """Another one where anything of it differs."""
        known = {**vars(self), "adapter": self.adapter and self.adapter[0]}  # a zip is unpacked elsewhere each time
        return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()


def submission(handed_in: HandIn) -> Submission:
    """Read what one learner handed in."""
    read = Submission(handed_in.learner, faults=list(handed_in.faults), late=handed_in.late)
    dated = []
    for name, path in handed_in.files:
        try:
            seconds = path.lstat().st_mtime
        except OSError:
            read.faults.append(f"{name}: cannot be read")
            continue
        if name.lower().endswith((NOTEBOOK, ".safetensors", ZIP)):
            read.dates[name] = seconds
        if name.lower().endswith(ZIP):
            read.faults.append(f"{name}: a zip that was not opened; unpack it")
        elif name.lower().endswith(NOTEBOOK):
            dated.append((-seconds, name, path))
    if adapter := _adapter(handed_in.files, read.dates):
        read.adapter, read.adapter_digest = adapter, digest_of(adapter[1])
    if not dated and not read.faults:
        others = [] if read.adapter else [*handed_in.others, *(name for name, _ in handed_in.files)]
        read.faults += [f"{one_and_more(others)}: no notebook"] if others else []
        read.nothing = "no .ipynb in the folder"
    if len(dated) > _MOST_NOTEBOOKS:
        read.faults.append(f"{len(dated)} notebooks: only the newest {_MOST_NOTEBOOKS} were read")
    for _, name, path in sorted(dated)[:_MOST_NOTEBOOKS]:
        try:
            cells = cells_of(plain.read_bytes(path, _MOST_NOTEBOOK_BYTES))
        except (ValueError, OSError) as error:
            reason = "a folder, not a notebook" if os.path.isdir(path) and not os.path.islink(path) else error
            read.faults.append(f"{name}: {reason}")
        else:
            _take(read, name, cells)
    _adopt_strays(read)
    return read


def _adapter(files: Sequence[tuple[str, Path]], dates: dict[str, float]) -> tuple[str, Path] | None:
    """The file to grade: of those called adapter_model, else of all files of tensors, one that lies highest; of these,
    the one written last.

    A learning management system may have changed the name, and a learner may have handed in all that a training saved.
    """
    tensors = [(name, path) for name, path in files if name.lower().endswith(".safetensors") and name in dates]
    named = [(name, path) for name, path in tensors if "adapter_model" in name.rpartition("/")[2].lower()]
    return max(named or tensors, key=lambda file: (-file[0].count("/"), dates[file[0]], file[0]), default=None)


def digest_of(file: Path) -> str:
    """Of the content; of a file that will be refused, the reason, behind `UNREAD`."""
    try:
        return hashlib.sha256(plain.read_bytes(file, _MOST_ADAPTER_BYTES)).hexdigest()
    except (OSError, plain.Refused) as error:
        return f"{UNREAD}{error}"


def _take(submission: Submission, name: str, cells: list[tuple[str, str, bool]]) -> None:
    """Notebooks come newest first: an answer that an older one has, too, is that of the older one."""
    for answer_id, source, is_code in cells:
        if answer_id in _ANSWER_IDS and not is_code:
            submission.not_code.setdefault(answer_id, name)
        elif answer_id in _ANSWER_IDS:
            answers = submission.answers.setdefault(answer_id, [])
            place = next((place for place, (_, known) in enumerate(answers) if known == source), len(answers))
            answers[place:] = [(name, source), *answers[place + 1 :]]
        elif is_code:
            for asked in EXERCISES.values():
                strays = submission.strays.setdefault(asked.answer_id, {}) if _defines(source, asked) else {}
                if len(strays) < 2 or source in strays:  # two leave doubt enough
                    strays[source] = name


def _adopt_strays(submission: Submission) -> None:
    """Some tools take the metadata off a notebook. Where no cell has the grade_id, and cells of one text define the
    function, there is no doubt which is the answer."""
    for answer_id in [of for of, sources in submission.strays.items() if len(sources) == 1]:
        if answer_id not in submission.answers:
            submission.answers[answer_id] = [
                (name, source) for source, name in submission.strays.pop(answer_id).items()
            ]


def _defines(source: str, asked: Exercise) -> bool:
    """Spaces and tabs only: with line ends among them, a cell of many empty lines would be searched for hours."""
    pattern = rf"^[ \t]*(def[ \t]+{asked.function}[ \t]*\(|{asked.function}[ \t]*=(?!=))"
    return len(source) <= _MOST_SOURCE and re.search(pattern, source, re.MULTILINE) is not None


def cells_of(content: bytes) -> list[tuple[str, str, bool]]:
    """The grade_id ('' for none) and the source of every cell, and whether it is one of code. A cell that is malformed
    spoils no other.

    Raises:
        ValueError: this is no notebook, or an answer in it is too long.
    """
    found = [_cell(cell) for cell in _cells(content) if isinstance(cell, dict)]
    if any(len(source) > _MOST_SOURCE for answer_id, source, is_code in found if is_code and answer_id in _ANSWER_IDS):
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
        raise ValueError("not a notebook (no JSON, or cut off: hand it in again)") from None
    if isinstance(read, dict) and isinstance(read.get("cells"), list):
        return read["cells"]
    if isinstance(read, dict) and "worksheets" in read:
        raise ValueError("a notebook of format 3: open it in JupyterLab and save it")
    raise ValueError("not a notebook (JSON without cells)")


def _cell(cell: dict) -> tuple[str, str, bool]:
    metadata = cell.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    answer_id = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
    lines = cell.get("source")
    lines = [lines] if isinstance(lines, str) else lines if isinstance(lines, list) else []
    source = "".join(line for line in lines if isinstance(line, str))
    return answer_id if isinstance(answer_id, str) else "", source, cell.get("cell_type") == "code"
