"""Does it learn? Train on prompts of the training split, and measure 256 held-out prompts before and after.

    python tests/bench/learn.py NAME [--precision bf16 --layers top --seed 0 --updates 30 --SETTING VALUE …]

Writes tests/bench/learning/NAME.json: the figures, the curve of the training, and twenty samples before and after.
"""

import argparse
import json
import sys
import time
from datetime import date
from pathlib import Path

from helpers.course import train as command
from helpers.evaluation import Responses, change_and_interval, mean_and_interval, responses_to
from helpers.feedback import prompt_collator, prompt_ids
from helpers.model import load_tokenizer, start_lesson
from helpers.ppo import PPOConfig, PPOTrainer
from helpers.reward import AdapterReward

FOLDER = Path(__file__).parent / "learning"


def main(name: str, options: list[str]) -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    args = parser.parse_args([name, *options])
    settings = {key: getattr(args, key) for key in PPOConfig.__dataclass_fields__ if key != "output_dir"}
    config = PPOConfig(**{**settings, "save_every": 0, "total_updates": args.total_updates or args.updates})
    start_lesson(args.seed)
    model, tokenizer = command.new_policy(args.precision or "bf16", args.r, args.layers), load_tokenizer()
    reward = AdapterReward(model)
    data = prompt_ids("train", tokenizer, args.prompts, args.seed)
    trainer = PPOTrainer(
        config, model, None, tokenizer=tokenizer, dataset=data, data_collator=prompt_collator(tokenizer), reward=reward
    )
    held_out = prompt_ids("test", tokenizer, 256)
    before = responses_to(held_out, trainer.backbone, reward, tokenizer, config.response_length)
    started = time.perf_counter()
    trainer.train(args.updates)
    seconds = time.perf_counter() - started
    after = responses_to(held_out, trainer.backbone, reward, tokenizer, config.response_length)
    figures = {
        "date": date.today().isoformat(),
        "options": options,
        "seconds": round(seconds),
        **compared(before, after),
    }
    FOLDER.mkdir(exist_ok=True)
    result = {**figures, "history": trainer.history, "samples": samples(before, after)}
    (FOLDER / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(figures, indent=1))


def compared(before: Responses, after: Responses) -> dict:
    found = {"held_out_prompts": len(before.prompts)}
    for key in ("reward", "lexicon", "kl", "reference_nll"):
        old, new = getattr(before, key), getattr(after, key)
        rows = {
            "before": mean_and_interval(old),
            "after": mean_and_interval(new),
            "change": change_and_interval(old, new),
        }
        found[key] = {row: [round(number, 3) for number in pair] for row, pair in rows.items()}
    return {**found, "distinct_2": {"before": round(before.distinct_2, 3), "after": round(after.distinct_2, 3)}}


def samples(before: Responses, after: Responses, count: int = 20) -> list[dict]:
    rows = zip(before.prompts, before.responses, after.responses, strict=True)
    return [{"prompt": prompt, "before": old, "after": new} for prompt, old, new in list(rows)[:count]]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
