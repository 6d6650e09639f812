"""The process in which a submission runs: `python -m helpers.checks.child EXERCISE SECONDS`, in a folder of its own.

It finds there the source of one answer cell and the inputs, and leaves the outputs of the call. It knows no verdict.
Whatever it leaves is only believed as far as `plain.validated` lets it.
"""

import contextlib
import json
import math
import sys
import time
from pathlib import Path

import helpers
from helpers.checks import plain
from helpers.checks.exercise import Exercise
from helpers.checks.registry import exercise

ANSWER = "answer.py"
READY = "ready"
FAILURE = "failure.json"


class NotDefined(Exception):
    """The answer cell ran and does not define the function of the exercise."""


def main(exercise_id: str, seconds: float, folder: Path = Path()) -> None:
    """Run the call on the answer; what goes wrong in the answer is written down as its kind and its line."""
    asked = exercise(exercise_id)
    call, inputs = asked.call, plain.load(folder, "inputs")
    source = (folder / ANSWER).read_text(encoding="utf-8")
    call(lambda *_: None, inputs)  # whatever the call imports is imported now, before the clock starts
    sys.modules["helpers.checks.verdicts"] = None  # importing it is an error from here on
    _limit(seconds)
    (folder / READY).write_text(str(Path(helpers.__file__).resolve()), encoding="utf-8")
    try:
        outputs = call(defined(asked, source), inputs)
    except BaseException as error:  # KeyboardInterrupt and SystemExit of a submission too
        (folder / FAILURE).write_text(json.dumps(_failure(asked, error)), encoding="utf-8")
        return
    plain.save(outputs, folder, "outputs")


def defined(asked: Exercise, source: str):
    """The function that an answer cell defines. Lines left over below it may fail: they are no part of the answer."""
    namespace = {"__name__": "__main__"}
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


def _limit(seconds: float) -> None:
    """A belt for when nobody is left to kill this process: processor time, and the size of a file. Not on Windows."""
    try:
        import resource
    except ImportError:
        return
    cpu_seconds = math.ceil(time.process_time() + 2 * seconds) + 5  # several threads may use more than the clock shows
    limits = {"RLIMIT_CPU": cpu_seconds, "RLIMIT_FSIZE": 64 * 2**20, "RLIMIT_CORE": 0}
    for kind, most in [(getattr(resource, name), most) for name, most in limits.items()]:
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


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
    }


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
