"""Notebook files of the course: read, cleaned to what is the same on every machine, written in one step."""

import os
import tempfile
from pathlib import Path

import nbformat
from nbformat import NotebookNode

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
_KEPT = ("nbgrader", "tags")  # of a cell's metadata


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def grade_id(cell: NotebookNode) -> str:
    """The stable name of an exercise's cell, '' for any other cell."""
    return cell.metadata.get("nbgrader", {}).get("grade_id", "")


def clean(notebook: NotebookNode) -> NotebookNode:
    """Take off the metadata that a machine or an editor leaves: versions, times, how a cell was folded."""
    notebook.metadata = NotebookNode(kernelspec=NotebookNode(_KERNEL))
    for cell in notebook.cells:
        cell.metadata = NotebookNode({name: cell.metadata[name] for name in _KEPT if name in cell.metadata})
    return notebook


def write(notebook: NotebookNode, path: Path) -> None:
    """Write the file aside and put it in place, so that an interrupted run leaves the old one whole."""
    write_text(nbformat.writes(notebook, version=4) + "\n", path)


def write_text(text: str, path: Path) -> None:
    """Write text in one step, with the line ends it has."""
    descriptor, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        os.chmod(aside, 0o644)
        os.replace(aside, path)
    except BaseException:
        os.unlink(aside)
        raise
