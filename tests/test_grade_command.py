"""What the command grade says, refuses and leaves behind, apart from the grades."""

import argparse
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from handed_in import RIGHT, hand_in, notebook

from helpers.__main__ import main
from helpers.checks import sandbox
from helpers.course import grade, table


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """One learner's folder with a notebook; no process is started for it."""
    monkeypatch.setattr(grade, "run_answer", lambda *_: sandbox.Run("missing", "not filled in"))
    monkeypatch.setattr(grade, "fault_of_child", lambda: "")
    (tmp_path / "in").mkdir()
    hand_in(tmp_path / "in", "ada", notebook(RIGHT))
    return tmp_path / "in"


def arguments(folder, **changed) -> argparse.Namespace:
    given = {"folder": folder, "out": folder.parent / "grades.csv", "seconds": 60, "seed_from": None}
    return argparse.Namespace(**{**given, **changed})


def test_summary_counts_right_and_wrong_apart():
    rows = [table.Row("a", "2.1", *rest, "") for rest in [(1, 1, "ok"), (0, 1, "ok"), (0, 1, "ok"), (0, 1, "crash")]]
    assert table.summary(rows) == "4 rows: 1 right, 2 wrong, 1 crash"


def test_grade_prints_what_it_skipped_and_why(folder, capsys):
    (folder / "loose\x1b.ipynb").write_text(notebook(RIGHT))
    (folder / "linked").symlink_to(folder / "ada")
    (folder / "__MACOSX").mkdir()
    assert grade.run(arguments(folder)) == 0
    shown = capsys.readouterr().err
    assert "skipped (a file, not a learner's folder): loose?.ipynb\n" in shown
    assert "skipped (links are not followed): linked\n" in shown and "MACOSX" not in shown
    assert "MACOSX" not in (folder.parent / "grades.csv").read_text()


def test_grade_of_a_folder_without_any_exercise_says_where_it_looked(folder, capsys):
    (folder / "ada" / "sub").mkdir()
    next((folder / "ada").glob("*.ipynb")).rename(folder / "ada" / "sub" / "x.ipynb")
    assert grade.run(arguments(folder)) == 2
    assert "In ada: only in subfolders: sub/x.ipynb" in capsys.readouterr().err.replace(os.sep, "/")


def test_grade_of_loose_files_alone_says_so(folder, capsys):
    assert grade.run(arguments(folder / "ada")) == 2
    assert "holds no learner's folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("out", "sentence"),
    [("in", "is a folder"), ("none/grades.csv", "is no folder"), ("", "is a folder"), ("pipe", "no ordinary file")],
)
def test_grade_refuses_an_out_that_cannot_be_written_before_it_grades(folder, tmp_path, capsys, out, sentence):
    os.mkfifo(tmp_path / "pipe")
    assert grade.run(arguments(folder, out=tmp_path / out)) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a folder that nobody can write to")
def test_grade_refuses_an_out_where_nothing_can_be_written(folder, capsys):
    assert grade.run(arguments(folder, out=grade.Path("/proc/grades.csv"))) == 2
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    "option", ["--out=", "--out=new/", "--seconds=nan", "--seconds=inf", "--seconds=0", "--seconds=-1", "--seed-from=x"]
)
def test_grade_refuses_an_option_in_a_sentence(folder, capsys, option):
    with pytest.raises(SystemExit) as stopped:
        main(["grade", str(folder), option])
    assert stopped.value.code == 2 and "error: argument --" in capsys.readouterr().err


def test_grade_stops_where_no_answer_could_run(folder, monkeypatch, capsys):
    monkeypatch.setattr(sandbox, "_command", lambda *_: [sys.executable, "-c", "import no_such_package"])
    monkeypatch.setattr(grade, "fault_of_child", sandbox.fault_of_child.__wrapped__)
    assert grade.run(arguments(folder)) == 2
    assert "cannot run even a built-in answer: the grader's Python did not start" in capsys.readouterr().err


def test_grade_stops_where_answers_would_run_on_another_copy_of_the_course(monkeypatch):
    monkeypatch.setattr(sandbox.helpers, "__file__", "/elsewhere/helpers/__init__.py")
    assert "another copy of the course" in sandbox.fault_of_child.__wrapped__()


def test_grade_draws_the_inputs_of_an_earlier_seed_again(folder):
    assert grade.run(arguments(folder)) == 0
    first = (folder.parent / "grades.csv.seed.json").read_text()
    seed = grade._seed(str(folder.parent / "grades.csv.seed.json"))
    assert grade.run(arguments(folder, seed_from=seed)) == 0
    assert (folder.parent / "grades.csv.seed.json").read_text() == first and len(json.loads(first)["seed"]) == 32


def test_grades_start_with_the_mark_by_which_a_spreadsheet_knows_their_encoding(folder):
    hand_in(folder, "Jürgen", notebook(RIGHT))
    assert grade.run(arguments(folder)) == 0
    assert (folder.parent / "grades.csv").read_bytes().startswith(b"\xef\xbb\xbflearner,")


def test_grade_that_is_stopped_keeps_its_finished_rows(folder, monkeypatch, capsys):
    def interrupted(asked, *_):
        if asked.id == "2.1":
            raise KeyboardInterrupt
        return sandbox.Run("missing")

    hand_in(folder, "ada", notebook("x", answer_id="exercise-1-1"), "1.ipynb")
    monkeypatch.setattr(grade, "run_answer", interrupted)
    assert grade.run(arguments(folder)) == 130
    assert "grades.csv.partial has the 1 finished rows" in capsys.readouterr().err
    assert len((folder.parent / "grades.csv.partial").read_text().splitlines()) == 2
    assert not (folder.parent / "grades.csv").exists()


@pytest.mark.real
def test_grade_that_is_terminated_kills_the_answer_and_removes_its_folder(tmp_path):
    pid_file, temporary = tmp_path / "pid", tmp_path / "temporary"
    temporary.mkdir()
    (tmp_path / "in").mkdir()
    endless = f"import os, time\nopen({str(pid_file)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)\n"
    hand_in(tmp_path / "in", "ada", notebook(endless))
    command = [sys.executable, "-m", "helpers", "grade", str(tmp_path / "in"), "--out", str(tmp_path / "grades.csv")]
    process = subprocess.Popen([*command, "--seconds=600"], env={**os.environ, "TMPDIR": str(temporary)})
    try:
        while not (pid_file.exists() and pid_file.read_text()):
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
    finally:
        process.kill()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)
    assert not list(temporary.iterdir())
