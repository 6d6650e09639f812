"""`check("1.1", answer)`: what a learner runs below an exercise."""

import inspect
import linecache
import os
import re
import textwrap
import traceback
from collections import Counter
from collections.abc import Callable

import torch

from helpers.checks.exercise import Exercise
from helpers.checks.registry import exercise
from helpers.checks.verdicts.compare import Verdict

_failures: Counter[str] = Counter()  # of each exercise, in this notebook
_MOST_OF_AN_ERROR = 1000  # letters
_MOST_KEYS = 8  # of a dictionary
_MOST_OF_A_VALUE = 30  # letters of what a key holds
_SEED = 11  # fixed, so that a learner who runs the cell again sees the same figures


class CheckStopped(Exception):
    """Stops a notebook at a check. IPython shows the message alone: the frames of the check would teach nothing."""

    def _render_traceback_(self) -> list[str]:
        return [_wrapped(line) for line in str(self).splitlines()]


class MissingAnswer(CheckStopped):
    """The exercise still holds the line that it was handed out with."""


class WrongAnswer(CheckStopped):
    """The answer ran and is not right."""


class AnswerFailed(CheckStopped):
    """The answer stopped with an error, which is this one's cause."""


def check(exercise_id: str, answer: Callable) -> None:
    """Call the answer on fixed inputs and say whether it is right; if not, stop, and say what it looks like.

    Args:
        exercise_id: as in the title line, for example "1.1".
        answer: the function of the exercise.

    Raises:
        MissingAnswer: the exercise has not been filled in.
        AnswerFailed: an error in the answer: its line, and the tensors and dictionaries there.
        WrongAnswer: got, due and the likeliest cause.
    """
    asked = exercise(exercise_id)
    with torch.random.fork_rng(devices=[]), torch.enable_grad():  # what an answer changes of the two ends here
        verdict = _verdict(asked, answer)
    if not verdict.passed:
        _failures[asked.id] += 1
        raise WrongAnswer(
            f"Exercise {asked.id} is not right yet.\n\n"
            f"  got  {verdict.got}\n  due  {verdict.due}\n\n"
            f"Likely cause: {verdict.hint}{_given(asked, verdict)}{_offered_hint(asked)}"
        )
    _failures.pop(asked.id, None)
    print(f"Exercise {asked.id} is right: it agrees with {asked.agrees_with}.")


def _wrapped(line: str) -> str:
    """At most 80 columns: JupyterLab breaks a longer line of an error in the middle of a word."""
    name = re.match(r"  \w+ +|", line)[0]  # a value goes on below itself, not below its name
    return textwrap.fill(line, 80, subsequent_indent=" " * len(name), break_long_words=False, break_on_hyphens=False)


def _given(asked: Exercise, verdict: Verdict) -> str:
    """How to see what the answer was called with, for who has to follow it by hand."""
    if not verdict.hint_name.startswith("unknown"):
        return ""
    return (
        f"\n\nThe inputs: `from helpers.checks.registry import exercise`, then "
        f'`exercise("{asked.id}").inputs({_SEED})`.'
    )


def _offered_hint(asked: Exercise) -> str:
    """After the third failure in a row the first hint, from the sixth on the second."""
    failures = _failures[asked.id]
    if failures < 3:
        return ""
    name, text = ("First", asked.hints[0]) if failures < 6 else ("Second", asked.hints[1])
    return f"\n\n{name} hint, as this was try {failures}: {' '.join(text.split())}"


def _verdict(asked: Exercise, answer: Callable) -> Verdict:
    inputs = asked.inputs(_SEED)
    try:
        outputs = asked.call(answer, inputs)
    except Exception as error:
        if isinstance(error, NotImplementedError) and str(error).startswith(asked.unanswered):
            raise MissingAnswer(
                f"Exercise {asked.id} waits for your answer: in {asked.function}, write your lines in place of "
                f"`raise NotImplementedError`, run that cell, then this one again."
            ) from None
        if (message := _of_an_error(asked, answer, error)) is None:
            raise
        raise AnswerFailed(message) from error
    return asked.verdict(inputs, outputs)


def _of_an_error(asked: Exercise, answer: Callable, error: Exception) -> str | None:
    """What a learner is told of an error in the answer; None, if it came up elsewhere."""
    code = getattr(inspect.unwrap(answer), "__code__", None)
    if code is None:
        return None
    cells = os.path.dirname(code.co_filename)  # of a notebook; what the answer calls may stand in another cell
    frames = traceback.walk_tb(error.__traceback__)
    own = [(frame, line) for frame, line in frames if os.path.dirname(frame.f_code.co_filename) == cells]
    if not own:
        return None
    _failures[asked.id] += 1
    frame, number = own[-1]
    shown = {name: value for name, value in frame.f_locals.items() if isinstance(value, (torch.Tensor, dict))}
    return (
        f"Exercise {asked.id} stopped with an error in your answer.\n\n"
        f"  line   {linecache.getline(frame.f_code.co_filename, number).strip()}\n"
        f"  error  {''.join(traceback.format_exception_only(error)).strip()[:_MOST_OF_AN_ERROR]}\n"
        f"  there  {', '.join(map(_described, shown, shown.values())) or 'no tensors'}{_offered_hint(asked)}"
    )


def _described(name: str, value: torch.Tensor | dict) -> str:
    """A tensor's shape and dtype; a dictionary's keys, with what they hold where it is short."""
    if isinstance(value, dict):
        keys = ", ".join(f"{key!r}{_short(of)}" for key, of in list(value.items())[:_MOST_KEYS])
        return f"{name} with the keys {keys}{' …' if len(value) > _MOST_KEYS else ''}"
    try:
        return f"{name} {tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}"
    except Exception:  # a nested tensor has no shape
        return f"{name}, a {type(value).__name__}"


def _short(value: object) -> str:
    """What a key holds, if it is a text, a number or a short list of these; else nothing."""
    parts = value[:3] if isinstance(value, list) else [value]
    plain = all(isinstance(part, (str, int, float)) for part in parts) and len(parts) < 3
    return f" = {value!r}" if plain and len(repr(value)) <= _MOST_OF_A_VALUE else ""
