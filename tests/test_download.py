"""Fetching without a network: pip is pointed at a folder that holds two small packages made here."""

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections import namedtuple
from pathlib import Path

import pytest

from helpers.download import (
    CourseError,
    Source,
    cache_folder,
    damage_of_folder,
    extract,
    fetch,
    temporary_folder,
    written_aside,
)

WHEEL_FILES = {
    "fake/data.bin": b"weights " * 1000,
    "fake-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: fake\nVersion: 1.0\n",
    "fake-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "fake-1.0.dist-info/RECORD": b"",
}


def tar_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def source_of(path: Path) -> Source:
    content = path.read_bytes()
    return Source("fake", "1.0", path.name, hashlib.sha256(content).hexdigest(), len(content))


@pytest.fixture
def index(tmp_path, monkeypatch) -> Path:
    """The folder from which pip takes packages, with an empty cache folder beside it."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def wheel(index) -> Path:
    path = index / "fake-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in WHEEL_FILES.items():
            archive.writestr(name, content)
    return path


@pytest.fixture
def sdist(index) -> Path:
    inner = tar_of({"study/ratings.txt": b"4\t-4\n"})
    setup = b"from setuptools import setup\nsetup(name='fake', version='1.0', packages=[])\n"
    path = index / "fake-1.0.tar.gz"
    path.write_bytes(tar_of({"fake-1.0/setup.py": setup, "fake-1.0/data/study.tar.gz": inner}))
    return path


@pytest.fixture
def cached(wheel) -> Path:
    """The path of the wheel in the cache, as if it had been fetched."""
    path = cache_folder() / "downloads" / wheel.name
    path.parent.mkdir()
    shutil.copy(wheel, path)
    return fetch(source_of(wheel))


def downloads() -> list[str]:
    return sorted(path.name for path in (cache_folder() / "downloads").iterdir())


def test_fetch_brings_the_wheel(wheel):
    assert fetch(source_of(wheel)).read_bytes() == wheel.read_bytes()


def test_fetch_brings_the_source_distribution(sdist):
    assert fetch(source_of(sdist)).read_bytes() == sdist.read_bytes()


def test_fetch_leaves_the_file_and_its_note_and_nothing_else(wheel):
    fetch(source_of(wheel))
    assert downloads() == [wheel.name, f"{wheel.name}.verified.json"]


def test_fetch_needs_no_index_once_the_file_is_cached(wheel, cached):
    source = source_of(wheel)
    wheel.unlink()
    assert fetch(source) == cached


def test_fetch_gets_half_a_file_again_and_says_so(wheel, cached, capsys):
    cached.write_bytes(cached.read_bytes()[:100])
    assert fetch(source_of(wheel)).read_bytes() == wheel.read_bytes()
    assert (
        f"it has 100 bytes instead of {wheel.stat().st_size:,}. It is damaged; fetching it again"
        in capsys.readouterr().out
    )


def test_fetch_gets_a_file_with_one_wrong_byte_again_and_says_so(wheel, cached, capsys):
    cached.write_bytes(b"!" + cached.read_bytes()[1:])
    assert fetch(source_of(wheel)).read_bytes() == wheel.read_bytes()
    assert "It is damaged; fetching it again" in capsys.readouterr().out


def test_fetch_without_trust_in_the_note_finds_a_change_that_left_size_and_time(wheel, cached):
    before = cached.stat()
    cached.write_bytes(b"!" + cached.read_bytes()[1:])
    os.utime(cached, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert fetch(source_of(wheel), trust_note=False).read_bytes() == wheel.read_bytes()


def test_fetch_refuses_a_file_of_another_hash_and_keeps_none_of_it(wheel):
    source = source_of(wheel)
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("fake/trojan.py", b"")
    with pytest.raises(CourseError, match="not the one this course was made with"):
        fetch(source)
    assert downloads() == []


def test_fetch_runs_no_code_of_a_source_distribution_of_another_hash(sdist, tmp_path):
    source = source_of(sdist)
    setup = f"open({str(tmp_path / 'ran')!r}, 'w')\n".encode()
    sdist.write_bytes(tar_of({"fake-1.0/setup.py": setup}))
    with pytest.raises(CourseError, match="not the one this course was made with"):
        fetch(source)
    assert not (tmp_path / "ran").exists()


def test_fetch_hashes_what_pip_brought_even_if_pip_did_not(wheel):
    class UnhashedSource(Source):
        requirement = "fake==1.0"

    with pytest.raises(CourseError, match="not the one this course was made with"):
        fetch(UnhashedSource("fake", "1.0", wheel.name, "0" * 64, wheel.stat().st_size))
    assert downloads() == []


def test_fetch_says_that_the_index_was_not_reached(index, monkeypatch):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # the discard port, where nobody listens
    with pytest.raises(CourseError, match=r"was not reached.*Check the network"):
        fetch(Source("fake", "1.0", "fake-1.0-py3-none-any.whl", "0" * 64, 1))
    assert downloads() == []


def test_fetch_says_before_it_starts_that_the_disk_is_full(wheel, monkeypatch):
    full = namedtuple("Usage", "total used free")(10**9, 10**9 - 5_000_000, 5_000_000)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: full)
    with pytest.raises(CourseError, match=r"No disk space.* has 5 MB free and about 300 MB is needed"):
        fetch(Source("fake", "1.0", wheel.name, "0" * 64, 100_000_000))


def test_fetch_by_two_processes_at_once_succeeds_in_both(wheel):
    code = f"from helpers.download import *; fetch({source_of(wheel)!r})"
    both = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert downloads() == [wheel.name, f"{wheel.name}.verified.json"]


def test_written_aside_keeps_the_old_file_after_an_error(tmp_path):
    target = tmp_path / "file"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), written_aside(target) as aside:
        aside.write_text("half")
        1 / 0  # noqa: B018
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_written_aside_replaces_a_folder_as_a_whole(tmp_path):
    for name in ("first", "second"):
        with written_aside(tmp_path / "folder") as aside:
            aside.mkdir()
            (aside / name).touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["folder", "second"]


def process_writing_aside(target: Path) -> subprocess.Popen:
    """Start a process that has begun to write `target` and goes on until it is killed."""
    code = (
        "import sys; from helpers.download import *\nwith written_aside(Path(sys.argv[1])): print(flush=True); input()"
    )
    command = [sys.executable, "-c", code, str(target)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdout.readline()
    return process


def test_temporary_folder_sweeps_up_after_a_killed_process_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (tmp_path / f".aside-{gone.pid}-unpacked").mkdir()
    with temporary_folder() as folder:
        assert list(tmp_path.iterdir()) == [folder]
    assert not list(tmp_path.iterdir())


def test_written_aside_sweeps_up_after_a_killed_process_and_spares_a_living_one(tmp_path):
    killed, living = process_writing_aside(tmp_path / "killed"), process_writing_aside(tmp_path / "living")
    killed.kill()
    killed.wait()
    with written_aside(tmp_path / "mine") as aside:
        aside.touch()
    left = [path.name.split("-")[1] for path in tmp_path.glob(".aside-*")]
    living.kill()
    living.wait()
    assert left == [str(living.pid)]


@pytest.mark.parametrize("error", [OSError(28, "No space"), Exception("No space left on device (os error 28)")])
def test_written_aside_says_that_the_disk_is_full(error, tmp_path):
    with pytest.raises(CourseError, match="No disk space"), written_aside(tmp_path / "file"):
        raise error


def test_extract_takes_a_member_out_of_a_wheel(wheel, tmp_path):
    assert extract(wheel, "fake/data.bin", tmp_path / "to" / "data").read_bytes() == WHEEL_FILES["fake/data.bin"]


def test_extract_takes_a_member_out_of_an_archive_in_an_archive(sdist, tmp_path):
    assert extract(sdist, "data/study.tar.gz!study/ratings.txt", tmp_path / "ratings").read_bytes() == b"4\t-4\n"


def test_extract_names_the_member_that_is_not_there(wheel, tmp_path):
    with pytest.raises(CourseError, match="no readable fake/nothing"):
        extract(wheel, "fake/nothing", tmp_path / "to")
    assert not (tmp_path / "to").exists()


def test_damage_of_folder_names_the_file_that_changed(tmp_path):
    (tmp_path / "weights").write_bytes(b"1")
    (tmp_path / "sha256.json").write_text(f'{{"weights": "{hashlib.sha256(b"1").hexdigest()}"}}')
    assert damage_of_folder(tmp_path) is None
    (tmp_path / "weights").write_bytes(b"2")
    assert damage_of_folder(tmp_path) == f"{tmp_path / 'weights'} is damaged or missing"


def test_cache_folder_is_where_course_cache_says(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "elsewhere"))
    assert cache_folder() == tmp_path / "elsewhere"


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/cache", "x" * 300, "~nobody-of-this-name/cache"])
def test_cache_folder_that_cannot_be_made_gets_a_sentence(place, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("COURSE_CACHE", place if place[0] in "~/" else str(tmp_path / place))
    with pytest.raises(CourseError, match=r"Set COURSE_CACHE to a folder"):
        cache_folder()
