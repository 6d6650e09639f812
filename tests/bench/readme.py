"""README's tables and its curve of what the benchmarks recorded. `python tests/bench/readme.py` writes them anew."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import matplotlib.pyplot as plt
import numpy as np
from learn import UPDATES, recorded
from matplotlib.figure import Figure
from worker import TRL_MICRO_BATCH, micro_batch

HERE = Path(__file__).parent
README = HERE.parents[1] / "README.md"
CURVE = README.parent / "notebooks" / "images" / "top_or_all.png"
EARLIER = HERE / "learning" / "earlier.json"
SEEDS = (1, 2, 3)
LABELS = {"top": "adapters on the top third", "all": "adapters on all layers"}
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
        title += f", micro-batches of {micro_batch(*name.split('-'))}"
        cells = [title, f"{own_s:.1f}", f"{trl_s:.1f}", time, f"{own_mib:,.0f}", f"{trl_mib:,.0f}", memory, above]
        rows.append("| " + " | ".join(cells) + " |")
    pairs = min(len(found["pairs"]) for found in results["settings"].values())
    note = f"{pairs} pairs of fresh processes, ratios are their medians; TRL in micro-batches of {TRL_MICRO_BATCH}. "
    note += f"{results['machine']}; TRL {results['trl']}; {results['date']}."
    return "\n".join(rows) + f"\n\n{note}"


def on_a_gpu(record: dict) -> str:
    """Memory alone: others shared the card."""
    found = [record["peak_bytes"][name] for name in SETTINGS]
    own = ", ".join(f"{peaks['own'] / 2**20:,.0f}" for peaks in found)
    shares = " and ".join(f"{peaks['own'] / peaks['trl']:.2f}" for peaks in found if peaks["trl"])
    beside = [name.split("-")[0] for name in SETTINGS if record["peak_bytes"][name]["trl"]]
    return (
        f"On a GPU, in the same order: {own} MiB allocated, in {' and '.join(sorted(set(beside)))} {shares} of TRL's; "
        f"no time was measured, nor TRL in other precisions. One run each, in 8-bit with products in bfloat16; "
        f"{record['card']}; {record['date']}, before `helpers.layers`."
    )


def growth(results: dict) -> str:
    """What four times the work costs; the micro-batch stays the same."""
    longer, larger = (_cost(results["sizes"][name]) for name in ("response x4", "batch x4"))
    return (
        f"Growth of time, and of memory above the model: responses four times as long took {longer}, a batch four "
        f"times as large {larger} ({SETTINGS[results['setting']]})."
    )


def limit(record: dict) -> str:
    """The optimisation phase beside what the machine's matrix products allow."""
    whole, half = (record["limits"][f"bf16-top-{rows}"] for rows in (16, 8))
    return (
        f"The optimisation of an update (bf16, top third, {whole['flop'] / 1e9:.0f} GFLOP) took "
        f"{_ratio(whole, 'times_the_limit')} times as long as a large matrix product here takes for as much arithmetic "
        f"({whole['flop_per_second'] / 1e9:.0f} GFLOP/s) in one micro-batch of 16, and "
        f"{_ratio(half, 'times_the_limit')} times in micro-batches of 8."
    )


def elsewhere(records: Sequence[dict]) -> str:
    """The same on other processors, the latest record first."""
    shares, said = ("time_ratio", "memory_ratio"), []
    for found in sorted(records, key=lambda record: record["date"], reverse=True):
        time, memory = (", ".join(f"{found['settings'][name][kind]:.2f}" for name in SETTINGS) for kind in shares)
        remark = f", {found['remark']}" if "remark" in found else ""
        said.append(f"{time} of TRL's time, {memory} of its memory ({found['machine']}{remark}; {found['date']})")
    return f"On other processors, in the same order: {'; '.join(said)}."


def _cost(size: dict) -> str:
    return f"{size['times_the_seconds']:.1f} times the time and {size['times_the_memory']:.1f} times the memory"


def learning(records: dict[str, dict]) -> str:
    """What each recorded run changed on held-out prompts; a change is printed only if its 95% interval excludes 0."""
    rows = [
        "| run | reward | lexicon | KL | distinct-2 | reference NLL | broken texts | s | threads |",
        "|---" * 9 + "|",
    ]
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
            str(found["threads"]),
        ]
        rows.append("| " + " | ".join(cells) + " |")
    machines = " or ".join(sorted({found["machine"] for found in records.values()}))
    days = sorted(found["date"] for found in records.values())
    prompts = next(iter(records.values()))["held_out_prompts"]
    note = f"{prompts} held-out prompts; 95% intervals; {machines}; {days[0]} to {days[-1]}."
    note += " Runs of one thread ran two at a time, but for the last."
    return "\n".join(rows) + f"\n\n{note}"


def curve(records: Mapping[str, dict]) -> Figure:
    """Training reward over wall time, top third and all layers: a thin line a seed, a thick one their mean.

    The two runs of a seed ran side by side; another seed may have taken another time.
    """
    figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
    whole = {seed: max(_minutes(records[name])[-1] for name in pair) for seed, pair in rivals().items()}
    for layers, style, colour in (("top", "-", "#0072B2"), ("all", "--", "#D55E00")):
        found = [(records[f"bf16-{layers}-seed{seed}"], minutes) for seed, minutes in whole.items()]
        seeds = [(np.divide(_minutes(record), minutes), smoothed(record)) for record, minutes in found]
        for shares, rewards in seeds:
            axes.plot(shares, rewards, style, color=colour, linewidth=0.7, alpha=0.6)
        shared = np.linspace(max(s[0] for s, _ in seeds), min(s[-1] for s, _ in seeds), 100)
        mean = np.mean([np.interp(shared, *seed) for seed in seeds], axis=0)
        axes.plot(shared, mean, style, color=colour, linewidth=2.5, label=LABELS[layers])
    axes.set_xlim(0, 1.02)
    minutes = " to ".join(sorted({f"{pick(whole.values()):.0f}" for pick in (min, max)}))
    axes.set_xlabel(f"share of the training time ({minutes} minutes, two runs side by side on two cores)")
    axes.set_ylabel("reward of the batch, mean of 5 updates\n(standard deviations of human texts)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure


def rivals() -> dict[int, list[str]]:
    """The two runs of each seed."""
    return {seed: [f"bf16-{layers}-seed{seed}" for layers in UPDATES] for seed in SEEDS}


def _minutes(record: dict) -> list[float]:
    return [row["seconds"] / 60 for row in record["history"]]


def smoothed(record: dict, width: int = 5) -> list[float]:
    """The mean reward of the last `width` updates; the first update stands for itself."""
    rewards = [row["objective/scores"] for row in record["history"]]
    return [float(np.mean(rewards[max(0, end - width) : end])) for end in range(1, len(rewards) + 1)]


def choices(records: Mapping[str, dict], earlier: Mapping[str, dict]) -> str:
    """What the seeds of each choice came to: where the adapters sit, and where the value loss flows.

    Args:
        earlier: the same runs by older code, from which this differs by rounding.
    """
    names = {"top": "bf16-top-seed", "every": "bf16-all-seed", "flowing": "value-loss-in-the-adapter-seed"}
    means = {key: _means([records[f"{name}{seed}"] for seed in SEEDS]) for key, name in names.items()}
    rewards = {key: _rewards(name, records, earlier) for key, name in names.items()}
    moved = max(abs(now - before) for both in rewards.values() for now, before in zip(*np.split(both, 2), strict=True))
    return (
        f"Means of seeds {SEEDS[0]} to {SEEDS[-1]}: adapters on the top third {means['top']}; on all layers in the "
        f"same time {means['every']}. The value loss does not reach the adapter; when it did, {means['flowing']}. "
        f"Rounding alone moves such a run: by code of 26 November, the same nine came to rewards up to {moved:.2f} "
        f"away. Over both, six pairs each, the top third is ahead of all layers by "
        f"{_lead(rewards['top'] - rewards['every'])}, and of the value loss in the adapter by "
        f"{_lead(rewards['top'] - rewards['flowing'])}."
    )


def _rewards(name: str, records: Mapping[str, dict], earlier: Mapping[str, dict]) -> np.ndarray:
    """The gains of all seeds, then those of the earlier runs."""
    now = [records[f"{name}{seed}"]["reward"]["change"][0] for seed in SEEDS]
    return np.array([*now, *(earlier[f"{name}{seed}"]["reward_change"] for seed in SEEDS)])


def _lead(differences: np.ndarray) -> str:
    """Their mean and its 95% interval, by Student's t for six pairs."""
    half = 2.571 * differences.std(ddof=1) / len(differences) ** 0.5
    shown = "" if abs(differences.mean()) > half else ", which shows no difference"
    return f"{differences.mean():+.2f} ± {half:.2f}{shown}"


def _means(records: Sequence[dict]) -> str:
    reward = np.mean([found["reward"]["change"][0] for found in records])
    return f"{reward:+.2f} of reward at a KL of {np.mean([found['kl']['after'][0] for found in records]):.1f}"


def with_tables(text: str) -> str:
    """`text` with what stands between the marks of each table made anew."""
    names = ("results", "growth", "limit", "gpu")
    results, grown, limited, on_gpu = (json.loads((HERE / f"{name}.json").read_text()) for name in names)
    others = [json.loads(path.read_text()) for path in sorted(HERE.glob("results_*.json"))]
    made = {
        "benchmark": [
            benchmark(results),
            elsewhere(others),
            folded("Longer texts, larger batches, what the machine allows, a GPU"),
            f"{growth(grown)} {limit(limited)}",
            on_a_gpu(on_gpu),
            "</details>",
        ],
        "learning": [
            choices(recorded(), json.loads(EARLIER.read_text())),
            folded("Each run, the three sick ones, too"),
            learning(recorded()),
            "</details>",
        ],
    }
    for name, parts in made.items():
        begin, end = f"<!-- table of {name}: begin -->", f"<!-- table of {name}: end -->"
        before, rest = text.split(begin)
        table = "\n\n".join(parts)
        text = f"{before}{begin}\n{table}\n{end}{rest.split(end)[1]}"
    return text


def folded(summary: str) -> str:
    return f"<details><summary>{summary}</summary>"


def _ratio(found: dict, kind: str) -> str:
    low, high = found[f"{kind}_range"]
    return f"{found[kind]:.2f} ({low:.2f}-{high:.2f})"


def _change(record: dict, key: str) -> str:
    by, interval = record[key]["change"]
    return f"{by:+.2f} ± {interval:.2f}" if abs(by) > interval else "none shown"


if __name__ == "__main__":
    curve(recorded()).savefig(CURVE, dpi=110, metadata={"Software": None})
    README.write_text(with_tables(README.read_text(encoding="utf-8")), encoding="utf-8")
