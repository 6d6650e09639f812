"""Run one answer in a process of its own, with a time limit, and let in only plain data of the expected shape."""

import builtins
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from helpers.checks import plain
from helpers.checks.child import ANSWER, FAILURE
from helpers.checks.registry import Exercise


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
        seconds: after which the process, and what it started, is killed.
    """
    with tempfile.TemporaryDirectory(prefix="answer-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        try:
            (folder / ANSWER).write_text(source, encoding="utf-8")
        except UnicodeEncodeError:
            return Run("refused", "the answer cell is no valid text")
        plain.save(inputs, folder, "inputs")
        code = _exit_code(_command(asked), folder, seconds)
        if code is None:
            return Run("timeout", f"no answer within {seconds:g} seconds")
        return _ended(asked, folder, code)


def _command(asked: Exercise) -> list[str]:
    """The command line of the child. Whatever isolates it further is put in front here, and nowhere else."""
    return [sys.executable, "-I", "-m", "helpers.checks.child", asked.id]


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
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        _kill(process)


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
        return _failed(json.loads(plain.read_bytes(folder / FAILURE, 10_000)))
    except (FileNotFoundError, ValueError, RecursionError, AttributeError):
        return Run("crash", f"the process ended without an answer (exit code {code})")


def _failed(failure: dict) -> Run:
    """A failure as the child tells it. Only the name of a builtin error and a number are taken from it."""
    if failure.get("unanswered") is True:
        return Run("missing", "not filled in")
    error, line = failure.get("error"), failure.get("line")
    known = isinstance(error, str) and isinstance(getattr(builtins, error, None), type)
    where = f" in line {line} of the answer cell" if type(line) is int and 0 < line < 10_000 else ""
    return Run("crash", f"{error if known else 'an error'}{where}")
