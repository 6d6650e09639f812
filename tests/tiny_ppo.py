"""A whole PPO run on a model of two layers, in milliseconds."""

from collections.abc import Sequence
from pathlib import Path

import torch
from conftest import in_8bit, letter_tokenizer, tiny_llama
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from helpers.backbone import Backbone
from helpers.ppo import OF_THE_MACHINE, PPOConfig, PPOTrainer
from helpers.reward import RewardModel, save_reward_model
from helpers.rollout import Rollout, Written, judged

FLOATS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
PRECISIONS = [*FLOATS, "8bit"]
PROMPTS = [[3, 4, 5, 6, 7], [8, 9], [10, 11, 12], [13, 14, 15, 16]]
EOS, PAD = 2, 0


def llama(precision: str = "fp32", folder: Path | None = None, seed: int = 0, scale: float = 5, **sizes):
    """A tiny Llama in any precision; its vocabulary is that of `tokenizer`, and `scale` makes it less uniform."""
    base = tiny_llama(seed, **{"vocab_size": 103, "bos_token_id": 1, "eos_token_id": EOS, **sizes})
    for parameter in base.parameters():
        parameter.data.mul_(scale)
    base = in_8bit(base, folder / "int8") if precision == "8bit" else base.to(FLOATS[precision])
    return base.requires_grad_(False)


def gpt2() -> GPT2LMHeadModel:
    """A model with biases and absolute positions."""
    torch.manual_seed(0)
    sizes = {"n_layer": 3, "n_embd": 32, "n_head": 2, "vocab_size": 103, "n_positions": 64}
    return GPT2LMHeadModel(GPT2Config(**sizes, bos_token_id=1, eos_token_id=EOS)).requires_grad_(False).train()


def other(family: str, num_hidden_layers: int = 2, **settings) -> torch.nn.Module:
    """A tiny model of another architecture, by transformers' name of it; its norms scale."""
    torch.manual_seed(0)
    sizes = {"vocab_size": 103, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": num_hidden_layers}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 24}
    special = {"pad_token_id": PAD, "bos_token_id": 1, "eos_token_id": EOS}
    if family == "gemma3_text":  # every other layer sees three tokens only
        kinds = ["sliding_attention", "full_attention"] * num_hidden_layers
        sizes |= {"layer_types": kinds[:num_hidden_layers], "sliding_window": 3}
    if family in ("phi3", "granite", "bloom"):
        heads["head_dim"] = 16
    config = AutoConfig.for_model(family, **sizes, **heads, **special, **settings)
    base = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    for name, parameter in base.named_parameters():
        if "norm" in name and name.endswith("weight"):
            torch.nn.init.uniform_(parameter, 0.5, 2)
        else:
            parameter.data.mul_(4)
    return base.requires_grad_(False).train()


def policy_of(base: torch.nn.Module, moved: float = 0.0, **settings) -> PeftModel:
    """A policy with an adapter on the top layer; `moved` is the size of B, 0 at the start of a training."""
    torch.manual_seed(1)
    fused = {"gpt2": ["c_attn"], "gpt_neox": ["query_key_value"], "bloom": ["query_key_value"], "phi3": ["qkv_proj"]}
    targets = fused.get(base.config.model_type, ["q_proj", "v_proj"])
    top = [base.config.num_hidden_layers - 1]
    config = {"r": 4, "lora_alpha": 16, "target_modules": targets, "layers_to_transform": top, **settings}
    policy = get_peft_model(base, LoraConfig(**config, fan_in_fan_out=targets == ["c_attn"]))
    for name, parameter in policy.named_parameters():
        if ".lora_B." in name:
            parameter.data.normal_().mul_(moved)
    return policy.train()


def tokenizer(**special) -> PreTrainedTokenizerFast:
    return letter_tokenizer(**{"pad_token": "<unk>", "padding_side": "left", **special})


def vowels(prompts: Sequence[str], responses: Sequence[str]) -> list[float]:
    """A reward that differs from text to text."""
    return [sum(letter in "aeiou" for letter in text) - 0.1 * len(text) for text in responses]


def config_of(**settings) -> PPOConfig:
    short = {"batch_size": 4, "response_length": 6, "stop_token_id": EOS, "learning_rate": 1e-2}
    return PPOConfig(**{**short, **settings})


def trainer_of(model: PeftModel | None = None, config: PPOConfig | None = None, **arguments) -> PPOTrainer:
    model, config = model or policy_of(llama()), config or config_of()
    reads = tokenizer()
    given = {"tokenizer": reads, "dataset": PROMPTS, "reward": vowels, **arguments}
    return PPOTrainer(config, model, **given)


def uneven_rollout(backbone: Backbone, value_head: torch.nn.Linear, temperature: float = 0.7) -> Rollout:
    """Four prompts of different lengths with responses of 6, 2, 1 and 4 tokens, judged by every role."""
    tokens, mask = uneven_tokens()
    scores = torch.tensor([1.0, -2.0, 0.5, 3.0])
    return judged(backbone, value_head, Written(tokens, mask, 6, temperature), scores, 4)


def uneven_tokens() -> tuple[torch.Tensor, torch.Tensor]:
    """(4, 11): prompts padded on the left, responses that end with the end token (but for the first) and padding."""
    responses = [[20, 21, 22, 23, 24, 25], [30, EOS], [EOS], [40, 41, 42, EOS]]
    rows = [[PAD] * (5 - len(p)) + p + r + [PAD] * (6 - len(r)) for p, r in zip(PROMPTS, responses, strict=True)]
    mask = [
        [False] * (5 - len(p)) + [True] * (len(p) + len(r)) + [False] * (6 - len(r))
        for p, r in zip(PROMPTS, responses, strict=True)
    ]
    return torch.tensor(rows), torch.tensor(mask)


def trained_weights(trainer: PPOTrainer) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in trainer.trained]


def frozen_weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters() if not p.requires_grad}


def reproducible(history: list[dict]) -> list[dict]:
    """A history without what differs when the same run is repeated: the machine's own figures."""
    return [{name: value for name, value in row.items() if name not in OF_THE_MACHINE} for row in history]


def reward_folder(folder: Path) -> Path:
    """The files of a reward adapter on the upper layer of `llama()`, whose scores differ from text to text."""
    model = policy_of(llama(), moved=0.5, target_modules=["o_proj"])
    torch.manual_seed(4)
    save_reward_model(RewardModel(model, torch.nn.Linear(64, 1), tokenizer()), folder, {})
    return folder
