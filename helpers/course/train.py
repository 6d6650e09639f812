"""`python -m helpers train`: a whole PPO run on the course's model and ratings, from start to a saved adapter."""

import argparse
import dataclasses
import types
import typing
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model

from helpers.adapters import top_layers
from helpers.device import best_precision
from helpers.feedback import prompt_collator, prompt_ids
from helpers.model import PRECISIONS, load_model, load_tokenizer, start_lesson
from helpers.ppo import PPOConfig, PPOTrainer
from helpers.reward import AdapterReward

MEASURED = {"learning_rate": 1e-3, "kl_coef": 0.075, "batch_size": 48, "response_length": 24, "temperature": 1.0}
DEFAULTS = {**MEASURED, "save_every": 5}  # README's table says what 30 updates of these settings change


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="where checkpoints and, at the end, the adapter are written")
    parser.add_argument("--updates", type=int, default=30, help="updates in all (default: 30)")
    parser.add_argument("--precision", choices=PRECISIONS, help="of the backbone (default: what suits this machine)")
    parser.add_argument("--r", type=int, default=8, help="rank of the adapters (default: 8)")
    parser.add_argument("--layers", choices=("top", "all"), default="top", help="adapted layers: top third, or all")
    parser.add_argument("--prompts", type=int, default=1000, help="training prompts (default: 1000)")
    parser.add_argument("--resume", action="store_true", help="go on from the newest checkpoint in the folder")
    group = parser.add_argument_group("settings of PPOConfig")
    for field in dataclasses.fields(PPOConfig):
        if field.name != "output_dir":
            default = DEFAULTS.get(field.name, field.default)
            group.add_argument(f"--{field.name}", type=_plain_type(field), default=default, help=f"default: {default}")


def run(args: argparse.Namespace) -> int:
    start_lesson(args.seed)
    names = {field.name for field in dataclasses.fields(PPOConfig)} - {"output_dir"}
    settings = {name: getattr(args, name) for name in names}
    settings["total_updates"] = settings["total_updates"] or args.updates
    config = PPOConfig(**settings, output_dir=str(args.folder))
    model, tokenizer = new_policy(args.precision or best_precision()[0], args.r, args.layers), load_tokenizer()
    trainer = PPOTrainer(
        config,
        model,
        ref_model=None,
        tokenizer=tokenizer,
        dataset=prompt_ids("train", tokenizer, args.prompts, args.seed),
        data_collator=prompt_collator(tokenizer),
        reward=AdapterReward(model),
        resume_from=args.folder if args.resume else None,
    )
    trainer.train(updates=args.updates - len(trainer.history))
    trainer.save(args.folder / "adapter")
    last = trainer.history[-1]
    reward, kl = last["objective/scores"], last["objective/kl"]
    print(f"After {last['update']} updates: reward {reward:+.2f}, KL {kl:.2f} nats a response.")
    print(f"Load the adapter with PeftModel.from_pretrained(model, {str(args.folder / 'adapter')!r}).")
    return 0


def new_policy(precision: str, r: int = 8, layers: str = "top") -> torch.nn.Module:
    """The course's model, frozen, with new adapters on q and v of its top third or of all layers."""
    base = load_model(precision).requires_grad_(False)
    adapted = top_layers(base) if layers == "top" else None
    targets = ["q_proj", "v_proj"]
    lora = LoraConfig(r=r, lora_alpha=2 * r, target_modules=targets, layers_to_transform=adapted, task_type="CAUSAL_LM")
    return get_peft_model(base, lora).train()


def _plain_type(field: dataclasses.Field) -> type:
    """int of `int | None`: what the command line has to convert to."""
    if isinstance(field.type, types.UnionType):
        return next(kind for kind in typing.get_args(field.type) if kind is not types.NoneType)
    return field.type
