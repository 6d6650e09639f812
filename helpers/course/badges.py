"""`python -m helpers badges OWNER/REPO[@TAG]`: let every notebook be opened on Colab, from a fork of the course."""

import argparse
import re
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from helpers.course import notebook as notebooks
from helpers.download import CourseError

ROOT = Path(__file__).parents[2]
BADGE, INSTALL = "colab-badge", "colab-install"  # ids of the cells that are written
_ADDRESS = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+?)(@(?P<tag>[\w./-]+))?")
_HANDED_OUT = {"notebooks": "notebooks", "exercises": "exercises", "solutions": "exercises"}  # where a badge leads

INSTALL_CELL = """\
import sys
if "google.colab" in sys.modules:  # on Colab only: bring the course, and what it needs and Colab lacks
    !pip install --quiet --no-deps "git+https://github.com/{repo}@{tag}"
    from helpers.course.colab import prepare
    prepare()"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "address", nargs="?", metavar="OWNER/REPO[@TAG]", help="of your fork; none: take the badges off"
    )
    parser.add_argument("--course", type=Path, default=ROOT, metavar="FOLDER", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    repo, tag = parsed(args.address) if args.address else (None, None)
    for folder, target in _HANDED_OUT.items():
        for path in sorted((args.course / folder).glob("*.ipynb")):
            notebook = without_badge(notebooks.read(path))
            if repo:
                notebook = with_badge(notebook, repo, tag, f"{target}/{path.name}")
            notebooks.write(notebook, path)
    said = (
        f"Every notebook opens on Colab from {repo} at {tag}, once you have committed and pushed this, with that tag."
    )
    print(said if repo else "The badges are off.")
    return 0


def parsed(address: str) -> tuple[str, str]:
    """The repository and the tag (or branch) of an address; "main" where it names none.

    Raises:
        CourseError: it is no address.
    """
    found = _ADDRESS.fullmatch(address)
    if not found:
        raise CourseError(f"{address!r} is no address. Write OWNER/REPO or OWNER/REPO@TAG, as in jane/rlhf@v1.")
    return found["repo"], found["tag"] or "main"


def with_badge(notebook: NotebookNode, repo: str, tag: str, path: str) -> NotebookNode:
    """The notebook with a badge at its top and the install cell before its first code cell."""
    link = f"https://colab.research.google.com/github/{repo}/blob/{tag}/{path}"
    image = "https://colab.research.google.com/assets/colab-badge.svg"
    badge, install = (
        new_markdown_cell(f"[![Open in Colab]({image})]({link})"),
        new_code_cell(INSTALL_CELL.format(repo=repo, tag=tag)),
    )
    badge.id, install.id = BADGE, INSTALL
    first = next((place for place, cell in enumerate(notebook.cells) if cell.cell_type == "code"), 0)
    notebook.cells = [badge, *notebook.cells[:first], install, *notebook.cells[first:]]
    return _counted(notebook)


def without_badge(notebook: NotebookNode) -> NotebookNode:
    """The notebook as it was before."""
    notebook.cells = [cell for cell in notebook.cells if cell.get("id") not in (BADGE, INSTALL)]
    return _counted(notebook)


def _counted(notebook: NotebookNode) -> NotebookNode:
    """Count the cells of an executed notebook anew; the install cell does nothing off Colab, and has no output."""
    codes = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if any(cell.execution_count for cell in codes):
        for count, cell in enumerate(codes, start=1):
            cell.execution_count = count
            for output in cell.outputs:
                if output.output_type == "execute_result":
                    output.execution_count = count
    return notebook
