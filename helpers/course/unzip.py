"""Unpack a zip that others filled: only what a grading reads, never outside the folder, never more than a bound."""

import contextlib
import os
import re
import stat
import time
import unicodedata
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from helpers.course.handin import MADE_BY_MACHINES, NAMED, NBGRADERS, ZIP, one_and_more, owner_of

_MOST_ENTRIES, _MOST_ENTRIES_OF_ONE = 200_000, 5000
_MOST_BYTES, _MOST_BYTES_OF_ONE = 8 * 2**30, 128 * 2**20  # so that nobody uses up what others need
_MOST_FILE_BYTES = 64 * 2**20
_MOST_NAME = 200  # of a part of a path


@dataclass(frozen=True)
class Refused:
    """An entry that was not unpacked: its name in the zip, why, and where it would lie (None: nowhere safe)."""

    name: str
    why: str
    place: Path | None


def unzipped(path: Path, into: Path) -> tuple[Path, list[Refused], list[str]]:
    """Unpack what a grading reads.

    Returns:
        the folder that holds the learners; what was refused; and of each learner's other files one, and how many more.

    Raises:
        ValueError: this is no zip, or one with too many entries.
    """
    refused, others, left, entries_of, bytes_of = [], {}, _MOST_BYTES, Counter(), Counter()
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > _MOST_ENTRIES:
                raise ValueError(f"{path} has {len(entries):,} entries; at most {_MOST_ENTRIES:,} are unpacked.")
            for entry in entries:
                place = None
                try:
                    name = _safe_name(entry.orig_filename)  # not yet cut at a zero byte, nor its separators changed
                    if any(part in MADE_BY_MACHINES for part in name.parts):
                        continue
                    place, learner = into / name, _learner(name, path.stem)
                    entries_of[learner] += 1
                    if entries_of[learner] > _MOST_ENTRIES_OF_ONE:
                        raise ValueError(f"more than {_MOST_ENTRIES_OF_ONE:,} entries of one learner")
                    written = _unpacked(archive, entry, place, min(left, _MOST_BYTES_OF_ONE - bytes_of[learner]))
                    left, bytes_of[learner] = left - written, bytes_of[learner] + written
                    if not (entry.is_dir() or place.suffix.lower() in NAMED or place.name.startswith(".")):
                        others.setdefault(learner, []).append(entry.filename)
                except (ValueError, OSError, RuntimeError, NotImplementedError, EOFError, zipfile.BadZipFile) as error:
                    refused.append(Refused(entry.orig_filename, _why(error), place))
    except (zipfile.BadZipFile, OSError) as error:
        raise ValueError(f"{path} is no zip that can be read ({error}).") from None
    return _learners_folder(into, path.stem), refused, [one_and_more(names) for names in others.values()]


def _why(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or "cannot be written"
    return str(error) if type(error) is ValueError else "damaged or encrypted"


def _unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, place: Path, most_bytes: int) -> int:
    """Write one entry, if it is of use; the bytes written. The sizes that the zip claims are not believed.

    Raises:
        ValueError: it is not safe.
    """
    if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ValueError("a link or a device")
    if entry.is_dir():
        place.mkdir(parents=True, exist_ok=True)
        return 0
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.suffix.lower() not in NAMED:
        return 0
    written, most_bytes = 0, min(most_bytes, _MOST_FILE_BYTES)
    is_read = place.suffix.lower() != ZIP  # a zip in the zip: its name and date are all that is said of it
    with archive.open(entry) as source, place.open("xb") as file:
        while is_read and (part := source.read(2**20)):
            written += len(part)
            if written > most_bytes:
                break
            file.write(part)
    if written > most_bytes:
        place.unlink()
        raise ValueError(f"larger than {most_bytes // 2**20} MiB")
    with contextlib.suppress(ValueError, OverflowError, OSError):
        seconds = time.mktime((*entry.date_time, 0, 0, -1))
        os.utime(place, (seconds, seconds))
    return written


def _safe_name(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or "\\" in name or re.match("[A-Za-z]:", name):
        raise ValueError("not a relative path")
    if ".." in path.parts:
        raise ValueError("leaves the folder")
    if any(unicodedata.category(letter) == "Cc" for letter in name) or any(
        len(part.encode()) > _MOST_NAME for part in path.parts
    ):
        raise ValueError("a name with control characters, or too long")
    return path


def _learner(path: PurePosixPath, zip_name: str) -> tuple[str, str, str]:
    """Whose it is. Nobody can use up what another may, for the first part of a name is not a learner's to choose."""
    parts = path.parts or ("",)
    while len(parts) > 1 and parts[0] in (zip_name, NBGRADERS):
        parts = parts[1:]
    return owner_of(parts[0], is_folder=len(parts) > 1)[0]


def _learners_folder(folder: Path, name: str) -> Path:
    """Some tools put all of a zip into one folder of the zip's name."""
    inner = [path for path in folder.iterdir() if path.name not in MADE_BY_MACHINES]
    return inner[0] if len(inner) == 1 and inner[0].is_dir() and inner[0].name == name else folder
