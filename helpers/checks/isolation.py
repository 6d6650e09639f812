"""How the process of an answer is shut in: the command line of bubblewrap, and what is missing where it cannot be.

Inside there is no network, no other process, no file but Python, its packages and this course without verdicts,
solutions and tests, all read-only, and a small /tmp in memory. A filter takes the system calls that it does not need.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import helpers
from helpers.checks import seccomp

OLDEST = (0, 8)  # the first that can bound a tmpfs and forbid further user namespaces
NOBODY = 65534
_TEMPORARY_BYTES = 64 * 2**20
_SYSTEM = ("/lib", "/lib32", "/lib64", "/bin", "/sbin")
_LIBRARIES = ("/etc/ld.so.cache", "/etc/alternatives")
_INSTALL = (
    "Install it: `sudo apt install bubblewrap` (Debian, Ubuntu), `sudo dnf install bubblewrap` (Fedora). macOS and "
    "Windows have nothing like it: grade in a Linux virtual machine. To run submissions that you trust without any "
    "isolation, add --unsafe."
)
_BLOCKED = (
    "The kernel may forbid user namespaces to you: see `sysctl kernel.unprivileged_userns_clone "
    "kernel.apparmor_restrict_unprivileged_userns user.max_user_namespaces`; Ubuntu needs an AppArmor profile for "
    "bwrap, a container the right to make namespaces. To run submissions that you trust without any isolation, add "
    "--unsafe."
)


@cache
def fault_of_isolation() -> str:
    """Why no answer can be shut in here, '' if one can: bubblewrap is looked for, and tried."""
    bwrap = shutil.which("bwrap")
    if not bwrap or sys.platform != "linux":
        return f"Submissions run in bubblewrap, and there is none here. {_INSTALL}"
    tried = _output_of([bwrap, "--version"])
    found = tuple(int(number) for number in re.findall(r"\d+", tried.stdout)[:2])
    if found < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        return f"bubblewrap {'.'.join(map(str, found))} is too old; {wanted} or newer is needed. {_INSTALL}"
    with filter_file() as file:
        command = shut_in([sys.executable, "-I", "-S", "-c", "pass"], file.fileno())
        tried = _output_of(command, pass_fds=(file.fileno(),))
    if tried.returncode:
        said = (tried.stderr.strip().splitlines() or ["no reason given"])[-1]
        return f"bubblewrap cannot shut anything in here ({said}). {_BLOCKED}"
    return ""


def _output_of(command: list[str], **options) -> subprocess.CompletedProcess:
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, **options)


def filter_file():
    """The filter of system calls, as an open file from which bubblewrap reads it."""
    file = open(os.memfd_create("seccomp"), "w+b", buffering=0)  # noqa: SIM115 - the caller closes it
    file.write(seccomp.program())
    file.seek(0)
    return file


def shut_in(command: list[str], filter_descriptor: int, hidden: Iterable[Path] = ()) -> list[str]:
    """The command line that runs a command inside.

    Args:
        command: starts with this Python.
        filter_descriptor: an open descriptor of `filter_file`, which the process must inherit.
        hidden: folders that must not be seen, even where they lie below one that is.
    """
    return [
        shutil.which("bwrap") or "bwrap",
        *("--unshare-ipc", "--unshare-pid", "--as-pid-1", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"),
        *("--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL", "--hostname", "sandbox"),
        *_user(),
        *_files(hidden),
        *(["--seccomp", str(filter_descriptor)] if seccomp.program() else []),
        *(word for name, value in environment("/tmp").items() for word in ("--setenv", name, value)),
        *("--chdir", "/tmp", "--", *command),
    ]


def _user() -> list[str]:
    """Who runs it. Root has no limit of processes, so the process of root's answers becomes somebody else inside."""
    if os.getuid() == 0:
        return ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    return ["--unshare-user", "--disable-userns", "--uid", str(NOBODY), "--gid", str(NOBODY)]


def _files(hidden: Iterable[Path]) -> list[str]:
    """Parents come before what lies in them, so that a folder is hidden and one below it may still be seen."""
    shown = _shown()
    secret = {path.resolve() for path in hidden} | {place for course in _courses() for place in _secrets(course)}
    secret = {path for path in secret - shown if path.is_dir() and any(path.is_relative_to(place) for place in shown)}
    words = ["--proc", "/proc", *_empty(Path("/proc/sys"), 4096), "--dev", "/dev"]
    words += [word for path in ("/tmp", "/dev/shm") for word in ("--perms", "1777", *_empty(Path(path)))]
    for path in _SYSTEM:
        if os.path.islink(path):
            words += ["--symlink", os.readlink(path), path]
        else:
            words += ["--ro-bind-try", path, path]
    for path in _LIBRARIES:
        words += ["--ro-bind-try", path, path]
    for path in sorted(shown | secret, key=lambda path: (len(path.parts), path)):
        words += [word for parent in [*path.parents][-2::-1] for word in ("--perms", "0755", "--dir", str(parent))]
        words += _empty(path, 4096) if path in secret else ["--ro-bind", str(path), str(path)]
    locked = [*(str(path) for path in sorted(secret)), "/proc/sys", "/dev/pts", "/dev", "/"]  # or an owner could write
    return [*words, *(word for path in locked for word in ("--remount-ro", path))]


def fault_of_hidden(folders: Iterable[Path]) -> str:
    """Why one of these folders cannot be hidden from answers, '' if all can: Python needs what lies in it."""
    for path in folders:
        if path.resolve() in _shown():
            return f"{path.resolve()} holds the Python that answers run on, so they could read what is there."
    return ""


def _shown() -> set[Path]:
    """Python, its packages, the system's libraries, and the course; where a path is a link, what it leads to, too."""
    python = Path(sys.executable).resolve().parents[1]
    return {Path(sys.prefix), Path(sys.base_prefix), python, Path("/usr"), *_courses()}


def _courses() -> set[Path]:
    package = Path(helpers.__file__).parent
    return {package, package.resolve()}


def _secrets(course: Path) -> list[Path]:
    """Also what packaging tools and git keep: copies of the same files."""
    around = (course.parent / name for name in ("solutions", "tests", "build", ".git"))
    return [course / "checks" / "verdicts", *around]


def _empty(path: Path, most_bytes: int = _TEMPORARY_BYTES) -> list[str]:
    return ["--size", str(most_bytes), "--tmpfs", str(path)]


def environment(home: str) -> dict[str, str]:
    """All that the process of an answer knows of its environment."""
    folders = {name: home for name in ("HOME", "TMPDIR", "HF_HOME")}
    kept = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}  # Windows starts nothing without
    fixed = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "LANG": "C.UTF-8", "USER": "learner"}
    return {"PATH": os.defpath, **fixed, **folders, **kept}
