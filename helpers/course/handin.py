"""Whose file is whose: a folder, or a zip of one, as a learning management system exports it."""

import os
import re
import stat
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from helpers.course.table import printable

NOTEBOOK = ".ipynb"
ZIP = ".zip"
ACCEPTED = (NOTEBOOK, ".safetensors", ".json")  # an exercise may ask for an adapter beside the notebook
NAMED = (*ACCEPTED, ZIP)  # a learner may hand in a zip of them
COURSE_NOTEBOOKS = (  # as they are handed out
    *("1_load_in_8bit", "2_add_lora_adapters", "3_ppo_with_a_shared_reference", "4_one_backbone_four_roles"),
    *("5_practice", "6_the_same_idea_elsewhere"),
)
NBGRADERS = "submitted"  # nbgrader keeps what was handed in there
_NBGRADERS_OTHERS = {NBGRADERS, "source", "release", "autograded", "feedback"}  # its own, which hold no submissions
MADE_BY_MACHINES = ("__MACOSX", ".ipynb_checkpoints")
_NOT_ASKED = "no notebook"
_MOST_DEPTH = 12  # what somebody made a zip of from their home folder is as deep as that
_MOST_ENTRIES = 5000
MOST_FAULTS = 5  # named, of a zip
# Moodle: "Jane Doe_1234_assignsubmission_file_", a folder, or in front of the name of a file.
_MOODLE = re.compile(r"(?P<name>.+?)_(?P<id>\d+)_assignsubmission_[a-z]+(?:_.*)?", re.DOTALL)
# Of a folder nothing stands behind it, and the name in front may hold anything, such as this suffix itself.
_MOODLES_FOLDER = re.compile(r"(?P<name>.+)_(?P<id>\d+)_assignsubmission_[a-z]+_?", re.DOTALL)
# Canvas: "doejane_1234_5678_x.ipynb": who, number of the person, of the file; LATE stands behind the name.
_CANVAS = re.compile(r"(?P<name>[^_]+)_(?P<late>LATE_)?(?P<id>\d+)_\d+_.+", re.DOTALL)
_CANVAS_BELOW = re.compile(r"(?P<name>[^_]+)_(?:LATE_)?(?P<id>\d{3,})_\d{3,}_.+", re.DOTALL)  # no homework_2_1_x.ipynb
# What browsers, JupyterLab and file managers make of a name: "Copy of x (1)", "x-Copy1", "x - Copy".
_COPY = r"(?:copy[ _]of[ _])*(?:{})(?:[ _-]*(?:\(\d+\)|copy\d*))*"
_OF_THE_COURSE = re.compile(_COPY.format("|".join(COURSE_NOTEBOOKS)), re.IGNORECASE)
_LABEL = re.compile(r"(?P<name>.*) \((?P<id>\d+)\)", re.DOTALL)


@dataclass
class HandIn:
    """What one learner handed in: nothing of it has been read yet."""

    learner: str  # unique; "Jane Doe (1234)" where the export has a number
    files: list[tuple[str, Path]] = field(default_factory=list)  # as it is shown, and where it lies
    others: list[str] = field(default_factory=list)  # files that no exercise asks for
    late: bool = False  # says the export
    faults: list[str] = field(default_factory=list)
    exported_by: str = ""  # moodle or canvas, where the name says so


def name_and_number(learner: str) -> tuple[str, str]:
    """What a learning management system calls somebody: the name, and its number ('' where the export had none)."""
    labelled = _LABEL.fullmatch(learner)
    return (labelled["name"], labelled["id"]) if labelled else (learner, "")


def hand_ins(folder: Path, refused: Sequence[tuple[Path, str]] = ()) -> tuple[list[HandIn], dict[str, list[str]]]:
    """What every learner handed in, sorted by learner; and the names of what is nobody's, by why.

    Takes `NAME/…/*.ipynb`, `submitted/NAME/…` (nbgrader), `NAME.ipynb`, and Moodle's and Canvas's names.

    Args:
        folder: to look into.
        refused: what was not unpacked into it: where it would lie, and why. It is a fault of its learner.

    Raises:
        OSError: the folder cannot be read.
        ValueError: a folder holds what was exported of several people.
    """
    nbgrader = folder / NBGRADERS
    root = nbgrader if nbgrader.is_dir() and not nbgrader.is_symlink() else folder
    owners, skipped = {}, {}
    if root != folder and (beside := sorted(_beside_nbgraders(folder))):
        skipped[f"beside the folder {NBGRADERS}, which alone is read"] = beside
    for path in sorted(root.iterdir()):
        if path.name in MADE_BY_MACHINES:
            continue
        if why := _why_nobodys(path):
            skipped.setdefault(why, []).append(path.name)
            continue
        owner, late = owner_of(path.name, path.is_dir())
        handed_in = owners.setdefault(owner, HandIn(_label(owner, path, owners)))
        handed_in.late |= late
        handed_in.exported_by = owner[0] if owner[2] else ""
        if others := _take(handed_in, path):
            named = f"{path.name}/{one_and_more(others)}" if path.is_dir() else path.name
            skipped.setdefault(_NOT_ASKED, []).append(named)
            handed_in.others += others
    for place, why in refused:
        if not place.is_relative_to(root) or place.suffix.lower() not in NAMED:
            continue
        parts = place.relative_to(root).parts
        owner, _ = owner_of(parts[0], is_folder=len(parts) > 1)
        handed_in = owners.setdefault(owner, HandIn(_label(owner, root / parts[0], owners)))
        if len(handed_in.faults) < MOST_FAULTS:
            handed_in.faults.append(f"{'/'.join(parts[1:] or parts)}: {why}")
    _refuse_people_below(owners)
    return sorted(owners.values(), key=lambda handed_in: handed_in.learner), skipped


def _refuse_people_below(owners: dict[tuple[str, str, str], HandIn]) -> None:
    """Where an export lies one folder deeper, all in it would be one learner, with the best answers of everybody."""
    for (kind, name, number), handed_in in owners.items():
        if kind != "folder" or number:  # of one that an export named, what is in it is the learner's to name
            continue
        files = [file.split("/") for file, _ in handed_in.files]
        named = [(part, _MOODLE.fullmatch(part)) for parts in files for part in parts]
        named += [(parts[-1], _CANVAS_BELOW.fullmatch(parts[-1])) for parts in files]
        people = {(match["name"], match["id"]): part for part, match in named if match}
        if len(people) > 1:
            raise ValueError(
                f"The folder {printable(name)} is no learner's: it holds names of several people as Moodle or Canvas "
                f"exports them, such as {printable(min(people.values()))}. Give that folder itself (of a zip: unpack "
                "it first) as FOLDER. If it is one learner's, rename what is in it."
            )


def of_the_course(found: Sequence[HandIn], folder: Path) -> list[str]:
    """The files directly in the folder that bear the name of a notebook of the course, which is no learner's name."""
    files = [path for handed_in in found for _, path in handed_in.files if path.parent in (folder, folder / NBGRADERS)]
    return [path.name for path in files if path.suffix.lower() == NOTEBOOK and _OF_THE_COURSE.fullmatch(path.stem)]


def _beside_nbgraders(folder: Path) -> set[str]:
    """What may be somebody's, and is not looked at, since nbgrader's folder of submissions is there."""
    found = {path.name for path in folder.iterdir() if path.is_dir() or path.suffix.lower() == NOTEBOOK}
    return {name for name in found - _NBGRADERS_OTHERS if not name.startswith(".") and name not in MADE_BY_MACHINES}


def _why_nobodys(path: Path) -> str:
    if path.is_symlink():
        return "links are not followed"
    if path.name.startswith("."):
        return "hidden"
    if not path.is_dir() and path.suffix.lower() != NOTEBOOK and not _MOODLE.fullmatch(path.name):
        return _NOT_ASKED if not _CANVAS.fullmatch(path.name) else ""
    return ""


def owner_of(name: str, is_folder: bool) -> tuple[tuple[str, str, str], bool]:
    """Of a file or folder: the kind of its name, the learner's name in it and number; and whether it says LATE."""
    if moodle := (_MOODLES_FOLDER if is_folder else _MOODLE).fullmatch(name):
        return ("moodle", moodle["name"], moodle["id"]), False
    if not is_folder and (canvas := _CANVAS.fullmatch(name)):
        return ("canvas", canvas["name"], canvas["id"]), bool(canvas["late"])
    return ("folder", name, "") if is_folder else ("file", Path(name).stem, ""), False


def _label(owner: tuple[str, str, str], path: Path, owners: dict) -> str:
    """Two people never share one: ada/ and ada.ipynb may be two."""
    _, name, number = owner
    label = f"{name} ({number})" if number else name
    taken = {_seen(handed_in.learner) for other, handed_in in owners.items() if other != owner}
    while _seen(label) in taken:
        label = path.name if label != path.name and _seen(path.name) not in taken else f"{label}'"
    return label


def _seen(name: str) -> str:
    """As a table shows it: two names that look alike there are one to whoever reads it."""
    return printable(unicodedata.normalize("NFC", name)).strip()


def one_and_more(names: Sequence[str]) -> str:
    """The first name, and how many more there are: nobody can fill a line with theirs."""
    return names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def _take(handed_in: HandIn, path: Path) -> list[str]:
    """Add what an exercise may ask for; the names of other files."""
    if not path.is_dir():
        if not path.name.lower().endswith(NAMED):
            return [path.name]
        handed_in.files.append((path.name, path))
        return []
    others = []
    try:
        files, others = below(path)
        handed_in.files += [(name.replace(os.sep, "/"), found) for name, found in files]
    except OSError:
        handed_in.faults.append("the folder cannot be read")
    except OverflowError:
        handed_in.faults.append(f"the folder holds more than {_MOST_ENTRIES:,} entries")
    return others


def below(folder: Path) -> tuple[list[tuple[str, Path]], list[str]]:
    """The accepted files of a folder and, to a depth, of those in it; and the names of the others.

    A folder that is named like an accepted file counts as one.

    Raises:
        OverflowError: there are too many entries.
    """
    found, others, looked_at, folders = [], [], 0, [(folder, "", 1)]
    while folders:
        here, prefix, depth = folders.pop()
        for entry in os.scandir(here):
            looked_at += 1
            if looked_at > _MOST_ENTRIES:
                raise OverflowError
            if entry.name.startswith(".") or entry.name in MADE_BY_MACHINES:
                continue
            if entry.name.lower().endswith(NAMED):
                found.append((prefix + entry.name, Path(entry.path)))
            elif not stat.S_ISDIR(entry.stat(follow_symlinks=False).st_mode):
                others.append(prefix + entry.name)
            elif depth < _MOST_DEPTH:
                folders.append((Path(entry.path), f"{prefix}{entry.name}/", depth + 1))
            else:
                others.append(f"{prefix}{entry.name}/ (more than {_MOST_DEPTH} folders deep)")
    return sorted(found), sorted(others)
