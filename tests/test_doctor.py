"""What the doctor says of each thing it looks at, and its exit code."""

import argparse
import json
from pathlib import Path

import pytest

from helpers import device, model
from helpers.checks import isolation, sandbox
from helpers.course import doctor, measured
from helpers.course.doctor import Finding, package_finding, pins, python_finding, ratings_finding

RANGE = ">=5.0,<5.25"


def test_doctor_accepts_a_python_of_the_range():
    assert python_finding((3, 13, 2)).ok


@pytest.mark.parametrize("version", [(3, 10, 9), (3, 14, 0)])
def test_doctor_fails_a_python_outside_the_range(version):
    finding = python_finding(version)
    assert str(finding).startswith(f"[FAIL] Python 3.{version[1]}.{version[2]} (wanted: 3.11 to 3.13)")
    assert "Install a Python from 3.11 to 3.13" in finding.remedy


def test_doctor_shows_the_version_found_and_the_version_wanted():
    finding = package_finding("transformers", "5.15.0", "5.24.0", RANGE)
    assert str(finding) == "[OK]   transformers 5.15.0 (wanted: 5.24.0; runs with: >=5.0,<5.25)"


def test_doctor_takes_a_build_of_the_wanted_version_for_it():
    assert str(package_finding("torch", "2.13.0+cpu", "2.13.0", ">=2.11")) == "[OK]   torch 2.13.0+cpu (wanted: 2.13.0)"


def test_doctor_fails_a_version_outside_the_declared_range():
    finding = package_finding("transformers", "4.57.0", "5.24.0", RANGE)
    assert not finding.ok and "pip install -r requirements.txt" in finding.remedy


def test_doctor_fails_a_missing_package_that_the_lessons_need():
    finding = package_finding("peft", None, "0.21.2", ">=0.18")
    assert str(finding).startswith("[FAIL] peft is not installed (wanted: 0.21.2)\n       The lessons need it")


def test_doctor_lets_a_missing_tool_of_the_tests_pass():
    assert package_finding("nbval", None, "0.11.0", None).ok


@pytest.mark.parametrize(("installed", "ok"), [("here", True), ("", True), ("/elsewhere/helpers/__init__.py", False)])
def test_doctor_fails_where_another_copy_of_the_course_is_installed(monkeypatch, installed, ok):
    here = str(Path(doctor.__file__).parents[1] / "__init__.py")
    monkeypatch.setattr(sandbox, "installed_course", lambda: here if installed == "here" else installed)
    finding = doctor.course_finding()
    assert finding.ok is ok and ok != ("/elsewhere" in finding.text and "pip install --no-deps -e" in finding.remedy)


def test_doctor_reads_each_pin_of_a_requirements_file():
    assert pins("# title\ntorch==2.13.0   # tensors\n\n-e .\n") == {"torch": "2.13.0"}


def test_doctor_says_that_missing_ratings_are_fetched_with_a_command(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    finding = ratings_finding()
    assert not finding.ok and "python -m helpers fetch" in finding.remedy


def test_doctor_fails_a_model_file_that_was_changed(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    monkeypatch.delenv("COURSE_MODEL", raising=False)
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / model.SOURCE.filename).write_bytes(b"half of it")
    finding = doctor.model_finding()
    assert not finding.ok and "it has 10 bytes instead of 92,871,040" in finding.text


def test_doctor_names_the_precision_of_lessons_and_why():
    precision, reason = device.best_precision()
    assert f"lessons run in {precision}, because {reason}" in doctor.device_finding().text


def test_doctor_wants_the_memory_of_the_hungriest_lesson():
    lessons = json.loads(measured.RECORD.read_text()).values()
    peaks = [figures["peak_gib"] for kinds in lessons for kind, figures in kinds.items() if kind != "gpu"]
    assert max(peaks) * 2**30 <= doctor.MEMORY_GB * 1e9


@pytest.mark.parametrize(("oks", "code"), [([True, True], 0), ([True, False], 1)])
def test_doctor_exits_with_1_if_anything_failed(oks, code, monkeypatch):
    monkeypatch.setattr(doctor, "findings", lambda: [Finding(ok, "text", "do this") for ok in oks])
    assert doctor.run(argparse.Namespace()) == code


def test_doctor_gives_a_place_that_cannot_be_the_cache_a_sentence_and_goes_on(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "file"))
    failed = [finding.text for finding in doctor.findings() if "COURSE_CACHE" in finding.text]
    assert len(failed) == 3 and all("may not be written (File exists)" in text for text in failed)  # with the disk's


@pytest.mark.parametrize("fault", ["there is none here", ""])
def test_doctor_says_that_grading_needs_bubblewrap_and_fails_nobody(fault, monkeypatch):
    monkeypatch.setattr(isolation, "fault_of_isolation", lambda: fault)
    monkeypatch.setattr(doctor.sys, "platform", "linux")
    (finding,) = [one for one in doctor.findings() if "bubblewrap" in one.text]
    assert finding.ok and finding.text.endswith(f"only grading submissions needs: {fault or 'it works'}")


@pytest.mark.real
def test_doctor_finds_model_and_ratings_intact_after_set_up():
    assert doctor.model_finding().ok and ratings_finding().ok
