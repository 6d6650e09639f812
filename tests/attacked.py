"""The attack bank: answers that attack from within (tests/attacks/*.py), and notebooks, names and folders that do."""

import json
import os
from pathlib import Path

from handed_in import RIGHT, WRONG, hand_in, notebook

ATTACKS = sorted((Path(__file__).parent / "attacks").glob("*.py"))
REPOSITORY = Path(__file__).parents[1]
NEIGHBOURS = {"ada": RIGHT, "mia": WRONG, "zoe": RIGHT + "print('done')\n"}
NEIGHBOURS |= {f"{path.stem}'s neighbour": RIGHT for path in ATTACKS}  # by name right behind each attack


def due(path: Path) -> tuple[str, str]:
    """The status and the points that an attack must get, from its first line."""
    status, points = path.read_text().splitlines()[0].removeprefix("# due: ").split()
    return status, points


def armed(path: Path, places: dict[str, str]) -> str:
    """The source of an attack, with the places that it aims at."""
    source = path.read_text()
    for name, place in places.items():
        source = source.replace(name, place)
    return source


def _loaded(**metadata) -> str:
    return json.dumps({**json.loads(notebook(RIGHT)), "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


def _with_cells(*cells: dict) -> str:
    return json.dumps({"cells": [*cells, *json.loads(notebook(RIGHT))["cells"]]})


def _code(source: str, **more) -> dict:
    return {"cell_type": "code", "metadata": {}, "source": source, **more}


_SCRIPT = "<script>alert(1)</script>"
_OUTPUTS = [
    {
        "output_type": "display_data",
        "metadata": {},
        "data": {"text/html": _SCRIPT, "application/javascript": "alert(1)"},
    },
    {"output_type": "stream", "name": "stdout", "text": "\x1b[2J=HYPERLINK(1)"},
]
_WIDGETS = {"application/vnd.jupyter.widget-state+json": {"state": {"x": {"model_name": _SCRIPT}}}}
NOTEBOOKS = {  # learner: (text, what is due)
    "other kernel": (_loaded(kernelspec={"name": "bash", "display_name": _SCRIPT, "language": "sh"}), ("ok", "1")),
    "kernel that is a path": (_loaded(kernelspec={"name": "../../evil", "argv": ["rm"]}), ("ok", "1")),
    "widgets": (_loaded(widgets=_WIDGETS), ("ok", "1")),
    "10,000 cells": (_with_cells(*[_code(f"x = {place}") for place in range(10_000)]), ("ok", "1")),
    "html outputs": (_with_cells(_code("1", outputs=_OUTPUTS)), ("ok", "1")),
    "many empty lines": (_with_cells(_code("\n" * 90_000)), ("ok", "1")),
    "huge": ('{"cells": ["' + "x" * (21 * 2**20) + '"]}', ("refused", "0")),
    "malformed": ('{"cells": [', ("refused", "0")),
    "deep": ("[" * 200_000, ("refused", "0")),
    "large number": ('{"cells": [' + "9" * 100_000 + "]}", ("refused", "0")),
    "no cells": ('{"cells": {"0": 1}}', ("refused", "0")),
    "no text": ('{"cells": [{"cell_type": "code", "metadata": {}, "source": "\\ud800"}]}', ("missing", "0")),
    "half a character": (notebook(RIGHT + "# \ud800"), ("refused", "0")),
    "too long": (notebook("#" * 100_001), ("refused", "0")),
    "eleven copies": (notebook(*[f"{WRONG}# {place}" for place in range(11)]), ("ok", "0")),
    '=HYPERLINK("http:x","click")': (notebook(RIGHT), ("ok", "1")),
    "@SUM(1)": (notebook(WRONG), ("ok", "0")),
    "<img src=x onerror=alert(1)>": (notebook(RIGHT), ("ok", "1")),
    "\x1b[2J\x1b]0;owned\x07": (notebook(RIGHT), ("ok", "1")),
    "--unsafe": (notebook(RIGHT), ("ok", "1")),
    "ada\n": (notebook(WRONG), ("ok", "0")),
    "ada,2.1,1,1,ok": (notebook(WRONG), ("ok", "0")),
}
FOLDERS = {"a link": "refused", "a pipe": "refused", "a device": "refused", "a zip": "refused", "too many": "refused"}


def hand_in_folders(folder: Path, canary: Path) -> None:
    """Learners whose folders hold what is no notebook."""
    for learner in FOLDERS:
        (folder / learner).mkdir()
    (folder / "a link" / "x.ipynb").symlink_to(canary)
    os.mkfifo(folder / "a pipe" / "x.ipynb")
    (folder / "a device" / "x.ipynb").symlink_to("/dev/zero")
    (folder / "a zip" / "x.zip").write_bytes(b"PK")
    for place in range(5100):
        (folder / "too many" / f"{place}.txt").touch()
    (folder / "a linked folder").symlink_to(folder / "ada")  # skipped: it has no row


def hand_in_attacks(folder: Path, places: dict[str, str], canary: Path) -> dict[str, tuple[str, str]]:
    """Hand in the whole bank, and what is due to each learner."""
    wanted = {}
    for path in ATTACKS:
        hand_in(folder, path.stem, notebook(armed(path, places)))
        wanted[path.stem] = due(path)
    for learner, (text, is_due) in NOTEBOOKS.items():
        hand_in(folder, learner, text, "\x1b[31m=1+1 (1).ipynb")
        wanted[learner] = is_due
    hand_in_folders(folder, canary)
    return wanted | {learner: (status, "0") for learner, status in FOLDERS.items()}
