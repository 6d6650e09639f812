"""`python -m helpers exercises`: write exercises/ from solutions/. What stands between the marks is cut."""

import argparse
import copy
import sys
from pathlib import Path

from nbformat import NotebookNode

from helpers.checks.registry import EXERCISES
from helpers.course import notebook as notebooks
from helpers.course.notebook import BEGIN, END, grade_id


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--solutions", type=Path, default=Path("solutions"), metavar="FOLDER")
    parser.add_argument("--out", type=Path, default=Path("exercises"), metavar="FOLDER")


def run(args: argparse.Namespace) -> int:
    """Write every exercise or none: a fault in one solution is named, and nothing is changed."""
    try:
        written = {path.name: exercise_notebook(path) for path in sorted(args.solutions.glob("*.ipynb"))}
        _refuse_repeats(written)
    except ValueError as error:
        print(f"{error} Nothing was written.", file=sys.stderr)
        return 1
    args.out.mkdir(exist_ok=True)
    for old in args.out.glob("*.ipynb"):
        if old.name not in written:
            old.unlink()
            print(f"removed {old}: it has no solution")
    for name, exercise in written.items():
        notebooks.write(exercise, args.out / name)
        print(f"wrote {args.out / name}")
    return 0


def exercise_notebook(path: Path) -> NotebookNode:
    """The notebook to hand out: answers cut, outputs and counts gone.

    Raises:
        ValueError: marks that do not match, or an exercise without, with an unknown, or with a repeated grade_id.
    """
    exercise = notebooks.clean(copy.deepcopy(notebooks.read(path)))
    for number, cell in enumerate(exercise.cells, start=1):
        if cell.cell_type != "code":
            continue
        try:
            cell.source = without_solution(cell.source, _asked(cell))
        except ValueError as error:
            raise ValueError(f"{path.name}, cell {number}: {error}") from None
        cell.outputs, cell.execution_count = [], None
    return exercise


def without_solution(source: str, exercise_id: str) -> str:
    """The source with the lines between the marks replaced by one that says what is to be done.

    Raises:
        ValueError: a mark without its partner, or marks in a cell that answers no exercise.
    """
    kept, inside = [], False
    for line in source.splitlines():
        mark = line.strip()
        if mark in (BEGIN, END):
            if (mark == BEGIN) == inside:
                raise ValueError(f"{mark!r} has no partner.")
            if mark == BEGIN and not exercise_id:
                raise ValueError("a solution stands in a cell whose grade_id is missing or no exercise's.")
            inside = mark == BEGIN
            if inside:
                indent = line[: len(line) - len(line.lstrip())]
                kept.append(f'{indent}raise NotImplementedError("Exercise {exercise_id}: write your lines here")')
        elif not inside:
            kept.append(line)
    if inside:
        raise ValueError(f"{BEGIN!r} has no partner.")
    if exercise_id and len(kept) == len(source.splitlines()):
        raise ValueError(f"the answer of exercise {exercise_id} has no marks.")
    return "\n".join(kept)


def _asked(cell: NotebookNode) -> str:
    """The exercise that a cell answers, '' for none."""
    return next((asked.id for asked in EXERCISES.values() if asked.answer_id == grade_id(cell)), "")


def _refuse_repeats(written: dict[str, NotebookNode]) -> None:
    seen = {}
    for name, exercise in written.items():
        for number, cell in enumerate(exercise.cells, start=1):
            here, identity = f"{name}, cell {number}", grade_id(cell)
            if "nbgrader" in cell.metadata and not identity:
                raise ValueError(f"{here}: its nbgrader metadata has no grade_id.")
            if identity in seen:
                raise ValueError(f"{here}: the grade_id {identity!r} is taken by {seen[identity]}.")
            if identity:
                seen[identity] = here
