"""Submissions for the tests of grading: the sources of exercise 2.1, and a learner's folder with them."""

import argparse
import json
import os
from pathlib import Path

import pytest

from helpers.checks.isolation import fault_of_isolation

RIGHT = (
    "def merged_weight(weight, lora_A, lora_B, lora_alpha, r):\n    return weight + lora_alpha / r * lora_B @ lora_A\n"
)
WRONG = RIGHT.replace("weight +", "weight -")
_FAULT = fault_of_isolation()
needs_sandbox = pytest.mark.skipif(bool(_FAULT) and "CI" not in os.environ, reason=_FAULT)  # in CI they fail
BODY = RIGHT.splitlines()[0] + "\n"


def notebook(*sources: str, answer_id: str = "exercise-2-1") -> str:
    cells = [
        {"cell_type": "code", "metadata": {"nbgrader": {"grade_id": answer_id}}, "source": source.splitlines(True)}
        for source in sources
    ]
    return json.dumps({"cells": cells})


def hand_in(folder: Path, learner: str, text: str, name: str = "Copy of 3 (1).ipynb") -> None:
    (folder / learner).mkdir(exist_ok=True)
    (folder / learner / name).write_text(text)


def arguments(folder: Path, **changed) -> argparse.Namespace:
    """What the command grade is given, where nothing else is said."""
    given = {"folder": folder, "out": folder.parent / "grades.csv", "seconds": 60, "seed_from": None, "jobs": 2}
    given |= {"lesson": None, "exercise": None, "due": None, "changes": None, "format": None, "unsafe": False}
    return argparse.Namespace(**{**given, **changed})
