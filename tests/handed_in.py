"""Submissions for the tests of grading: the sources of exercise 2.1, and a learner's folder with them."""

import json
from pathlib import Path

RIGHT = (
    "def merged_weight(weight, lora_A, lora_B, lora_alpha, r):\n    return weight + lora_alpha / r * lora_B @ lora_A\n"
)
WRONG = RIGHT.replace("weight +", "weight -")
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
