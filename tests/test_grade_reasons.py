"""Each row of a grading says what happened, in words that tell an instructor and a learner what to do."""

import json
import os
from pathlib import Path

import pytest
import torch
from handed_in import BODY, RIGHT, WRONG, hand_in, needs_sandbox, notebook

from helpers.checks import child, plain, sandbox
from helpers.checks.ending import Run, run_of
from helpers.checks.registry import EXERCISES, exercise
from helpers.course.grading import Grading, graded
from helpers.course.handin import hand_ins
from helpers.course.submission import cells_of, submission

GRADING = Grading("seed", 1)


def run_answer(source: str, seconds: float = 60) -> Run:
    asked = exercise("2.1")
    with sandbox.Sandbox([asked]) as shut_in:
        return shut_in.run(asked, source, asked.inputs(0), seconds)


@pytest.mark.real
@needs_sandbox
@pytest.mark.parametrize(
    ("source", "status", "reason"),
    [
        ("%timeit 1\n!ls\n" + RIGHT, "ok", ""),
        (
            RIGHT + "merged_weight?",
            "crash",
            "SyntaxError in line 3 of the answer cell: this is no Python, or a line that only Jupyter understands: inv",
        ),
        (BODY + "    return np.zeros(3)\n", "crash", "NameError in line 2 of the answer cell: imports and helper"),
        (RIGHT.replace("merged_", "my_"), "crash", "the cell defines no merged_weight"),
        ("import os\nos._exit(0)", "crash", "the answer ended Python itself (exit code 0)"),
        ("import os\nos.kill(os.getpid(), 11)", "crash", "killed by signal 11"),
        (" \n", "missing", "the answer cell is empty"),
        ("import helpers.checks.verdicts.lesson_2\n" + RIGHT, "crash", "ModuleNotFoundError in line 1 of the"),
    ],
)
def test_run_of_an_answer_says_how_it_ended(source, status, reason):
    ran = run_answer(source)
    assert ran.status == status and ran.reason.startswith(reason)


@pytest.mark.parametrize(
    "source",
    [
        *(
            "f(1",
            "f(1]",
            "f 1)",
            "x = = 1",
            "x = (1 2)",
            "if x\n    1",
            "if x:\n1",
            "def f():\n1",
            "  x",
            "x = 'a",
            "1x",
        ),
        *("if x:\n    1\n  2", "if x:\n\t1\n        2", "x = “a”", "x\u00a0= 1", "return 1", "f() = 1", "f(a=1, 2)"),
        *(
            "x = '''a",
            "break",
            "1 = x",
            "if x = 1:\n    1",
            "try:\n    1",
            "for x in y:\nz",
            "x = 1 \\ 2",
            "0b2",
            "print x",
        ),
    ],
)
def test_syntax_error_is_told_in_the_words_of_python(source):
    with pytest.raises(SyntaxError) as wrong:
        child.defined(exercise("2.1"), source)
    failure = child._failure(exercise("2.1"), wrong.value)
    reason = run_of(exercise("2.1"), child.FAILURE + json.dumps(failure).encode(), 1).reason
    assert reason.endswith(f"Jupyter understands: {wrong.value.msg}") and " in line " in reason


@pytest.mark.parametrize(
    "words", ["full marks, said the course", "invalid syntax\n", "=1+1", "expected '='", ["unexpected indent"], None]
)
def test_words_that_are_not_pythons_are_not_repeated(words):
    reply = child.FAILURE + json.dumps({"error": "SyntaxError", "line": 1, "words": words}).encode()
    assert run_of(exercise("2.1"), reply, 1).reason.endswith("or a line that only Jupyter understands")
    reply = child.FAILURE + json.dumps({"error": "NameError", "line": 1, "words": "unexpected indent"}).encode()
    assert "unexpected" not in run_of(exercise("2.1"), reply, 1).reason


@pytest.mark.parametrize(
    ("returned", "hint"),
    [
        ("None", "not_a_tensor: Your function returned nothing (None); an ordinary tensor"),
        ("weight.numpy()", "not_a_tensor: Your function returned ndarray; an ordinary tensor"),
        ("weight.to(torch.complex64)", "not_a_tensor: Your function returned a tensor of complex64;"),
        ("weight.to_sparse()", "not_a_tensor: Your function returned a tensor of layout sparse_coo;"),
        ("torch.zeros(2000, 1000)", "not_a_tensor: Your function returned a tensor of shape (2000, 1000);"),
        ("weight / 0", "not_a_number: "),
    ],
)
def test_verdict_says_what_an_unusual_result_is(returned, hint):
    asked, namespace = exercise("2.1"), {"torch": torch}
    exec(BODY + f"    return {returned}\n", namespace)
    outputs = asked.call(namespace["merged_weight"], asked.inputs(0))
    verdict = asked.verdict(asked.inputs(0), plain.validated(outputs, asked.outputs))
    assert f"{verdict.hint_name}: {verdict.hint}".startswith(hint)


def without_running(folder: Path, ran=lambda source: Run("missing", "not filled in")):
    """The rows of a folder where no process is started."""
    rows = [
        row
        for handed_in in hand_ins(folder)[0]
        for row in graded(submission(handed_in), EXERCISES.values(), GRADING, lambda asked, source, *_: ran(source))
    ]
    return {(row.learner, row.exercise): row for row in rows}


def test_missing_row_says_what_the_folder_holds(tmp_path):
    (tmp_path / "bare").mkdir()
    hand_in(tmp_path, "other", notebook("x = 1", answer_id="exercise-1-1"))
    rows = without_running(tmp_path)
    assert [(rows[name, "2.1"].status, rows[name, "2.1"].reason) for name in ("bare", "other")] == [
        ("missing", "no .ipynb in the folder"),
        ("missing", "none of the notebooks read has this exercise"),
    ]


def test_notebook_far_below_a_learners_folder_is_read_and_what_is_too_deep_is_refused(tmp_path):
    for learner, folders in (("deep", 11), ("deeper", 12)):
        path = Path(tmp_path, learner, *map(str, range(folders)))
        path.mkdir(parents=True)
        (path / "2.ipynb").write_text(notebook(RIGHT))
    rows = without_running(tmp_path)
    assert rows["deep", "2.1"].code == RIGHT
    assert rows["deeper", "2.1"].status == "refused" and "more than 12 folders deep" in rows["deeper", "2.1"].reason


@pytest.mark.parametrize("name", ["2.html", "2.py", "2.ipynb.json", "2.tar.gz", "in/2.ipynb.txt"])
def test_file_in_the_place_of_a_notebook_is_refused_so_that_somebody_looks(tmp_path, name):
    (tmp_path / "ada" / name).parent.mkdir(parents=True)
    (tmp_path / "ada" / name).write_text(RIGHT)
    row = without_running(tmp_path)["ada", "2.1"]
    assert (row.status, row.reason) == ("refused", f"{name}: no notebook")


def test_adapter_without_a_notebook_leaves_the_exercises_missing(tmp_path):
    (tmp_path / "ada").mkdir()
    for name in ("adapter_model.safetensors", "adapter_config.json", "state.pt"):
        (tmp_path / "ada" / name).touch()
    assert without_running(tmp_path)["ada", "2.1"].status == "missing"


def pasted(tmp_path, *sources, template=(), cell_type="code", metadata=()):
    cells = [{"cell_type": cell_type, "metadata": dict(metadata), "source": source} for source in sources]
    hand_in(tmp_path, "pasted", json.dumps({"cells": json.loads(notebook(*template))["cells"] + cells}), "2.ipynb")
    return without_running(tmp_path)["pasted", "2.1"]


def test_answer_in_another_cell_than_that_of_its_grade_id_is_refused_so_that_somebody_looks(tmp_path):
    row = pasted(tmp_path, RIGHT, template=("raise NotImplementedError",))
    assert row.status == "refused" and "2.ipynb: a cell without the grade_id exercise-2-1 defines merged" in row.reason


def test_answer_of_a_notebook_without_metadata_is_graded_if_there_is_one(tmp_path):
    assert pasted(tmp_path, RIGHT, RIGHT, "x = 1").code == RIGHT
    assert pasted(tmp_path, RIGHT, WRONG).status == "refused"
    assert pasted(tmp_path, RIGHT, WRONG, BODY).status == "refused"


@pytest.mark.parametrize("cell_type", ["markdown", "raw"])
def test_answer_cell_that_became_text_is_refused_so_that_somebody_looks(tmp_path, cell_type):
    row = pasted(tmp_path, RIGHT, cell_type=cell_type, metadata={"nbgrader": {"grade_id": "exercise-2-1"}})
    assert (row.status, row.reason) == ("refused", "2.ipynb: the cell of the answer is text, not code")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b" ", "an empty file"),
        (b"\xff\xfe{}", "not a notebook (no UTF-8 text)"),
        (b"{'cells': [", "not a notebook (no JSON, or cut off: hand it in again)"),
        (b'{"worksheets": []}', "a notebook of format 3: open it in JupyterLab and save it"),
        (b'{"cells": 3}', "not a notebook (JSON without cells)"),
    ],
)
def test_notebook_that_cannot_be_read_is_told_by_its_kind(content, reason):
    with pytest.raises(ValueError) as refused:
        cells_of(content)
    assert str(refused.value) == reason


def test_folder_named_like_a_notebook_is_called_one(tmp_path):
    (tmp_path / "one" / "x.ipynb").mkdir(parents=True)
    assert without_running(tmp_path)["one", "2.1"].reason == "x.ipynb: a folder, not a notebook"


@pytest.mark.parametrize(
    "cell",
    [
        {"cell_type": "code", "metadata": {"nbgrader": None}, "source": ""},
        {"cell_type": "code", "metadata": None, "source": ""},
        {"cell_type": "code", "metadata": {}},
        {"cell_type": "code", "metadata": {"nbgrader": {"grade_id": ["x"]}}, "source": [3]},
        None,
    ],
)
def test_malformed_cell_spoils_no_other(cell):
    cells = [cell, *json.loads(notebook(RIGHT))["cells"]]
    assert ("exercise-2-1", RIGHT, True) in cells_of(json.dumps({"cells": cells}).encode())


def right_run() -> Run:
    asked, namespace = exercise("2.1"), {}
    exec(RIGHT, namespace)
    return Run("ok", outputs=asked.call(namespace["merged_weight"], GRADING.inputs(asked)))


def test_best_of_many_answers_is_of_the_newest_ten_and_counts_no_template(tmp_path):
    ended = {"template": Run("missing"), "crashes": Run("crash"), "right": right_run()}
    for age in range(12):
        name = "right" if age in (9, 11) else "template" if age in (0, 1) else "crashes"
        hand_in(tmp_path, "many", notebook(f"{name} {age}"), f"{age}.ipynb")
        os.utime(tmp_path / "many" / f"{age}.ipynb", (100 - age, 100 - age))
    row = without_running(tmp_path, lambda source: ended[source.split()[0]])["many", "2.1"]
    due = "best of 8 different answers (of 12: the newest 10 were run), from 9.ipynb"
    assert (row.points, row.reason) == (1, due)


def test_template_beside_an_answer_is_no_copy(tmp_path):
    hand_in(tmp_path, "two", notebook("template", RIGHT))
    ended = {"template": Run("missing", "not filled in"), RIGHT: right_run()}
    assert without_running(tmp_path, ended.get)["two", "2.1"].reason == ""


def test_grade_holds_no_descriptor_of_a_folder_that_is_named_like_a_notebook(tmp_path):
    held = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for _ in range(5):
        with pytest.raises(plain.Refused):
            plain.read_bytes(tmp_path)
    assert not held or len(os.listdir("/proc/self/fd")) == held


def test_of_two_right_answers_the_older_counts_and_one_handed_in_again_keeps_its_date(tmp_path):
    for name, text, seconds in (("1", RIGHT, 10**9), ("2", RIGHT, 2 * 10**9), ("3", RIGHT + "# x", 3 * 10**9)):
        hand_in(tmp_path, "ada", notebook(text), f"{name}.ipynb")
        os.utime(tmp_path / "ada" / f"{name}.ipynb", (seconds, seconds))
    row = without_running(tmp_path, lambda source: right_run())["ada", "2.1"]
    assert row.handed_in.startswith("2001-09-09") and row.reason == "best of 2 different answers, from 1.ipynb"


def test_of_two_wrong_answers_the_newer_is_told_about(tmp_path):
    for name, seconds in (("1", 10**9), ("2", 2 * 10**9)):
        hand_in(tmp_path, "ada", notebook(name), f"{name}.ipynb")
        os.utime(tmp_path / "ada" / f"{name}.ipynb", (seconds, seconds))
    row = without_running(tmp_path, lambda source: Run("crash", source))["ada", "2.1"]
    assert row.reason == "best of 2 different answers, from 2.ipynb; 2"


def test_learner_whose_answers_come_to_no_end_does_not_hold_up_the_others(tmp_path):
    hand_in(tmp_path, "slow", notebook(*[f"{place}" for place in range(9)]))
    hand_in(tmp_path, "soon", notebook("1"))
    ran = []
    rows = without_running(tmp_path, lambda source: ran.append(source) or Run("timeout", "no answer in time"))
    assert len(ran) == 6 + 1 and rows["soon", "2.1"].reason == "no answer in time"


@pytest.mark.real
@needs_sandbox
def test_display_of_jupyter_does_nothing_where_there_is_none():
    assert (
        run_answer(BODY + "    display(weight, x=3)\n    return weight + lora_alpha / r * lora_B @ lora_A\n").status
        == "ok"
    )
