"""Unpack a zip that others filled: only what a grading reads, never outside the folder, never more than a bound."""

import contextlib
import os
import re
import stat
import time
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from helpers.course.handin import MADE_BY_MACHINES, MOST_FAULTS, NAMED, NBGRADERS, ZIP, HandIn, below, owner_of

_MOST_ENTRIES, _MOST_ENTRIES_OF_ONE = 200_000, 5000
_MOST_BYTES, _MOST_BYTES_OF_ONE = 8 * 2**30, 128 * 2**20  # so that nobody uses up what others need
_MOST_FILE_BYTES = 64 * 2**20
_MOST_NAME = 200  # of a part of a path
_MOST_ZIPS = 5  # opened, of a learner
_IS_UTF8 = 0x800  # a flag of an entry


@dataclass(frozen=True)
class Refused:
    """An entry that was not unpacked: its name in the zip, why, and where it would lie (None: nowhere safe)."""

    name: str
    why: str
    place: Path | None


def with_zips_opened(handed_in: HandIn, into: Path) -> HandIn:
    """A learner's files with those in their first zips in place of these, one zip deep.

    A file from a zip has the date of the zip: the dates inside are the learner's to write.
    """
    zips = [(name, path) for name, path in handed_in.files if name.lower().endswith(ZIP)]
    zips = [(name, path) for name, path in zips if path.is_file() and not path.is_symlink()][:_MOST_ZIPS]
    files = [file for file in handed_in.files if file not in zips]
    faults, others = list(handed_in.faults), list(handed_in.others)
    for number, (name, path) in enumerate(zips):
        inside = into / str(number)
        inside.mkdir(parents=True)
        try:
            _, refused = unzipped(path, inside, whose=lambda name: ("", "", ""))
            found, more = below(inside)
        except (ValueError, OSError, OverflowError):
            files.append((name, path))
            continue
        written = path.stat().st_mtime_ns
        for place, file in found:
            os.utime(file, ns=(written, written))
            files.append((f"{name}/{place}", file))
        faults += [f"{name}/{one.name}: {one.why}" for one in refused[:MOST_FAULTS]]
        others += [f"{name}/{other}" for other in more] if found or more else [f"{name}, an empty zip"]
    return replace(handed_in, files=files, faults=faults, others=others)


def unzipped(
    path: Path, into: Path, whose: Callable[[PurePosixPath], tuple[str, str, str]] | None = None
) -> tuple[Path, list[Refused]]:
    """Unpack what a grading reads; of other files, the name and date.

    Args:
        path: the zip.
        into: a folder.
        whose: which learner an entry belongs to; by default as a folder of submissions tells it.

    Returns:
        the folder that holds the learners, and what was refused.

    Raises:
        ValueError: this is no zip, or one with too many entries.
    """
    refused, left, entries_of, bytes_of = [], _MOST_BYTES, Counter(), Counter()
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > _MOST_ENTRIES:
                raise ValueError(f"{path} has {len(entries):,} entries; at most {_MOST_ENTRIES:,} are unpacked.")
            for entry in entries:
                place = None
                try:
                    name = _safe_name(_name_of(entry))
                    if any(part in MADE_BY_MACHINES for part in name.parts):
                        continue
                    place, learner = into / name, whose(name) if whose else _learner(name, path.stem)
                    entries_of[learner] += 1
                    if entries_of[learner] > _MOST_ENTRIES_OF_ONE:
                        raise ValueError(f"more than {_MOST_ENTRIES_OF_ONE:,} entries of one learner")
                    written = _unpacked(archive, entry, place, min(left, _MOST_BYTES_OF_ONE - bytes_of[learner]))
                    left, bytes_of[learner] = left - written, bytes_of[learner] + written
                except (ValueError, OSError, RuntimeError, NotImplementedError, EOFError, zipfile.BadZipFile) as error:
                    refused.append(Refused(_name_of(entry), _why(error), place))
    except (zipfile.BadZipFile, OSError) as error:
        raise ValueError(f"{path} is no zip that can be read ({error}).") from None
    return _learners_folder(into, path.stem), refused


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
    written, most_bytes = 0, min(most_bytes, _MOST_FILE_BYTES)
    is_read = place.suffix.lower() in NAMED
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


def _name_of(entry: zipfile.ZipInfo) -> str:
    """As it was written: not cut at a zero byte, nor its separators changed. Where no flag says how, it is UTF-8, as
    zip writes it on Linux and macOS, before it is the code page of DOS, which Python takes."""
    try:
        return entry.orig_filename if entry.flag_bits & _IS_UTF8 else entry.orig_filename.encode("cp437").decode()
    except UnicodeError:
        return entry.orig_filename


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
