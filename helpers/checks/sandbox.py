"""Run answers in a process beside this one, one at a time, and let in only plain data of the expected shape."""

import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future
from functools import cache
from pathlib import Path

import psutil

import helpers
from helpers.checks import child, frames, isolation, limits, plain
from helpers.checks.ending import Run, run_of
from helpers.checks.exercise import Exercise
from helpers.checks.registry import EXERCISES
from helpers.download import temporary_folder

_START_SECONDS = 120  # for Python and its packages, which are no part of an answer's time
_GRACE_SECONDS = 5  # the process inside keeps the time, too; only if it does not answer, it is ended from outside
_LOOK_SECONDS = 0.2
_START = (  # the collector of garbage would look through what imports make again and again: a fifth of the start
    "import gc, sys; gc.disable(); from helpers.checks.child import main; main(sys.argv[1], int(sys.argv[2]))"
)
_FIRST_USER = 1_000_000_000  # where root grades, each process has a user of its own from here on
_RUN = re.compile(r"(draw \d+/(run \d+)?)?")  # how the names of inputs begin that belong to a run
_starts = itertools.count()


class Stopped(Exception):
    """The grading is being stopped; no answer is run any more."""


class NotStarted(Exception):
    """The process did not get ready; the message says how it ended."""


class Sandbox:
    """Where answers run. Its process starts when it is first needed, and again if it was ended.

    Args:
        exercises: that will be asked for; the process gets ready for them before any answer runs.
        isolated: in bubblewrap. If not, an answer has the rights of whoever grades.
        hidden: folders that no answer may see.
    """

    def __init__(self, exercises: Iterable[Exercise], isolated: bool = True, hidden: Iterable[Path] = ()):
        self.exercises, self.isolated, self.hidden = list(exercises), isolated, tuple(hidden)
        self.course = ""  # the path of the package that answers meet
        self._process: subprocess.Popen | None = None
        self._folder: contextlib.ExitStack | None = None
        self._stopped, self._lock = False, threading.Lock()

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *_) -> None:
        self.end()

    def run(self, asked: Exercise, source: str, inputs: dict, seconds: float) -> Run:
        """Call an answer on the inputs.

        Args:
            asked: the exercise.
            source: of the answer cell, untrusted.
            inputs: plain data; with the source, all that the answer is given.
            seconds: after which it, and what it started, is killed. Importing packages does not count.

        Raises:
            Stopped: `stop` was called.
        """
        if not source.strip():
            return Run("missing", "the answer cell is empty")
        try:
            source.encode()
        except UnicodeEncodeError:
            return Run("refused", "the answer cell is no valid text")
        head = json.dumps({"exercise": asked.id, "source": source, "seconds": seconds}).encode()
        try:
            reply = self._reply(head + b"\n" + plain.packed(_sent(inputs)), seconds)
        except NotStarted as error:
            return Run("refused", f"{error}: grade it again")  # no answer has run yet, so it is not the learner's doing
        if reply[:1] not in (child.OUTPUTS, child.FAILURE) or not self._is_ready():
            self.end()  # what ended an answer so may have reached the process, too
        if self._stopped:
            raise Stopped
        return run_of(asked, reply, seconds)

    def stop(self) -> None:
        """End the process and start none again; from another thread, too."""
        with self._lock:
            self._stopped = True
        self.end()

    def end(self) -> None:
        """Kill the process with all that runs in it."""
        process, self._process = self._process, None
        if process:
            _kill(process)
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    pipe.close()
        if self._folder:
            self._folder.close()
            self._folder = None

    def _reply(self, request: bytes, seconds: float) -> bytes:
        process = self._process or self._started()
        return self._received(process, seconds + _GRACE_SECONDS, request)

    def _is_ready(self) -> bool:
        """Whether the process says that it may serve the next answer: all of the last one is gone, nothing changed."""
        process = self._process
        return process is not None and self._received(process, _GRACE_SECONDS) == self.course.encode()

    def _started(self) -> subprocess.Popen:
        """Start the process and wait until it is ready.

        Raises:
            NotStarted: it did not get there.
            Stopped: `stop` was called.
        """
        with self._lock:
            if self._stopped:
                raise Stopped
            self._process = process = self._popen()
        ready = self._received(process, _START_SECONDS, json.dumps([asked.id for asked in self.exercises]).encode())
        if ready == child.TIMEOUT:
            self.end()
            raise NotStarted(f"Python and its packages did not start within {_START_SECONDS} seconds")
        if ready[:1] == child.ENDED:
            self.end()
            raise NotStarted(f"the grader's Python did not start (exit code {process.returncode})")
        self.course = ready.decode()
        return process

    def _popen(self) -> subprocess.Popen:
        user = _FIRST_USER + 10_000 * (os.getpid() % 100_000) + next(_starts) % 10_000 if self.isolated else 0
        command = _command(child.namespace(), user)
        options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        options |= {"bufsize": 0, "start_new_session": True}
        if not self.isolated:
            self._folder = contextlib.ExitStack()
            folder = str(self._folder.enter_context(temporary_folder()))
            options |= {"cwd": folder, "env": isolation.environment(folder)}
            return subprocess.Popen(command, **options)
        with isolation.filter_file() as file:
            command = isolation.shut_in(command, file.fileno(), self.hidden)
            return subprocess.Popen(command, pass_fds=(file.fileno(),), **options)

    def _received(self, process: subprocess.Popen, seconds: float, request: bytes | None = None) -> bytes:
        """The next message, after a request; TIMEOUT if none comes in time; ENDED and how if the process went away."""
        try:
            if request is not None:
                frames.send(process.stdin.fileno(), request)
        except (OSError, ValueError):  # ValueError: another thread has just ended it
            return child.ENDED + b"0"
        message, end = _next_message(process), time.monotonic() + seconds
        while time.monotonic() < end:
            with contextlib.suppress(TimeoutError):
                return message.result(timeout=_LOOK_SECONDS)
            if self.isolated and self.course and (excess := _excess(process.pid)):
                self.end()
                return child.ENDED + excess.encode()
        return child.TIMEOUT


def _sent(inputs: dict) -> dict:
    """The inputs, with runs in the order of their names, which are drawn: a verdict knows runs by how they came."""
    return dict(sorted(inputs.items(), key=lambda item: _RUN.match(item[0])[0]))


def _command(outer_namespace: str, user: int) -> list[str]:
    """The command line of the process, as it stands inside or, without isolation, alone."""
    return [sys.executable, "-I", "-c", _START, outer_namespace, str(user)]


def _next_message(process: subprocess.Popen) -> Future:
    """A thread that waits for it, since a pipe can be waited for with a limit of time on Linux and macOS only."""
    message = Future()

    def wait() -> None:
        try:
            message.set_result(frames.receive(process.stdout))
        except (frames.Broken, OSError, ValueError):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE_SECONDS)
            code = process.poll() or 0
            message.set_result(child.ENDED + str(128 - code if code > 128 else code).encode())  # as bubblewrap tells it

    threading.Thread(target=wait, daemon=True).start()
    return message


def _excess(pid: int) -> str:
    """Of what a process and all below it have more than they may, '' for nothing."""
    if _memory_bytes(pid) > limits.TOTAL_BYTES:
        return f"more than {limits.TOTAL_BYTES // 2**30} GiB of memory"
    return f"more than {limits.MADE_FILES:,} files" if _made_files(pid) > limits.MADE_FILES else ""


def _made_files(pid: int) -> int:
    """How many files, links and folders were made where an answer may write; 0 where that cannot be seen."""
    with contextlib.suppress(psutil.Error, OSError, IndexError):  # no child: it has just ended
        inside = psutil.Process(pid).children(recursive=True)[-1].pid
        found = (os.statvfs(f"/proc/{inside}/root{folder}") for folder in ("/tmp", "/dev/shm"))
        return sum(one.f_files - one.f_ffree for one in found)
    return 0


def _memory_bytes(pid: int) -> int:
    """What a process and all below it take, pages that several share counted once."""
    total = 0
    with contextlib.suppress(psutil.Error):
        for process in psutil.Process(pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                info = process.memory_full_info()
                total += getattr(info, "pss", info.rss)
    return total


def _kill(process: subprocess.Popen) -> None:
    """The process, all below it, and its group: what an answer left running must not outlive its grading."""
    if process.poll() is not None:
        return  # its number may be somebody else's by now, and what ran inside bubblewrap ends with its pipe
    below = []
    with contextlib.suppress(psutil.Error):
        below = psutil.Process(process.pid).children(recursive=True)
    for one in below:  # the first is that of the namespace, with which all others in it end
        with contextlib.suppress(psutil.Error):
            one.kill()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()
    psutil.wait_procs(below, timeout=_GRACE_SECONDS)


@cache
def fault_of_sandbox(isolated: bool) -> str:
    """Why no answer can be run here, '' if one can: a built-in answer is sent the way that all others go."""
    if isolated and (fault := isolation.fault_of_isolation()):
        return fault
    if (installed := installed_course()) and installed != str(Path(helpers.__file__).resolve()):
        return _another_copy(installed)
    asked = next(iter(EXERCISES.values()))
    with Sandbox([asked], isolated) as sandbox:
        ran = sandbox.run(asked, f"def {asked.function}(*given):\n    pass\n", asked.inputs(0), _START_SECONDS)
        if ran.status != "ok":
            return (
                f"{sys.executable} cannot run even a built-in answer: {ran.reason or ran.status}. Is the course "
                "installed in it? `pip install -r requirements.txt` does that; `python -m helpers doctor` says more."
            )
        if str(Path(helpers.__file__).resolve()) != sandbox.course:
            return _another_copy(sandbox.course)
    return ""


def installed_course() -> str:
    """The file of the package that this Python finds by itself, wherever it is started; '' where it finds none."""
    found = "import helpers, pathlib; print(pathlib.Path(helpers.__file__).resolve())"
    command = [sys.executable, "-I", "-c", found]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _another_copy(other: str) -> str:
    here = Path(helpers.__file__).resolve()
    return (
        f"Answers would run on another copy of the course ({other}) than the grader ({here}). Install this one: "
        f"`{sys.executable} -m pip install --no-deps -e {here.parents[1]}`."
    )
