"""What the first cell of a notebook does on Colab: install what is missing or too old, and leave the rest alone.

Colab brings torch, transformers and Jupyter in versions that belong together. Letting pip resolve the course's
requirements would replace some that are already loaded; `--no-deps` of just what is missing replaces nothing.
"""

import importlib.metadata
import os
import subprocess
import sys

from helpers.course import doctor
from helpers.download import CourseError

LEFT_ALONE = ("torch", "numpy", "jupyterlab", "ipykernel", "ipywidgets", "nbformat", "nbclient", "setuptools")
REFUSED_IF_OLDER = ("torchao>=0.16",)  # the course has no use for it, but where an old one is, peft refuses to work
NOT_NEEDED = ("jupyterlab",)  # Colab is where its lessons are read


def prepare() -> None:
    """Install, fetch model and ratings, say what changed, and end with the doctor's lines.

    Raises:
        CourseError: pip could not install a package.
    """
    needed = missing_or_old()
    before = {name: doctor.found_version(name) for name in needed}
    if needed:
        print(f"Installing {', '.join(needed.values())}, without what they depend on.", flush=True)
        _install(list(needed.values()))
    replaced = [name for name, version in before.items() if version is not None and _is_loaded(name)]
    _fetch()
    for finding in doctor.findings(unneeded=NOT_NEEDED):
        print(finding, flush=True)
    if replaced:
        print(
            f"\nRestart the session (Runtime > Restart session) and run the cells again: {', '.join(replaced)} changed."
        )
    elif not _has_gpu():
        print("\nThis runtime has no GPU. Runtime > Change runtime type > T4 GPU is free, and many times faster.")


def missing_or_old() -> dict[str, str]:
    """The requirement of each package that is missing, or older than the oldest version that ran, by its name.

    Of those that the course does not need itself, only what is there and would be refused.

    One that is newer than all that ran is left: what pip would put in its place may not suit the rest of Colab.
    """
    from packaging.requirements import Requirement

    needed = {}
    for line in importlib.metadata.requires(doctor.DISTRIBUTION) or ():
        requirement = Requirement(line)
        found = doctor.found_version(requirement.name)
        if requirement.name not in LEFT_ALONE and (found is None or _is_older(found, requirement.specifier)):
            needed[requirement.name] = str(requirement)
    for requirement in map(Requirement, REFUSED_IF_OLDER):
        found = doctor.found_version(requirement.name)
        if found is not None and _is_older(found, requirement.specifier):
            needed[requirement.name] = str(requirement)
    return needed


def _is_older(found: str, specifier) -> bool:
    from packaging.version import Version

    oldest = [Version(part.version) for part in specifier if part.operator in (">=", "==")]
    return any(Version(found) < version for version in oldest)


def _install(requirements: list[str]) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", *requirements]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise CourseError(f"pip could not install {', '.join(requirements)}: {done.stderr.strip()[-500:]}")


def _fetch() -> None:
    """In a process of its own: this one may hold packages that were just replaced. What fails, the doctor names."""
    command = [sys.executable, "-m", "helpers", "fetch"]
    quiet = {**os.environ, "TQDM_DISABLE": "1"}  # a bar is drawn anew in each line
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=quiet, text=True) as process:
        for line in process.stdout:  # a notebook shows what is printed here, not what a process writes by itself
            print(line, end="", flush=True)


def _is_loaded(name: str) -> bool:
    return name.replace("-", "_") in sys.modules


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()
