"""Grade 200 mixed submissions with two jobs, kill the grading three times, go on, and count rows and seconds.

`python tests/bench/grading.py [SUBMISSIONS]`; exits with 1 if a row is lost or doubled, a right answer gets no points,
or a submission takes more than 4 seconds.
"""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import nbformat

from helpers.checks.registry import EXERCISES, exercise
from helpers.course.grade import GRADED

ROOT = Path(__file__).parents[2]
MOST_SECONDS = 4  # of wall time for each submission, on two cores
KILLS = 3
JOBS = 2
LESSONS = (1, 2, 3, 4, 6)  # lesson 5 has a limit of its own
ODD = {  # one in ten submissions has one of these in the place of one answer
    "endless": "while True:\n    pass\n",
    "error": "raise RuntimeError\n",
    "exits": "import os\nos._exit(1)\n",
    "bomb": "hoard = [bytearray(100 * 2**20) for _ in range(1000)]\n",
}


def solved() -> list[nbformat.NotebookNode]:
    paths = [path for path in sorted((ROOT / "solutions").glob("*.ipynb")) if int(path.name[0]) in LESSONS]
    return [nbformat.read(path, as_version=4) for path in paths]


def answers(notebook: nbformat.NotebookNode) -> dict[str, nbformat.NotebookNode]:
    """The answer cells, by exercise."""
    cells = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell for cell in notebook.cells}
    return {asked.id: cells[asked.answer_id] for asked in EXERCISES.values() if asked.answer_id in cells}


def hand_in(folder: Path, count: int) -> int:
    """Half of all answers right, the rest from the bank of wrong ones; one submission in ten holds something odd."""
    draw, wrong = random.Random(0), ROOT / "tests" / "wrong_answers"
    right = 0
    for number in range(count):
        notebooks, odd = solved(), draw.choice(list(ODD.values())) if number % 10 == 9 else ""
        for notebook in notebooks:
            for name, cell in answers(notebook).items():
                if draw.random() < 0.5 and (paths := sorted((wrong / name).glob("wrong_*.py"))):
                    cell.source = draw.choice(paths).read_text()
                elif odd:
                    cell.source, odd = odd, ""
                else:
                    right += 1
        (folder / f"learner{number:03}").mkdir()
        for place, notebook in enumerate(notebooks):
            nbformat.write(notebook, folder / f"learner{number:03}" / f"{place}.ipynb")
    return right


def grade(folder: Path, out: Path, kill_at: int | None) -> float:
    """Run the command; kill it without warning once so many learners are done. Returns the seconds it ran."""
    command = [sys.executable, "-m", "helpers", "grade", str(folder), "--out", str(out), f"--jobs={JOBS}"]
    journal, started = out.with_name(f"{out.name}.journal"), time.monotonic()
    process = subprocess.Popen([*command, "--seconds=10"], start_new_session=True)
    while process.poll() is None:
        time.sleep(0.1)
        done = journal.read_bytes().count(b"\n") - 1 if journal.exists() else 0
        if kill_at is not None and done >= kill_at:
            os.killpg(process.pid, signal.SIGKILL)
    return time.monotonic() - started


def main(count: int) -> int:
    with tempfile.TemporaryDirectory() as name:
        folder, out = Path(name) / "in", Path(name) / "grades.csv"
        folder.mkdir()
        right = hand_in(folder, count)
        draw = random.Random(1)
        kills = sorted(draw.sample(range(1, count), KILLS))
        seconds = sum(grade(folder, out, at) for at in [*kills, None])
        with out.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
        entries = [json.loads(line) for line in out.with_name("grades.csv.journal").read_bytes().splitlines()]
        alone = sorted(entry["seconds"] for entry in entries if "learner" in entry)
    times = Counter((row["learner"], row["exercise"]) for row in rows)
    due = {(f"learner{number:03}", asked) for number in range(count) for asked in GRADED}
    faults = [f"{len(due - times.keys())} rows lost"] if due != times.keys() else []
    faults += [f"{max(times.values())} rows of one exercise"] if max(times.values()) > 1 else []
    passed = sum(row["points"] == row["of"] for row in rows)
    faults += [f"{passed} answers got points, {right} are right"] if passed != right else []
    faults += [f"more than {MOST_SECONDS} s"] if seconds / count > MOST_SECONDS else []
    lessons = sorted({exercise(name).lesson for name in EXERCISES} & set(LESSONS))
    print(
        f"{count} submissions of lessons {', '.join(map(str, lessons))}, --jobs {JOBS}, killed when {kills} were done: "
        f"{seconds:.0f} s in all, {seconds / count:.2f} s a submission; from start to end of one: median "
        f"{alone[len(alone) // 2]:.2f} s, longest {alone[-1]:.2f} s; {len(rows)} rows. {'; '.join(faults) or 'passed'}"
    )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
