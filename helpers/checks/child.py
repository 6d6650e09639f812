"""The process in which a submission runs: `python -m helpers.checks.child EXERCISE`, in a folder of its own.

It finds there the source of one answer cell and the inputs, and leaves the outputs of the call. It knows no verdict.
Whatever it leaves is only believed as far as `plain.validated` lets it.
"""

import json
import sys
from pathlib import Path

from helpers.checks import plain
from helpers.checks.registry import Exercise, exercise

ANSWER = "answer.py"
FAILURE = "failure.json"


def main(exercise_id: str, folder: Path = Path()) -> None:
    """Run the call on the answer; what goes wrong in the answer is written down as its kind and its line."""
    asked = exercise(exercise_id)
    call, inputs = asked.call, plain.load(folder, "inputs")
    source = (folder / ANSWER).read_text(encoding="utf-8")
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
    try:
        exec(compile(source, ANSWER, "exec"), namespace)
    except Exception:
        if asked.function not in namespace:
            raise
    if asked.function not in namespace:
        raise NameError(asked.function)
    return namespace[asked.function]


def _failure(asked: Exercise, error: BaseException) -> dict:
    unanswered = isinstance(error, NotImplementedError) and str(error).startswith(asked.unanswered)
    lines = [error.lineno] if isinstance(error, SyntaxError) else []
    trace = error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == ANSWER:
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    return {"unanswered": unanswered, "error": type(error).__name__, "line": lines[-1] if lines else 0}


if __name__ == "__main__":
    main(sys.argv[1])
