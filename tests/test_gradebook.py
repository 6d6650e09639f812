"""What comes out beside the table: files for gradebooks, points by hand, pages, and the journal behind them."""

import csv
import re
import unicodedata
import zipfile
from dataclasses import replace

import pytest

from helpers.checks.registry import EXERCISES
from helpers.course import gradebook, pages, table
from helpers.course.journal import Journal
from helpers.course.table import Row

ADA, EVIL = "Love, Ada (12)", "=<script>alert(1)</script>"
ROWS = [
    Row(ADA, "1.1", 2, 2, "ok", "", code="def f():\n\treturn 1 < 2\n"),
    Row(ADA, "2.1", 0, 1, "ok", "Wrong sign.", "subtracted", late="yes", handed_in="2026-11-01 10:00:00"),
    Row(EVIL, "1.1", 0, 2, "crash", "=boom <b>", code="</code></pre><script>alert(1)</script>\u202e\x1b\ud800"),
    Row(EVIL, "2.1", 0, 1, "missing", "not handed in"),
]


def cells(text: str) -> list[list[str]]:
    return list(csv.reader(text.splitlines()))


def test_canvas_finds_people_by_their_number_and_reads_the_sum():
    head, possible, ada, evil = cells(gradebook.canvas(ROWS))
    assert head[:5] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    assert possible[0].strip() == "Points Possible" and possible[-1] == "3"
    assert ada == ["Love, Ada", "12", "", "", "", "2"] and evil[0].startswith("'=") and evil[-1] == "0"


def test_moodle_finds_people_by_their_number_and_reads_the_sum():
    head, ada, evil = cells(gradebook.moodle(ROWS))
    assert {"Identifier", "Grade", "Last modified (grade)"} <= set(head)  # without these Moodle refuses the file
    assert ada[:4] == ["Participant 12", "Love, Ada", "2", "3"] and ada[-1] == "1.1: 2/2; 2.1: 0/1"
    assert evil[1].startswith("'=")


def test_comment_in_moodle_holds_every_exercise():
    rows = [
        gradebook.Row("ada", asked.id, 0, asked.points, "ok", "why", "a_long_hint_of_this_kind")
        for asked in EXERCISES.values()
    ]
    said = cells(gradebook.moodle(rows))[1][-1]
    assert said.split("; ") == [f"{row.exercise}: 0/{row.of}" for row in rows]


def test_points_above_those_of_the_exercise_are_refused(tmp_path):
    most = EXERCISES["2.1"].points
    with pytest.raises(ValueError, match=f"line 2: 2.1 gives {most} points at most, not {most + 1}"):
        gradebook.changes(written(tmp_path, f"learner,exercise,points,reason\nada,2.1,{most + 1},kind\n"))


def written(tmp_path, text: str):
    (tmp_path / "changes.csv").write_text(text, encoding="utf-8-sig")
    return tmp_path / "changes.csv"


def test_points_by_hand_replace_those_of_the_grader_and_say_so(tmp_path):
    by_hand = gradebook.changes(
        written(tmp_path, f'learner,exercise,points,reason\n"{ADA}",2.1,0.5,right idea\nx,1.1,1,x\n')
    )
    rows, nobody = gradebook.changed(ROWS, by_hand)
    assert rows[1].points == 0.5 and rows[1].reason == "by hand: right idea; the grader gave 0: Wrong sign."
    assert nobody == ["points by hand for nobody here: x, 1.1"]
    assert [row for row in rows if row != rows[1]] == [row for row in ROWS if row != ROWS[1]]


@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize("name", ['x;"=1+1;y.ipynb', "x;'=1+1", 'x; " +1', '"=1+1', 'x;"\uff1d1;'])
def test_no_cell_is_a_formula_however_it_is_quoted_and_cut(name, separator):
    text = table.lines_of([["a", name, "b"]])
    found = [cell for line in csv.reader(text.splitlines(), delimiter=separator) for cell in line]
    assert not [cell for cell in found if unicodedata.normalize("NFKC", cell.lstrip(' "'))[:1] in ("=", "+", "-", "@")]


def test_feedback_for_moodle_lies_in_folders_named_like_those_it_exported(tmp_path):
    learners = [ADA, "Jo_a/b\x1b (7)", "no number"]
    for learner in learners:
        (tmp_path / pages.page_name(learner)).write_text(learner)
    pages.for_moodle(learners, tmp_path, tmp_path / "feedback.zip")
    with zipfile.ZipFile(tmp_path / "feedback.zip") as archive:
        found = {name: archive.read(name).decode() for name in archive.namelist()}
    parts = [name.split("/")[0].split("_", 4) for name in found]  # as Moodle reads them
    assert [part[1:] for part in parts] == [[number, "assignsubmission", "file", ""] for number in ("12", "7")]
    assert list(found.values()) == learners[:2] and all(name.endswith("/feedback.html") for name in found)


def test_points_by_hand_below_those_of_the_grader_are_named():
    rows, said = gradebook.changed(ROWS, {(ADA, "1.1"): gradebook.Change(1, "copied")})
    assert rows[0].points == 1 and said == [f"by hand 1, the grader gives 2: {ADA}, 1.1"]


def test_column_in_canvas_is_another_one_for_other_lessons():
    titles = [cells(gradebook.canvas(rows))[0][-1] for rows in (ROWS, ROWS[:1])]
    assert titles == ["RLHF on a budget, lessons 1, 2", "RLHF on a budget, lesson 1"]
    every = [gradebook.Row("ada", asked.id, 0, asked.points, "ok", "") for asked in EXERCISES.values()]
    assert cells(gradebook.canvas(every))[0][-1] == "RLHF on a budget"


def test_summary_names_who_is_to_be_looked_at_and_lessons_of_which_nothing_came():
    rows = [table.Row("ada", "2.1", 0, 1, "refused", ""), table.Row("bob\x1b", "2.1", 0, 1, "timeout", "")]
    rows += [table.Row(name, "3.1", 0, 1, "missing", "") for name in ("ada", "bob")]
    lines = table.summary(rows).splitlines()[-4:]
    assert lines[0] == "refused, to be looked at: ada" and lines[1] == "timeout, to be looked at: bob?"
    assert lines[3] == "nobody handed in anything of lesson 3: --lesson leaves it out"


def test_summary_names_from_whom_nothing_came():
    rows = [table.Row("ada", "2.1", 0, 1, "missing", ""), table.Row("ada", "3.1", 0, 1, "ok", "")]
    rows += [table.Row(name, "2.1", 0, 1, "missing", "") for name in ("bob", "bob", "cyd")]
    rows += [table.Row("eve", "2.1", 1, 1, "missing", "by hand: on paper; the grader gave 0", by_hand=True)]
    assert "\nnothing from: bob, cyd\n" in f"{table.summary(rows)}\n"


def test_what_got_points_by_hand_is_no_longer_to_be_looked_at():
    rows = [table.Row(name, "2.1", 0, 1, "refused", "a zip") for name in ("ada", "bob")]
    rows, _ = gradebook.changed(rows, {("ada", "2.1"): gradebook.Change(0, "looked at")})
    assert "refused, to be looked at: bob\n" in f"{table.summary(rows)}\n"


def test_exercise_that_everybody_solved_is_not_called_the_hardest():
    assert "hardest" not in table.summary([table.Row("ada", "2.1", 1, 1, "ok", "")])


def test_points_by_hand_for_a_name_with_a_slip_say_whose_may_be_meant():
    by_hand = {("Love, Adda (12)", "2.1"): gradebook.Change(1, "x")}
    rows, (said,) = gradebook.changed(ROWS, by_hand)
    assert rows == ROWS and said == f"points by hand for nobody here: Love, Adda (12), 2.1 (is {ADA} meant?)"


@pytest.mark.parametrize("mark", ";\t")
def test_points_by_hand_are_read_as_a_spreadsheet_writes_them(mark, tmp_path):
    text = "learner;exercise;points;reason\r\nJürgen, Groß;2.1;0,5;halb, und schön\r\n".replace(";", mark)
    for encoding in ("cp1252", "utf-8", "utf-8-sig", "utf-16"):
        (tmp_path / "changes.csv").write_bytes(text.encode(encoding))
        found = gradebook.changes(tmp_path / "changes.csv")
        assert found == {("Jürgen, Groß", "2.1"): gradebook.Change(0.5, "halb, und schön")}


def test_summary_counts_points_by_hand_whatever_the_status():
    by_hand = {(EVIL, "2.1"): gradebook.Change(1, "on paper"), (EVIL, "1.1"): gradebook.Change(0.5, "half")}
    rows, _ = gradebook.changed(ROWS, by_hand)
    assert table.summary(rows).splitlines()[0] == "4 answers: 2 right, 1 in part, 1 wrong"
    assert table.shares_of_points(rows) == {"1.1": 2.5 / 4, "2.1": 1 / 2}


def test_points_by_hand_take_a_name_as_the_table_writes_it(tmp_path):
    by_hand = gradebook.changes(written(tmp_path, f"learner,exercise,points,reason\n'{EVIL},1.1,2,my fault\n"))
    assert gradebook.changed(ROWS, by_hand)[0][2].points == 2


@pytest.mark.parametrize(
    "line", ["a,1.1,2,", "a,1.1,,x", "a,1.1,nan,x", "a,1.1,-1,x", ",1.1,1,x", "a,1.1,1,x\na,1.1,2,x"]
)
def test_points_by_hand_that_are_not_complete_are_refused_by_line(tmp_path, line):
    with pytest.raises(ValueError, match=r"line [23]"):
        gradebook.changes(written(tmp_path, f"learner,exercise,points,reason\n{line}\n"))


@pytest.mark.parametrize("line", ["a,1.1,1,5,half right", "a,1.1,1,one, or two"])
def test_points_by_hand_with_a_comma_that_is_not_in_quotes_are_refused_by_line(tmp_path, line):
    with pytest.raises(ValueError, match=r"line 2: more columns than the first line has. Put quotes around"):
        gradebook.changes(written(tmp_path, f"learner,exercise,points,reason\n{line}\n"))


def test_points_by_hand_may_have_empty_lines(tmp_path):
    found = gradebook.changes(written(tmp_path, "learner;exercise;points;reason\n;;;\na;1.1;1,5;x\n"))
    assert found == {("a", "1.1"): gradebook.Change(1.5, "x")}


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
def test_points_by_hand_find_a_name_in_either_form_of_its_umlaut(tmp_path, forms):
    named, typed = (unicodedata.normalize(form, "J\u00fcrgen") for form in forms)
    by_hand = gradebook.changes(written(tmp_path, f"learner,exercise,points,reason\n{typed},2.1,1,right\n"))
    rows, nobody = gradebook.changed([table.Row(named, "2.1", 0, 2, "ok", "")], by_hand)
    assert rows[0].points == 1 and not nobody


@pytest.mark.parametrize(
    ("learner", "exercise", "said"),
    [
        ("bob (12)", "2.1", "for nobody here: bob (12), 2.1 (is bob (14) or bob (13) meant?)"),
        ("bob (13)", "2.9", "for bob (13), exercise 2.9, which is not in this grading"),
    ],
)
def test_points_by_hand_for_no_row_say_what_is_not_there(learner, exercise, said):
    rows = [table.Row(name, "2.1", 0, 2, "ok", "") for name in ("bob (13)", "bob (14)")]
    _, remarks = gradebook.changed(rows, {(learner, exercise): gradebook.Change(1, "x")})
    assert len(remarks) == 1 and said in remarks[0]


@pytest.mark.parametrize("first", ["ada,2.1,1,right", "learner,exercise,points", "sep=,", ""])
def test_points_by_hand_without_the_names_of_the_columns_are_refused(tmp_path, first):
    with pytest.raises(ValueError, match="its first line should name the columns learner, exercise, points, reason"):
        gradebook.changes(written(tmp_path, f"{first}\nbob,2.1,1,right\n"))


def test_summary_names_what_was_hardest_and_the_most_frequent_hint():
    lines = table.summary(ROWS).splitlines()
    assert lines == [
        "4 answers: 1 right, 1 wrong, 1 missing, 1 crash",
        "hardest exercise: 2.1 (0% of its points)",
        "most frequent hint: subtracted (exercise 2.1, once): Wrong sign.",
    ]


def test_feedback_shows_code_and_hint_as_text_that_cannot_run():
    page = pages.feedback(EVIL, ROWS[2:])
    assert "&lt;/code&gt;&lt;/pre&gt;&lt;script&gt;alert(1)&lt;/script&gt;???" in page and "=boom &lt;b&gt;" in page
    assert "<script" not in page and "default-src 'none'" in page


def test_feedback_keeps_the_lines_and_tabs_of_the_code():
    assert "def f():\n\treturn 1 &lt; 2\n" in pages.feedback(ADA, ROWS[:2])


def test_overview_links_a_page_for_each_learner(tmp_path):
    pages.write(ROWS, tmp_path / "o.html", tmp_path / "feedback")
    overview, names = (tmp_path / "o.html").read_text(), [path.name for path in (tmp_path / "feedback").iterdir()]
    assert len(names) == 2 and all(f'href="feedback/{name}"' in overview for name in names)
    assert "<script" not in overview and "0 late" in overview
    assert "<th>learner</th><th>points</th><th>1.1</th>" in overview and "<td>2 of 3</td><td class" in overview
    assert 'aria-label="Number of learners by their share of all points: 1, 0, 0, 0, 0, 0, 1, 0, 0, 0"' in overview


def test_overview_says_what_each_colour_means_and_what_is_for_the_instructor_alone(tmp_path):
    pages.write(ROWS, tmp_path / "o.html", tmp_path / "f", ["5.4: one and the same adapter from <a>, b"])
    page = (tmp_path / "o.html").read_text()
    used = set(re.findall(r'class="mark (\w+)"', page))
    assert used and used <= set(re.findall(r'class="key (\w+)"', page))
    assert "one and the same adapter from &lt;a&gt;, b" in page
    assert not any("same adapter" in of_one.read_text() for of_one in (tmp_path / "f").iterdir())


def test_feedback_marks_code_and_emphasis_of_a_hint_and_no_product():
    said = "Use `W[i] * x`, the *sum*, <b>, 2 * 3 * 4 and a*b*c."
    page = pages.feedback(ADA, [replace(ROWS[1], reason=said)])
    assert "Use <code>W[i] * x</code>, the <em>sum</em>, &lt;b&gt;, 2 * 3 * 4 and a*b*c." in page


def test_page_names_differ_where_learners_do_and_stay_in_their_folder():
    names = {pages.page_name(learner) for learner in ("a/b", "a b", "a:b", "../a b", "..", "", "con", "A b")}
    assert len(names) == 8 and not [name for name in names if "/" in name or name.startswith(".")]


def test_page_name_keeps_letters_with_marks_readable():
    assert pages.page_name("Zoë Müller").startswith("Zoe-Muller-")


def test_journal_that_was_cut_off_loses_only_its_last_line(tmp_path):
    journal = Journal(tmp_path / "journal")
    journal.begin({"seed": "x"}, anew=True)
    journal.add(ADA, "digest", ROWS[:2])
    whole = journal.path.read_bytes()
    journal.add(EVIL, "other", ROWS[2:])
    for length in range(len(whole), journal.path.stat().st_size):
        cut = Journal(tmp_path / "cut")
        cut.path.write_bytes(journal.path.read_bytes()[:length])
        assert cut.read().done == {ADA: "digest"}
    cut.add(EVIL, "other", ROWS[2:])
    assert cut.path.read_bytes() == journal.path.read_bytes()
    assert list(cut.read().rows.values()) == ROWS


def test_journal_of_something_else_is_refused(tmp_path):
    (tmp_path / "journal").write_text("{}\n")
    with pytest.raises(ValueError, match="no journal"):
        Journal(tmp_path / "journal").read()
