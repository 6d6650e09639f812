"""An export that lies elsewhere, or has other files; and the table, date and points of an earlier grading."""

import csv
import json
import os
import time
import zipfile
from argparse import ArgumentTypeError
from datetime import datetime
from pathlib import Path

import pytest
from handed_in import RIGHT, WRONG, arguments, hand_in, notebook

from helpers.__main__ import main
from helpers.checks import plain, sandbox
from helpers.checks.ending import Run
from helpers.course import grade, grade_options, handin

ADA, BOB = "Ada Love_12_assignsubmission_file_", "Bob Ray_13_assignsubmission_file_"
COURSE_FILE = "2_add_lora_adapters.ipynb"
OLD = (2026, 11, 30, 18, 0, 0)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder to hand in; no process is started for it."""
    monkeypatch.setattr(sandbox.Sandbox, "run", lambda *_: Run("crash", "not run"))
    monkeypatch.setattr(grade, "fault_of_sandbox", lambda isolated: "")
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(notebook(RIGHT))
        os.utime(folder / name, (time.mktime((*OLD, 0, 0, -1)),) * 2)


def zipped(folder: Path) -> Path:
    """The same in a zip beside the folder."""
    with zipfile.ZipFile(folder.parent / "export.zip", "w") as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            archive.writestr(zipfile.ZipInfo(str(path.relative_to(folder)), OLD), path.read_bytes())
    return folder.parent / "export.zip"


def rows_of(folder: Path) -> list[dict]:
    with (folder.parent / "grades.csv").open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def row_of(folder: Path) -> dict:
    return next(row for row in rows_of(folder) if row["exercise"] == "2.1")


@pytest.mark.parametrize("is_zip", [False, True])
@pytest.mark.parametrize(
    "names",
    [
        (f"all/{ADA}/{COURSE_FILE}", f"all/{BOB}/{COURSE_FILE}"),
        (f"all/{ADA}{COURSE_FILE}", f"all/{BOB}{COURSE_FILE}"),
        (f"all/tuesday/{ADA}/{COURSE_FILE}", f"all/tuesday/{BOB}/{COURSE_FILE}"),
        ("all/loveada_121_771_x.ipynb", "all/raybob_LATE_131_781_x.ipynb"),
    ],
)
def test_export_that_lies_one_folder_deeper_is_not_graded_as_one_learner(folder, names, is_zip, capsys):
    put(folder, *names)
    given = zipped(folder) if is_zip else folder
    assert grade.run(arguments(given, out=folder.parent / "grades.csv")) == 2
    assert "The folder all is no learner's: it holds names of several people" in capsys.readouterr().err
    assert not (folder.parent / "grades.csv").exists()


@pytest.mark.parametrize("names", [("ada/hw_1_1_x.ipynb", "ada/hw_2_1_x.ipynb"), (f"{ADA}/{BOB}/x.ipynb",)])
def test_what_a_learner_calls_their_files_stops_nobody(folder, names):
    put(folder, *names)
    assert grade.run(arguments(folder)) == 0 and len({row["learner"] for row in rows_of(folder)}) == 1


@pytest.mark.parametrize("is_zip", [False, True])
@pytest.mark.parametrize(
    "name", ["ada/homework.zip", f"{ADA}/homework.ZIP", f"{ADA}homework.zip", "loveada_12_77_homework.zip"]
)
def test_zip_that_cannot_be_unpacked_is_refused_and_dated_whatever_it_came_in(folder, name, is_zip):
    put(folder, name, "zoe/1.ipynb")
    (folder / name).write_bytes(b"PK")
    os.utime(folder / name, (time.mktime((*OLD, 0, 0, -1)),) * 2)
    given = zipped(folder) if is_zip else folder
    assert grade.run(arguments(given, out=folder.parent / "grades.csv", due=datetime(2026, 11, 30, 12))) == 0
    rows = [row for row in rows_of(folder) if row["learner"] != "zoe"]
    said = {(row["status"], row["handed_in"], row["late"]) for row in rows}
    assert said == {("refused", "2026-11-30 18:00:00", "yes")} and len(rows) == len(grade.GRADED)
    assert all(row["reason"].lower().endswith("homework.zip: a zip that was not opened; unpack it") for row in rows)


def zip_of(folder: Path, name: str, *entries: str, content: str = notebook(RIGHT)) -> None:
    """A learner's zip, whose entries claim to be of 2020."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / name, "w") as archive:
        for entry in entries:
            archive.writestr(zipfile.ZipInfo(entry, (2020, 1, 1, 0, 0, 0)), content)
    os.utime(folder / name, (time.mktime((*OLD, 0, 0, -1)),) * 2)


@pytest.mark.parametrize("is_zip", [False, True])
@pytest.mark.parametrize("name", ["ada/my work.zip", f"{ADA}/w.ZIP", f"{ADA}w.zip", "loveada_12_77_w.zip"])
def test_notebook_in_a_zip_of_a_learner_is_graded_with_the_date_of_the_zip(folder, name, is_zip):
    zip_of(folder, name, "work/ada/2.ipynb", "__MACOSX/work/ada/._2.ipynb")
    given = zipped(folder) if is_zip else folder
    assert grade.run(arguments(given, out=folder.parent / "grades.csv")) == 0
    assert (row_of(folder)["status"], row_of(folder)["handed_in"]) == ("crash", "2026-11-30 18:00:00")  # it was run


def test_unsafe_entries_of_a_learners_zip_are_refused_and_the_rest_is_graded(folder):
    zip_of(folder, "ada/w.zip", "../../eve/2.ipynb", "/etc/2.ipynb", "2.ipynb")
    zip_of(folder, "bob/w.zip", "../ada/2.ipynb")
    assert grade.run(arguments(folder)) == 0
    rows = {row["learner"]: row for row in rows_of(folder) if row["exercise"] == "2.1"}
    assert (rows["ada"]["status"], rows["bob"]["status"]) == ("crash", "refused") and len(rows) == 2
    assert rows["bob"]["reason"] == "w.zip/../ada/2.ipynb: leaves the folder"
    assert not (folder / "eve").exists()


def test_what_a_learners_zip_holds_in_place_of_a_notebook_is_named(folder):
    zip_of(folder, "ada/w.zip", "in/2.html")
    zip_of(folder, "bob/w.zip")
    zip_of(folder, "cyd/w.zip", "v.zip", "1.ipynb")
    assert grade.run(arguments(folder)) == 0
    reasons = [row["reason"] for row in rows_of(folder) if row["exercise"] == "1.1"]
    assert reasons == [
        "w.zip/in/2.html: no notebook",
        "w.zip, an empty zip: no notebook",
        "w.zip/v.zip: a zip that was not opened; unpack it",
    ]


def test_learner_of_many_zips_has_five_of_them_opened(folder):
    for number in range(6):
        zip_of(folder, f"ada/{number}.zip", "2.ipynb", content=notebook(f"{RIGHT}# {number}"))
    assert grade.run(arguments(folder)) == 0
    assert row_of(folder)["reason"].startswith("best of 5 different answers")
    row = next(row for row in rows_of(folder) if row["exercise"] == "1.1")
    assert row["reason"] == "5.zip: a zip that was not opened; unpack it"


@pytest.mark.parametrize("text", ["{", notebook(RIGHT, WRONG, answer_id="other")])
def test_row_that_is_refused_has_the_date_of_its_notebook(folder, text):
    put(folder, "ada/1.ipynb")
    (folder / "ada" / "1.ipynb").write_text(text)
    os.utime(folder / "ada" / "1.ipynb", (time.mktime((*OLD, 0, 0, -1)),) * 2)
    assert grade.run(arguments(folder)) == 0
    assert (row_of(folder)["status"], row_of(folder)["handed_in"]) == ("refused", "2026-11-30 18:00:00")


@pytest.mark.parametrize(
    "name", [COURSE_FILE, f"Copy of {COURSE_FILE}", "2_add_lora_adapters (1).ipynb", "2_Add_LoRA_adapters-Copy2.ipynb"]
)
def test_folder_of_one_learner_is_refused_by_the_names_of_the_course(folder, name, capsys):
    put(folder, name, "3_ppo_with_a_shared_reference.ipynb")
    for given in (folder, zipped(folder)):
        assert grade.run(arguments(given)) == 2
        said = capsys.readouterr().err
        assert "give the folder above it; else put the notebook into a folder with the learner's name" in said


def test_names_of_learners_and_a_single_notebook_are_no_names_of_the_course(folder):
    put(folder, "2_add_lora_adapters_ada.ipynb", f"{ADA}{COURSE_FILE}", "x/2_add_lora_adapters.ipynb")
    assert grade.run(arguments(folder)) == 0 and len({row["learner"] for row in rows_of(folder)}) == 3
    single = folder / "x" / COURSE_FILE
    assert grade.run(arguments(single, out=folder.parent / "grades.csv")) == 0


def test_names_of_the_course_are_those_of_its_exercises():
    names = {path.stem for path in (Path(__file__).parents[1] / "exercises").glob("*.ipynb")}
    assert names == set(handin.COURSE_NOTEBOOKS)


@pytest.mark.parametrize(
    "names",
    [
        ("ada/lesson_2_1_answers.ipynb", "ada/exercise_6_2_final.ipynb"),
        ("ada/ckpt_200_300_best/1.ipynb", "ada/run_240_500_last/1.ipynb"),
        (f"ada/{ADA}/{COURSE_FILE}",),
        (f"ada/{ADA}{COURSE_FILE}",),
        ("submitted/ada/ps_1_2_lora/1.ipynb", "submitted/ada/hw_3_4_ppo/1.ipynb"),
    ],
)
def test_what_one_learner_named_with_numbers_is_no_export(folder, names):
    put(folder, *names)
    assert grade.run(arguments(folder)) == 0 and {row["learner"] for row in rows_of(folder)} == {"ada"}


def test_name_of_a_file_gives_no_points_by_hand(folder, capsys):
    put(folder, "ada/by hand: excused.ipynb")
    (folder / "ada" / "by hand: excused.ipynb").write_text("{")
    assert grade.run(arguments(folder)) == 0
    assert "refused, to be looked at: ada" in capsys.readouterr().out
    assert " by hand</td>" not in (folder.parent / "grades.overview.html").read_text()


def test_points_by_hand_are_counted(folder, capsys):
    hand_in(folder, "ada", notebook(RIGHT))
    changes = "learner,exercise,points,reason\nada,2.1,1,right\nada,2.2,1,right\nadda,2.1,1,right\n"
    (folder.parent / "grades.changes.csv").write_text(changes)
    assert grade.run(arguments(folder)) == 0
    assert "points by hand: 2 rows have them\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"lesson": ["2"]}, "another --lesson"),
        ({"seconds": 5}, "another --seconds"),
        ({"unsafe": True, "seed_from": "ab"}, "another --unsafe, another --seed-from"),
    ],
)
def test_table_of_other_options_is_kept_and_the_option_named(folder, changed, said, capsys):
    hand_in(folder, "ada", notebook(RIGHT))
    assert grade.run(arguments(folder, lesson=["2", "3"])) == 0
    assert grade.run(arguments(folder, lesson=["2", "3"], exercise=None)) == 0
    table, seed = ((folder.parent / name).read_text() for name in ("grades.csv", "grades.csv.seed.json"))
    assert not (folder.parent / "grades.csv.bak").exists()
    assert grade.run(arguments(folder, **{"lesson": ["2", "3"], **changed})) == 0
    shown = capsys.readouterr().err
    assert f"This one, with {said}, begins" in shown and "grades.csv.bak.\n" in shown
    assert (folder.parent / "grades.csv.bak").read_text() == table
    assert (folder.parent / "grades.csv.seed.json.bak").read_text() == seed


def test_table_of_another_folder_or_of_a_learner_who_is_gone_is_kept(folder, capsys):
    put(folder, "ada/1.ipynb", "bob/1.ipynb")
    assert grade.run(arguments(folder)) == 0
    put(folder, "cyd/1.ipynb")
    assert grade.run(arguments(folder)) == 0
    assert not (folder.parent / "grades.csv.bak").exists()
    (folder / "bob" / "1.ipynb").unlink()
    (folder / "bob").rmdir()
    assert grade.run(arguments(folder)) == 0
    assert "with 1 of the submissions new, changed or gone" in capsys.readouterr().err
    assert "\nbob,2.1," in (folder.parent / "grades.csv.bak").read_text()
    put(folder.parent / "other", "dan/1.ipynb")
    assert grade.run(arguments(folder.parent / "other")) == 0
    assert "with another FOLDER, begins" in capsys.readouterr().err
    assert "\ncyd,2.1," in (folder.parent / "grades.csv.bak2").read_text()
    (folder.parent / "grades.csv.journal").unlink()  # as the program says, to grade anew
    assert grade.run(arguments(folder)) == 0
    assert "\ndan,2.1," in (folder.parent / "grades.csv.bak3").read_text()
    assert "\nbob,2.1," in (folder.parent / "grades.csv.bak").read_text()


@pytest.fixture
def two_hours_east(monkeypatch):
    """This machine's clock in a time zone of its own."""
    monkeypatch.setenv("TZ", "EAST-02:00")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("2026-11-30", datetime(2026, 11, 30, 23, 59, 59)),
        ("2026-11-30T18:00", datetime(2026, 11, 30, 18)),
        ("2026-11-30T18:00+05:00", datetime(2026, 11, 30, 15)),
        ("2026-11-30T18:00Z", datetime(2026, 11, 30, 20)),
        ("none", grade_options.NO_DATE),
    ],
)
def test_due_date_is_read_in_this_machines_time_and_a_day_lasts_to_its_end(two_hours_east, text, due):
    assert grade_options.due(text) == due


@pytest.mark.parametrize("text", ["soon", "", "2026-13-01", "0001-01-01T00:00+14:00", "None"])
def test_due_date_that_is_none_is_refused_in_a_sentence(text):
    with pytest.raises(ArgumentTypeError, match="is no date such as 2027-01-31"):
        grade_options.due(text)


def test_due_date_in_force_is_printed_with_its_time_zone_until_it_is_taken_off(folder, two_hours_east, capsys):
    put(folder, "ada/1.ipynb", "bob/1.ipynb")
    os.utime(folder / "bob" / "1.ipynb", (10**9, 10**9))
    assert grade.run(arguments(folder, due=datetime(2026, 11, 30, 12), lesson=["2"])) == 0
    said = "due 2026-11-30 12:00:00, in this machine's time, EAST (UTC+0200): 1 rows of 1 learners are late; --due"
    assert said in capsys.readouterr().out
    assert grade.run(arguments(folder, lesson=["2"])) == 0
    assert said in capsys.readouterr().out
    assert grade.run(arguments(folder, due=grade_options.NO_DATE, lesson=["2"])) == 0
    assert "due 2026" not in capsys.readouterr().out and {row["late"] for row in rows_of(folder)} == {""}


def test_due_date_with_a_time_zone_in_a_journal_of_before_spoils_nothing(folder, two_hours_east, capsys):
    put(folder, "ada/1.ipynb")
    assert grade.run(arguments(folder)) == 0
    with (folder.parent / "grades.csv.journal").open("a") as file:
        file.write('{"due": "2026-11-30T18:00:00+05:00"}\n')
    assert grade.run(arguments(folder)) == 0
    assert "due 2026-11-30 15:00:00" in capsys.readouterr().out and row_of(folder)["late"] == "yes"


def test_complaint_is_looked_into_with_the_command_of_the_readme(folder, monkeypatch):
    hand_in(folder, "ada", notebook(RIGHT), COURSE_FILE)
    drawn = []
    monkeypatch.setattr(
        sandbox.Sandbox, "run", lambda _, asked, source, inputs, s: drawn.append(inputs) or Run("crash")
    )
    assert grade.run(arguments(folder)) == 0
    names = {"FOLDER/NAME/NOTEBOOK": folder / "ada" / COURSE_FILE, "grades.csv.seed.json": "grades.csv.seed.json"}
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    (line,) = [line for line in readme.splitlines() if line.startswith("python -m helpers grade FOLDER/NAME")]
    words = [str(names.get(word, word)) for word in line.split()[3:]]
    monkeypatch.chdir(folder.parent)
    assert main(words) == 0
    seeds = [
        json.loads((folder.parent / f"{name}.csv.seed.json").read_text())["seed"] for name in ("grades", "complaint")
    ]
    assert seeds[0] == seeds[1] and plain.packed(drawn[0]) == plain.packed(drawn[1]) and len(drawn) == 2
    assert (folder.parent / "grades.csv.journal").read_text().count("begun") == 1


def test_option_that_is_unknown_is_said_with_the_options_of_the_command(folder, capsys):
    with pytest.raises(SystemExit):
        main(["grade", str(folder), "--leson", "2"])
    said = capsys.readouterr().err
    assert "usage: python -m helpers grade" in said and "unrecognized arguments: --leson 2" in said


@pytest.mark.parametrize("option", ["--lesson=2,3", "--exercise=2.1,2.2"])
def test_option_that_may_be_repeated_says_so(folder, capsys, option):
    with pytest.raises(SystemExit):
        main(["grade", str(folder), option])
    assert "For several, repeat the option: --" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["w.xlsx", "w.ods", "export.zip"])
def test_out_that_is_no_csv_is_refused(folder, capsys, name):
    with pytest.raises(SystemExit):
        main(["grade", str(folder), "--out", name])
    assert "a CSV is written, which any spreadsheet opens. Name it " in capsys.readouterr().err
