"""`python -m helpers exercises`: write exercises/ from solutions/. What stands between the marks is cut."""

import argparse
import copy
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from helpers.checks.registry import EXERCISES
from helpers.course import notebook as notebooks
from helpers.course.notebook import BEGIN, END, grade_id
from helpers.download import CourseError

TO_DO = 'raise NotImplementedError("Exercise {}: write your lines here")'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--solutions", type=Path, default=Path("solutions"), metavar="FOLDER")
    parser.add_argument("--out", type=Path, default=Path("exercises"), metavar="FOLDER")
    parser.add_argument("--force", action="store_true", help="write over exercises that somebody has worked on, too")


def run(args: argparse.Namespace) -> int:
    """Write every exercise or none: a fault in one solution is named, and nothing is changed."""
    try:
        written = {path.name: exercise_notebook(path) for path in sorted(args.solutions.glob("*.ipynb"))}
        _refuse_repeats(written)
    except ValueError as error:
        print(f"{error} Nothing was written.", file=sys.stderr)
        return 1
    if not written:
        raise CourseError(
            f"There is no solution in {args.solutions}, so nothing was changed. Name one with --solutions."
        )
    try:
        _refuse_work(written, args)
        args.out.mkdir(exist_ok=True)
        _write(written, args.out)
    except OSError as error:
        message = f"--out {args.out} cannot be written ({error.strerror}). Name a folder in one that exists."
        raise CourseError(message) from error
    return 0


def _write(written: dict[str, NotebookNode], out: Path) -> None:
    for old in sorted(out.glob("*.ipynb")):
        if old.name not in written and _is_as_handed_out(old):
            old.unlink()
            print(f"removed {old}: it has no solution")
        elif old.name not in written:
            print(f"kept {old}: it has no solution, but somebody has worked on it")
    for name, exercise in written.items():
        notebooks.write(exercise, out / name)
        print(f"wrote {out / name}")


def _refuse_work(written: dict[str, NotebookNode], args: argparse.Namespace) -> None:
    """Refuse to write over an answer: a learner's copy lies where this command writes."""
    for name, exercise in written.items():
        old = args.out / name
        if args.force or not old.exists() or _is_as_handed_out(old):
            continue
        if old.read_bytes() != (nbformat.writes(exercise, version=4) + "\n").encode():
            raise CourseError(
                f"Somebody has worked on {old}, so nothing was written. Move it away, or write over it with --force."
            )


def _is_as_handed_out(path: Path) -> bool:
    """Whether a notebook is one that this command wrote: each answer still to be written, and nothing executed."""
    try:
        codes = [cell for cell in notebooks.read(path).cells if cell.cell_type == "code"]
    except (ValueError, nbformat.ValidationError):
        return False
    answers = [cell.source for cell in codes if cell.metadata.get("nbgrader", {}).get("solution")]
    is_unanswered = all(TO_DO.partition("{}")[0] in source for source in answers)
    return bool(answers) and is_unanswered and not any(cell.execution_count or cell.outputs for cell in codes)


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
                kept.append(indent + TO_DO.format(exercise_id))
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
