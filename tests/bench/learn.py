"""Does it learn? Train on prompts of the training split, and measure 256 held-out prompts before and after.

    python tests/bench/learn.py                      print the table of all recorded runs
    python tests/bench/learn.py samples NAME         print its twenty samples, before and after
    python tests/bench/learn.py NAME … | all         do these runs anew; each writes tests/bench/learning/NAME.json

A record holds the figures, the history of the training with the seconds at each update, and twenty samples.
"""

import json
import sys
import time
import types
from datetime import date
from pathlib import Path

import torch
from run import machine

from helpers import ppo
from helpers.course.train import MEASURED, new_policy
from helpers.evaluation import Responses, change_and_interval, mean_and_interval, responses_to
from helpers.feedback import prompt_collator, prompt_ids
from helpers.model import load_model, load_tokenizer, start_lesson
from helpers.reward import AdapterReward

FOLDER = Path(__file__).parent / "learning"
KEYS = ("reward", "lexicon", "reference_nll", "kl")
UPDATES = {"top": 30, "all": 15}  # in about equal time: an update of all layers took 2.0 times as long
RUNS = {
    "bf16-top-seed0": {},
    "8bit-top-seed0": {"precision": "8bit"},
    **{f"bf16-{layers}-seed{seed}": {"layers": layers, "seed": seed} for layers in UPDATES for seed in (1, 2, 3)},
    **{f"value-loss-in-the-adapter-seed{seed}": {"value_flows": True, "seed": seed} for seed in (1, 2, 3)},
    "sick-no-kl": {"kl_coef": 0.0},
    "sick-learning-rate": {"learning_rate": 2e-2},
    "sick-wrong-reference": {"head_start": 15},
}


def run(name: str, precision="bf16", layers="top", seed=0, value_flows=False, head_start=0, **settings) -> dict:
    """One run.

    Args:
        value_flows: let the value loss reach the adapter.
        head_start: updates that the policy has behind it when the run begins; the reference stays the model before
            them, as it does for who starts from a tuned adapter and switches it off for the reference.
    """
    start_lesson(seed)
    updates = UPDATES[layers]
    model, tokenizer = new_policy(precision, layers=layers), load_tokenizer()
    reward, elapsed = AdapterReward(model), []
    trainers = trainers_of_the_value_loss() if value_flows else ppo

    def trainer(reference=None, **changed):
        config = ppo.PPOConfig(**{**MEASURED, "seed": seed, "total_updates": updates, **settings, **changed})
        parts = {"tokenizer": tokenizer, "data_collator": prompt_collator(tokenizer), "reward": reward}
        data = prompt_ids("train", tokenizer, 1000, seed)
        told = {"on_update": lambda metrics: elapsed.append(time.perf_counter())}
        return trainers.PPOTrainer(config, model, reference, dataset=data, **parts, **told)

    if head_start:
        trainer(total_updates=None).train(head_start)
    healthy = trainer(load_model(precision) if head_start else None)
    length, held_out = healthy.config.response_length, prompt_ids("test", tokenizer, 256)
    before = responses_to(held_out, healthy.backbone, reward, tokenizer, length)
    elapsed.clear()
    started = time.perf_counter()
    history = healthy.train(updates)
    seconds = [round(moment - started, 1) for moment in elapsed]
    after = responses_to(held_out, healthy.backbone, reward, tokenizer, length)
    figures = {"date": date.today().isoformat(), "machine": machine()["machine"], "seconds": round(seconds[-1])}
    figures["threads"] = torch.get_num_threads()
    curve = [{**metrics, "seconds": passed} for metrics, passed in zip(history, seconds, strict=True)]
    return {**figures, **compared(before, after), "history": curve, "samples": samples(before, after)}


def trainers_of_the_value_loss() -> types.ModuleType:
    """The trainer with one line changed: the value head's hidden states are not detached."""
    source, line = Path(ppo.__file__).read_text(), "head_values(self.value_head, hidden.detach()"
    assert source.count(line) == 1
    changed = types.ModuleType("helpers.ppo_of_the_value_loss")
    exec(source.replace(line, "head_values(self.value_head, hidden"), changed.__dict__)
    return changed


def compared(before: Responses, after: Responses) -> dict:
    found = {"held_out_prompts": len(before.prompts)}
    for key in KEYS:
        old, new = getattr(before, key), getattr(after, key)
        rows = {
            "before": mean_and_interval(old),
            "after": mean_and_interval(new),
            "change": change_and_interval(old, new),
        }
        found[key] = {row: [round(number, 3) for number in pair] for row, pair in rows.items()}
    found["distinct_2"] = {"before": round(before.distinct_2, 3), "after": round(after.distinct_2, 3)}
    limit = torch.quantile(before.reference_nll, 0.95)  # a text is broken if only 1 in 20 was as odd before
    sides = {"before": before, "after": after}
    return {**found, "broken": {side: int((of.reference_nll > limit).sum()) for side, of in sides.items()}}


def samples(before: Responses, after: Responses, count: int = 20) -> list[dict]:
    rows = zip(before.prompts, before.responses, after.responses, strict=True)
    return [{"prompt": prompt, "before": old, "after": new} for prompt, old, new in list(rows)[:count]]


def table(records: dict[str, dict]) -> str:
    """A row a run: the changes, each with its 95% interval."""
    lines = [f"{'run':34} reward        lexicon       reference NLL   KL  distinct-2  broken     s"]
    for name, found in records.items():
        changes = [f"{by:+.2f} ± {half:.2f}" for by, half in (found[k]["change"] for k in KEYS[:3])]
        variety, broken = found["distinct_2"]["after"] / found["distinct_2"]["before"], found["broken"]
        cells = "  ".join(f"{text:12}" for text in changes)
        kl = found["kl"]["after"][0]
        lines.append(f"{name:34} {cells} {kl:5.1f} {variety:10.2f} {broken['after']:9} {found['seconds']:6}")
    return "\n".join(lines)


def side_by_side(record: dict) -> str:
    rows = [(row["prompt"], row["before"], row["after"]) for row in record["samples"]]
    return "\n\n".join(
        f"{prompt} …\n  before: {' '.join(before.split())}\n  after:  {' '.join(after.split())}"
        for prompt, before, after in rows
    )


def recorded() -> dict[str, dict]:
    return {
        name: json.loads((FOLDER / f"{name}.json").read_text()) for name in RUNS if (FOLDER / f"{name}.json").exists()
    }


def main(names: list[str]) -> None:
    if names[:1] == ["samples"]:
        print(side_by_side(recorded()[names[1]]))
        return
    FOLDER.mkdir(exist_ok=True)
    for name in RUNS if names == ["all"] else names:
        (FOLDER / f"{name}.json").write_text(json.dumps(run(name, **RUNS[name]), indent=1) + "\n")
    print(table(recorded()))


if __name__ == "__main__":
    main(sys.argv[1:])
