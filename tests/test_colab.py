"""Badges and the install cell come and go without a trace; on Colab only what is missing or too old is installed."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from helpers.__main__ import main
from helpers.course import badges, colab, doctor, notebook
from helpers.download import CourseError

REQUIRES = ["torch>=2.11", "peft>=0.18,<0.22", "trl==1.12.0", "tqdm>=4.67", "jupyterlab>=4.4", "gguf>=0.17"]


@pytest.fixture
def course(tmp_path):
    """A copy of three notebooks, one of each kind."""
    for folder in ("notebooks", "exercises", "solutions"):
        (tmp_path / folder).mkdir()
        path = badges.ROOT / folder / "1_load_in_8bit.ipynb"
        (tmp_path / folder / path.name).write_bytes(path.read_bytes())
    return tmp_path


@pytest.fixture
def machine(monkeypatch):
    """Colab as the course finds it: pip is not run, what it was asked is remembered."""
    found = {"torch": "2.10.0", "peft": "0.17.0", "trl": None, "tqdm": "5.0.0", "jupyterlab": None, "gguf": "0.18.0"}
    asked = []

    def pip(command, **_):
        asked.append(command)
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(colab.importlib.metadata, "requires", lambda name: REQUIRES)
    monkeypatch.setattr(doctor, "found_version", found.get)
    monkeypatch.setattr(doctor, "findings", lambda unneeded: iter([doctor.Finding(True, "looked")]))
    monkeypatch.setattr(subprocess, "run", pip)
    monkeypatch.setattr(colab, "_fetch", lambda: print("fetched"))
    monkeypatch.setattr(colab, "_has_gpu", lambda: False)
    monkeypatch.setattr(colab, "_is_loaded", lambda name: False)
    return SimpleNamespace(found=found, asked=asked, patch=monkeypatch)


def everything(course):
    return {path: path.read_bytes() for path in sorted(course.rglob("*.ipynb"))}


def test_badges_come_off_again_without_a_trace(course):
    before = everything(course)
    assert main(["badges", "jane/rlhf@v1", "--course", str(course)]) == 0
    assert everything(course) != before
    assert main(["badges", "--course", str(course)]) == 0
    assert everything(course) == before


def test_badges_put_on_twice_stand_once_with_the_later_address(course):
    main(["badges", "jane/rlhf@v1", "--course", str(course)])
    main(["badges", "joe/rlhf", "--course", str(course)])
    text = (course / "notebooks" / "1_load_in_8bit.ipynb").read_text()
    assert text.count("Open in Colab") == 1 and "jane" not in text and "joe/rlhf/blob/main/notebooks/1_load" in text


def test_install_cell_is_the_first_code_cell_and_names_the_tag(course):
    main(["badges", "jane/rlhf@v1", "--course", str(course)])
    for path in sorted(course.rglob("*.ipynb")):
        first = next(cell for cell in notebook.read(path).cells if cell.cell_type == "code")
        assert "git+https://github.com/jane/rlhf@v1" in first.source


def test_badge_of_a_solution_leads_to_the_exercise(course):
    main(["badges", "jane/rlhf@v1", "--course", str(course)])
    assert "rlhf/blob/v1/exercises/1_load" in (course / "solutions" / "1_load_in_8bit.ipynb").read_text()


def test_executed_notebook_with_a_badge_is_counted_from_1(course):
    main(["badges", "jane/rlhf@v1", "--course", str(course)])
    cells = notebook.read(course / "notebooks" / "1_load_in_8bit.ipynb").cells
    counts = [cell.execution_count for cell in cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))


@pytest.mark.parametrize("address", ["jane", "https://github.com/jane/rlhf", "jane/rlhf@", "a/b/c", "jane/rl hf"])
def test_address_that_is_none_is_refused_and_changes_nothing(course, address, capsys):
    before = everything(course)
    assert main(["badges", address, "--course", str(course)]) == 1
    assert everything(course) == before and "is no address" in capsys.readouterr().err


def test_only_what_is_missing_or_too_old_is_installed_and_torch_and_jupyter_are_left(machine):
    colab.prepare()
    asked = [
        sorted(part.split(",")[0] for part in command[command.index("--no-deps") + 1 :]) for command in machine.asked
    ]
    assert [[name.rstrip("0123456789.<>=") for name in names] for names in asked] == [["peft", "trl"]]


@pytest.mark.parametrize(("found", "asked"), [("0.10.0", 1), ("0.16.0", 0), (None, 0)])
def test_torchao_that_peft_refuses_is_replaced_where_it_is(machine, found, asked):
    machine.found.update(peft="0.20.0", trl="1.12.0", torchao=found)
    colab.prepare()
    assert len(machine.asked) == asked and all(command[-1] == "torchao>=0.16" for command in machine.asked)


def test_nothing_is_installed_where_all_is_there(machine):
    machine.found.update(peft="0.20.0", trl="1.12.0")
    colab.prepare()
    assert machine.asked == []


def test_restart_is_asked_for_only_if_a_loaded_package_changed(machine, capsys):
    colab.prepare()
    assert "Restart" not in capsys.readouterr().out
    machine.patch.setattr(colab, "_is_loaded", lambda name: name in ("peft", "trl"))
    colab.prepare()
    assert "run the cells again: peft changed" in capsys.readouterr().out  # trl was not there before


@pytest.mark.parametrize(("gpu", "said"), [(True, 0), (False, 1)])
def test_runtime_without_a_gpu_is_told_of_one(machine, capsys, gpu, said):
    machine.patch.setattr(colab, "_has_gpu", lambda: gpu)
    colab.prepare()
    assert capsys.readouterr().out.count("This runtime has no GPU") == said


def test_pip_that_fails_is_quoted(machine):
    machine.patch.setattr(subprocess, "run", lambda *_, **__: SimpleNamespace(returncode=1, stderr="no route to host"))
    with pytest.raises(CourseError, match=r"could not install peft.*no route to host"):
        colab.prepare()


def test_colab_cell_imports_nothing_that_it_may_replace():
    code = (
        "import sys, helpers.course.colab; print(sorted({'torch', 'peft', 'transformers', 'trl'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_model_and_ratings_are_fetched_before_the_doctor_looks(machine, capsys):
    machine.patch.setattr(colab, "_has_gpu", lambda: True)
    colab.prepare()
    assert [line.split()[-1] for line in capsys.readouterr().out.splitlines()[1:]] == ["fetched", "looked"]


def test_fetching_runs_in_a_process_of_its_own_whose_lines_are_shown(monkeypatch, capsys):
    monkeypatch.setattr(colab.sys, "executable", "echo")
    colab._fetch()
    assert capsys.readouterr().out == "-m helpers fetch\n"


def test_doctor_wants_no_jupyterlab_where_colab_shows_the_lessons():
    wanted = {finding.text.split()[0] for finding in doctor.package_findings(colab.NOT_NEEDED)}
    assert {finding.text.split()[0] for finding in doctor.package_findings()} - wanted == {"jupyterlab"}


def test_doctor_of_a_course_without_requirements_looks_at_the_declared_ranges(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "REQUIREMENTS", tmp_path / "requirements.txt")
    found = list(doctor.package_findings())
    assert len(found) == len(doctor.declared_ranges()) and all(finding.ok for finding in found)
