"""Unpack a zip that others filled: only what a grading reads, never outside the folder, never more than a bound."""

import contextlib
import os
import re
import stat
import time
import unicodedata
import zipfile
from pathlib import Path, PurePosixPath

from helpers.course.handin import ACCEPTED, MADE_BY_MACHINES

_MOST_ENTRIES = 20_000
_MOST_FILE_BYTES = 64 * 2**20
_MOST_BYTES = 2 * 2**30
_MOST_NAME = 200  # of a part of a path


def unzipped(path: Path, into: Path) -> tuple[Path, list[str]]:
    """Unpack what a grading reads.

    Returns:
        the folder that holds the learners, and a line for each entry that was refused: its name, and why.

    Raises:
        ValueError: this is no zip, or one with too many entries.
    """
    refused, left = [], _MOST_BYTES
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > _MOST_ENTRIES:
                raise ValueError(f"{path} has {len(entries):,} entries; at most {_MOST_ENTRIES:,} are unpacked.")
            for entry in entries:
                try:
                    left -= _unpacked(archive, entry, into, left)
                except (ValueError, OSError, RuntimeError, NotImplementedError, EOFError, zipfile.BadZipFile) as error:
                    refused.append(f"{entry.orig_filename} ({_why(error)})")
    except (zipfile.BadZipFile, OSError) as error:
        raise ValueError(f"{path} is no zip that can be read ({error}).") from None
    return _learners_folder(into, path.stem), refused


def _why(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or "cannot be written"
    return str(error) if type(error) is ValueError else "damaged or encrypted"


def _unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, into: Path, most_bytes: int) -> int:
    """Write one entry, if it is of use. The sizes that the zip claims are not believed.

    Raises:
        ValueError: it is not safe.
    """
    place = into / _safe_name(entry)
    if MADE_BY_MACHINES and any(part in MADE_BY_MACHINES for part in place.relative_to(into).parts):
        return 0
    if entry.is_dir():
        place.mkdir(parents=True, exist_ok=True)
        return 0
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.suffix.lower() not in ACCEPTED:
        return 0
    written, most_bytes = 0, min(most_bytes, _MOST_FILE_BYTES)
    with archive.open(entry) as source, place.open("xb") as file:
        while part := source.read(2**20):
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


def _safe_name(entry: zipfile.ZipInfo) -> PurePosixPath:
    name = entry.orig_filename  # not yet cut at a zero byte, nor its separators changed
    path = PurePosixPath(name)
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if path.is_absolute() or "\\" in name or re.match("[A-Za-z]:", name):
        raise ValueError("not a relative path")
    if ".." in path.parts:
        raise ValueError("leaves the folder")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ValueError("a link or a device")
    if any(unicodedata.category(letter) == "Cc" for letter in name) or any(
        len(part.encode()) > _MOST_NAME for part in path.parts
    ):
        raise ValueError("a name with control characters, or too long")
    return path


def _learners_folder(folder: Path, name: str) -> Path:
    """Some tools put all of a zip into one folder of the zip's name."""
    inner = [path for path in folder.iterdir() if path.name not in MADE_BY_MACHINES]
    return inner[0] if len(inner) == 1 and inner[0].is_dir() and inner[0].name == name else folder
