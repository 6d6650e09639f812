"""Every lesson as Colab would run it, as far as that can be known without Colab: python tests/colab.py [NUMBER …]

Python 3.13 with the versions that Colab brings; a notebook alone in an empty folder, in a home of its own, with a badge
whose install cell fetches the course from a local repository; first that cell runs, then the lesson. A restart is done
if the cell asks for one. Ends with a table, and with 1 if a lesson failed.

What cannot be simulated, and is printed at the end:
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import environments
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from helpers.course import badges, measured
from helpers.course import notebook as notebooks
from helpers.download import CourseError

NOT_SIMULATED = (
    "Colab's image: about 700 packages, of which here are those that the course or its libraries look for.",
    "CUDA: no GPU here, and torch may be another build than Colab's +cu128. See make test-gpu.",
    "Replacing a package: here a newer version stands in front of Colab's, there it takes its place.",
    "GitHub: the badge's link, and fetching from there; here the same cell fetches by file://.",
    "The page: how outputs, progress bars and widgets look, and the menu Runtime.",
    "Drive, and being cut off by Colab: tests/test_cut_off.py kills a kernel instead, with a local folder.",
    "The limit of 12.7 GiB of memory, and the speed of Colab's two cores; the table has peak and minutes here.",
)
__doc__ += "\n".join(f"- {sentence}" for sentence in NOT_SIMULATED)

PYTHON = "3.13"
BROUGHT = {  # what the course asks for and Colab has
    "torch": "2.11.0",
    "transformers": "5.15.0",
    "peft": "0.20.0",
    "accelerate": "1.14.0",
    "datasets": "4.0.0",
    "pyarrow": "18.1.0",
    "numpy": "2.1.3",
    "IPython": "7.34.0",
    "ipykernel": "6.17.1",
    "ipywidgets": "7.7.1",
    # From here on as in the list that Colab published in February 2026 (github.com/googlecolab/backend-info)
    "notebook": "6.5.7",
    "jupyter_client": "7.4.9",
    "traitlets": "5.7.1",
    "psutil": "5.9.5",
    "matplotlib": "3.10.0",
    "tqdm": "4.67.3",
    "safetensors": "0.8.0",  # transformers 5.15 asks for it
    "nbformat": "5.10.4",
    "nbclient": "0.10.4",
    "packaging": "26.0",
    "setuptools": "75.2.0",
    "torchao": "0.10.0",  # peft and transformers look for these two, and do other things where they are
    "wandb": "0.25.0",
}
ABSENT = ("trl", "bitsandbytes", "gguf", "vaderSentiment", "jupyterlab", "nbval")
REPOSITORY, TAG = "someone/course", "v1"
LAUNCHER = "import google.colab\nfrom ipykernel.kernelapp import launch_new_instance\nlaunch_new_instance()\n"
TAKEN_OFF = ("PYTHONPATH", "VIRTUAL_ENV", "COURSE_CACHE", "COURSE_MODEL", "RUN_FOLDER", "BUDGET_GIB", "HF_HUB_OFFLINE")


def base_python() -> Path:
    """The Python of an environment with what Colab brings, and without what it lacks."""
    requirements = [f"{name}=={version}" for name, version in BROUGHT.items()]
    python = environments.made("colab", environments.find_python(PYTHON), requirements, apart=())
    present = [
        name for name, version in environments.versions_in(python, [*ABSENT]).items() if name in ABSENT and version
    ]
    if present:
        raise CourseError(f"{', '.join(present)} came with another package, and Colab lacks it. Look at BROUGHT.")
    return python


def course_repository(folder: Path) -> Path:
    """A git repository with this checkout as it is now, changes that are not committed included, under the tag."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.check_output(listed, cwd=environments.ROOT, text=True).split("\0"):
        if (environments.ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(environments.ROOT / name, folder / name)
    author = ["-c", "user.name=course", "-c", "user.email=course@localhost"]
    for command in (["init", "-q"], ["add", "--all"], [*author, "commit", "-q", "-m", "as it is"], ["tag", TAG]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


def fresh_machine(folder: Path, base: Path) -> Path:
    """The Python of an environment that sees what `base` has, installs beside it, and starts kernels as Colab does."""
    subprocess.run([str(base), "-m", "venv", str(folder)], check=True)
    own, brought = (next((place / "lib").glob("python3.*")) / "site-packages" for place in (folder, base.parents[1]))
    (own / "brought.pth").write_text(f"{brought}\n")
    (own / "google" / "colab").mkdir(parents=True)  # "google" has no __init__.py, for other packages lie in it, too
    (own / "google" / "colab" / "__init__.py").touch()
    (own / "colab_kernel_launcher.py").write_text(LAUNCHER)
    return folder / "bin" / "python"


def with_install_cell(lesson: Path, repository: Path) -> NotebookNode:
    """A lesson with its badge; the cell that installs takes the course from a repository on this disk."""
    notebook = badges.with_badge(notebooks.read(lesson), REPOSITORY, TAG, f"notebooks/{lesson.name}")
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    install = next(cell for cell in notebook.cells if cell.get("id") == badges.INSTALL)
    from_github = f"git+https://github.com/{REPOSITORY}@"
    if from_github not in install.source:
        raise CourseError(f"The install cell no longer fetches from {from_github}…; mend tests/colab.py.")
    install.source = install.source.replace(from_github, f"git+{repository.as_uri()}@")
    return notebook


def run_cells(notebook: NotebookNode, python: Path, home: Path, may_restart: bool = True) -> None:
    """Execute a notebook from top to bottom; once more, in a new kernel, if its install cell asks for a restart."""
    content = str(home / "content")
    where = {"metadata": {"path": content}}
    client = NotebookClient(notebook, timeout=1800, startup_timeout=300, coalesce_streams=True, resources=where)
    kernel = [str(python), "-m", "colab_kernel_launcher", "-f", "{connection_file}", "--log-level=ERROR"]
    client.create_kernel_manager().kernel_spec.argv = kernel
    kept = {name: value for name, value in os.environ.items() if name not in TAKEN_OFF}
    pip_cache = subprocess.check_output([str(python), "-m", "pip", "cache", "dir"], text=True).strip()
    machine = {"HOME": str(home), "PATH": f"{python.parent}:{kept['PATH']}", "PIP_CACHE_DIR": pip_cache}
    machine["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # a debugger would print a warning of four lines
    with client.setup_kernel(env=kept | machine):
        for number, cell in enumerate(notebook.cells):
            print(f"\r  cell {number + 1} of {len(notebook.cells)}", end="", flush=True)
            client.execute_cell(cell, number)
            if cell.get("id") == badges.INSTALL:
                print("\r" + printed_by(cell), flush=True)
                if may_restart and "Restart the session" in printed_by(cell):
                    break
        else:
            return
    print("  (restarted, as it asks)")
    run_cells(notebook, python, home, may_restart=False)


def printed_by(cell: NotebookNode) -> str:
    return "".join(f"  | {line}\n" for output in cell.outputs for line in output.get("text", "").splitlines()).rstrip()


def run_lesson(lesson: Path, room: Path, base: Path, repository: Path) -> dict[str, str]:
    """Run one lesson on a fresh machine, and say what that took."""
    print(f"\n== {lesson.stem}", flush=True)
    home = room / lesson.stem
    (home / "content").mkdir(parents=True)
    notebook = with_install_cell(lesson, repository)
    fault, figures = "", SimpleNamespace(seconds=0, peak_bytes=0)
    try:
        python = fresh_machine(home / "machine", base)
        shutil.copy(lesson, home / "content")
        with measured.measured() as figures:
            run_cells(notebook, python, home)
    except CellExecutionError as error:
        fault = f"{error.ename}: {error.evalue}".splitlines()[0]
    except (CellTimeoutError, DeadKernelError) as error:
        fault = type(error).__name__
    if fault:
        codes = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.execution_count]
        fault = f"FAILED in the cell that begins {codes[-1].source.splitlines()[0]!r}: {fault}"
        print(f"\n  {fault}", flush=True)
    shutil.rmtree(home)
    minutes, peak = f"{figures.seconds / 60:.1f}", f"{figures.peak_bytes / 2**30:.1f}"
    return {"lesson": lesson.stem, "minutes": minutes, "peak, GiB": peak, "": fault or "ran"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("numbers", nargs="*", metavar="NUMBER", help="of lessons, such as 0 3; default: all")
    args = parser.parse_args()
    lessons = sorted((environments.ROOT / "notebooks").glob("[0-9]_*.ipynb"))
    chosen = [lesson for lesson in lessons if not args.numbers or lesson.name[0] in args.numbers]
    try:
        base = base_python()
    except CourseError as error:
        print(error, file=sys.stderr)
        return 1
    found = environments.versions_in(base, list(BROUGHT))
    print("Colab, simulated:", ", ".join(f"{name} {version}" for name, version in found.items()))
    with tempfile.TemporaryDirectory(prefix="colab-") as room:
        repository = course_repository(Path(room) / "repository")
        rows = [run_lesson(lesson, Path(room), base, repository) for lesson in chosen]
    print("\nWith installing, fetching and converting the model, each on a fresh machine:")
    print(environments.table(rows))
    print("\nNot simulated:\n" + "\n".join(f"- {sentence}" for sentence in NOT_SIMULATED))
    return int(any(row[""] != "ran" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
