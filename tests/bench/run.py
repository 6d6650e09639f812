"""The benchmark: TRL 1.12.0 and this course's trainer, in alternating fresh processes, on the same work.

python tests/bench/run.py [PAIRS] [SETTING …]        writes tests/bench/results.json and prints a table
"""

import json
import platform
import subprocess
import sys
from datetime import date
from importlib.metadata import version
from pathlib import Path
from statistics import median

import psutil
import torch

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
SETTINGS = ("8bit-top", "8bit-all", "bf16-top", "bf16-all")
UPDATES = 3  # the first one warms up and is not counted


def measured(side: str, setting: str, *size: int) -> dict:
    """One fresh process; its last line is JSON. Size: response tokens and prompts, if not the usual."""
    command = [sys.executable, str(HERE / "worker.py"), side, *setting.split("-"), str(UPDATES), *map(str, size)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def pair(setting: str) -> dict:
    own, trl = measured("own", setting), measured("trl", setting)
    found = {
        f"{name}_{key}": side[key] for name, side in (("own", own), ("trl", trl)) for key in ("seconds", "peak_bytes")
    }
    libraries = {f"{name}_libraries_bytes": side["libraries_bytes"] for name, side in (("own", own), ("trl", trl))}
    return found | libraries | {"own_phases": own["phases"], "trl_phases": trl["phases"]}


def summary(pairs: list[dict]) -> dict:
    """Medians and ranges over pairs; each ratio is own / TRL of processes that ran next to each other."""
    ratios = {
        "time_ratio": [p["own_seconds"] / p["trl_seconds"] for p in pairs],
        "memory_ratio": [p["own_peak_bytes"] / p["trl_peak_bytes"] for p in pairs],
        "memory_ratio_above_libraries": [
            (p["own_peak_bytes"] - p["own_libraries_bytes"]) / (p["trl_peak_bytes"] - p["trl_libraries_bytes"])
            for p in pairs
        ],
    }
    medians = {name: round(median(values), 3) for name, values in ratios.items()}
    ranges = {f"{name}_range": [round(min(values), 3), round(max(values), 3)] for name, values in ratios.items()}
    return {**medians, **ranges, "pairs": pairs}


def machine() -> dict:
    names = ("torch", "transformers", "peft", "trl", "bitsandbytes")
    card = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    size = f"{psutil.cpu_count()} CPU cores, {psutil.virtual_memory().total / 2**30:.0f} GiB, {card}"
    return {"machine": f"{processor()}, {size}", "date": date.today().isoformat()} | {n: version(n) for n in names}


def processor() -> str:
    """Its name where Linux says it, with AMD's family, which the name leaves open; else the architecture."""
    info = Path("/proc/cpuinfo")
    lines = [line.partition(":") for line in (info.read_text().splitlines() if info.exists() else [])]
    found = {name.strip(): value.strip() for name, _, value in reversed(lines)}  # of the first core
    if "model name" not in found:
        return platform.machine()
    family = f" of family {found['cpu family']}" if found.get("vendor_id") == "AuthenticAMD" else ""
    return found["model name"] + family


def table(results: dict) -> str:
    lines = ["setting    time own/TRL          s own   s TRL   peak own/TRL          MiB own  MiB TRL  above libraries"]
    for setting, found in results["settings"].items():
        pairs = found["pairs"]
        own, trl = (median(p[f"{side}_seconds"] for p in pairs) for side in ("own", "trl"))
        own_peak, trl_peak = (median(p[f"{side}_peak_bytes"] for p in pairs) / 2**20 for side in ("own", "trl"))
        time, peak = (
            f"{found[name]:.2f} ({found[name + '_range'][0]:.2f}-{found[name + '_range'][1]:.2f})"
            for name in ("time_ratio", "memory_ratio")
        )
        above = found["memory_ratio_above_libraries"]
        lines.append(
            f"{setting:10} {time:18} {own:8.1f} {trl:7.1f}   {peak:18} {own_peak:10.0f} {trl_peak:8.0f} {above:9.2f}"
        )
    return "\n".join(lines)


def main(pairs: int, settings: list[str]) -> None:
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"settings": {}}
    results |= machine()
    for setting in settings:
        found = []
        for number in range(pairs):
            found.append(pair(setting))
            p = found[-1]
            print(f"{setting} pair {number + 1}: {p['own_seconds']:.1f} s beside {p['trl_seconds']:.1f} s", flush=True)
        results["settings"][setting] = summary(found)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print(table(results))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5, sys.argv[2:] or list(SETTINGS))
