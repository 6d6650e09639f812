"""The settings of a PPO run, and the runs that are refused because they would be silently wrong."""

import dataclasses
import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor, nn

from helpers.adapters import refuse_unrecoverable


@dataclasses.dataclass
class PPOConfig:
    """Settings of a run; TRL's names and defaults where they mean the same.

    Attributes:
        learning_rate: of Adam, falling linearly to 0 over `total_updates` if that is given.
        batch_size: responses a rollout, over all processes.
        num_ppo_epochs, num_mini_batches: passes over a rollout, and optimizer steps in each.
        per_device_train_batch_size: responses a training micro-batch; changes memory and time, not the result.
        local_rollout_forward_batch_size: responses a pass without gradients; None: as many as in training. Another
            number makes the first ratio differ from 1 in bfloat16, whose matrix products depend on the shape.
        response_length: new tokens at most.
        stop_token_id: ends a response; None: only its length does.
        missing_eos_penalty: subtracted from the score of a response without its end token.
        temperature: divides the logits when sampling and in every log-probability.
        kl_coef: price of a nat of drift from the reference, in score units.
        kl_target, kl_horizon: if a target (nats a response) is given, `kl_coef` follows it (Ziegler et al., 2019).
        cliprange, cliprange_value: how far ratio and value may move in one rollout.
        vf_coef: weight of the value loss.
        gamma, lam: discount, and lambda of generalized advantage estimation.
        max_grad_norm: gradients are scaled down to it.
        value_warmup_updates: updates at the start that train the value head only.
        ref_adapter_name: a frozen adapter of the model that is the reference; None: the model without adapters.
        seed: of sampling, shuffling and data order.
        output_dir, save_every: where and how often (updates) to write checkpoints; None and 0: never.
        sample_every: print a table of samples every so many updates; 0: never.
        report_to: a tracker of Accelerate, such as "tensorboard"; None: none.
    """

    learning_rate: float = 3e-6
    total_updates: int | None = None
    batch_size: int = 16
    num_ppo_epochs: int = 4
    num_mini_batches: int = 1
    per_device_train_batch_size: int = 8
    local_rollout_forward_batch_size: int | None = None
    response_length: int = 53
    stop_token_id: int | None = None
    missing_eos_penalty: float | None = None
    temperature: float = 0.7
    kl_coef: float = 0.05
    kl_target: float | None = None
    kl_horizon: int = 10_000
    cliprange: float = 0.2
    cliprange_value: float = 0.2
    vf_coef: float = 0.1
    gamma: float = 1.0
    lam: float = 0.95
    max_grad_norm: float = 1.0
    value_warmup_updates: int = 0
    ref_adapter_name: str | None = None
    seed: int = 42
    output_dir: str | None = None
    save_every: int = 0
    sample_every: int = 0
    report_to: str | None = None

    def __post_init__(self):
        at_least_1 = ("batch_size", "num_ppo_epochs", "num_mini_batches", "per_device_train_batch_size")
        for name in (*at_least_1, "response_length", "kl_horizon"):
            value = getattr(self, name)
            self._need(name, isinstance(value, int) and value >= 1, "a whole number, at least 1")
        for name in ("local_rollout_forward_batch_size", "total_updates"):
            self._need(name, getattr(self, name) is None or getattr(self, name) >= 1, "at least 1, or None")
        for name in ("learning_rate", "temperature", "cliprange", "cliprange_value", "max_grad_norm"):
            self._need(name, 0 < getattr(self, name) < float("inf"), "above 0 and finite")
        for name in ("kl_coef", "vf_coef", "value_warmup_updates", "save_every", "sample_every"):
            self._need(name, 0 <= getattr(self, name) < float("inf"), "at least 0 and finite")
        for name in ("gamma", "lam"):
            self._need(name, 0 <= getattr(self, name) <= 1, "from 0 to 1")
        self._need("kl_target", self.kl_target is None or self.kl_target > 0, "above 0, or None")
        fits = self.batch_size % self.num_mini_batches == 0
        self._need("num_mini_batches", fits, f"a divisor of batch_size={self.batch_size}")
        self._need(
            "output_dir", not self.save_every or self.output_dir is not None, "a folder if save_every is above 0"
        )
        asked = self.missing_eos_penalty is None or self.stop_token_id is not None
        self._need("stop_token_id", asked, "an id if missing_eos_penalty is given")
        finite = self.missing_eos_penalty is None or math.isfinite(self.missing_eos_penalty)
        self._need("missing_eos_penalty", finite, "finite, or None")

    def _need(self, name: str, good: bool, needed: str) -> None:
        if not good:
            raise ValueError(f"{name}={getattr(self, name)!r}: it must be {needed}.")


def refuse_model(config: PPOConfig, model: nn.Module, ref_model: nn.Module | None) -> None:
    """Raise a `ValueError` for a policy that cannot be trained, or whose reference would not be what it seems."""
    if not isinstance(model, PeftModel):
        raise ValueError(
            f"model is a {type(model).__name__}; this trainer trains adapters. Wrap it: "
            "get_peft_model(model, LoraConfig(…))."
        )
    if ref_model is model:
        raise ValueError(
            "ref_model is the policy itself, which moves. Pass None: the reference is then recovered from it."
        )
    if ref_model is None:
        refuse_unrecoverable(model)
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if not trained:
        raise ValueError(
            "model has no trainable adapter. Load it with is_trainable=True, or add one: get_peft_model(…). If another "
            "was loaded after it, which freezes both before peft 0.21: model.set_adapter(name) mends that."
        )
    other = [name for name in trained if f".{model.active_adapter}." not in f"{name}." or ".lora_" not in name]
    if other:
        raise ValueError(
            f"model: {other[0]} and {len(other) - 1} more weights beside the adapter {model.active_adapter!r} are "
            "trainable, and this trainer trains that adapter only. Freeze them: parameter.requires_grad_(False)."
        )
    half = next((name for name, p in trained.items() if p.dtype != torch.float32), None)
    if half is not None:
        raise ValueError(
            f"model: {half} is in {trained[half].dtype}, in which a small step is rounded away. Train adapters in "
            "float32: peft makes them so unless autocast_adapter_dtype=False."
        )
    if any(getattr(module, "merged", False) for module in model.modules()):
        raise ValueError("model: the adapter is merged into the weights. Call model.unmerge_adapter() first.")
    _refuse_reentrant(model)
    if ref_model is not None:
        if {id(p) for p in ref_model.parameters()} & {id(p) for p in trained.values()}:
            raise ValueError(
                "ref_model holds the adapter that is trained, and moves with it. Pass a model of its own, or None."
            )
        return
    name = config.ref_adapter_name
    if name is not None and name not in model.peft_config:
        raise ValueError(f"ref_adapter_name={name!r}: the model has the adapters {', '.join(model.peft_config)}.")
    if name is not None and name == model.active_adapter:
        raise ValueError(
            f"ref_adapter_name={name!r} is the adapter that is trained. Load a frozen copy under another name."
        )
    if name is None and _is_trained(model):
        raise ValueError(
            "The policy starts from a trained adapter (its B is not zero), so the model without adapters is not where "
            "it starts. Load a frozen copy of that adapter, model.load_adapter(folder, 'reference'), and name it: "
            "PPOConfig(ref_adapter_name='reference'). (To go on with a run, use resume_from.)"
        )


def _refuse_reentrant(model: nn.Module) -> None:
    """The older kind of gradient checkpointing needs an input with a gradient, and the trunk hands on none."""
    for module in model.modules():
        how = getattr(getattr(module, "_gradient_checkpointing_func", None), "keywords", {})
        if getattr(module, "gradient_checkpointing", False) and how.get("use_reentrant"):
            raise ValueError(
                "model: its gradient checkpointing is of the kind use_reentrant=True, under which no adapter would be "
                "trained. Call model.gradient_checkpointing_disable(): of long texts, this trainer computes layers "
                "again by itself."
            )


@torch.no_grad()
def refuse_other_function(backbone: Any, tokens: Tensor, mask: Tensor) -> None:
    """Raise a `ValueError` for a policy, or a reference of its own, that the trainer would compute as another function.

    Trunk, top and output layer must give the logits of the model's own forward, for the texts of a batch in another
    order, too; and its own forward must give them twice.

    Args:
        backbone: a `helpers.backbone.Backbone`.
        tokens, mask: (batch, length), of some texts.
    """
    given = {"input_ids": tokens, "attention_mask": mask, "position_ids": (mask.cumsum(1) - 1).clamp_min(0)}
    order = torch.arange(len(tokens) - 1, -1, -1, device=tokens.device)

    def by_parts() -> Tensor:
        hidden, weight = backbone.top(backbone.trunk(tokens, mask).rows(order)), backbone.output_layer.weight
        return hidden[:, -1].to(weight.dtype) @ weight.T

    def of_reference() -> Tensor:
        hidden, weight = backbone.reference_states(tokens, mask), backbone.reference.get_output_embeddings().weight
        return hidden[order, -1].to(weight.dtype) @ weight.T

    _refuse_other_logits("model", backbone.model, given, order, by_parts)
    if isinstance(backbone.reference, nn.Module):
        _refuse_other_logits("ref_model", backbone.reference, given, order, of_reference)


def _refuse_other_logits(name: str, model: nn.Module, given: dict, order: Tensor, by_parts: Callable) -> None:
    base = model.get_base_model() if isinstance(model, PeftModel) else model
    kind = type(base).__name__
    last = {"logits_to_keep": 1} if "logits_to_keep" in inspect.signature(base.forward).parameters else {}
    try:
        due, again = (model(**given, **last, use_cache=False).logits[order, -1].float() for _ in range(2))
        found = by_parts().float()
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{name}: a {kind} cannot be run layer by layer here ({type(error).__name__}: {error}). Load it with "
            "attn_implementation='sdpa', or take a model of another architecture, such as Llama, Qwen3 or the "
            "text-only Gemma 3."
        ) from error
    if not due.isfinite().all():
        cure = "Load it in 8-bit: float16 ends at 65,504." if model.dtype == torch.float16 else "Load its weights anew."
        raise ValueError(f"{name}: the logits of this {kind} are no numbers, or infinite. {cure}")
    allowed = (1e-3 if due.is_cpu and model.dtype == torch.float32 else 0.05) * due.norm()
    if not (again - due).norm() <= (1e-6 * due.norm() if due.is_cpu else allowed):
        raise ValueError(
            f"{name}: two passes of this {kind} over the same texts differ, with every dropout layer at 0. Something "
            "in it is random (a dropout that its config sets?), and the first ratios would not be 1."
        )
    capped = getattr(model.config, "final_logit_softcapping", None)  # small logits hardly show it
    if capped or not (found - due).norm() <= allowed:
        raise ValueError(
            f"{name}: a {kind} does more than embedding, layers, norm and output matrix (a bias, a scale or a cap of "
            "its logits, say; or it reads texts together), and here another function would be computed."
        )


def refuse_tokenizer(config: PPOConfig, tokenizer: Any) -> None:
    """Raise a `ValueError` for a tokenizer without a padding of its own."""
    if tokenizer.pad_token_id is None or tokenizer.pad_token_id in (tokenizer.eos_token_id, config.stop_token_id):
        raise ValueError(
            f"pad_token_id={tokenizer.pad_token_id} is missing or the end token: the end of every response would be "
            "masked out of the loss. Set tokenizer.pad_token to a token of its own."
        )


def refuse_world(config: PPOConfig, processes: int) -> None:
    """Raise a `ValueError` for a rollout that the processes cannot share evenly."""
    if config.batch_size % processes:
        raise ValueError(f"batch_size={config.batch_size}: it must be a multiple of the {processes} processes.")


def rehearsed_prompts(
    config: PPOConfig, model: nn.Module, tokenizer: Any, dataset: Sequence, collator: Callable
) -> list[list[int]]:
    """The token ids of each prompt, tried on the collator once.

    Raises:
        ValueError: a dataset, a prompt or a collator that would spoil every rollout.
    """
    if not len(dataset):
        raise ValueError("dataset is empty: there is no prompt to respond to.")
    prompts = [input_ids(row, tokenizer) for row in dataset]
    room = getattr(model.config, "max_position_embeddings", None)
    longest = max(len(prompt) for prompt in prompts)
    if min(len(prompt) for prompt in prompts) == 0:
        raise ValueError("dataset has an empty prompt: a response needs at least one token to start from.")
    if room is not None and longest + config.response_length > room:
        raise ValueError(
            f"response_length={config.response_length} leaves no room: the longest prompt has {longest} tokens, and "
            f"the model reads {room}. Shorten the prompts or the responses."
        )
    _refuse_collator(collator, prompts)
    return prompts


def _refuse_collator(collator: Callable, prompts: Sequence[list[int]]) -> None:
    two = sorted(prompts, key=len)[:: max(1, len(prompts) - 1)][:2]
    batch = collator([{"input_ids": list(prompt)} for prompt in two])
    if "attention_mask" not in batch:
        raise ValueError("data_collator returns no attention_mask, without which padding cannot be told from prompts.")
    if not batch["attention_mask"][:, -1].bool().all():
        raise ValueError(
            "data_collator pads on the right, and a response would start behind a gap. Use "
            "tokenizer.padding_side = 'left'."
        )


def input_ids(row: Any, tokenizer: Any) -> list[int]:
    """The token ids of one row of a dataset: `input_ids`, a text, or chat messages.

    Raises:
        ValueError: the row is none of them.
    """
    if isinstance(row, dict):
        found = next((row[key] for key in ("input_ids", "messages", "prompt", "text") if key in row), None)
        if found is not None:
            return input_ids(found, tokenizer)
    elif isinstance(row, str):
        return tokenizer(row)["input_ids"]
    elif isinstance(row, torch.Tensor):
        return row.tolist()
    elif isinstance(row, list) and row and isinstance(row[0], dict):
        text = tokenizer.apply_chat_template(row, add_generation_prompt=True, tokenize=False)
        return tokenizer(text, add_special_tokens=False)["input_ids"]
    elif isinstance(row, list) and all(isinstance(token, int) for token in row):
        return row
    raise ValueError(f"dataset: a row must have input_ids, be a text, or be chat messages; this one is {row!r:.80}.")


def checked_scores(scores: Any, prompts: Sequence[str]) -> torch.Tensor:
    """What a reward function returned, as (responses,), float32.

    Raises:
        ValueError: a wrong count, or a number that is not finite; the message names the prompt.
    """
    try:
        scores = torch.as_tensor(scores, dtype=torch.float32).detach()
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"reward: {len(prompts)} floats are needed; it returned {scores!r:.80} ({error}).") from error
    if scores.shape != (len(prompts),):
        raise ValueError(f"reward: {len(prompts)} responses need as many floats; it returned {tuple(scores.shape)}.")
    for prompt, score in zip(prompts, scores.tolist(), strict=True):
        if not math.isfinite(score):
            raise ValueError(f"reward: the score of the response to {prompt!r} is {score}; it must be finite.")
    return scores


def refuse_infinite(update: int, metrics: dict[str, float]) -> None:
    """Raise a `ValueError` if a loss or the gradient is not finite; called before the step."""
    for name in ("loss/policy_avg", "loss/value_avg", "grad_norm"):
        if not math.isfinite(metrics[name]):
            raise ValueError(
                f"{name} of update {update} is {metrics[name]}; no step was made. Look at the rewards and at "
                "learning_rate (and take 8-bit if the model is in float16), and resume from the last checkpoint."
            )


def _is_trained(model: PeftModel) -> bool:
    name = f".lora_B.{model.active_adapter}."
    return any(parameter.any() for key, parameter in model.named_parameters() if name in key)
