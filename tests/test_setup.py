"""The files that set the course up agree with each other, and the set-up explains itself when it cannot go on."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from helpers import __main__ as commands
from helpers.course.doctor import pins
from helpers.download import CourseError

ROOT = Path(__file__).parents[1]
REQUIREMENTS = (ROOT / "requirements.txt").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text())
MAKEFILE = (ROOT / "Makefile").read_text()
TOOLS = ("sh", "awk", "cat", "cksum", "cut", "date", "df", "dirname", "du", "grep", "mkdir", "rm", "sleep", "tail")
RANGES = [Requirement(line) for line in PROJECT["dependencies"]]


def printed(*command: str, cwd: Path = ROOT, **environment: str) -> tuple[int, str]:
    """Run a command with nothing but `environment` around it; return its exit code and all that it printed."""
    result = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    return result.returncode, result.stdout + result.stderr


def test_environment_takes_every_package_from_requirements():
    assert ENVIRONMENT["dependencies"][-1] == {"pip": ["-r requirements.txt"]}


def test_environment_names_no_version_but_that_of_python():
    named = [line for line in ENVIRONMENT["dependencies"] if isinstance(line, str) and re.search("[0-9=<>]", line)]
    assert named == ["python=3.11"]


def test_environment_has_a_python_that_the_package_admits():
    admitted = Requirement(f"python{PROJECT['requires-python']}").specifier
    assert admitted.contains(ENVIRONMENT["dependencies"][0].removeprefix("python="))


def test_requirements_name_each_package_once():
    names = re.findall(r"^([\w-]+)==", REQUIREMENTS, flags=re.MULTILINE)
    assert sorted(names) == sorted(set(names)) and len(names) == len(pins(REQUIREMENTS))


@pytest.mark.parametrize("line", [line for line in REQUIREMENTS.splitlines() if line and line[0] not in "#-"])
def test_requirement_is_pinned_exactly_and_explained(line):
    assert re.fullmatch(r"[\w-]+==[\w.]+ +# \w.+", line)


@pytest.mark.parametrize("declared", RANGES, ids=lambda declared: declared.name)
def test_range_of_the_package_admits_the_pinned_version(declared):
    assert declared.specifier.contains(pins(REQUIREMENTS)[declared.name])


def test_each_package_that_helpers_import_is_declared():
    imported = set()
    for path in (ROOT / "helpers").rglob("*.py"):
        imported |= set(re.findall(r"^\s*(?:import|from) (\w+)[\w.]*(?: import| as|$)", path.read_text(), re.MULTILINE))
    declared = {declared.name.lower() for declared in RANGES} | {"packaging"}  # the doctor's, and transformers needs it
    assert {name.lower() for name in imported - sys.stdlib_module_names} - {"helpers"} <= declared


def test_make_alone_lists_each_target():
    code, text = printed("make", PATH="/usr/bin:/bin")
    targets = re.findall(r"^\.PHONY: (.+)$", MAKEFILE, flags=re.MULTILINE)[0].split()
    assert (code, re.findall(r"^make ([\w-]+) ", text, flags=re.MULTILINE)) == (0, targets)
    assert all(len(line) <= 120 for line in text.splitlines())


def test_each_target_of_a_rule_is_one_that_make_lists():
    rules = re.findall(r"^([\w -]+):$", MAKEFILE, flags=re.MULTILINE)
    listed = re.findall(r"^\.PHONY: (.+)$", MAKEFILE, flags=re.MULTILINE)[0].split()
    assert " ".join(rules).split() == listed


def test_each_target_that_make_hands_on_is_known_to_the_set_up():
    handed_on = re.findall(r"^([\w -]+):\n\t@sh \.setup\.sh \$@", MAKEFILE, flags=re.MULTILINE)
    known = re.findall(r"^    ([\w-]+)\)", (ROOT / ".setup.sh").read_text(), flags=re.MULTILINE)
    assert handed_on and set(" ".join(handed_on).split()) <= set(known)


def test_makefile_has_at_most_twelve_rules_of_at_most_three_lines():
    recipes = re.findall(r"^[\w -]+:.*\n((?:\t.*\n)+)", MAKEFILE, flags=re.MULTILINE)
    assert 0 < len(recipes) <= 12 and all(recipe.count("\n") <= 2 for recipe in recipes)


def test_layers_of_the_package_hold():
    code, text = printed(str(Path(sys.executable).with_name("lint-imports")), "--no-cache", PATH="/usr/bin:/bin")
    assert code == 0, text


def test_ci_runs_what_a_reader_would():
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == "make test"


@pytest.fixture
def clone(tmp_path) -> Path:
    """A folder with what set-up reads, and `bin`, which has the tools of any Unix but no Python."""
    for name in (".setup.sh", "Makefile", "requirements.txt"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool))
    return tmp_path


def script(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def test_set_up_says_that_no_python_was_found(clone):
    code, text = printed("sh", ".setup.sh", "quick", cwd=clone, PATH=str(clone / "bin"))
    assert code == 1 and text.startswith("No Python 3.11, 3.12 or 3.13") and text.count("\n") == 1


def test_set_up_runs_a_python_before_it_trusts_it(clone):
    script(clone / "bin", "python3.11", "echo 'pyenv: python3.11: command not found'; exit 127")
    code, text = printed("sh", ".setup.sh", "quick", cwd=clone, PATH=str(clone / "bin"))
    assert code == 1 and text.startswith("No Python 3.11, 3.12 or 3.13")


def test_set_up_says_before_it_starts_that_the_disk_is_full(clone):
    (clone / "bin" / "python3.11").symlink_to(sys.executable)
    (clone / "bin" / "df").unlink()
    script(clone / "bin", "df", "echo Filesystem; echo /dev/x 1000000 990000 10000 99% /")
    code, text = printed("sh", ".setup.sh", "quick", cwd=clone, PATH=str(clone / "bin"))
    assert code == 1 and "No disk space: 10 MB are free" in text and not (clone / ".venv").exists()


def test_set_up_lets_another_one_in_the_same_folder_finish(clone):
    builder = subprocess.check_output(["sh", "-c", "sleep 1 >/dev/null & echo $!"], text=True).strip()
    (clone / ".venv").mkdir()
    (clone / ".venv" / "builder").write_text(builder)
    _code, text = printed("sh", ".setup.sh", "quick", cwd=clone, PATH=str(clone / "bin"))
    said, then = text.splitlines()
    assert said.startswith(f"Process {builder} is making .venv; waiting") and then.startswith("No Python")


def test_command_prints_an_error_of_the_course_as_one_sentence(capsys, monkeypatch):
    def fail(argv):
        raise CourseError("No disk space. Free some.")

    monkeypatch.setattr(commands, "_run", fail)
    assert commands.main(["fetch"]) == 1
    assert capsys.readouterr().err == "No disk space. Free some.\n"
