"""What is handed out is what the solutions say, without the answers."""

import argparse
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from helpers.checks.check import MissingAnswer
from helpers.checks.registry import EXERCISES
from helpers.course import exercises, notebook
from helpers.download import CourseError

ROOT = Path(__file__).parents[1]
SOLUTIONS = sorted((ROOT / "solutions").glob("*.ipynb"))
ANSWER = "def merged_weight():\n    ### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION"


def solution(*sources: str, grade_id: str = "exercise-2-1") -> nbformat.NotebookNode:
    metadata = {"nbgrader": {"grade_id": grade_id, "solution": True}}
    return new_notebook(cells=[new_code_cell(source, metadata=metadata, execution_count=1) for source in sources])


def written(tmp_path: Path, *notebooks: nbformat.NotebookNode) -> int:
    (tmp_path / "solutions").mkdir()
    for number, made in enumerate(notebooks):
        notebook.write(made, tmp_path / "solutions" / f"{number}.ipynb")
    return again(tmp_path)


def again(tmp_path: Path, **given) -> int:
    folders = {"solutions": tmp_path / "solutions", "out": tmp_path / "exercises"}
    return exercises.run(argparse.Namespace(**{**folders, "force": False, **given}))


def named(path: Path) -> str:
    return path.stem


def test_exercises_are_byte_for_byte_what_the_solutions_give(tmp_path):
    again(tmp_path, solutions=ROOT / "solutions", out=tmp_path)
    given = {path.name: path.read_bytes() for path in (ROOT / "exercises").glob("*.ipynb")}
    assert given == {path.name: path.read_bytes() for path in tmp_path.glob("*.ipynb")} != {}


@pytest.mark.parametrize("path", sorted((ROOT / "exercises").glob("*.ipynb")), ids=named)
def test_exercise_stops_at_its_first_check_with_our_message(path):
    namespace = {}
    with pytest.raises(MissingAnswer, match=r"Exercise \d\.1 waits for your answer"):
        for cell in notebook.read(path).cells:
            if cell.cell_type == "code":
                exec(cell.source, namespace)


@pytest.mark.real
def test_exercise_shows_our_message_alone_in_a_notebook():
    exercise = notebook.read(ROOT / "exercises" / "2_add_lora_adapters.ipynb")
    with pytest.raises(CellExecutionError):
        NotebookClient(exercise, timeout=120).execute()
    outputs = [output for cell in exercise.cells for output in cell.get("outputs", [])]
    assert [output.ename for output in outputs] == ["MissingAnswer"]
    assert "\n".join(outputs[0].traceback).split() == outputs[0].evalue.split()  # broken into lines, and nothing else


@pytest.mark.parametrize("path", SOLUTIONS, ids=named)
def test_exercise_holds_no_line_of_the_answer_and_no_output(path):
    exercise = exercises.exercise_notebook(path)
    codes = [cell for cell in exercise.cells if cell.cell_type == "code"]
    assert not [cell for cell in codes if cell.outputs or cell.execution_count or "SOLUTION" in cell.source]
    assert sum("raise NotImplementedError" in cell.source for cell in codes) == len(_answers(exercise))


def _answers(read: nbformat.NotebookNode) -> list[str]:
    ids = {asked.answer_id for asked in EXERCISES.values()}
    return [notebook.grade_id(cell) for cell in read.cells if notebook.grade_id(cell) in ids]


def test_answer_becomes_one_line_of_the_same_indent():
    cut = exercises.without_solution(ANSWER, "2.1")
    due = 'def merged_weight():\n    raise NotImplementedError("Exercise 2.1: write your lines here")'
    assert cut == due


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        (ANSWER.replace("    ### END SOLUTION", ""), "'### BEGIN SOLUTION' has no partner"),
        (ANSWER.replace("    ### BEGIN SOLUTION\n", ""), "'### END SOLUTION' has no partner"),
        (ANSWER.replace("END", "BEGIN"), "'### BEGIN SOLUTION' has no partner"),
        ("def merged_weight():\n    return 1", "exercise 2.1 has no marks"),
    ],
)
def test_exercises_refuse_marks_that_do_not_match_and_name_the_cell(tmp_path, capsys, source, fault):
    assert written(tmp_path, solution(source)) == 1
    shown = capsys.readouterr().err
    assert "0.ipynb, cell 1: " in shown and fault in shown


def test_exercises_refuse_a_solution_without_a_grade_id(tmp_path, capsys):
    assert written(tmp_path, new_notebook(cells=[new_markdown_cell("text"), new_code_cell(ANSWER)])) == 1
    assert "0.ipynb, cell 2: a solution stands in a cell whose grade_id is missing" in capsys.readouterr().err


def test_exercises_refuse_a_grade_id_that_is_taken_in_another_notebook(tmp_path, capsys):
    assert written(tmp_path, solution(ANSWER), solution(ANSWER)) == 1
    assert "1.ipynb, cell 1: the grade_id 'exercise-2-1' is taken by 0.ipynb, cell 1" in capsys.readouterr().err


def test_exercises_write_nothing_when_one_solution_is_refused(tmp_path):
    assert written(tmp_path, solution(ANSWER), solution("def f():\n    ### BEGIN SOLUTION")) == 1
    assert not (tmp_path / "exercises").exists()


def filled_in(path: Path, source: str = "def merged_weight():\n    return 2") -> bytes:
    """Write a learner's answer into an exercise."""
    made = notebook.read(path)
    made.cells[0].source = source
    notebook.write(made, path)
    return path.read_bytes()


def test_exercises_without_a_solution_are_refused_and_nothing_is_deleted(tmp_path):
    written(tmp_path, solution(ANSWER))
    (tmp_path / "empty").mkdir()
    for folder in ("nowhere", "empty"):
        with pytest.raises(CourseError, match=rf"no solution in .*{folder}, so nothing was changed"):
            again(tmp_path, solutions=tmp_path / folder)
    assert (tmp_path / "exercises" / "0.ipynb").exists()


def test_exercises_remove_what_lost_its_solution_and_keep_what_somebody_else_wrote(tmp_path, capsys):
    written(tmp_path, solution(ANSWER), solution(ANSWER, grade_id="exercise-1-1"))
    notebook.write(new_notebook(cells=[new_code_cell("1")]), tmp_path / "exercises" / "notes.ipynb")
    (tmp_path / "solutions" / "1.ipynb").unlink()
    assert again(tmp_path) == 0
    assert sorted(path.name for path in (tmp_path / "exercises").iterdir()) == ["0.ipynb", "notes.ipynb"]
    assert "notes.ipynb: it has no solution, but somebody" in capsys.readouterr().out


def test_exercises_do_not_write_over_an_answer_unless_forced(tmp_path):
    written(tmp_path, solution(ANSWER), solution(ANSWER, grade_id="exercise-1-1"))
    mine = tmp_path / "exercises" / "1.ipynb"
    before = filled_in(mine)
    with pytest.raises(CourseError, match=r"worked on .*1\.ipynb, so nothing was written.*--force"):
        again(tmp_path)
    assert mine.read_bytes() == before
    assert again(tmp_path, force=True) == 0 and mine.read_bytes() != before


def test_exercises_are_written_anew_when_the_solution_changed_and_nobody_worked_on_them(tmp_path):
    written(tmp_path, solution(ANSWER))
    notebook.write(solution(f"# new\n{ANSWER}"), tmp_path / "solutions" / "0.ipynb")
    assert again(tmp_path) == 0
    assert notebook.read(tmp_path / "exercises" / "0.ipynb").cells[0].source.startswith("# new")


@pytest.mark.parametrize("out", ["file", "missing/below", "file/below"])
def test_exercises_refuse_an_out_that_is_no_folder(tmp_path, out):
    (tmp_path / "file").write_text("a file")
    with pytest.raises(CourseError, match=r"--out .* cannot be written \("):
        again(tmp_path, solutions=ROOT / "solutions", out=tmp_path / out)
    assert (tmp_path / "file").read_text() == "a file"
