"""Run one answer in a process of its own, with a time limit, and let in only plain data of the expected shape."""

import builtins
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import helpers
from helpers.checks import plain
from helpers.checks.child import ANSWER, FAILURE, READY
from helpers.checks.exercise import Exercise
from helpers.checks.registry import EXERCISES

_START_SECONDS = 120  # for Python and its packages, which are no part of an answer's time
_POLL_SECONDS = 0.02
_LIKELY_CAUSES = {
    "NameError": "imports and helper functions belong in the answer cell, which is the only one that is graded",
    "ModuleNotFoundError": "the answer imports what is not installed here",
    "SyntaxError": "this is no Python, or a line that only Jupyter understands",
}


@dataclass(frozen=True)
class Run:
    """How the run of an answer ended: ok (with outputs), timeout, crash, refused, or missing (not filled in)."""

    status: str
    reason: str = ""
    outputs: dict = field(default_factory=dict)


def run_answer(asked: Exercise, source: str, inputs: dict, seconds: float) -> Run:
    """Call the answer on the inputs in another process.

    Args:
        asked: the exercise.
        source: of the answer cell, untrusted.
        inputs: plain data; with the source, all that the process is given.
        seconds: after which the process, and what it started, is killed. Importing torch does not count.
    """
    if not source.strip():
        return Run("missing", "the answer cell is empty")
    with _folder() as folder:
        try:
            (folder / ANSWER).write_text(source, encoding="utf-8")
        except UnicodeEncodeError:
            return Run("refused", "the answer cell is no valid text")
        return _run_in(folder, asked, inputs, seconds)


@cache
def fault_of_child() -> str:
    """Why no answer can be run here, '' if one can: a built-in answer is sent the way that all others go."""
    asked = next(iter(EXERCISES.values()))
    with _folder() as folder:
        (folder / ANSWER).write_text(f"def {asked.function}(*given):\n    pass\n", encoding="utf-8")
        ran = _run_in(folder, asked, asked.inputs(0), _START_SECONDS)
        if ran.status != "ok":
            return (
                f"{sys.executable} cannot run even a built-in answer: {ran.reason or ran.status}. Is the course "
                "installed in it? `pip install -r requirements.txt` does that; `python -m helpers doctor` says more."
            )
        here, there = str(Path(helpers.__file__).resolve()), (folder / READY).read_text(encoding="utf-8")
    if here != there:
        return f"Answers would run on another copy of the course ({there}) than the grader ({here}). Install this one."
    return ""


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="answer-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def _run_in(folder: Path, asked: Exercise, inputs: dict, seconds: float) -> Run:
    plain.save(inputs, folder, "inputs")
    code = _exit_code(_command(asked, seconds), folder, seconds)
    if code is not None:
        return _ended(asked, folder, code)
    if (folder / READY).exists():
        return Run("timeout", f"no answer within {seconds:g} seconds")
    return Run("timeout", f"Python and its packages did not start within {_START_SECONDS} seconds: grade it again")


def _command(asked: Exercise, seconds: float) -> list[str]:
    """The command line of the child. Whatever isolates it further is put in front here, and nowhere else."""
    return [sys.executable, "-I", "-m", "helpers.checks.child", asked.id, str(seconds)]


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}  # Windows starts nothing without
    home = {name: str(folder) for name in ("HOME", "TMPDIR", "HF_HOME")}
    return {"PATH": os.defpath, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", **home, **kept}


def _exit_code(command: list[str], folder: Path, seconds: float) -> int | None:
    """Run to the end or to the limit (None). Its output goes nowhere: not to the terminal, not into a result."""
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=_environment(folder),
        stdin=nowhere,
        stdout=nowhere,
        stderr=nowhere,
        start_new_session=True,
    )
    try:
        _wait(process, _START_SECONDS, until=folder / READY)
        return _wait(process, seconds)
    finally:
        _kill(process)


def _wait(process: subprocess.Popen, seconds: float, until: Path | None = None) -> int | None:
    """The exit code; None where the process goes on, after so many seconds or once the file is there."""
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end and not (until and until.exists()):
        time.sleep(_POLL_SECONDS)
    return process.poll()


def _kill(process: subprocess.Popen) -> None:
    """The process and its group: what an answer left running must not outlive its grading."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def _ended(asked: Exercise, folder: Path, code: int) -> Run:
    try:
        return Run("ok", outputs=plain.validated(plain.load(folder, "outputs"), asked.outputs))
    except plain.Refused as error:
        return Run("refused", str(error))
    except FileNotFoundError:
        pass
    try:
        return _failed(asked, json.loads(plain.read_bytes(folder / FAILURE, 10_000)))
    except (FileNotFoundError, ValueError, RecursionError, AttributeError):
        return Run("crash", _ending(folder, code))


def _ending(folder: Path, code: int) -> str:
    """How a process ended that left neither outputs nor a failure."""
    if not (folder / READY).exists():
        return f"the grader's Python did not start (exit code {code})"
    if code >= 0:
        return f"the answer ended Python itself (exit code {code})"
    return f"killed by signal {-code}" + (" (out of memory?)" if -code == getattr(signal, "SIGKILL", 9) else "")


def _failed(asked: Exercise, failure: dict) -> Run:
    """A failure as the child tells it. Only the name of a builtin error and a number are taken from it."""
    if failure.get("unanswered") is True:
        return Run("missing", "not filled in")
    if failure.get("undefined") is True:
        return Run("crash", f"the cell defines no {asked.function}")
    error, line = failure.get("error"), failure.get("line")
    known = isinstance(error, str) and isinstance(getattr(builtins, error, None), type)
    where = f" in line {line} of the answer cell" if type(line) is int and 0 < line < 10_000 else ""
    cause = f": {_LIKELY_CAUSES[error]}" if known and error in _LIKELY_CAUSES else ""
    return Run("crash", f"{error if known else 'an error'}{where}{cause}")
