"""`python -m helpers doctor`: what is right and what is wrong with this installation, and what to do about it."""

import argparse
import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from helpers.download import CourseError, cache_folder, damage_of, damage_of_folder

DISTRIBUTION = "rlhf-on-a-budget"
REQUIREMENTS = Path(__file__).parents[2] / "requirements.txt"
PYTHONS = ((3, 11), (3, 13))
MEMORY_GB = 6  # lesson 0 peaks at 5.0 GiB, which is 5.4 GB
DISK_GB = 1  # model in two forms, ratings, and one training run
INSTALL = "run `pip install -r requirements.txt` (or make lab)"
FETCH = "run `python -m helpers fetch` (or make lab)"


@dataclass(frozen=True)
class Finding:
    """One line of the report, and what to do where it fails."""

    ok: bool
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"[OK]   {self.text}" if self.ok else f"[FAIL] {self.text}\n       {self.remedy}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare no options: the doctor looks at everything."""


def run(args: argparse.Namespace) -> int:
    """Print a line for each thing looked at; return 1 if any of them failed."""
    failed = 0
    for finding in findings():
        print(finding, flush=True)
        failed += not finding.ok
    print(f"{failed} to put right." if failed else "All is well.")
    return 1 if failed else 0


def findings(unneeded: tuple[str, ...] = ()) -> Iterator[Finding]:
    """Look at everything, cheap things first, one at a time, so that the reader sees it going on.

    Args:
        unneeded: packages that this place does without.
    """
    yield python_finding(sys.version_info[:3])
    yield from package_findings(unneeded)
    looks = [course_finding, device_finding, model_finding, ratings_finding, memory_finding, disk_finding]
    if sys.platform == "linux":  # elsewhere nothing of the kind can be had
        looks.append(isolation_finding)
    for look in looks:
        try:
            yield look()
        except CourseError as error:
            yield Finding(False, str(error), "Put that right, then run this again.")
        except ImportError as error:
            what = look.__name__.removesuffix("_finding")
            yield Finding(False, f"{what}: {error}", f"A package is missing or broken: {INSTALL}")


def python_finding(version: tuple[int, ...]) -> Finding:
    """Say whether this Python is one that the course runs on."""
    oldest, newest = (".".join(map(str, python)) for python in PYTHONS)
    text = f"Python {'.'.join(map(str, version))} (wanted: {oldest} to {newest}), {sys.executable}"
    ok = PYTHONS[0] <= tuple(version[:2]) <= PYTHONS[1]
    return Finding(ok, text, f"Install a Python from {oldest} to {newest} and make a new environment with it.")


def package_findings(unneeded: tuple[str, ...] = ()) -> Iterator[Finding]:
    """Look at each package of requirements.txt; where the course came without it (Colab), at those it declares."""
    ranges = declared_ranges()
    wanted_versions = pins(REQUIREMENTS.read_text()) if REQUIREMENTS.exists() else ranges
    for name, wanted in wanted_versions.items():
        if name in unneeded:
            continue
        yield package_finding(name, found_version(name), wanted, ranges.get(name.lower()))


def package_finding(name: str, found: str | None, wanted: str, declared: str | None) -> Finding:
    """Judge one package.

    Args:
        name: as requirements.txt spells it.
        found: the installed version, None where it is not installed.
        wanted: the version that the tests ran with.
        declared: the range of versions that the course runs with; None for a tool that only the tests need.
    """
    from packaging.specifiers import SpecifierSet

    if found is None:
        text = f"{name} is not installed (wanted: {wanted}){'' if declared else '; only make test needs it'}"
        return Finding(not declared, text, f"The lessons need it: {INSTALL}")
    if found.partition("+")[0] == wanted:  # what follows a + names the build, such as torch's +cpu
        return Finding(True, f"{name} {found} (wanted: {wanted})")
    text = f"{name} {found} (wanted: {wanted}; runs with: {declared or 'any'})"
    return Finding(SpecifierSet(declared or "").contains(found, prereleases=True), text, f"To get {wanted}, {INSTALL}")


def pins(requirements: str) -> dict[str, str]:
    """Return the exact version of each package that a requirements file pins."""
    lines = (line.partition("#")[0].strip() for line in requirements.splitlines())
    return dict(line.split("==") for line in lines if "==" in line)


def declared_ranges() -> dict[str, str]:
    """Return the range of versions of each package, by its name in lower case, that pyproject.toml declares."""
    from packaging.requirements import Requirement

    requirements = (Requirement(line) for line in importlib.metadata.requires(DISTRIBUTION) or ())
    return {requirement.name.lower(): str(requirement.specifier) for requirement in requirements}


def found_version(name: str) -> str | None:
    """Return the version of an installed package, None where there is none."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def course_finding() -> Finding:
    """Say which copy of the course is installed: answers that are graded run on that one."""
    from helpers.checks.sandbox import installed_course

    here, installed = Path(__file__).resolve().parents[1], installed_course()
    text = f"the course at {here.parent}" + ("" if installed else ", not installed: start from its folder")
    if installed in ("", str(here / "__init__.py")):
        return Finding(True, text)
    other = Path(installed).parents[1]
    text += f", while the installed one is at {other}"
    return Finding(False, text, f"Install this one: `{sys.executable} -m pip install --no-deps -e {here.parent}`.")


def isolation_finding() -> Finding:
    """Say whether submissions can be graded here; for a learner it is no failure if they cannot."""
    from helpers.checks.isolation import fault_of_isolation

    fault = fault_of_isolation()
    return Finding(True, f"bubblewrap, which only grading submissions needs: {fault or 'it works'}")


def device_finding() -> Finding:
    """Name the device, whether it has native bfloat16, the precision that follows, and why."""
    import torch

    from helpers.device import best_precision, default_device

    device = default_device()
    name = torch.cuda.get_device_name() if device == "cuda" else platform.processor() or platform.machine()
    precision, reason = best_precision()
    unused = "; Apple's MPS is there, but bitsandbytes has no 8-bit for it" if torch.backends.mps.is_available() else ""
    return Finding(True, f"device {device} ({name}){unused}; lessons run in {precision}, because {reason}")


def model_finding() -> Finding:
    """Hash the downloaded model file and both converted forms."""
    from helpers import model

    folder = cache_folder() / "models" / model.model_key()
    name = model.model_name()
    if os.environ.get("COURSE_MODEL"):
        return Finding(True, f"model {name}, from COURSE_MODEL, is at {model.model_folder('bf16')}")
    path = cache_folder() / "downloads" / model.SOURCE.filename
    damages = (damage_of(path, model.SOURCE), damage_of_folder(folder / "bf16"), damage_of_folder(folder / "8bit"))
    damage = next((damage for damage in damages if damage), None)
    text = f"model {name}: {damage or 'file and both converted forms are as they were made (SHA-256)'}; {folder}"
    return Finding(damage is None, text, f"To get it, {FETCH}")


def ratings_finding() -> Finding:
    """Hash the downloaded ratings."""
    from helpers import feedback

    path = cache_folder() / "downloads" / feedback.SOURCE.filename
    damage = damage_of(path, feedback.SOURCE)
    return Finding(damage is None, f"ratings: {damage or 'intact (SHA-256)'}; {path}", f"To get them, {FETCH}")


def memory_finding() -> Finding:
    """Say how much memory is free."""
    import psutil

    free_gb = psutil.virtual_memory().available / 1e9
    remedy = "Close other programs, or shut down notebooks that still run."
    return Finding(free_gb >= MEMORY_GB, f"{free_gb:.1f} GB of memory free (wanted: {MEMORY_GB})", remedy)


def disk_finding() -> Finding:
    """Say how much disk is free where the cache is."""
    free_gb = shutil.disk_usage(cache_folder()).free / 1e9
    remedy = "Free some, or set COURSE_CACHE to a folder on another disk."
    return Finding(free_gb >= DISK_GB, f"{free_gb:.1f} GB of disk free in {cache_folder()} (wanted: {DISK_GB})", remedy)
