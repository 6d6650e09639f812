"""`python -m helpers lessons [FILES]`: execute lessons and solutions from top to bottom and store their outputs."""

import argparse
import base64
import os
import re
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from helpers.course import measured
from helpers.course import notebook as notebooks


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="default: all of notebooks/ and solutions/")
    parser.add_argument("--measure", action="store_true", help="record time and memory, change no notebook")
    parser.add_argument("--seconds", type=int, default=1200, help="limit for one cell (default: 1200)")


def run(args: argparse.Namespace) -> int:
    """Store each notebook that ran cleanly; name the cell of each that did not, leave it as it was, and go on."""
    files = args.files or sorted(Path("notebooks").glob("*.ipynb")) + sorted(Path("solutions").glob("*.ipynb"))
    refused = 0
    for file in files:
        try:
            notebook, figures = executed(file, args.seconds)
            refuse_unclean(notebook)
        except (ValueError, OSError) as error:
            print(f"\n{file} was not stored. {error}", file=sys.stderr)
            refused += 1
            continue
        if not args.measure:
            notebooks.write(notebook, file)
            store_pictures(notebook, file.parent / "images")
        measured.store(file, figures)
        done = "measured" if args.measure else "stored"
        print(f"\r{file}: {done}, {figures.seconds:.0f} s, {figures.peak_bytes / 2**30:.1f} GiB" + " " * 20)
    return 1 if refused else 0


def executed(file: Path, seconds: int) -> tuple[NotebookNode, SimpleNamespace]:
    """The notebook, executed in its own folder by this Python, cleaned, and what that took.

    Raises:
        ValueError: a cell raised an error, ran too long or ended the kernel.
    """
    notebook = notebooks.clean(notebooks.read(file))
    codes = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in codes:
        cell.outputs, cell.execution_count = [], None

    def show(cell, cell_index, **_):
        print(f"\r{file}: cell {cell_index + 1} of {len(notebook.cells)}", end="", flush=True)

    client = NotebookClient(
        notebook,
        timeout=seconds,
        resources={"metadata": {"path": str(file.parent)}},
        record_timing=False,
        coalesce_streams=True,  # how a print is cut into messages is chance
        on_cell_start=show,
    )
    _use_this_python(client)
    try:
        with measured.measured() as figures:
            client.execute(env={**os.environ, "TQDM_DISABLE": "1"})  # a bar would be stored as an error's red text
    except CellExecutionError as error:
        raise ValueError(f"Cell {_number_of_failed(notebook)}: {error.ename}: {error.evalue}") from None
    except (CellTimeoutError, DeadKernelError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None
    return notebooks.clean(notebook), figures


def store_pictures(notebook: NotebookNode, folder: Path) -> None:
    """Write the picture of each cell tagged `picture:NAME` to NAME.png in `folder`, for README.md to show."""
    for cell in notebook.cells:
        names = [tag.removeprefix("picture:") for tag in cell.metadata.get("tags", []) if tag.startswith("picture:")]
        for name, output in zip(names, cell.get("outputs", []), strict=False):
            folder.mkdir(exist_ok=True)
            (folder / f"{name}.png").write_bytes(base64.b64decode(output.data["image/png"]))


def refuse_unclean(notebook: NotebookNode) -> None:
    """Refuse outputs that would differ elsewhere, or that a reader would take for a fault.

    Raises:
        ValueError: names the cell and what it shows.
    """
    for number, cell in enumerate(notebook.cells, start=1):
        for output in cell.get("outputs", []):
            fault = fault_of(output)
            if fault:
                raise ValueError(f"Cell {number} shows {fault}")


def fault_of(output: NotebookNode) -> str:
    """What must not be stored in this output, '' if nothing."""
    if output.output_type == "error":
        return f"an error: {output.ename}: {output.evalue}"
    text = _text(output)
    if output.get("name") == "stderr":
        return f"stderr: {text[:200]}"
    for path in machine_paths():
        if re.search(re.escape(path) + r"(?![\w-])", text):
            return f"a path of this machine: {path}"
    found = re.search(r"\b\w*Warning: .*|\bWARNING\b.*| at 0x[0-9a-f]{6,}", text)
    return f"a warning or an address in memory: {found[0][:200]}" if found else ""


def machine_paths() -> list[str]:
    """Folders whose names mean nothing to a reader: home, temporary files, this repository, this Python."""
    folders = (Path.home(), tempfile.gettempdir(), Path.cwd(), Path(__file__).parents[2], sys.prefix)
    return sorted({str(folder) for folder in folders} - {"/"})


def _text(output: NotebookNode) -> str:
    shown = [output.get("text", "")]
    shown += [value for kind, value in output.get("data", {}).items() if not kind.startswith("image/png")]
    return "\n".join("".join(part) if isinstance(part, list) else str(part) for part in shown)


def _number_of_failed(notebook: NotebookNode) -> int:
    failed = [
        number
        for number, cell in enumerate(notebook.cells, start=1)
        if any(output.output_type == "error" for output in cell.get("outputs", []))
    ]
    return failed[0] if failed else 0


def _use_this_python(client: NotebookClient) -> None:
    """A kernel named python3 that a user has installed elsewhere would lack the course's packages."""
    manager = client.create_kernel_manager()
    kernel = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    manager.kernel_spec.argv = [*kernel, "--log-level=ERROR"]  # its warnings are about networks: this one is local
