"""How long a lesson takes: an estimate from its text and code, and the recorded run. No person was timed."""

import math
import re

from nbformat import NotebookNode

WORDS_A_MINUTE = 200  # adults read non-fiction at 238: Brysbaert (2019), "How many words do we read per minute?"
LINES_AN_HOUR = 500  # the most that a review should go through: Cohen (2006), "Best Kept Secrets of Peer Code Review"
SECONDS_A_PREDICTION = 10
LINKS_AND_MARKS = re.compile(r"\]\([^)]*\)|<[^>]+>|\$[^$]*\$")
CAN_WAIT = re.compile(r'^\*Can wait: on a first reading, go on at "(.+)"\.\*$', re.MULTILINE)  # below a heading
WORD = re.compile(r"[A-Za-z0-9][\w'.-]*")


def reading_minutes(lesson: NotebookNode) -> float:
    """Minutes to read the text (folded answers too), the code and what it prints, and to predict.

    Of the code, lines that only import, comment or close a bracket are left out; of what is shown, pictures.
    """
    texts = [cell.source for cell in lesson.cells if cell.cell_type == "markdown"]
    words = sum(len(WORD.findall(LINKS_AND_MARKS.sub(" ", text))) for text in texts)
    outputs = [output for cell in lesson.cells for output in cell.get("outputs", [])]
    words += sum(len(WORD.findall(printed(output))) for output in outputs)
    predictions = sum(text.count("**Predict") + text.count("**predict") for text in texts)
    codes = [line.strip() for cell in lesson.cells if cell.cell_type == "code" for line in cell.source.splitlines()]
    lines = [line for line in codes if re.search(r"\w", line) and not line.startswith(("#", "import ", "from "))]
    return words / WORDS_A_MINUTE + 60 * len(lines) / LINES_AN_HOUR + SECONDS_A_PREDICTION * predictions / 60


def printed(output: NotebookNode) -> str:
    """The text of an output; of a picture, nothing."""
    shown = output.get("data", {})
    return output.get("text", "" if "image/png" in shown else shown.get("text/plain", ""))


def sections(lesson: NotebookNode) -> list[list[NotebookNode]]:
    """The cells of each section, its heading (of level 2) first; what stands before all headings is one as well."""
    found = [[]]
    for cell in lesson.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("## "):
            found.append([])
        found[-1].append(cell)
    return found


def first_reading(lesson: NotebookNode) -> NotebookNode:
    """The lesson without the sections that can wait."""
    cells = [cell for section in sections(lesson) if not CAN_WAIT.search(section[0].source) for cell in section]
    return NotebookNode(lesson, cells=cells)


def minutes_in_all(lesson: NotebookNode, runs: dict[str, dict]) -> int:
    """Reading, and the slowest recorded run on a CPU, rounded up to five minutes; `runs` is of `measured.RECORD`."""
    running = max((run["minutes"] for kind, run in runs.items() if kind != "gpu"), default=0)
    return 5 * math.ceil((reading_minutes(lesson) + running) / 5)
