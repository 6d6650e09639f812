"""The peak of one PPO update of this course's trainer, in fresh processes; what `python -m helpers plan` must predict.

python tests/bench/peaks.py [NUMBER OF A SETTING …]   measures, and writes tests/bench/peaks.json
"""

import json
import sys
from pathlib import Path

from run import machine

from helpers.memory import peak_bytes_of_fresh_process

RECORD = Path(__file__).parent / "peaks.json"
NAMES = ("precision", "layers", "batch", "prompt", "response", "micro_batch")  # lengths in tokens
SETTINGS = [
    ("bf16", "top", 16, 8, 24, 8),
    ("bf16", "all", 16, 8, 24, 8),
    ("8bit", "top", 16, 8, 24, 8),
    ("8bit", "all", 16, 8, 24, 8),
    ("fp32", "all", 16, 8, 24, 8),
    ("bf16", "all", 16, 32, 96, 8),
    ("8bit", "top", 32, 32, 96, 16),
]
LIBRARIES = """
import torch
from helpers.course.train import new_policy
from helpers.ppo import PPOTrainer
"""
UPDATE = (
    LIBRARIES
    + """
from helpers.model import load_tokenizer, start_lesson
from helpers.ppo import PPOConfig
from helpers.reward import AdapterReward

start_lesson()
model = new_policy({precision!r}, layers={layers!r})
config = PPOConfig(batch_size={batch}, response_length={response}, per_device_train_batch_size={micro_batch},
                   num_ppo_epochs=2, temperature=1.0)
prompts = torch.randint(100, 40000, ({batch}, {prompt})).tolist()
prompts[0].pop()  # one is padded, so that every pass has a mask
PPOTrainer(config, model, None, tokenizer=load_tokenizer(), dataset=prompts, reward=AdapterReward(model),
           data_collator=lambda rows: load_tokenizer().pad(rows, return_tensors="pt")).train(1)
"""
)


def measured(*setting) -> int:
    """The peak of a fresh process that makes one update (two epochs, for Adam's averages appear after the first)."""
    return peak_bytes_of_fresh_process(UPDATE.format(**dict(zip(NAMES, setting, strict=True))))


def main(settings: list[tuple]) -> None:
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {"peaks": []}
    record |= machine() | {"libraries_bytes": peak_bytes_of_fresh_process(LIBRARIES)}
    for setting in settings:
        found = dict(zip(NAMES, setting, strict=True)) | {"peak_bytes": measured(*setting)}
        kept = [point for point in record["peaks"] if tuple(point[name] for name in NAMES) != setting]
        record["peaks"] = [*kept, found]
        RECORD.write_text(json.dumps(record, indent=1) + "\n")
        print(*setting, f"{found['peak_bytes'] / 2**20:.0f} MiB", flush=True)


if __name__ == "__main__":
    main([SETTINGS[int(place)] for place in sys.argv[1:]] or SETTINGS)
