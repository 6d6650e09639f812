"""What the command grade says, refuses and leaves behind, apart from the grades."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from datetime import datetime

import psutil
import pytest
from handed_in import RIGHT, WRONG, arguments, hand_in, needs_sandbox, notebook

from helpers.__main__ import main
from helpers.checks import isolation, sandbox
from helpers.checks.ending import Run
from helpers.checks.registry import PROJECT_POINTS
from helpers.course import grade, grade_options, table

RUN = sandbox.Sandbox.run


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """One learner's folder with a notebook; no process is started for it."""
    monkeypatch.setattr(sandbox.Sandbox, "run", lambda *_: Run("missing", "not filled in"))
    monkeypatch.setattr(grade, "fault_of_sandbox", lambda isolated: "")
    (tmp_path / "in").mkdir()
    hand_in(tmp_path / "in", "ada", notebook(RIGHT))
    return tmp_path / "in"


def test_summary_counts_right_and_wrong_apart():
    rows = [table.Row("a", "2.1", *rest, "") for rest in [(1, 1, "ok"), (0, 1, "ok"), (0, 1, "ok"), (0, 1, "crash")]]
    assert table.summary(rows).startswith(
        "4 answers: 1 right, 2 wrong, 1 crash\nhardest exercise: 2.1 (25% of its points)"
    )


def test_what_was_refused_says_nothing_about_how_hard_an_exercise_is():
    rows = [table.Row("a", "2.1", 1, 2, "ok", ""), table.Row("b", "5.1", 0, 2, "refused", "")]
    assert "hardest exercise: 2.1 (50% of its points)" in table.summary(rows)


def test_grade_prints_what_it_skipped_and_why(folder, capsys):
    (folder / "loose\x1b.txt").write_text(notebook(RIGHT))
    (folder / "linked").symlink_to(folder / "ada")
    (folder / "__MACOSX").mkdir()
    assert grade.run(arguments(folder)) == 0
    shown = capsys.readouterr().err
    assert "skipped (no notebook): loose?.txt\n" in shown
    assert "skipped (links are not followed): linked\n" in shown and "MACOSX" not in shown
    assert "MACOSX" not in (folder.parent / "grades.csv").read_text()


def test_grade_of_a_folder_without_any_exercise_says_where_it_looked(folder, capsys):
    next((folder / "ada").glob("*.ipynb")).write_text(notebook("x", answer_id="other"))
    assert grade.run(arguments(folder)) == 2
    assert "In ada: none of the notebooks read has an exercise. It should be a zip or" in capsys.readouterr().err


def test_grade_of_an_empty_folder_says_so(folder, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert grade.run(arguments(tmp_path / "empty")) == 2
    assert "holds nothing of a learner" in capsys.readouterr().err


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
    "option",
    [
        *("--out=", "--out=new/", "--seconds=nan", "--seconds=inf", "--seconds=0", "--seconds=-1", "--seed-from=x"),
        *("--jobs=0", "--due=soon", "--exercise=0.0", "--lesson=0", "--format=word"),
        "--lesson=2 --exercise=1.1",
    ],
)
def test_grade_refuses_an_option_in_a_sentence(folder, capsys, option):
    with pytest.raises(SystemExit) as stopped:
        main(["grade", str(folder), *option.split()])
    assert stopped.value.code == 2 and "error: argument --" in capsys.readouterr().err


def test_grade_stops_where_no_answer_could_run(folder, monkeypatch, capsys):
    monkeypatch.setattr(sandbox, "_command", lambda *_: [sys.executable, "-c", "import no_such_package"])
    monkeypatch.setattr(grade, "fault_of_sandbox", sandbox.fault_of_sandbox.__wrapped__)
    monkeypatch.setattr(sandbox.Sandbox, "run", RUN)
    assert grade.run(arguments(folder, unsafe=True)) == 2
    assert "cannot run even a built-in answer: the grader's Python did not start" in capsys.readouterr().err


def test_grade_stops_where_answers_would_run_on_another_copy_of_the_course(monkeypatch):
    monkeypatch.setattr(sandbox.helpers, "__file__", "/elsewhere/helpers/__init__.py")
    assert "another copy of the course" in sandbox.fault_of_sandbox.__wrapped__(isolated=False)


def test_grade_refuses_to_run_where_answers_could_read_the_results(folder, monkeypatch, capsys):
    monkeypatch.setattr(sys, "prefix", str(folder.parent))
    assert grade.run(arguments(folder)) == 2
    said = capsys.readouterr().err
    assert f"{folder.parent} holds the Python that answers run on" in said and "Move FOLDER, and --out" in said


def test_grade_refuses_an_out_beside_which_its_pages_cannot_be_written(folder, capsys):
    (folder.parent / "grades.feedback").write_text("")
    assert grade.run(arguments(folder)) == 2
    assert "grades.feedback is in the way" in capsys.readouterr().err


def test_full_disk_is_said_and_the_same_command_goes_on(folder, monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as while_full:
        while_full.setattr(grade.table, "write", full)
        assert grade.run(arguments(folder)) == 2
    assert "No space left on device. What is graded so far is kept" in capsys.readouterr().err
    assert grade.run(arguments(folder)) == 0 and len(rows_of(folder)) == 1 + len(grade.GRADED)


def test_grade_draws_the_inputs_of_an_earlier_seed_again(folder):
    assert grade.run(arguments(folder)) == 0
    first = (folder.parent / "grades.csv.seed.json").read_text()
    seed = grade_options.seed(str(folder.parent / "grades.csv.seed.json"))
    assert grade.run(arguments(folder, seed_from=seed)) == 0
    assert (folder.parent / "grades.csv.seed.json").read_text() == first and len(json.loads(first)["seed"]) == 32


def test_grades_start_with_the_mark_by_which_a_spreadsheet_knows_their_encoding(folder):
    hand_in(folder, "Jürgen", notebook(RIGHT))
    assert grade.run(arguments(folder)) == 0
    assert (folder.parent / "grades.csv").read_bytes().startswith(b"\xef\xbb\xbflearner,")


def rows_of(folder) -> list[str]:
    return (folder.parent / "grades.csv").read_text(encoding="utf-8-sig").splitlines()


def test_grade_that_is_stopped_goes_on_with_those_who_are_left(folder, monkeypatch, capsys):
    for learner in ("bob", "cyd"):
        hand_in(folder, learner, notebook(WRONG))
    asked = []

    def interrupted(sandbox, exercise, source, *_):
        asked.append(source)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return Run("missing", "not filled in")

    monkeypatch.setattr(sandbox.Sandbox, "run", interrupted)
    assert grade.run(arguments(folder, jobs=1)) == 130
    assert "Stopped. 1 of 3 learners are done; the same command goes on." in capsys.readouterr().err
    assert not (folder.parent / "grades.csv").exists()
    assert grade.run(arguments(folder, jobs=1)) == 0
    assert "Going on: 1 of 3 learners are done." in capsys.readouterr().err
    assert asked.count(RIGHT) == 1 and len(rows_of(folder)) == 1 + 3 * len(grade.GRADED)


def test_grade_that_goes_on_grades_again_who_handed_in_anew(folder, monkeypatch):
    hand_in(folder, "bob", notebook(WRONG))
    monkeypatch.setattr(grade.Journal, "finish", lambda journal: None)
    grade.run(arguments(folder))
    hand_in(folder, "ada", notebook(WRONG))
    asked = []
    monkeypatch.setattr(sandbox.Sandbox, "run", lambda _, exercise, source, *more: asked.append(source) or Run("crash"))
    grade.run(arguments(folder))
    assert asked == [WRONG]


def test_grade_with_another_option_begins_anew_and_names_it(folder, monkeypatch, capsys):
    monkeypatch.setattr(grade.Journal, "finish", lambda journal: None)
    grade.run(arguments(folder))
    grade.run(arguments(folder, seconds=5))
    assert "was stopped. This one, with another --seconds, begins anew, on new inputs." in capsys.readouterr().err


def test_finished_grading_keeps_results_and_inputs_as_long_as_nothing_is_new(folder, monkeypatch, capsys):
    assert grade.run(arguments(folder)) == 0
    for exercise in (["2.1"], None):
        assert grade.run(arguments(folder, exercise=exercise)) == 0
    seed, rows = (folder.parent / "grades.csv.seed.json").read_text(), rows_of(folder)
    monkeypatch.setattr(sandbox.Sandbox, "run", lambda *_: pytest.fail("graded again"))
    (folder.parent / "grades.changes.csv").write_text("learner,exercise,points,reason\nada,2.1,0.5,half of it\n")
    capsys.readouterr()
    assert grade.run(arguments(folder)) == 0
    assert "Nothing is new, and all results stand." in capsys.readouterr().err
    changed = [now for was, now in zip(rows, rows_of(folder), strict=True) if was != now]
    assert len(changed) == 1 and changed[0].startswith("ada,2.1,0.5,")
    assert (folder.parent / "grades.csv.seed.json").read_text() == seed


@pytest.mark.parametrize("what", ["changed", "new", "gone"])
def test_finished_grading_begins_anew_on_new_inputs_where_a_submission_is(folder, capsys, what):
    hand_in(folder, "bob", notebook(WRONG))
    assert grade.run(arguments(folder)) == 0
    seed = (folder.parent / "grades.csv.seed.json").read_text()
    if what == "gone":
        shutil.rmtree(folder / "bob")
    else:
        hand_in(folder, {"changed": "bob", "new": "cyd"}[what], notebook(RIGHT))
    assert grade.run(arguments(folder)) == 0
    assert "is finished. This one, with 1 of the submissions new, changed or gone, begins" in capsys.readouterr().err
    assert (folder.parent / "grades.csv.seed.json").read_text() != seed
    assert len(rows_of(folder)) == 1 + {"changed": 2, "new": 3, "gone": 1}[what] * len(grade.GRADED)


def test_exercise_regraded_on_a_new_submission_does_not_make_the_whole_grading_one_of_it(folder, capsys):
    assert grade.run(arguments(folder)) == 0
    hand_in(folder, "ada", notebook(WRONG))
    assert grade.run(arguments(folder, exercise=["2.1"])) == 0
    assert grade.run(arguments(folder)) == 0
    assert "Nothing is new" not in capsys.readouterr().err


def test_regrading_one_exercise_keeps_the_rest_and_the_inputs(folder, monkeypatch):
    hand_in(folder, "ada", notebook("x", answer_id="exercise-1-1"), "1.ipynb")
    assert grade.run(arguments(folder)) == 0
    seed = (folder.parent / "grades.csv.seed.json").read_text()
    monkeypatch.setattr(sandbox.Sandbox, "run", lambda *_: Run("crash", "new"))
    assert grade.run(arguments(folder, exercise=["2.1"])) == 0
    rows = {row.split(",")[1]: row for row in rows_of(folder)}
    assert ",crash,new," in rows["2.1"] and ",missing,not filled in," in rows["1.1"]
    assert (folder.parent / "grades.csv.seed.json").read_text() == seed


def test_regrading_without_a_grading_is_refused(folder, capsys):
    assert grade.run(arguments(folder, exercise=["2.1"])) == 2
    assert "grade all exercises once" in capsys.readouterr().err
    assert not (folder.parent / "grades.csv.journal").exists()


def test_second_grading_with_the_same_table_is_refused_while_the_first_goes_on(folder, monkeypatch, capsys):
    second = []

    def meanwhile(*_):
        second.append(grade.run(arguments(folder)))
        return Run("missing", "not filled in")

    monkeypatch.setattr(sandbox.Sandbox, "run", meanwhile)
    assert grade.run(arguments(folder)) == 0 and set(second) == {2}
    assert "another grading is writing it. Wait for it, or name another --out." in capsys.readouterr().err
    assert grade.run(arguments(folder)) == 0 and len(rows_of(folder)) == 1 + len(grade.GRADED)


def test_points_by_hand_survive_regrading(folder):
    (folder.parent / "grades.changes.csv").write_text("learner,exercise,points,reason\nada,2.1,0.5,half of it\n")
    for exercise in (None, ["2.1"], None):
        assert grade.run(arguments(folder, exercise=exercise)) == 0
        assert "ada,2.1,0.5,1,missing,by hand: half of it; the grader gave 0: not filled in," in "\n".join(
            rows_of(folder)
        )


def test_zip_is_graded_without_the_entries_that_leave_it_and_goes_on_as_a_folder_does(folder, monkeypatch, capsys):
    with zipfile.ZipFile(folder.parent / "in.zip", "w") as archive:
        archive.writestr("ada/1.ipynb", notebook(RIGHT))
        archive.writestr("../../evil.ipynb", notebook(RIGHT))
    monkeypatch.setattr(grade.Journal, "finish", lambda journal: None)
    assert grade.run(arguments(folder.parent / "in.zip")) == 0
    assert "skipped (refused, in the zip): ../../evil.ipynb (leaves the folder)" in capsys.readouterr().err
    assert {row.split(",")[0] for row in rows_of(folder)[1:]} == {"ada"}
    assert grade.run(arguments(folder.parent / "in.zip")) == 0
    assert "Going on: 1 of 1 learners are done." in capsys.readouterr().err


def test_late_is_what_was_written_after_the_date(folder):
    os.utime(next((folder / "ada").iterdir()), (10**9, 10**9))
    for due, late in ((None, ""), (datetime(2000, 1, 1), "yes"), (datetime(2010, 1, 1), "no"), (None, "no")):
        grade.run(arguments(folder, due=due))
        row = next(row for row in rows_of(folder) if row.startswith("ada,2.1"))
        assert row.split(",")[-3].startswith("2001-09-0") and row.split(",")[-2] == late


def test_date_alone_grades_nothing_again_and_regrading_one_exercise_keeps_it(folder, capsys):
    os.utime(next((folder / "ada").iterdir()), (10**9, 10**9))
    hand_in(folder, "ada", notebook("x", answer_id="exercise-1-1"), "1.ipynb")
    grade.run(arguments(folder))
    seed = (folder.parent / "grades.csv.seed.json").read_text()
    grade.run(arguments(folder, due=datetime(2000, 1, 1)))
    assert "Nothing is new" in capsys.readouterr().err
    grade.run(arguments(folder, exercise=["2.1"]))
    late = {row.split(",")[1]: row.split(",")[-2] for row in rows_of(folder)}
    assert late["2.1"] == late["1.1"] == "yes" and (folder.parent / "grades.csv.seed.json").read_text() == seed


def test_points_that_a_new_grading_gives_otherwise_are_named(folder, monkeypatch, capsys):
    grade.run(arguments(folder))
    rows = (
        (folder.parent / "grades.csv.journal")
        .read_text()
        .replace('"exercise": "2.1", "points": 0', '"exercise": "2.1", "points": 1')
    )
    (folder.parent / "grades.csv.journal").write_text(rows)
    hand_in(folder, "bob", notebook(RIGHT))
    grade.run(arguments(folder))
    assert "points that the grading before gave otherwise: ada 2.1 1 → 0\n" in capsys.readouterr().out


def test_single_notebook_is_graded_as_that_of_one_learner(folder):
    single = next((folder / "ada").iterdir())
    assert grade.run(arguments(single, out=folder.parent / "grades.csv")) == 0
    assert {row.split(",")[0] for row in rows_of(folder)[1:]} == {single.stem}


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("2_add_lora_adapters (1).ipynb", "refused"),
        ("4_one_backbone_four_roles.ipynb", "missing"),
        ("mine.ipynb", "refused"),
    ],
)
def test_notebook_that_cannot_be_read_spoils_its_own_lesson_alone_where_its_name_tells(folder, name, status):
    next((folder / "ada").iterdir()).unlink()
    hand_in(folder, "ada", notebook("x", answer_id="exercise-1-1"), "1.ipynb")
    hand_in(folder, "ada", "{", name)
    assert grade.run(arguments(folder)) == 0
    assert next(row.split(",")[4] for row in rows_of(folder) if row.startswith("ada,2.1")) == status


@pytest.mark.parametrize("name", ["canvas", "moodle"])
def test_grade_writes_a_file_for_a_gradebook(folder, name):
    assert grade.run(arguments(folder, format=name)) == 0
    assert "ada" in (folder.parent / f"grades.{name}.csv").read_text()


def test_file_for_a_gradebook_that_is_there_is_brought_up_to_date(folder):
    assert grade.run(arguments(folder, format="moodle")) == 0
    (folder.parent / "grades.changes.csv").write_text("learner,exercise,points,reason\nada,2.1,1,right\n")
    assert grade.run(arguments(folder)) == 0
    assert "2.1: 1/1 by hand" in (folder.parent / "grades.moodle.csv").read_text()
    assert not (folder.parent / "grades.canvas.csv").exists()


def test_points_by_hand_for_nobody_are_said_and_stand_on_the_overview(folder, capsys):
    (folder.parent / "grades.changes.csv").write_text("learner,exercise,points,reason\nadda,2.1,1,right\n")
    assert grade.run(arguments(folder)) == 0
    said = "points by hand for nobody here: adda, 2.1 (is ada meant?)"
    assert said in capsys.readouterr().err and said in (folder.parent / "grades.overview.html").read_text()


def test_lessons_that_are_asked_for_are_the_whole_table(folder):
    assert grade.run(arguments(folder, lesson=["5", "2"], format="moodle")) == 0
    asked = [row.split(",")[1] for row in rows_of(folder)[1:]]
    assert asked == sorted(asked) and {name[0] for name in asked} == {"2", "5"}
    assert set(asked) == {name for name in grade.GRADED if name[0] in "25"}
    most = sum(exercise.points for name, exercise in grade.EXERCISES.items() if name[0] in "25") + PROJECT_POINTS
    assert f",0,{most}," in (folder.parent / "grades.moodle.csv").read_text()


def test_gradebook_of_another_system_than_the_names_is_refused(folder, capsys):
    (folder / "ada").rename(folder / "Ada_12_assignsubmission_file_")
    assert grade.run(arguments(folder, format="moodle")) == 0
    assert grade.run(arguments(folder, format="canvas")) == 2
    assert "the numbers in these names are Moodle's, and would be another person's there" in capsys.readouterr().err
    assert not (folder.parent / "grades.canvas.csv").exists()


def test_unsafe_grading_is_loud_and_stands_in_the_table(folder, capsys):
    assert grade.run(arguments(folder, unsafe=True)) == 0
    assert "WITHOUT ISOLATION" in capsys.readouterr().err
    assert all(row.endswith("none (--unsafe)") for row in rows_of(folder)[1:] if ",5.4," not in row)
    assert "Graded without isolation" in (folder.parent / "grades.overview.html").read_text()


def test_grade_is_refused_where_nothing_can_be_shut_in(folder, monkeypatch, capsys):
    monkeypatch.setattr(grade, "fault_of_sandbox", sandbox.fault_of_sandbox.__wrapped__)
    monkeypatch.setattr(sandbox.isolation, "fault_of_isolation", isolation.fault_of_isolation.__wrapped__)
    monkeypatch.setenv("PATH", "/nowhere")
    assert grade.run(arguments(folder)) == 2
    shown = capsys.readouterr().err
    assert "sudo apt install bubblewrap" in shown and "--unsafe" in shown


@pytest.mark.real
@needs_sandbox
def test_grade_that_is_terminated_leaves_no_process_and_no_folder(tmp_path):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    (tmp_path / "in").mkdir()
    hand_in(tmp_path / "in", "ada", notebook("import time\ntime.sleep(600)\n"))
    command = [sys.executable, "-m", "helpers", "grade", str(tmp_path / "in"), "--out", str(tmp_path / "grades.csv")]
    process = subprocess.Popen([*command, "--seconds=600"], env={**os.environ, "TMPDIR": str(temporary)})
    try:
        while not (tmp_path / "grades.csv.journal").exists():
            assert process.poll() is None
            time.sleep(0.1)
        time.sleep(1)
        below = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
    finally:
        process.kill()
    assert below and not psutil.wait_procs(below, timeout=30)[1]
    assert not list(temporary.iterdir())


def test_folder_that_holds_the_zip_of_an_export_is_told_to_name_the_zip(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "export.zip").write_bytes(b"")
    assert grade.run(arguments(tmp_path / "in")) == 2
    assert re.search(r"nothing of a learner\. Name the zip: .*export\.zip", capsys.readouterr().err)
