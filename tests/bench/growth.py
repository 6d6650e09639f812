"""How the cost of an update grows: four times the response length, four times the batch, at a fixed micro-batch.

python tests/bench/growth.py [SETTING]        writes tests/bench/growth.json and prints a table
"""

import json
import sys
from statistics import median

from run import HERE, machine, measured

RESULTS = HERE / "growth.json"
ROUNDS = 3  # an odd number
SIZES = {"base": (24, 16), "response x4": (96, 16), "batch x4": (24, 64)}  # response tokens, prompts


def growth(setting: str) -> dict:
    """Time and peak memory of each size, as multiples of the first: medians over rounds in which each size ran once.

    Above the model: less what the libraries take, and the model's weights.
    """
    rounds = [{name: measured("own", setting, *size) for name, size in SIZES.items()} for _ in range(ROUNDS)]
    seconds = {name: [found[name]["seconds"] for found in rounds] for name in SIZES}
    above = {name: [found[name]["peak_bytes"] - found[name]["loaded_bytes"] for found in rounds] for name in SIZES}
    return {
        name: {
            "response_tokens": response * batch,
            "seconds": round(median(seconds[name]), 2),
            "above_the_model_bytes": median(above[name]),
            "times_the_tokens": response * batch / (SIZES["base"][0] * SIZES["base"][1]),
            "times_the_seconds": _times(seconds, name),
            "times_the_memory": _times(above, name),
        }
        for name, (response, batch) in SIZES.items()
    }


def _times(figures: dict[str, list[float]], name: str) -> float:
    return round(median(mine / base for mine, base in zip(figures[name], figures["base"], strict=True)), 2)


def main(setting: str = "bf16-top") -> None:
    found = {"setting": setting, "sizes": growth(setting)}
    RESULTS.write_text(json.dumps(machine() | found, indent=1) + "\n")
    print(f"{setting:12} tokens  seconds  MiB above the model   times: tokens  seconds  memory")
    for name, row in found["sizes"].items():
        mib = row["above_the_model_bytes"] / 2**20
        print(
            f"{name:12} {row['response_tokens']:6} {row['seconds']:8.1f} {mib:20.0f}"
            f"   {row['times_the_tokens']:13.1f} {row['times_the_seconds']:8.2f} {row['times_the_memory']:7.2f}"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
