"""A folder of submissions is graded: whatever one of them does, its row is right and the others' are too."""

import csv
import json
import time
from pathlib import Path
from shutil import copy

import pytest
import torch
from handed_in import BODY, RIGHT, WRONG, arguments, hand_in, needs_sandbox, notebook

from helpers.checks import plain
from helpers.checks.registry import exercise
from helpers.course import grade, table
from helpers.course.grading import Grading

pytestmark = needs_sandbox
SOLUTIONS = Path(__file__).parents[1] / "solutions"

SUBMISSIONS = {
    "=right": RIGHT + "print('lines left over')\nmerged_weight(undefined)\n",
    "wrong": WRONG,
    "empty": BODY + "    raise NotImplementedError('Exercise 2.1: write your lines here')\n",
    "exits": "import os\n" + BODY + "    os._exit(0)\n",
    "raises": BODY + "    return {}['=HYPERLINK()']\n",
}


def graded(folder: Path, out: Path, seconds: float = 60) -> dict[str, dict]:
    assert grade.run(arguments(folder, out=out, seconds=seconds)) == 0
    with out.open(newline="", encoding="utf-8-sig") as file:
        return {(row["learner"], row["exercise"]): row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    folder, out = tmp_path_factory.mktemp("submitted"), tmp_path_factory.mktemp("out") / "grades.csv"
    for learner, source in SUBMISSIONS.items():
        hand_in(folder, learner, notebook(source))
    hand_in(folder, "copies", notebook(WRONG), "1.ipynb")
    hand_in(folder, "copies", notebook(RIGHT), "Copy of 1.ipynb")
    hand_in(folder, "broken", "{'cells': [")
    (folder / "nothing").mkdir()
    return graded(folder, out)


def result(rows, learner: str, exercise_id: str = "2.1") -> tuple[str, str]:
    row = rows[learner, exercise_id]
    return row["points"], row["status"]


@pytest.mark.parametrize(
    ("learner", "due"),
    [
        ("'=right", ("1", "ok")),
        ("copies", ("1", "ok")),
        ("wrong", ("0", "ok")),
        ("empty", ("0", "missing")),
        ("nothing", ("0", "missing")),
        ("broken", ("0", "refused")),
        ("exits", ("0", "crash")),
        ("raises", ("0", "crash")),
    ],
)
def test_grade_gives_a_submission_the_points_and_status_it_earned(rows, learner, due):
    assert result(rows, learner) == due


def test_grade_has_one_row_for_each_learner_and_exercise(rows):
    assert len(rows) == (len(SUBMISSIONS) + 3) * len(grade.GRADED)


def test_grade_names_the_hint_of_a_wrong_answer(rows):
    row = rows["wrong", "2.1"]
    assert row["hint"] == "subtracted" and row["reason"].startswith("The update has the wrong sign")


def test_grade_says_that_the_best_of_two_copies_counts(rows):
    assert rows["copies", "2.1"]["reason"] == "best of 2 different answers, from Copy of 1.ipynb"


def test_grade_takes_the_kind_and_line_of_an_error_but_not_its_words(rows):
    assert rows["raises", "2.1"]["reason"] == "KeyError in line 2 of the answer cell"


def test_grade_says_how_answers_were_shut_in_and_when_they_were_handed_in(rows):
    row = rows["wrong", "2.1"]
    assert row["isolation"] == "bubblewrap" and row["handed_in"][:2] == "20" and row["late"] == ""


def test_grade_names_the_notebook_that_cannot_be_read(rows):
    assert (
        rows["broken", "1.1"]["reason"] == "Copy of 3 (1).ipynb: not a notebook (no JSON, or cut off: hand it in again)"
    )


@pytest.mark.real
def test_grade_of_the_solutions_is_full_points(tmp_path):
    for path in sorted(SOLUTIONS.glob("*.ipynb")):
        hand_in(tmp_path, "solved", path.read_text(), f"{path.stem} (1).ipynb")
    copy(SOLUTIONS / "adapter_model.safetensors", tmp_path / "solved")
    rows = graded(tmp_path, tmp_path / "grades.csv")
    assert [(row["points"], row["status"]) for row in rows.values()] == [(row["of"], "ok") for row in rows.values()]


def test_grade_ends_an_endless_answer_at_the_limit(tmp_path):
    hand_in(tmp_path, "endless", notebook("while True:\n    pass\n"))
    started = time.monotonic()
    rows = graded(tmp_path, tmp_path / "grades.csv", seconds=2)
    assert result(rows, "endless") == ("0", "timeout")
    assert time.monotonic() - started < 60


def test_grade_shows_nothing_that_a_submission_prints(tmp_path, capfd):
    hand_in(tmp_path, "loud", notebook("import os\nprint('LOUD')\nos.write(2, b'LOUD')\n" + RIGHT))
    graded(tmp_path, tmp_path / "grades.csv")
    shown = capfd.readouterr()
    assert "LOUD" not in shown.out + shown.err


def test_grade_draws_inputs_anew_for_each_grading():
    asked = exercise("2.1")
    first, second = (Grading(seed, 30).inputs(asked)["weight"] for seed in ("one", "two"))
    assert not torch.equal(first, second)


def test_grade_records_the_seed_beside_the_result(tmp_path):
    hand_in(tmp_path, "nobody", "")
    graded(tmp_path, tmp_path / "grades.csv")
    assert len(json.loads((tmp_path / "grades.csv.seed.json").read_text())["seed"]) == 32


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\uff1d1"])
def test_grades_hold_no_cell_that_a_spreadsheet_computes(text):
    row = table.Row(text, "2.1", 0, 1, "ok", "")
    assert table.csv_text([row]).splitlines()[1].startswith("'")


@pytest.mark.parametrize("sign", [";", "|"])  # of cells, in spreadsheets of other languages
def test_grades_hold_no_formula_where_a_cell_ends_with_another_sign(sign):
    lines = table.csv_text([table.Row(f'b{sign}=1,"{sign} +1', "2.1", 0, 1, "ok", f"{sign}@SUM(A1)")]).splitlines()
    cells = [cell.strip() for line in csv.reader(lines, delimiter=sign) for cell in line]
    assert len(cells) > 2 and not [cell for cell in cells if cell[:1] in tuple("=+-@")]


def test_grades_hold_no_control_characters():
    row = table.Row("a\x1b[2Jb\nc", "2.1", 0, 1, "ok", "")
    assert table.csv_text([row]).splitlines()[1].startswith("a?[2Jb?c,")


def test_grade_of_a_folder_that_is_none_says_so(tmp_path, capsys):
    code = grade.run(arguments(tmp_path / "none"))
    assert code == 2 and "is no folder" in capsys.readouterr().err


EXPECTED = {"output": torch.Tensor, "kind": str, "inputs_changed": bool}
SOUND = {"output": torch.zeros(2), "kind": "Tensor", "inputs_changed": False}


@pytest.mark.parametrize(
    "changed",
    [
        {"output": torch.zeros(2_000_000)},
        {"output": torch.zeros(1, 1, 1, 1, 1)},
        {"output": "a string"},
        {"kind": "=HYPERLINK()"},
        {"inputs_changed": 0},
        {"more": 1},
    ],
)
def test_outputs_of_another_shape_type_size_or_name_are_refused(changed):
    assert plain.validated(dict(SOUND), EXPECTED) == SOUND
    with pytest.raises(plain.Refused):
        plain.validated({**SOUND, **changed}, EXPECTED)


def test_notebook_behind_a_link_is_refused(tmp_path):
    (tmp_path / "secret").write_text("{}")
    (tmp_path / "x.ipynb").symlink_to(tmp_path / "secret")
    with pytest.raises(plain.Refused, match="link"):
        plain.read_bytes(tmp_path / "x.ipynb")


def test_notebook_larger_than_allowed_is_refused(tmp_path):
    (tmp_path / "x.ipynb").write_text(" " * 101)
    with pytest.raises(plain.Refused, match="larger"):
        plain.read_bytes(tmp_path / "x.ipynb", most_bytes=100)
