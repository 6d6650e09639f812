"""The notebooks stay nbgrader assignments: nbgrader itself, in an environment of its own, cuts and validates them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from helpers.course.notebook import BEGIN, grade_id

ROOT = Path(__file__).parents[1]
NBGRADER = Path(os.environ.get("NBGRADER", ROOT / ".venv" / "nbgrader" / "bin" / "nbgrader"))
SOLUTIONS = sorted((ROOT / "solutions").glob("*.ipynb"))

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not NBGRADER.exists(), reason=f"no {NBGRADER}; sh .setup.sh nbgrader makes it and runs this"),
]


def nbgrader(folder: Path, *arguments: str) -> str:
    """Run it where notebooks execute in *this* Python, which has the course; return all that it printed."""
    kernel = folder / "jupyter" / "kernels" / "python3"
    kernel.mkdir(parents=True, exist_ok=True)
    spec = {"argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"], "display_name": "Python 3"}
    (kernel / "kernel.json").write_text(json.dumps({**spec, "language": "python"}))
    around = {"JUPYTER_PATH": str(folder / "jupyter"), "JUPYTER_CONFIG_DIR": str(folder / "config")}
    around = {**os.environ, **around, "PATH": f"{NBGRADER.parent}{os.pathsep}{os.environ['PATH']}"}  # it calls alembic
    result = subprocess.run([NBGRADER, *arguments], cwd=folder, env=around, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout + result.stderr


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """The folder of an nbgrader course with all solutions as one assignment, released."""
    course = tmp_path_factory.mktemp("course")
    (course / "source" / "all").mkdir(parents=True)
    for path in SOLUTIONS:
        shutil.copy(path, course / "source" / "all")
    nbgrader(course, "generate_assignment", "all", "--create", f"--CourseDirectory.root={course}")
    return course / "release" / "all"


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_nbgrader_releases_every_notebook_without_its_solutions(released, path):
    solved, handed_out = (nbformat.read(place, as_version=4) for place in (path, released / path.name))
    answers = {grade_id(cell): cell.source for cell in solved.cells if BEGIN in cell.source}
    cut = {grade_id(cell): cell.source for cell in handed_out.cells if grade_id(cell) in answers}
    assert answers and cut.keys() == answers.keys()
    assert all(BEGIN not in source and "raise NotImplementedError" in source for source in cut.values())
    assert all(len(cut[name].splitlines()) < len(answers[name].splitlines()) for name in cut)


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_nbgrader_validates_every_solution(tmp_path, path):
    shutil.copy(path, tmp_path)
    said = nbgrader(tmp_path, "validate", path.name, "--ExecutePreprocessor.timeout=600")
    assert "Success! Your notebook passes all the tests." in said


def test_nbgrader_does_not_validate_an_exercise_that_nobody_has_solved(tmp_path):
    path = sorted((ROOT / "exercises").glob("*.ipynb"))[0]
    shutil.copy(path, tmp_path)
    assert "VALIDATION FAILED" in nbgrader(tmp_path, "validate", path.name, "--ExecutePreprocessor.timeout=600").upper()
