"""The notebooks that are committed, and the command that executes and stores them."""

import argparse
import base64
import dis
import json
import re
from pathlib import Path
from types import CodeType, SimpleNamespace

import nbformat
import pytest
import torch
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from helpers.checks.registry import EXERCISES
from helpers.course import lessons, measured, notebook, reading

ROOT = Path(__file__).parents[1]
SOLUTIONS = sorted((ROOT / "solutions").glob("*.ipynb"))
EXECUTED = sorted((ROOT / "notebooks").glob("*.ipynb")) + SOLUTIONS
ANSWERS = {asked.answer_id for asked in EXERCISES.values()}


def named(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


def codes(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.read(path).cells if cell.cell_type == "code"]


def waiting(lesson: nbformat.NotebookNode) -> list[list[nbformat.NotebookNode]]:
    return [part for part in reading.sections(lesson) if reading.CAN_WAIT.search(part[0].source)]


def names_of(code: CodeType, *operations: str) -> set[str]:
    """What the code itself and the functions in it do by these operations to a notebook's names."""
    own = {step.argval for step in dis.get_instructions(code) if step.opname in operations}
    return own.union(*(names_of(c, *operations) for c in code.co_consts if isinstance(c, CodeType)))


def names_from_waiting_sections(lesson: nbformat.NotebookNode) -> set[str]:
    """Names that a section which cannot wait uses, and that were given their value last in one that can."""
    last_given, needed = {}, set()
    for part in reading.sections(lesson):
        waits = bool(reading.CAN_WAIT.search(part[0].source))
        for cell in part:
            if cell.cell_type == "code":
                code = compile(cell.source, "cell", "exec")
                last_given |= dict.fromkeys(names_of(code, "STORE_NAME"), waits)
                used = set() if waits else names_of(code, "LOAD_NAME", "LOAD_GLOBAL")
                needed |= {name for name in used if last_given.get(name)}
    return needed


@pytest.mark.parametrize("path", EXECUTED, ids=named)
def test_notebook_was_executed_from_top_to_bottom(path):
    assert [cell.execution_count for cell in codes(path)] == list(range(1, len(codes(path)) + 1))


@pytest.mark.parametrize("path", EXECUTED, ids=named)
def test_notebook_shows_no_error_warning_or_path(path):
    lessons.refuse_unclean(notebook.read(path))


@pytest.mark.parametrize("path", EXECUTED, ids=named)
def test_notebook_is_stored_without_traces_of_a_machine(path):
    assert path.read_text(encoding="utf-8") == nbformat.writes(notebook.clean(notebook.read(path))) + "\n"


@pytest.mark.parametrize("path", EXECUTED, ids=named)
def test_notebook_has_no_code_cell_over_40_lines(path):
    assert max(len(cell.source.splitlines()) for cell in codes(path)) <= 40


@pytest.mark.parametrize("path", SOLUTIONS, ids=named)
def test_solution_asks_for_at_most_10_missing_lines_inside_a_function(path):
    for cell in codes(path):
        if notebook.grade_id(cell) in ANSWERS:
            missing = cell.source.split(notebook.BEGIN)[1].split(notebook.END)[0].splitlines()[1:-1]
            assert 1 <= len([line for line in missing if line.strip()]) <= 10
            assert all(line.startswith("    ") for line in missing if line)


@pytest.mark.parametrize("path", SOLUTIONS, ids=named)
def test_solution_cells_have_the_metadata_of_nbgrader(path):
    due = {"schema_version": 3, "task": False}
    points = {asked.check_id: asked.points for asked in EXERCISES.values()}
    for cell in [cell for cell in codes(path) if notebook.grade_id(cell)]:
        name = notebook.grade_id(cell)
        answer = {**due, "grade_id": name, "solution": True, "grade": False, "locked": False}
        check = {**due, "grade_id": name, "solution": False, "grade": True, "locked": True, "points": points.get(name)}
        assert cell.metadata.nbgrader == (answer if name in ANSWERS else check)


def test_solutions_hold_each_exercise_once_with_its_check_right_below_and_its_title_above():
    found = []
    for cells in (notebook.read(path).cells for path in SOLUTIONS):
        for place, cell in enumerate(cells):
            for asked in [asked for asked in EXERCISES.values() if asked.answer_id == notebook.grade_id(cell)]:
                above = "\n".join(other.source for other in cells[max(place - 3, 0) : place])
                assert asked.heading in above and asked.title in above
                assert cells[place + 1].source == f'check("{asked.id}", {asked.function})'
                assert cells[place + 2].source == asked.folded_hints
                found.append(asked.id)
    assert found == list(EXERCISES)


def test_solutions_begin_with_the_set_up_that_an_answer_gets_when_graded():
    setups = {path.name[0]: codes(path)[0].source for path in SOLUTIONS}
    assert all(asked.setup in setups[str(asked.lesson)] for asked in EXERCISES.values())


@pytest.mark.parametrize(
    ("output", "fault"),
    [
        (new_output("error", ename="KeyError", evalue="1"), "an error: KeyError"),
        (new_output("stream", name="stderr", text="100%"), "stderr: 100%"),
        (new_output("stream", name="stdout", text=f"{Path.home()}/x"), "a path of this machine"),
        (new_output("execute_result", data={"text/html": f"<b>{ROOT}</b>"}), "a path of this machine"),
        (new_output("stream", name="stdout", text="x.py:1: UserWarning: old"), "UserWarning: old"),
        (new_output("execute_result", data={"text/plain": "<function f at 0x7f00aa00bb00>"}), "an address in memory"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.output_type,
)
def test_lessons_refuse_an_output_that_would_differ_elsewhere_and_name_the_cell(output, fault):
    made = new_notebook(cells=[new_code_cell("1"), new_code_cell("2", outputs=[output])])
    with pytest.raises(ValueError, match=rf"Cell 2 shows .*{re.escape(fault)}"):
        lessons.refuse_unclean(made)


def test_lessons_store_outputs_and_keep_ids_but_no_failed_notebook(tmp_path, capsys):
    good, bad = tmp_path / "good.ipynb", tmp_path / "bad.ipynb"
    notebook.write(new_notebook(cells=[new_code_cell("import os; print(1 + 1, os.listdir())", id="sum")]), good)
    notebook.write(new_notebook(cells=[new_code_cell("print('ran')"), new_code_cell("1 / 0")]), bad)
    before = bad.read_bytes()
    assert lessons.run(argparse.Namespace(files=[bad, good], seconds=60, measure=False)) == 1
    assert "Cell 2: ZeroDivisionError" in capsys.readouterr().err and bad.read_bytes() == before
    assert [(cell.id, cell.outputs[0].text[:1]) for cell in codes(good)] == [("sum", "2")]


def test_lessons_that_are_only_measured_stay_as_they_are(tmp_path, capsys):
    notebook.write(new_notebook(cells=[new_code_cell("print(1 + 1)")]), tmp_path / "x.ipynb")
    before = (tmp_path / "x.ipynb").read_bytes()
    assert lessons.run(argparse.Namespace(files=[tmp_path / "x.ipynb"], seconds=60, measure=True)) == 0
    assert (tmp_path / "x.ipynb").read_bytes() == before and "measured" in capsys.readouterr().out


def test_time_of_each_precision_and_of_a_gpu_is_kept_beside_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(measured, "RECORD", tmp_path / "measured.json")
    monkeypatch.setattr(measured, "README", tmp_path / "README.md")
    measured.README.write_text(f"before {measured.BEGIN}{measured.END} behind")
    for precision, seconds in (("bf16", 60.0), ("fp32", 150.0)):
        monkeypatch.setattr(measured, "best_precision", lambda precision=precision: (precision, ""))
        measured.store(tmp_path / "5_practice.ipynb", SimpleNamespace(seconds=seconds, peak_bytes=2**30))
    monkeypatch.setattr(measured, "default_device", lambda: "cuda")
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a card")
    measured.store(tmp_path / "5_practice.ipynb", SimpleNamespace(seconds=30.0, peak_bytes=2**31))
    text = measured.README.read_text()
    assert "| 1.0 / 2.5 | 1.0 / 1.0 | 0.5, 2.0 GiB |" in text and "gpu on a card" in text
    assert text.startswith("before ") and text.endswith(" behind")


def test_table_of_readme_is_the_one_of_the_measured_lessons():
    text = measured.README.read_text(encoding="utf-8")
    assert measured.with_table(text, json.loads(measured.RECORD.read_text())) == text


@pytest.mark.parametrize("name", measured.LESSONS)
def test_lesson_takes_20_to_45_minutes_and_says_how_many(name):
    lesson = notebook.read(ROOT / "notebooks" / f"{name}.ipynb")
    minutes = reading.minutes_in_all(lesson, json.loads(measured.RECORD.read_text())[name])
    first = reading.minutes_in_all(reading.first_reading(lesson), json.loads(measured.RECORD.read_text())[name])
    shorter = f" ({first} on a first reading, without the sections that can wait)" if waiting(lesson) else ""
    assert 20 <= first <= minutes <= 45
    assert lesson.cells[1].source.startswith(f"*About {minutes} minutes{shorter}, ")


@pytest.mark.parametrize("name", measured.LESSONS)
def test_section_that_can_wait_names_the_next_that_cannot(name):
    lesson = notebook.read(ROOT / "notebooks" / f"{name}.ipynb")
    parts = reading.sections(lesson)
    for number, part in enumerate(parts):
        if target := reading.CAN_WAIT.search(part[0].source):
            headings = [p[0].source for p in parts[number:] if not reading.CAN_WAIT.search(p[0].source)]
            assert headings[0].splitlines()[0] == f"## {target[1]}"


@pytest.mark.parametrize("name", measured.LESSONS)
def test_first_reading_needs_no_name_that_a_section_that_can_wait_gave_it(name):
    assert names_from_waiting_sections(notebook.read(ROOT / "notebooks" / f"{name}.ipynb")) == set()


def test_name_from_a_section_that_can_wait_is_found_unless_it_is_given_anew():
    wait = new_markdown_cell('## Extra\n\n*Can wait: on a first reading, go on at "Rest".*')
    cells = [new_code_cell("a = b = c = 1"), wait, new_code_cell("a = b = 2\nd = [c for c in (1, 2)]")]
    rest = new_code_cell("b = 3\ndef f():\n  return a + b + c")
    made = new_notebook(cells=[*cells, new_markdown_cell("## Rest"), rest])
    assert names_from_waiting_sections(made) == {"a"}
    assert [cell.source for cell in reading.first_reading(made).cells] == ["a = b = c = 1", "## Rest", rest.source]


@pytest.mark.parametrize("name", measured.LESSONS)
def test_lesson_asks_for_a_prediction_before_most_code_cells(name):
    """Of all code cells, with those that only define something; a prediction counts once, where its result is shown."""
    asked, predicted = False, 0
    lesson = notebook.read(ROOT / "notebooks" / f"{name}.ipynb")
    for cell in lesson.cells:
        asked = asked or "**predict" in cell.source.lower()
        if cell.get("outputs"):
            predicted, asked = predicted + asked, False
    assert predicted > sum(cell.cell_type == "code" for cell in lesson.cells) / 2


def test_minutes_to_read_count_words_printed_words_lines_of_code_and_predictions():
    text = "**predict** it. **Predict:** [one](far/away.ipynb) **two**, <b>three</b> `four` and $x$."  # eight words
    code = "import torch\nfrom math import pi\n\nx = [\n    1,\n]\n# why\nprint(x)"  # three lines
    shown = [  # three words; a picture has none
        new_output("stream", text="[1] and"),
        new_output("execute_result", data={"text/plain": "'more'"}),
        new_output("display_data", data={"text/plain": "<Figure size 800x600 with 1 Axes>", "image/png": "aGk="}),
    ]
    made = new_notebook(cells=[new_markdown_cell(text), new_code_cell(code, outputs=shown)])
    assert reading.reading_minutes(made) == pytest.approx((8 + 3) / 200 + 3 / (500 / 60) + 2 * 10 / 60)


def test_minutes_in_all_take_the_slower_cpu_and_are_rounded_up():
    made = new_notebook(cells=[new_markdown_cell("word " * 200 * 7)])  # 7 minutes
    runs = {"bf16": {"minutes": 1.0}, "fp32": {"minutes": 3.1}, "gpu": {"minutes": 90.0}}
    assert reading.minutes_in_all(made, runs) == 15
    assert reading.minutes_in_all(made, {}) == 10


def test_picture_of_readme_is_the_output_of_the_cell_that_makes_it():
    (cell,) = [c for path in EXECUTED for c in codes(path) if "picture:memory_bill" in c.metadata.get("tags", [])]
    (drawn,) = [output.data["image/png"] for output in cell.outputs if "image/png" in output.get("data", {})]
    assert "(notebooks/images/memory_bill.png)" in measured.README.read_text(encoding="utf-8")
    assert base64.b64decode(drawn) == (ROOT / "notebooks" / "images" / "memory_bill.png").read_bytes()


def test_more_than_three_fifths_of_the_stored_texts_are_compared_when_the_notebooks_are_executed():
    shown = [(cell, output) for path in EXECUTED for cell in codes(path) for output in cell.outputs]
    texts = [c for c, o in shown if o.output_type == "stream" or set(o.get("data", {})) & {"text/plain", "text/html"}]
    compared = [cell for cell in texts if "nbval-ignore-output" not in cell.metadata.get("tags", [])]
    assert len(compared) > 0.6 * len(texts)
