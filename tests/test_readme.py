"""What README counts is as many as it says, and the trainer can be read in one sitting."""

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

from helpers.checks.registry import EXERCISES, PROJECT_ID
from helpers.shapes import GPUS, MODELS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TRAINER = ("ppo", "rollout", "backbone", "formulas", "checkpoint")
WORDS = {"ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16}


def lines_of_code(source: str) -> int:
    """Lines without docstrings, comments and blanks."""
    docstrings = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            docstrings |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    skipped = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    lines = {n for t in tokens if t.type not in skipped for n in range(t.start[0], t.end[0] + 1)}
    return len(lines - docstrings)


def test_lines_of_code_are_counted_without_docstrings_comments_and_blanks():
    assert lines_of_code('"""a\nb"""\n\n# c\nx = [\n    1,  # d\n]\n\ndef f():\n    """e"""\n    return x\n') == 5


def test_readme_says_how_many_exercises_there_are():
    assert int(re.search(r"\(exercises\), (\d+) in all", README)[1]) == len([*EXERCISES, PROJECT_ID])


def test_readme_says_how_many_published_models_there_are():
    assert WORDS[re.search(r"one of (\w+) published models", README)[1]] == len(MODELS)


def test_readme_lists_the_cards_that_plan_knows_from_small_to_large():
    listed = re.search(r"`--gpu`: (.*?), a number of GiB", README, re.DOTALL)[1]
    assert re.findall(r"`([\w-]+)`", listed) == list(GPUS) and sorted(GPUS.values()) == list(GPUS.values())


def test_trainer_has_at_most_as_many_lines_as_readme_says():
    most = int(re.search(r"from one model, in at most (\d+) lines", README)[1])
    found = sum(lines_of_code((ROOT / "helpers" / f"{name}.py").read_text(encoding="utf-8")) for name in TRAINER)
    assert most == 700 and most - 100 < found <= most


@pytest.mark.parametrize("name", TRAINER)
def test_each_file_of_the_trainer_can_be_read_in_one_sitting(name):
    assert (ROOT / "helpers" / f"{name}.py").read_text(encoding="utf-8").count("\n") <= 350
