"""How the run of an answer ended, told from what its process sent back: all of that is untrusted."""

import builtins
import json
import re
from dataclasses import dataclass, field

from helpers.checks import child, plain
from helpers.checks.exercise import Exercise

_NO_PYTHON = "this is no Python, or a line that only Jupyter understands"
_LIKELY_CAUSES = {
    "NameError": "imports and helper functions belong in the answer cell, which is the only one that is graded",
    "ModuleNotFoundError": "the answer imports what is not installed here",
    **dict.fromkeys(("SyntaxError", "IndentationError", "TabError"), _NO_PYTHON),
}
# What Python says of a syntax error comes from the answer's process, too: only these sentences of CPython are repeated,
# so that no answer can put words of its own into the table.
_PYTHONS_WORDS = "|".join(
    (
        r"'[(\[{]' was never closed",
        r"unmatched '[)\]}]'",
        r"closing parenthesis '[)\]}]' does not match opening parenthesis '[(\[{]'(?: on line \d{1,4})?",
        r"invalid syntax(?:\. Perhaps you forgot a comma\?)?",
        r"invalid syntax\. Maybe you meant '(?:==|:=)' or '(?:=|:=)' instead of '='\?",
        r"expected (?:'[:(),]'|'except' or 'finally' block)",
        r"expected an indented block after (?:'[a-z]{2,7}' (?:statement|clause)|(?:function|class) definition)"
        r" on line \d{1,4}",
        r"unexpected (?:indent|EOF while parsing|character after line continuation character)",
        r"unindent does not match any outer indentation level",
        r"inconsistent use of tabs and spaces in indentation",
        r"unterminated (?:f-)?(?:triple-quoted )?(?:f-)?string literal \(detected at line \d{1,4}\)",
        r"invalid digit '\d' in (?:binary|octal) literal",
        r"Missing parentheses in call to '(?:print|exec)'\. Did you mean (?:print|exec)\(\.\.\.\)\?",
        r"invalid (?:decimal|hexadecimal|octal|binary|imaginary) literal",
        r"invalid (?:character '.' \(U\+[0-9A-F]{4,6}\)|non-printable character U\+[0-9A-F]{4,6})",
        r"'(?:return|yield|await)' outside (?:async )?function",
        r"'(?:break' outside loop|continue' not properly in loop)",
        r"cannot assign to (?:function call|literal|expression|comparison|attribute|subscript|True|False|None)"
        r"(?: here\. Maybe you meant '==' instead of '='\?)?",
        r"positional argument follows keyword argument",
    )
)

_MOST_FAILURE = 1024  # bytes of what tells of one


@dataclass(frozen=True)
class Run:
    """How the run of an answer ended: ok (with outputs), timeout, crash, refused, or missing (not filled in)."""

    status: str
    reason: str = ""
    outputs: dict = field(default_factory=dict)


def run_of(asked: Exercise, reply: bytes, seconds: float) -> Run:
    """The end that a reply tells of; its first byte comes from this course, the rest from the answer."""
    kind, content = reply[:1], reply[1:]
    if kind == child.OUTPUTS:
        try:
            return Run("ok", outputs=plain.validated(plain.unpacked(content), asked.outputs))
        except plain.Refused as error:
            return Run("refused", str(error))
    if kind == child.FAILURE and len(content) <= _MOST_FAILURE:
        try:
            return _failed(asked, json.loads(content))
        except (ValueError, RecursionError, AttributeError):
            return Run("refused", "what came back cannot be read")
    if kind == child.FAILURE:
        return Run("refused", "what came back cannot be read")
    if kind == child.TIMEOUT:
        return Run("timeout", f"no answer within {seconds:g} seconds")
    return Run("crash", _ending(content.decode()))


def _ending(how: str) -> str:
    """How a process ended that left neither outputs nor a failure: its exit code, or the reason it was ended for."""
    if not how.lstrip("-").isdigit():
        return f"ended: {how}"
    if int(how) >= 0:
        return f"the answer ended Python itself (exit code {how})"
    return f"killed by signal {how[1:]}" + (" (out of memory?)" if how[1:] == "9" else "")


def _failed(asked: Exercise, failure: dict) -> Run:
    """A failure as the process tells it. Only the name of a builtin error and a number are taken from it."""
    if failure.get("unanswered") is True:
        return Run("missing", "not filled in")
    if failure.get("undefined") is True:
        return Run("crash", f"the cell defines no {asked.function}")
    error, line = failure.get("error"), failure.get("line")
    kind = getattr(builtins, error, None) if isinstance(error, str) else None
    known = isinstance(kind, type) and issubclass(kind, BaseException)
    where = f" in line {line} of the answer cell" if type(line) is int and 0 < line < 10_000 else ""
    cause = f": {_LIKELY_CAUSES[error]}" if known and error in _LIKELY_CAUSES else ""
    words = failure.get("words")
    said = f": {words}" if cause.endswith(_NO_PYTHON) and _is_pythons(words) else ""
    return Run("crash", f"{error if known else 'an error'}{where}{cause}{said}")


def _is_pythons(words: object) -> bool:
    return isinstance(words, str) and words.isprintable() and re.fullmatch(_PYTHONS_WORDS, words) is not None
