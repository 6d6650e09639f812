"""Which versions an environment holds, how a run in it is read, and what is said of it. Nothing here asks an index."""

import subprocess
from types import SimpleNamespace

import colab
import drift
import environments
import pytest
import versions
from environments import COURSE, ROOT, Outcome

from helpers.course import badges
from helpers.download import CourseError

PROJECT = (ROOT / "pyproject.toml").read_text()
REPORT = """<testsuites><testsuite time="12.5">
<testcase classname="tests.test_one" name="test_ran"/>
<testcase classname="tests.test_one" name="test_left_out"><skipped message="no GPU"/></testcase>
<testcase classname="tests.test_two" name="test_broke[a]"><failure message="Assertion: 1 != 2&#10;more"/></testcase>
<testcase classname="tests.test_two" name="test_set_up"><error message="no folder"/></testcase>
</testsuite></testsuites>"""


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """What pip was asked for, in environments that are folders only."""
    asked = []
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    monkeypatch.setattr(environments, "_pip", lambda folder, *arguments: asked.append(arguments))
    monkeypatch.setattr(subprocess, "run", lambda command, **_: environments.Path(command[-1]).mkdir())
    return asked


def script(folder, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def test_oldest_versions_are_the_lower_bound_of_each_declared_package():
    oldest = versions.lower_bounds()
    for requirement in environments.declared():
        assert requirement.specifier.contains(oldest[requirement.name]), requirement
        assert f"{requirement.name}>={oldest[requirement.name]}" in PROJECT or f"{requirement}" in PROJECT


def test_oldest_environment_has_the_lower_bounds_and_the_others_have_the_pins(monkeypatch):
    made = []
    monkeypatch.setattr(environments, "find_python", lambda version: f"python{version}")
    monkeypatch.setattr(environments, "made", lambda *arguments: made.append(arguments))
    versions.made("oldest")
    versions.made("3.13")
    (_, python, oldest, apart), (_, newest_python, pinned, course) = made
    assert (python, newest_python) == ("python3.11", "python3.13") and course == COURSE
    assert f"torch=={versions.lower_bounds()['torch']}" in oldest and apart[0] == "trl==1.12.0"
    assert f"torch=={environments.pinned()['torch']}" in pinned and "trl==1.12.0" in pinned
    assert {line for line in oldest if line.startswith("pytest")} == {
        line for line in pinned if line.startswith("pytest")
    }


def test_environment_is_made_once_and_anew_if_something_else_is_asked_for(asked):
    environments.made("x", "python3", ["a==1"])
    environments.made("x", "python3", ["a==1"])
    assert [arguments[0] for arguments in asked] == ["--requirement", "--no-deps", "--no-deps"]
    assert asked[1] == asked[2] == ("--no-deps", *COURSE)
    environments.made("x", "python3", ["a==2"])
    assert asked[3][0] == "--requirement"


def test_environment_that_was_interrupted_is_made_anew(asked, monkeypatch):
    whole = environments._pip
    monkeypatch.setattr(environments, "_pip", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        environments.made("x", "python3", ["a==1"])
    monkeypatch.setattr(environments, "_pip", whole)
    environments.made("x", "python3", ["a==1"])
    assert len(asked) == 2


def test_python_that_is_a_shim_of_an_absent_version_is_none(monkeypatch, tmp_path):
    script(tmp_path, "python3.12", "echo not installed; exit 127")
    monkeypatch.setenv("PATH", str(tmp_path))
    for version in ("3.12", "3.13"):
        with pytest.raises(CourseError, match=f"no python{version} on the PATH"):
            environments.find_python(version)


def test_report_of_pytest_is_read(tmp_path):
    (tmp_path / "report.xml").write_text(REPORT)
    found = environments.outcome_of(tmp_path / "report.xml")
    assert (found.passed, found.skipped, found.seconds) == (1, 1, 12.5)
    assert found.failed == {
        "test_two::test_broke[a]": "Assertion: 1 != 2",
        "test_two::test_set_up": "no folder",
    }


def test_row_of_an_environment_that_cannot_be_made_says_so(monkeypatch, capsys):
    def no_python(name):
        raise CourseError("no python3.12 on the PATH")

    monkeypatch.setattr(versions, "made", no_python)
    assert versions.row_of("3.12", ["not real"])["failed"] == "not run"
    assert "no python3.12" in capsys.readouterr().out


def test_drift_asks_for_the_newest_of_all_but_what_one_version_is_allowed_of(monkeypatch):
    monkeypatch.setattr(environments, "made", lambda name, python, requirements: requirements)
    fixed = {line for line in drift.made() if "==" in line}
    assert fixed == {"trl==1.12.0", "vaderSentiment==3.3.2"} and "torch" in drift.made()


def test_drift_names_what_moved_and_what_left_its_range():
    newest = {**environments.pinned(), "torch": "99.0", "pytest": "99.0", "tqdm": "99.0"}
    rows = {row["package"]: row["pyproject.toml"] for row in drift.moved(newest)}
    assert rows == {"torch": "outside <2.15,>=2.11", "tqdm": "", "pytest": ""}


@pytest.mark.parametrize(("failed", "code", "due"), [({}, 0, 0), ({"test_x": "gone"}, 0, 1), ({}, 1, 1)])
def test_drift_ends_with_1_if_a_test_broke_or_a_signature_changed(failed, code, due, capsys):
    signatures = SimpleNamespace(returncode=code, stdout="Recorded", stderr="")
    assert drift.report([], Outcome(passed=3, failed=failed), signatures) == due
    assert ("BROKE  test_x\n       gone" in capsys.readouterr().out) == bool(failed)


def test_colab_fetches_the_course_from_this_disk_and_runs_the_install_cell_first(tmp_path):
    lesson = ROOT / "notebooks" / "4_one_backbone_four_roles.ipynb"
    notebook = colab.with_install_cell(lesson, tmp_path)
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    assert first.id == badges.INSTALL and f"git+file://{tmp_path}@v1" in first.source and "github" not in first.source
    assert not any(cell.get("outputs") for cell in notebook.cells)


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this folder is no git checkout")
def test_colab_gets_the_course_as_it_is_now_under_a_tag(tmp_path):
    repository = colab.course_repository(tmp_path)
    tagged = subprocess.check_output(["git", "ls-tree", "-r", "--name-only", colab.TAG], cwd=repository, text=True)
    assert {"pyproject.toml", "helpers/course/colab.py", "tests/test_environments.py"} <= set(tagged.splitlines())


def test_colab_brings_nothing_that_the_course_would_replace_and_lacks_what_it_installs():
    assert not set(colab.ABSENT) & set(colab.BROUGHT)
    for requirement in environments.declared():
        brought = colab.BROUGHT.get(requirement.name)
        assert brought is None or requirement.specifier.contains(brought), requirement
