"""The process in which a learner's answers run; `sandbox` starts it. It knows no verdict.

It reads one message with the exercises to get ready for, imports what they need, once, and then says again and again
that it is ready for a request. On Linux it reads none itself, or the next learner's answer could look for it in memory:
a copy of it (a fork) does, the keeper. The answer runs in a copy of the keeper. When the keeper ends, no process, no
file and no byte of them is left; only the kernel has counted on. Elsewhere it answers once.

What an answer leaves is only believed as far as `plain.unpacked` and `plain.validated` let it.
"""

import contextlib
import ctypes
import gc
import json
import os
import random
import select
import signal
import sys
import time
from pathlib import Path
from typing import BinaryIO

import numpy
import psutil
import torch

import helpers
from helpers.checks import frames, limits, plain
from helpers.checks.exercise import Exercise
from helpers.checks.registry import exercise

with contextlib.suppress(ImportError):  # Windows has none
    import resource

ANSWER = "answer.py"  # the name of the cell in tracebacks
OUTPUTS, FAILURE, TIMEOUT, ENDED = b"o", b"f", b"t", b"e"  # how a reply starts
_FORKS = sys.platform == "linux"
_NOT_DUMPABLE = (4, 0, 0, 0, 0)  # prctl: no process of the same user may trace this one or open its files
_DIE_WITH_PARENT = (1, 9, 0, 0, 0)  # where there is no namespace that ends with its first process
_ADOPT = (36, 1, 0, 0, 0)  # below a process that lost its parent: the next one above it that says so is its parent
_MOST_WORDS = 120  # letters of what Python says of a syntax error
_LONGEST_PAUSE = 0.005  # seconds, between two looks


class NotDefined(Exception):
    """The answer cell ran and does not define the function of the exercise."""


def main(outer_namespace: str, user: int) -> None:
    """Serve until nobody asks any more.

    Args:
        outer_namespace: of processes, which the grader is in ('' where there is none). Where this process is in
            another, nobody but answers is beside it, and all of them can be killed at once.
        user: the number of a user that root becomes; 0 to stay who one is.
    """
    requests, replies = _channels()
    if user and os.getuid() == 0:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    if _FORKS:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # no answer can send what the first of a namespace does not handle
        ctypes.CDLL(None).prctl(*_NOT_DUMPABLE)
    alone = bool(outer_namespace) and namespace() not in ("", outer_namespace)
    _get_ready(json.loads(frames.receive(requests)))
    gc.freeze()
    gc.enable()
    before, code = _surroundings(alone), 0
    while not code and _surroundings(alone) == before:
        frames.send(replies, str(Path(helpers.__file__).resolve()).encode())
        if not _FORKS:
            frames.send(replies, _reply(frames.receive(requests), alone))
            break
        select.select([requests], [], [])
        keeper = os.fork()
        if keeper == 0:
            _keep(requests, replies, alone)
        code = _exit_code(keeper, requests, alone)
    os._exit(code)  # tidying up takes torch long


def _surroundings(alone: bool) -> list:
    """All that an answer can change and that outlives it: files, with their folders' times, and how this process runs.

    The filter of system calls forbids the latter; this also holds on machines whose numbers of calls it does not know.
    """
    folders = [Path(), Path("/dev/shm")] if alone else [Path()]
    try:
        files = [(sorted(os.listdir(folder)), folder.stat().st_mode, folder.stat().st_ctime_ns) for folder in folders]
        if alone:  # a file without a name takes room, too
            files += [(found.f_bfree, found.f_ffree) for found in map(os.statvfs, folders)]
    except OSError as error:
        return [str(error)]
    if not _FORKS:
        return files
    limited = [resource.getrlimit(getattr(resource, name)) for name in sorted(dir(resource)) if "RLIMIT_" in name]
    run = [os.sched_getaffinity(0), os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0)]
    return [files, limited, run]


def namespace() -> str:
    """Which processes see each other: the name of this process's namespace on Linux, '' elsewhere."""
    with contextlib.suppress(OSError):
        return os.readlink("/proc/self/ns/pid")
    return ""


def _channels():
    """Where requests come from and replies go to. An answer that reads or prints does so from and to nowhere."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    return requests, replies


def _get_ready(exercise_ids: list[str]) -> None:
    for asked in map(exercise, exercise_ids):
        with contextlib.suppress(Exception):  # no answer is no answer; here only what the call imports matters
            asked.call(lambda *_: None, asked.inputs(0))
    for name in [name for name in sys.modules if name.startswith("helpers.checks.verdicts")]:
        del sys.modules[name]
    sys.modules["helpers.checks.verdicts"] = None  # importing it is an error from here on


def _exit_code(keeper: int, requests: BinaryIO, alone: bool) -> int:
    """How the keeper ended, as a shell tells it; 0 if all went well. In a namespace of its own, everybody is buried.

    If the grader is gone, this process ends at once, and the namespace with it.
    """
    grader, pause = select.poll(), 0.001
    grader.register(requests, 0)  # 0: only that the other end was closed
    while True:
        buried, status = os.waitpid(-1 if alone else keeper, os.WNOHANG)
        if buried == keeper:
            code = os.waitstatus_to_exitcode(status)
            return 128 - code if code < 0 else code
        if not buried:
            if grader.poll(0):
                os._exit(1)
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)


def _keep(requests: BinaryIO, replies: int, alone: bool) -> None:
    """Read a request, let a copy of this process answer, leave nothing of it, send its reply, and end."""
    os.setpgid(0, 0)  # or a signal to the group of an earlier keeper would reach this one
    if not alone:
        ctypes.CDLL(None).prctl(*_DIE_WITH_PARENT)
        ctypes.CDLL(None).prctl(*_ADOPT)
    code = 1
    try:
        request = frames.receive(requests)
        seconds = json.loads(request[: request.index(b"\n")])["seconds"]
        frames.send(replies, _reply_of_a_copy(request, seconds, alone))
        code = 0
    finally:
        os._exit(code)


def _reply_of_a_copy(request: bytes, seconds: float, alone: bool) -> bytes:
    """Let a copy of this process answer, for so long as the request allows, and kill whatever it leaves running."""
    reading, writing = os.pipe()
    copy = os.fork()
    if copy == 0:
        try:
            os.setsid()
            if not alone:
                ctypes.CDLL(None).prctl(*_DIE_WITH_PARENT)
            nowhere = os.open(os.devnull, os.O_RDWR)  # a file of its own, whose flags nobody shares
            for standard in (0, 1, 2):
                os.dup2(nowhere, standard)
            os.dup2(writing, 3)  # the one descriptor above the standard ones that an answer has
            os.closerange(4, 1024)
            frames.send(3, _reply(request, alone))
        finally:
            os._exit(0)
    os.close(writing)
    try:
        return _of_an_answer(frames.receive_within(reading, seconds))
    except TimeoutError:
        return TIMEOUT
    except frames.Broken:
        return ENDED + str(_ended(copy, seconds=1)).encode()
    finally:
        _kill(copy, alone)


def _of_an_answer(reply: bytes) -> bytes:
    return reply if reply[:1] in (OUTPUTS, FAILURE) else FAILURE


def _ended(copy: int, seconds: float) -> int:
    """How it did, or is about to: its exit code, or minus a signal. One that only closed its pipe counts as 0."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done = os.waitid(os.P_PID, copy, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if done:
            return done.si_status if done.si_code == os.CLD_EXITED else -done.si_status
        time.sleep(0.01)
    return 0


def _kill(copy: int, alone: bool) -> None:
    """The copy and all that it started, until none is left: what is still dying can yet send a signal, or use memory.

    In a namespace of its own, -1 is everybody but the first process and this one, so that no double fork escapes;
    elsewhere this process has adopted what lost its parent.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(copy, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(copy, signal.SIGKILL)
    os.waitpid(copy, 0)
    while not alone and (left := psutil.Process().children(recursive=True)):
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=1)
    with contextlib.suppress(ProcessLookupError):
        while alone:
            os.kill(-1, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):  # one that was made in the place of a brother of the copy
                os.waitpid(-1, os.WNOHANG)
            time.sleep(0.001)


def _reply(request: bytes, alone: bool) -> bytes:
    """Run one answer, here: what it returns, or the kind and the line of what went wrong in it."""
    head, _, inputs = request.partition(b"\n")
    head = json.loads(head)
    asked = exercise(head["exercise"])
    call, inputs = asked.call, plain.unpacked(inputs)
    for seed in (random.seed, numpy.random.seed, torch.manual_seed):
        seed(0)  # whatever was drawn before, in getting ready for other exercises
    limits.impose(head["seconds"], alone)
    try:
        return OUTPUTS + plain.packed(call(defined(asked, head["source"]), inputs))
    except BaseException as error:  # KeyboardInterrupt and SystemExit of a submission too
        return FAILURE + json.dumps(_failure(asked, error)).encode()


def defined(asked: Exercise, source: str):
    """The function that an answer cell defines. Lines left over below it may fail: they are no part of the answer."""
    namespace = {"__name__": "__main__", "display": lambda *shown, **options: None}  # Jupyter's, which needs no import
    exec(asked.setup, namespace)
    code = _compiled(source)
    try:
        exec(code, namespace)
    except (Exception, SystemExit):
        if asked.function not in namespace:
            raise
    if asked.function not in namespace:
        raise NotDefined
    return namespace[asked.function]


def _compiled(source: str):
    """The cell as code. Only where it is no Python are Jupyter's own lines (%timeit …, !ls) taken for empty ones."""
    try:
        return compile(source, ANSWER, "exec")
    except SyntaxError:
        lines = source.splitlines()
        places = [place for place, line in enumerate(lines) if line.lstrip().startswith(("%", "!"))]
        for place in places:
            indent = len(lines[place]) - len(lines[place].lstrip())
            lines[place] = " " * indent + "pass"  # a block may hold nothing else, and lines keep their numbers
        with contextlib.suppress(SyntaxError):
            return compile("\n".join(lines), ANSWER, "exec")
        raise


def _failure(asked: Exercise, error: BaseException) -> dict:
    unanswered = isinstance(error, NotImplementedError) and str(error).startswith(asked.unanswered)
    lines = [error.lineno] if isinstance(error, SyntaxError) else []
    trace = error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == ANSWER:
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    return {
        "unanswered": unanswered,
        "undefined": type(error) is NotDefined,
        "error": type(error).__name__,
        "line": lines[-1] if lines else 0,
        "words": str(error.msg)[:_MOST_WORDS] if isinstance(error, SyntaxError) else "",
    }
