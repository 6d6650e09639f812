"""README's tables of what the benchmarks recorded. `python tests/bench/readme.py` writes them anew."""

import json
from pathlib import Path
from statistics import median

from learn import recorded

HERE = Path(__file__).parent
README = HERE.parents[1] / "README.md"
SETTINGS = {
    "8bit-top": "8-bit, top third of the layers",
    "8bit-all": "8-bit, all layers",
    "bf16-top": "bf16, top third of the layers",
    "bf16-all": "bf16, all layers",
}


def benchmark(results: dict) -> str:
    """Seconds an update and peak resident MiB of this trainer beside TRL's; the ratios are medians over pairs."""
    rows = [
        "| adapters on | s, own | s, TRL | ratio | MiB, own | MiB, TRL | ratio | above libraries |",
        "|---" * 8 + "|",
    ]
    for name, title in SETTINGS.items():
        found = results["settings"][name]
        own_s, trl_s = (median(p[f"{side}_seconds"] for p in found["pairs"]) for side in ("own", "trl"))
        own_mib, trl_mib = (median(p[f"{side}_peak_bytes"] for p in found["pairs"]) / 2**20 for side in ("own", "trl"))
        time, memory = (_ratio(found, kind) for kind in ("time_ratio", "memory_ratio"))
        above = f"{found['memory_ratio_above_libraries']:.2f}"
        cells = [title, f"{own_s:.1f}", f"{trl_s:.1f}", time, f"{own_mib:,.0f}", f"{trl_mib:,.0f}", memory, above]
        rows.append("| " + " | ".join(cells) + " |")
    rows.append("| on a GPU (CUDA) | not measured | | | | | | |")
    pairs = min(len(found["pairs"]) for found in results["settings"].values())
    note = f"{pairs} pairs of fresh processes; {results['machine']}; TRL {results['trl']}; {results['date']}."
    return "\n".join(rows) + f"\n\n{note}"


def learning(records: dict[str, dict]) -> str:
    """What each recorded run changed on held-out prompts; a change is printed only if its 95% interval excludes 0."""
    rows = ["| run | reward | lexicon | KL | distinct-2 | reference NLL | broken texts | s |", "|---" * 8 + "|"]
    for name, found in records.items():
        variety = found["distinct_2"]["after"] / found["distinct_2"]["before"]
        cells = [
            name,
            *(_change(found, key) for key in ("reward", "lexicon")),
            f"{found['kl']['after'][0]:.1f}",
            f"{variety:.2f} of before",
            _change(found, "reference_nll"),
            f"{found['broken']['before']} → {found['broken']['after']}",
            str(found["seconds"]),
        ]
        rows.append("| " + " | ".join(cells) + " |")
    found = next(iter(records.values()))
    note = f"{found['held_out_prompts']} held-out prompts; 95% intervals; {found['machine']}; {found['date']}."
    return "\n".join(rows) + f"\n\n{note}"


def with_tables(text: str) -> str:
    """`text` with what stands between the marks of each table made anew."""
    results = HERE / "results.json"
    made = {
        "benchmark": benchmark(json.loads(results.read_text())) if results.exists() else "Not measured yet.",
        "learning": learning(recorded()),
    }
    for name, table in made.items():
        begin, end = f"<!-- table of {name}: begin -->", f"<!-- table of {name}: end -->"
        before, rest = text.split(begin)
        text = f"{before}{begin}\n{table}\n{end}{rest.split(end)[1]}"
    return text


def _ratio(found: dict, kind: str) -> str:
    low, high = found[f"{kind}_range"]
    return f"{found[kind]:.2f} ({low:.2f}-{high:.2f})"


def _change(record: dict, key: str) -> str:
    by, interval = record[key]["change"]
    return f"{by:+.2f} ± {interval:.2f}" if abs(by) > interval else "none shown"


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text(encoding="utf-8")), encoding="utf-8")
