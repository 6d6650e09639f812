"""Inputs and calls of the two exercises of lesson 4 that look at runs: their logs, and what they keep in memory."""

import math
import random
import warnings
from collections.abc import Callable

import torch
from torch.autograd.graph import saved_tensors_hooks

from helpers.checks.calls.observe import NUMBER_OUTPUTS, TEXT_OUTPUTS, call_for_number, call_for_text

SICKNESSES = ("healthy", "no_kl_penalty", "learning_rate_too_high", "wrong_reference")
_LOGS = tuple(f"log_{number}" for number in range(1, 9))
RUN_DIAGNOSIS_OUTPUTS = {f"{name}_{part}": str for name in _LOGS for part in ("output", "kind")}
RUN_DIAGNOSIS_OUTPUTS["inputs_changed"] = TEXT_OUTPUTS["inputs_changed"]
BYTES_PER_ADAPTED_LAYER_OUTPUTS = {
    **NUMBER_OUTPUTS,
    "gradients_off": bool,  # after the call
    "hooks_left": bool,  # what is kept for a backward still goes through hooks of the answer
}
LAYERS = 4
_UPDATES = 16


def run_diagnosis_inputs(seed: int) -> dict:
    """Eight logs, two of each kind, in an order drawn from the seed.

    The second of a kind differs. A healthy one has a low entropy from the start, and its KL passes 10 nats before it
    comes back; one without a penalty drifts late and less far, where the first makes a large step in the KL with
    ordinary ratios; one with too high a learning rate made its only jump in the last update, which shows in the ratio
    alone, and the first made its own in the first update; a wrong reference is less than half a nat off. So no
    reward, no mean, no one update alone and no step of another figure tells all kinds.
    """
    draw = random.Random(seed)
    kinds = [(kind, is_second) for kind in SICKNESSES for is_second in (False, True)]
    draw.shuffle(kinds)
    return {name: _log(kind, draw, is_second) for name, (kind, is_second) in zip(_LOGS, kinds, strict=True)}


def call_run_diagnosis(answer: Callable, inputs: dict) -> dict:
    found = {name: call_for_text(answer, {"log": log}) for name, log in inputs.items()}
    outputs = {f"{name}_{part}": found[name][part] for name in _LOGS for part in ("output", "kind")}
    return {**outputs, "inputs_changed": any(one["inputs_changed"] for one in found.values())}


def _log(kind: str, draw: random.Random, is_second: bool) -> dict[str, list[float]]:
    """The four metrics of one run, update by update. Every healthy log has its own size and noise."""
    progress = [update / (_UPDATES - 1) for update in range(_UPDATES)]
    is_healthy, gain, spread = kind == "healthy", draw.uniform(0.6, 1.0), draw.uniform(52, 60)
    if is_healthy and is_second:
        spread = draw.uniform(11.5, 13)
    kl = _held_kl(progress, draw, passes_10=is_healthy and is_second)
    reward = [gain * done**0.7 + draw.uniform(-0.12, 0.12) for done in progress]
    entropy = [spread * (1 - 0.15 * done) * draw.uniform(0.975, 1.025) for done in progress]
    ratio = [draw.uniform(1.6, 2.8) for _ in progress]
    if kind != "no_kl_penalty" and is_second:
        reward = [1.3 * value + 0.7 * done for value, done in zip(reward, progress, strict=True)]
    if kind == "no_kl_penalty":
        kl = [kl[0], *_drifting_kl(progress, draw, is_second)[1:]]
        times, plus = (1, 0) if is_second else (2.8, 0.2)
        reward = [times * value + plus * done for value, done in zip(reward, progress, strict=True)]
        entropy = [value * (1 - 0.75 * done) for value, done in zip(entropy, progress, strict=True)]
    if kind == "learning_rate_too_high" and is_second:
        ratio = [*(draw.uniform(1.1, 1.3) for _ in progress[1:]), draw.uniform(11, 13)]
    elif kind == "learning_rate_too_high":
        ratio[0] = draw.uniform(60, 90)
        kl[1:] = [draw.uniform(25, 90) for _ in progress[1:]]
        reward[1:] = [draw.uniform(-1.6, -0.4) for _ in progress[1:]]
        entropy[1:] = [draw.uniform(2, 20) for _ in progress[1:]]
    if kind == "wrong_reference":
        offset, share = (draw.uniform(0.16, 0.45), draw.uniform(1.6, 1.8)) if is_second else (draw.uniform(22, 40), 0.3)
        kl = [offset * draw.uniform(0.95, 1.05) + share * value for value in kl]
    names = ("objective/kl", "objective/scores", "objective/entropy", "val/ratio_max")
    rows = zip(names, (kl, reward, entropy, ratio), strict=True)
    return {name: [round(value, 4) for value in values] for name, values in rows}


def _held_kl(progress: list[float], draw: random.Random, passes_10: bool) -> list[float]:
    """A KL that levels off at a few nats, or at more than 10 and then comes back to less than 9."""
    level = draw.uniform(11, 11.4) if passes_10 else draw.uniform(4, 5)
    end = draw.uniform(8.3, 8.6) if passes_10 else level
    kl = [(1 - math.exp(-12 * done)) * (level + (end - level) * max(0, done - 0.7) / 0.3) for done in progress]
    first = draw.uniform(0.0035, 0.0045) if passes_10 else draw.uniform(0.0005, 0.003)
    return [first, *(value * draw.uniform(0.98, 1.02) for value in kl[1:])]


def _drifting_kl(progress: list[float], draw: random.Random, is_second: bool) -> list[float]:
    """A KL that nothing holds; one of the two makes a step of some 30 nats on its way."""
    height, power = (draw.uniform(26, 36), 3) if is_second else (draw.uniform(50, 60), 1.5)
    step, at = (0, 0) if is_second else (draw.uniform(28, 34), draw.randrange(10, 14))
    kl = [height * done**power * draw.uniform(0.97, 1.03) + 1 for done in progress]
    return [value + step * (update >= at) for update, value in enumerate(kl)]


def bytes_per_adapted_layer_inputs(seed: int) -> dict:
    """Tokens, and the sizes of a Llama of four layers."""
    generator = torch.Generator().manual_seed(seed)

    def whole(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    heads, batch, length = whole(2, 4), whole(2, 3), whole(7, 12)
    return {
        "tokens": torch.randint(3, 29, (batch, length), generator=generator),
        "heads": heads,
        "hidden_size": 8 * heads,
        "intermediate_size": whole(12, 20) * 4,
        "r": whole(3, 6),
    }


def call_bytes_per_adapted_layer(answer: Callable, inputs: dict) -> dict:
    """Call the answer inside hooks of the check, which tell afterwards whether others are still in their place."""
    seen, left = [], {"gradients_off": False, "hooks_left": False}
    own = saved_tensors_hooks(lambda tensor: seen.append(tensor) or tensor, lambda tensor: tensor)
    with torch.enable_grad():
        own.__enter__()
        try:
            found = call_for_number(lambda tokens: answer(policies(inputs), tokens), {"tokens": inputs["tokens"]})
        finally:
            left["gradients_off"] = not torch.is_grad_enabled()
            torch.set_grad_enabled(True)
            while not _collects(seen):
                left["hooks_left"] = True
                own.__exit__()  # leaves the innermost, whosever it is
            own.__exit__()
    return found | left


def _collects(seen: list) -> bool:
    """Whether what is kept for a backward now goes through the hooks that fill this list."""
    seen.clear()
    torch.ones(1, requires_grad=True).exp()
    return bool(seen)


def sizes(inputs: dict) -> dict:
    """The arguments of the `LlamaConfig`."""
    return {
        "vocab_size": 29,
        "hidden_size": inputs["hidden_size"],
        "intermediate_size": inputs["intermediate_size"],
        "num_hidden_layers": LAYERS,
        "num_attention_heads": inputs["heads"],
        "num_key_value_heads": inputs["heads"],
        "head_dim": 8,
        "max_position_embeddings": 32,
        "tie_word_embeddings": True,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }


def policies(inputs: dict) -> Callable:
    """policy_with(k): a new peft model whose top k layers, of four, have an adapter on q and v.

    Before each adapted layer's input is kept, a part of it is, as a view: so a count of what tensors show falls short.
    """
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    def policy_with(k: int):
        if k not in range(1, LAYERS + 1):
            raise ValueError(f"policy_with({k!r}): the model has {LAYERS} layers, so 1 to {LAYERS} can be adapted.")
        top = list(range(LAYERS - k, LAYERS))
        lora = LoraConfig(r=inputs["r"], target_modules=["q_proj", "v_proj"], layers_to_transform=top)
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
            torch.manual_seed(k)
            policy = get_peft_model(LlamaForCausalLM(LlamaConfig(**sizes(inputs))), lora).train()
        for name, module in policy.named_modules():
            if name.endswith("q_proj.lora_A.default"):
                module.register_forward_pre_hook(lambda _, given: (_PartKept.apply(given[0]),))
        return policy

    return policy_with


class _PartKept(torch.autograd.Function):
    """Its input as it is; the first position of each text is kept for the backward, as a view."""

    @staticmethod
    def forward(ctx, hidden: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(hidden[:, :1])
        return hidden.view_as(hidden)

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> torch.Tensor:
        return gradient
