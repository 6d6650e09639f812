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
START = """
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from helpers.course.train import new_policy
from helpers.model import load_tokenizer, start_lesson
from helpers.ppo import PPOConfig, PPOTrainer
from helpers.reward import AdapterReward

start_lesson()
"""
UPDATE = """
config = PPOConfig(batch_size={batch}, response_length={response}, per_device_train_batch_size={micro_batch},
                   num_ppo_epochs=2, temperature=1.0)
prompts = torch.randint(100, 40000, ({batch}, {prompt})).tolist()
prompts[0].pop()  # one is padded, so that every pass has a mask
PPOTrainer(config, model, None, tokenizer=load_tokenizer(), dataset=prompts, reward=reward,
           data_collator=lambda rows: load_tokenizer().pad(rows, return_tensors="pt")).train(1)
"""
REAL = """
model = new_policy({precision!r}, layers={layers!r})
reward = AdapterReward(model)
"""
TINY = """
sizes = dict(num_hidden_layers=2, hidden_size=64, intermediate_size=128, num_attention_heads=4, vocab_size=49152)
base = LlamaForCausalLM(LlamaConfig(**sizes, tie_word_embeddings=True)).to(torch.bfloat16).requires_grad_(False)
model = get_peft_model(base, LoraConfig(r=8, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"))
reward = lambda prompts, responses: [0.0] * len(prompts)
"""


def measured(*setting) -> int:
    """The peak of a fresh process that makes one update (two epochs, for Adam's averages appear after the first)."""
    return peak_bytes_of_fresh_process((START + REAL + UPDATE).format(**dict(zip(NAMES, setting, strict=True))))


def libraries_bytes() -> int:
    """The peak of the same update of a model of no size: Python, libraries, and what they load when they first run."""
    return peak_bytes_of_fresh_process((START + TINY + UPDATE).format(**dict(zip(NAMES, SETTINGS[0], strict=True))))


def main(settings: list[tuple]) -> None:
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {"peaks": []}
    record |= machine() | {"libraries_bytes": libraries_bytes()}
    for setting in settings:
        found = dict(zip(NAMES, setting, strict=True)) | {"peak_bytes": measured(*setting)}
        kept = [point for point in record["peaks"] if tuple(point[name] for name in NAMES) != setting]
        record["peaks"] = [*kept, found]
        RECORD.write_text(json.dumps(record, indent=1) + "\n")
        print(*setting, f"{found['peak_bytes'] / 2**20:.0f} MiB", flush=True)


if __name__ == "__main__":
    main([SETTINGS[int(place)] for place in sys.argv[1:]] or SETTINGS)
