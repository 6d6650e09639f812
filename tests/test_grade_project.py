"""The project in a grading: whose file is judged, on which prompts, and what its row says."""

import json
import os
import struct
from pathlib import Path

import pytest
from handed_in import arguments, hand_in, notebook

from helpers.checks import project, sandbox
from helpers.checks.ending import Run
from helpers.checks.project import ProjectVerdict
from helpers.course import grade
from helpers.course.grading import Grading
from helpers.course.handin import hand_ins
from helpers.course.project import SOLUTION, row_of, same_file
from helpers.course.submission import Submission, submission
from helpers.download import CourseError

FIGURES = {"reward, change": 0.5, "lexicon, change": 0.25}


def put(folder: Path, name: str, content: bytes = b"tensors", age: float = 0) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    os.utime(file, (1e9 - age, 1e9 - age))
    return file


def read(folder: Path) -> Submission:
    (handed_in,), _ = hand_ins(folder)
    return submission(handed_in)


@pytest.fixture
def judged(monkeypatch):
    """Every file that is judged, with its seed; the verdict is set by a test."""
    asked, answer = [], [ProjectVerdict(True, figures=FIGURES)]
    monkeypatch.setattr(project, "verdict_on", lambda file, seed: asked.append((file, seed)) or answer[0])
    return asked, answer


@pytest.mark.parametrize(
    ("files", "due"),
    [
        (["ada/adapter_model.safetensors"], "adapter_model.safetensors"),
        (["ada/run/adapter/adapter_model.safetensors", "ada/run/value_head.safetensors"], "adapter_model.safetensors"),
        (["ada/adapter_model.safetensors", "ada/run/adapter_model (1).safetensors"], "adapter_model.safetensors"),
        (["ada/mine.safetensors"], "mine.safetensors"),
        (["ada/old/adapter_model.safetensors", "ada/my_adapter_model.safetensors"], "my_adapter_model.safetensors"),
        (["ada_12_34_adapter_model-1.safetensors"], "ada_12_34_adapter_model-1.safetensors"),
        (["Ada_12_assignsubmission_file_adapter_model.safetensors"], "model.safetensors"),
    ],
)
def test_adapter_to_grade_is_the_newest_that_is_called_so(tmp_path, files, due):
    for age, name in enumerate(files):
        put(tmp_path, name, age=age)
    assert read(tmp_path).adapter[1].name.endswith(due)


def test_submission_is_another_one_when_its_adapter_changes_but_not_when_it_lies_elsewhere(tmp_path):
    found = []
    for place, content in (("one", b"a"), ("two", b"a"), ("three", b"b")):
        put(tmp_path / place, "ada/adapter_model.safetensors", content)
        found.append(read(tmp_path / place).digest)
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(
    ("verdict", "points", "status", "reason"),
    [
        (ProjectVerdict(True, figures=FIGURES), 6, "ok", "reward, change: +0.50; lexicon, change: +0.25"),
        (ProjectVerdict(False, "too_far", "the KL", {"KL": 9.0}), 0, "ok", "the KL (KL: +9.00)"),
        (ProjectVerdict(False, "rank", "the rank"), 0, "ok", "the rank"),
        (ProjectVerdict(False, "unreadable", "no file of tensors"), 0, "refused", "no file of tensors"),
    ],
)
def test_row_says_what_was_measured_and_what_is_wrong(tmp_path, judged, verdict, points, status, reason):
    put(tmp_path, "ada/adapter_model.safetensors")
    judged[1][0] = verdict
    row = row_of(read(tmp_path), Grading("seed"))
    assert (row.exercise, row.points, row.of, row.status, row.reason) == ("5.4", points, 6, status, reason)
    assert row.hint == verdict.hint_name and row.handed_in[:4] == "2001"


@pytest.mark.parametrize("shape", [[0, 2**63], [0, 2**62, 4]])
def test_file_whose_header_claims_an_impossible_shape_is_refused_and_others_are_graded(tmp_path, shape):
    header = json.dumps({"x": {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]}}).encode()
    put(tmp_path, "mia/adapter_model.safetensors", struct.pack("<Q", len(header)) + header)
    row = row_of(read(tmp_path), Grading("seed"))
    assert (row.points, row.status, row.hint) == (0, "refused", "unreadable")


def test_what_an_adapter_upsets_in_the_grader_is_a_row_and_no_error(tmp_path, monkeypatch):
    put(tmp_path, "mia/adapter_model.safetensors")
    monkeypatch.setattr(project, "verdict_on", lambda *_: 1 / 0)
    row = row_of(read(tmp_path), Grading("seed"))
    assert (row.status, row.reason) == ("refused", "it could not be graded (ZeroDivisionError)")


def test_link_with_an_endless_name_and_a_date_outside_the_calendar_spoil_one_row_alone(tmp_path, judged):
    (tmp_path / "mia").mkdir()
    for name in ("adapter_model.safetensors", "a.ipynb"):
        (tmp_path / "mia" / name).symlink_to("x" * 300)
    judged[1][0] = ProjectVerdict(False, "unreadable", "no file of tensors")
    handed_in = read(tmp_path)
    handed_in.dates = dict.fromkeys(handed_in.dates, 1e15)
    row = row_of(handed_in, Grading("seed"))
    assert (row.status, row.handed_in) == ("refused", "")


def test_file_that_changes_after_it_was_read_is_not_graded(tmp_path, judged):
    file = put(tmp_path, "ada/adapter_model.safetensors")
    handed_in = read(tmp_path)
    file.write_bytes(b"others")
    assert row_of(handed_in, Grading("seed")).status == "refused" and judged[0] == []


def test_learner_without_an_adapter_has_a_missing_project_and_no_model_is_asked(tmp_path, judged):
    hand_in(tmp_path, "ada", notebook("x"))
    row = row_of(read(tmp_path), Grading("seed"))
    assert (row.points, row.status) == (0, "missing") and judged[0] == []


def test_prompts_are_the_same_for_all_of_one_grading_and_others_in_another(tmp_path, judged):
    put(tmp_path, "ada/adapter_model.safetensors")
    for seed in ("one", "one", "two"):
        row_of(read(tmp_path), Grading(seed))
    first, again, other = (seed for _, seed in judged[0])
    assert first == again != other


def test_project_is_regraded_alone_and_the_other_rows_are_kept(tmp_path, judged, monkeypatch):
    monkeypatch.setattr(sandbox.Sandbox, "run", lambda *_: Run("missing", "not filled in"))
    monkeypatch.setattr(grade, "fault_of_sandbox", lambda isolated: "")
    monkeypatch.setattr(project, "before", lambda *_: None)
    put(tmp_path / "in", "ada/adapter_model.safetensors")
    hand_in(tmp_path / "in", "ada", notebook("x"))
    assert grade.run(arguments(tmp_path / "in")) == 0
    before = (tmp_path / "grades.csv").read_text(encoding="utf-8-sig").splitlines()
    judged[1][0] = ProjectVerdict(False, "worse", "the reward fell")
    assert grade.run(arguments(tmp_path / "in", exercise=["5.4"])) == 0
    after = (tmp_path / "grades.csv").read_text(encoding="utf-8-sig").splitlines()
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert len(changed) == 1 and changed[0][1].startswith("ada,5.4,0,6,ok,the reward fell,worse")
    assert judged[0][0] == judged[0][1]


def test_grading_stops_at_once_where_projects_could_not_be_judged(tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr(sandbox.Sandbox, "run", lambda *_: ran.append(1) or Run("missing", "not filled in"))
    monkeypatch.setattr(grade, "fault_of_sandbox", lambda isolated: "")
    monkeypatch.setattr(project, "before", lambda *_: (_ for _ in ()).throw(CourseError("no ratings")))
    put(tmp_path / "in", "ada/adapter_model.safetensors")
    hand_in(tmp_path / "in", "bob", notebook("x"))
    with pytest.raises(CourseError, match="no ratings"):
        grade.run(arguments(tmp_path / "in"))
    assert not ran


def test_learners_with_one_adapter_are_named_to_the_instructor_and_in_no_row(tmp_path, judged, monkeypatch, capsys):
    monkeypatch.setattr(grade, "fault_of_sandbox", lambda isolated: "")
    monkeypatch.setattr(project, "before", lambda *_: None)
    for learner, content in (("ada", b"one"), ("bob", b"two"), ("cyd", b"one")):
        put(tmp_path / "in", f"{learner}/adapter_model.safetensors", content)
    assert grade.run(arguments(tmp_path / "in")) == 0
    assert "5.4: one and the same adapter from ada, cyd\n" in capsys.readouterr().out
    rows = {line.split(",")[0]: line for line in (tmp_path / "grades.csv").read_text().splitlines() if ",5.4," in line}
    assert rows["ada"].replace("ada", "bob") == rows["bob"]


def test_adapters_too_large_to_be_read_are_not_called_one_and_the_same(tmp_path):
    for learner in ("ada", "bob"):
        put(tmp_path, f"{learner}/adapter_model.safetensors", learner.encode() * 2**19)
        (tmp_path / f"{learner}2" / "adapter_model.safetensors").mkdir(parents=True)
    handed_in = [submission(one) for one in hand_ins(tmp_path)[0]]
    assert len(handed_in) == 4 and all(one.adapter for one in handed_in) and same_file(handed_in) == []


def test_learner_who_hands_in_the_adapter_of_the_solutions_is_named(tmp_path):
    put(tmp_path, "ada/adapter_model.safetensors", SOLUTION.read_bytes())
    assert same_file([read(tmp_path)]) == [["the solutions of the course", "ada"]]


@pytest.mark.parametrize("passed", [True, False])
@pytest.mark.parametrize("name", ["adapter_model.safetensors", "run/adapter/adapter_model.safetensors"])
def test_row_names_the_file_that_was_judged_where_there_may_be_others(tmp_path, judged, name, passed):
    put(tmp_path, f"ada/{name}")
    judged[1][0] = ProjectVerdict(passed, "" if passed else "worse", "" if passed else "the reward fell")
    assert row_of(read(tmp_path), Grading("seed")).reason.startswith(f"{name}: ") == ("/" in name)
