"""What an exercise is: one function to write, one check below it, and where the parts of the check are found."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Exercise:
    """One exercise: one function to write, one check below it."""

    id: str  # "1.1": lesson, then place in the lesson
    title: str
    function: str  # what the learner writes
    points: int
    difficulty: int  # 1 to 3
    minutes: int
    agrees_with: str  # what the verdict compares with, independent of any solution
    hints: tuple[str, str]  # Markdown; folded below the check, and offered by it after the third and the sixth failure
    needs_gpu: bool = False
    setup: str = "import torch"  # what stands in the set-up cell, as far as an answer needs it

    @property
    def lesson(self) -> int:
        return int(self.id.partition(".")[0])

    @property
    def answer_id(self) -> str:
        """The `grade_id` of the cell with the answer; nbgrader allows letters, digits, - and _."""
        return "exercise-" + self.id.replace(".", "-")

    @property
    def check_id(self) -> str:
        return "check-" + self.id.replace(".", "-")

    @property
    def heading(self) -> str:
        stars = "●" * self.difficulty + "○" * (3 - self.difficulty)
        return f"Exercise {self.id} · {stars} · {self.minutes} minutes"

    @property
    def folded_hints(self) -> str:
        """The cell below the check."""
        named = zip(("First hint", "Second hint"), self.hints, strict=True)
        return "\n\n".join(f"<details><summary>{n}</summary>\n\n{text}\n\n</details>" for n, text in named)

    @property
    def unanswered(self) -> str:
        """How the error of an unanswered exercise begins. torch raises NotImplementedError too, with other words."""
        return f"Exercise {self.id}: "

    @property
    def inputs(self) -> Callable[[int], dict]:
        """seed -> plain data: tensors, numbers, strings."""
        return getattr(self._module("calls"), f"{self.function}_inputs")

    @property
    def call(self) -> Callable[[Callable, dict], dict]:
        """(answer, inputs) -> plain data: what the answer returned, and what it did to its inputs."""
        return getattr(self._module("calls"), f"call_{self.function}")

    @property
    def outputs(self) -> dict[str, type]:
        """Names and types of what `call` returns: what a grader lets in."""
        return getattr(self._module("calls"), f"{self.function.upper()}_OUTPUTS")

    @property
    def verdict(self) -> Callable:
        """(inputs, outputs) -> Verdict."""
        return getattr(self._module("verdicts"), f"{self.function}_verdict")

    def _module(self, part: str):
        return importlib.import_module(f"helpers.checks.{part}.lesson_{self.lesson}")
