"""Curves of four recorded runs, for lessons to read: `python -m helpers.course.curves` makes them from tests/bench.

They come with the package, so that a lesson that was opened alone finds them, too.
"""

import json
from pathlib import Path

from helpers.course.notebook import write_text

SOURCES = Path(__file__).parents[2] / "tests" / "bench" / "learning"
FILE = Path(__file__).with_name("learning_curves.json")
RUNS = ("bf16-top-seed0", "sick-no-kl", "sick-learning-rate", "sick-wrong-reference")
METRICS = (
    "objective/scores",
    "objective/kl",
    "objective/entropy",
    "val/ratio_max",
    "policy/clipfrac_avg",
    "loss/value_avg",
)


def recorded_curves() -> dict[str, dict[str, list[float]]]:
    """For each of `RUNS`, each of `METRICS`, one number an update; recorded in bfloat16 on two CPU cores."""
    return json.loads(FILE.read_text(encoding="utf-8"))


def extracted(folder: Path) -> dict[str, dict[str, list[float]]]:
    """The same, read from the recorded runs; four decimals."""
    histories = {run: json.loads((folder / f"{run}.json").read_text(encoding="utf-8"))["history"] for run in RUNS}
    return {
        run: {metric: [round(row[metric], 4) for row in history] for metric in METRICS}
        for run, history in histories.items()
    }


def text_of(curves: dict[str, dict[str, list[float]]]) -> str:
    """JSON with a line for each curve."""
    runs = [
        f" {json.dumps(run)}: {{\n"
        + ",\n".join(f"  {json.dumps(metric)}: {json.dumps(curve)}" for metric, curve in of_run.items())
        + "\n }"
        for run, of_run in curves.items()
    ]
    return "{\n" + ",\n".join(runs) + "\n}\n"


if __name__ == "__main__":
    write_text(text_of(extracted(SOURCES)), FILE)
