"""Virtual environments beside .venv, one for each set of versions, and the tests that run in them.

An environment is `.venv-NAME/`. It is made once: one that holds just what is asked for is used again, one that was
interrupted is made anew.
"""

import os
import shutil
import subprocess
import tempfile
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from packaging.requirements import Requirement

from helpers.course.doctor import pins
from helpers.download import CourseError

ROOT = Path(__file__).parents[1]
COURSE = ("--editable", str(ROOT))  # the course itself, from this folder
FINISHED = "finished.txt"  # in an environment that is whole
QUICK, REAL = "not real", "real"  # pytest's -m


@dataclass
class Outcome:
    """How a run of pytest ended."""

    passed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    failed: dict[str, str] = field(default_factory=dict)  # the first line of the reason, by the name of the test


def declared() -> list[Requirement]:
    """What pyproject.toml says that the course needs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [Requirement(line) for line in project["dependencies"]]


def pinned() -> dict[str, str]:
    """The version of each package of requirements.txt, by its name."""
    return pins((ROOT / "requirements.txt").read_text(encoding="utf-8"))


def find_python(version: str) -> str:
    """The Python on the PATH that answers to be this version: a version manager's shim can be there and only fail.

    Raises:
        CourseError: there is none.
    """
    found = shutil.which(f"python{version}")
    if not found or subprocess.run([found, "-c", "import ensurepip"], capture_output=True).returncode:
        raise CourseError(f"no python{version} on the PATH that runs and can make an environment")
    return found


def made(name: str, python: str, requirements: list[str], apart: tuple[str, ...] = COURSE) -> Path:
    """The Python of `.venv-NAME`, which holds these requirements.

    Args:
        name: of the environment.
        python: what to make it with.
        requirements: lines as pip reads them; they and what they need are installed.
        apart: what to install after them, without what it needs, as arguments of pip.

    Raises:
        CourseError: pip could not install them.
    """
    folder = ROOT / f".venv-{name}"
    text = "\n".join([*sorted(requirements), f"# made with {python}; then without dependencies: {' '.join(apart)}", ""])
    finished = folder / FINISHED
    if not finished.exists() or finished.read_text() != text:
        print(f"Making {folder.name} with {python}: minutes, for torch may be several GB.", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([python, "-m", "venv", str(folder)], check=True)
        wanted = folder / "wanted.txt"
        wanted.write_text(text)
        _pip(folder, "--requirement", str(wanted))
        wanted.rename(finished)
    if apart:
        _pip(folder, "--no-deps", *apart)  # each time, for what the course declares may have changed
    return folder / "bin" / "python"


def versions_in(python: Path, names: list[str]) -> dict[str, str]:
    """The installed version of each package, '' where it is absent; `Python` is the first."""
    code = (
        "import platform, sys; from importlib.metadata import version, PackageNotFoundError\n"
        "print(platform.python_version())\n"
        "for name in sys.argv[1:]:\n"
        "    try: print(version(name))\n"
        "    except PackageNotFoundError: print()\n"
    )
    lines = subprocess.check_output([str(python), "-c", code, *names], text=True).splitlines()
    return dict(zip(["Python", *names], lines, strict=True))


def run_tests(python: Path, marked: str) -> Outcome:
    """Run the tests that are marked so, and show what pytest prints.

    Raises:
        CourseError: pytest did not come as far as running them.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", "-m", marked]
        command += ["--timeout=120", "-n", "2", "--dist", "loadfile"] if marked == QUICK else ["--timeout=600"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"} if marked == QUICK else None
        subprocess.run([*command, "tests"], cwd=ROOT, env=environment)
        if not report.exists():
            raise CourseError("pytest ended before it had run the tests; what it printed stands above.")
        return outcome_of(report)


def outcome_of(report: Path) -> Outcome:
    """Read the report that pytest wrote."""
    suite = ElementTree.parse(report).getroot().find("testsuite")
    found = Outcome(seconds=float(suite.get("time")))
    for case in suite.iter("testcase"):
        faults = [*case.iter("failure"), *case.iter("error")]
        if faults:
            name = f"{case.get('classname').rpartition('.')[2]}::{case.get('name')}"
            found.failed[name] = (faults[0].get("message") or "no reason given").splitlines()[0]
        elif case.find("skipped") is not None:
            found.skipped += 1
        else:
            found.passed += 1
    return found


def table(rows: list[dict[str, str]]) -> str:
    """The rows in columns, under their names."""
    names = list(rows[0])
    cells = [names] + [[str(row[name]) for name in names] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(names))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)


def _pip(folder: Path, *arguments: str) -> None:
    command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-compile"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True)
    if done.returncode:
        reasons = [line for line in (done.stdout + done.stderr).splitlines() if line and "WARNING" not in line][-12:]
        raise CourseError(f"pip could not fill {folder.name}:\n  " + "\n  ".join(reasons))
