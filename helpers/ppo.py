"""PPO on one backbone, in one sitting: roll out, judge, and take a few clipped steps.

config = PPOConfig(response_length=24, kl_coef=0.05, learning_rate=1e-3)
trainer = PPOTrainer(config, model, ref_model=None, tokenizer=tokenizer, dataset=prompts, data_collator=collator,
                     reward=reward)
trainer.train(updates=30)
"""

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from peft import PeftModel
from torch import Tensor, nn
from tqdm import tqdm

from helpers import checkpoint
from helpers.adapters import refuse_unrecoverable
from helpers.backbone import Backbone, head_values
from helpers.formulas import (
    adapted_kl_coef,
    advantages_and_returns,
    kl_per_token,
    masked_mean,
    policy_losses,
    rewards_per_token,
    value_losses,
)
from helpers.memory import peak_bytes
from helpers.reward import AdapterReward
from helpers.rollout import Reward, Rollout, generate, judged


@dataclasses.dataclass
class PPOConfig:
    """Settings of a run; TRL's names and defaults where they mean the same.

    Attributes:
        learning_rate: of Adam, falling linearly to 0 over `total_updates` if that is given.
        batch_size: responses a rollout, over all processes.
        num_ppo_epochs, num_mini_batches: passes over a rollout, and optimizer steps in each.
        per_device_train_batch_size: responses a training micro-batch; changes memory and time, not the result.
        local_rollout_forward_batch_size: responses a pass without gradients; likewise.
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
    """

    learning_rate: float = 3e-6
    total_updates: int | None = None
    batch_size: int = 16
    num_ppo_epochs: int = 4
    num_mini_batches: int = 1
    per_device_train_batch_size: int = 8
    local_rollout_forward_batch_size: int = 64
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

    def __post_init__(self):
        at_least_1 = ("batch_size", "num_ppo_epochs", "num_mini_batches", "per_device_train_batch_size")
        at_least_1 += ("local_rollout_forward_batch_size", "response_length", "kl_horizon")
        for name in at_least_1:
            self._refuse(name, getattr(self, name) >= 1, "at least 1")
        for name in ("learning_rate", "temperature", "cliprange", "cliprange_value", "max_grad_norm"):
            self._refuse(name, 0 < getattr(self, name) < float("inf"), "above 0 and finite")
        for name in ("kl_coef", "vf_coef", "value_warmup_updates", "save_every", "sample_every"):
            self._refuse(name, 0 <= getattr(self, name) < float("inf"), "at least 0")
        for name in ("gamma", "lam"):
            self._refuse(name, 0 <= getattr(self, name) <= 1, "from 0 to 1")
        self._refuse("kl_target", self.kl_target is None or self.kl_target > 0, "above 0, or None")
        fits = self.batch_size % self.num_mini_batches == 0
        self._refuse("num_mini_batches", fits, f"a divisor of batch_size={self.batch_size}")

    def _refuse(self, name: str, good: bool, needed: str) -> None:
        if not good:
            raise ValueError(f"{name}={getattr(self, name)!r}: it must be {needed}.")


class PPOTrainer:
    """Trains the adapters of a peft model from rewards, with a reference that is recovered from the model itself.

    The value head is linear, in float32, zero at the start, on the policy's last hidden states; the value loss does not
    flow into the adapter.

    Args:
        config: settings.
        model: a peft model on any base precision.
        ref_model: None: the model without its adapters (or `config.ref_adapter_name`). A given model is used as it is.
        tokenizer: pads on the left with a token that is not the end token.
        dataset: rows with `input_ids`, or texts, or chat messages.
        data_collator: makes a left-padded batch (`input_ids`, `attention_mask`) of rows; None: the tokenizer pads.
        optimizer: None builds AdamW(learning_rate, eps=1e-5). A given one keeps its settings, and the value head is
            added to it as a parameter group.
        reward: `reward(prompts, responses)` with one finite float each, or an `AdapterReward` on the same model.
        on_update: called with the metrics of each update.
        resume_from: a checkpoint, or a folder of them.

    Raises:
        ValueError: a setting under which the run would be silently wrong; the message says what to do.
    """

    def __init__(
        self,
        config: PPOConfig,
        model: PeftModel,
        ref_model: nn.Module | None = None,
        *,
        tokenizer: Any,
        dataset: Sequence,
        data_collator: Callable | None = None,
        optimizer: torch.optim.Optimizer | None = None,
        reward: Reward | AdapterReward,
        on_update: Callable[[dict], None] | None = None,
        resume_from: str | Path | None = None,
    ):
        if ref_model is None and config.ref_adapter_name is None:
            refuse_unrecoverable(model)
        self.config, self.model, self.tokenizer, self.reward = config, model, tokenizer, reward
        self.dataset, self.collator, self.on_update = dataset, data_collator or _padded_by(tokenizer), on_update
        self.accelerator = Accelerator()
        self.backbone = Backbone(model, config.ref_adapter_name)
        width = model.get_base_model().config.hidden_size
        self.value_head = nn.Linear(width, 1, device=model.device)
        nn.init.zeros_(self.value_head.weight)
        nn.init.zeros_(self.value_head.bias)
        self.adapter_weights = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = optimizer or torch.optim.AdamW(self.adapter_weights, lr=config.learning_rate, eps=1e-5)
        self.optimizer.add_param_group({"params": list(self.value_head.parameters())})
        self.base_rates = [group["lr"] for group in self.optimizer.param_groups]
        self.generator = torch.Generator().manual_seed(config.seed)
        self.kl_coef, self.history, self.order = config.kl_coef, [], []
        if resume_from is not None:
            self._restore(checkpoint.load(Path(resume_from), model, self.value_head))

    @property
    def trained(self) -> list[Tensor]:
        """Every trained tensor: the policy's adapter, and the value head."""
        return [*self.adapter_weights, *self.value_head.parameters()]

    def train(self, updates: int) -> list[dict]:
        """Do `updates` more updates; returns `history`, one dictionary of metrics for each update so far."""
        self.model.train()  # one mode everywhere: on a CPU, eval() of an 8-bit layer is another function
        for module in self.model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        bar = tqdm(range(updates), desc="ppo", unit="update", disable=not self.accelerator.is_main_process)
        for _ in bar:
            started = time.perf_counter()
            rollout = self._roll_out()
            metrics = self._optimize(rollout)
            metrics["tokens_per_second"] = rollout.response_mask.sum().item() / (time.perf_counter() - started)
            metrics["peak_bytes"] = peak_bytes()
            self.history.append(metrics)
            bar.set_postfix(reward=f"{metrics['objective/scores']:.2f}", kl=f"{metrics['objective/kl']:.2f}")
            if self.on_update:
                self.on_update(metrics)
            if self.config.save_every and len(self.history) % self.config.save_every == 0:
                self._save_numbered()
        return self.history

    def save(self, folder: str | Path) -> None:
        """Write a checkpoint, from which `PeftModel.from_pretrained` loads the adapter and `resume_from` goes on."""
        checkpoint.save(Path(folder), self.model, self.value_head, self._state())

    def _roll_out(self) -> Rollout:
        """Write responses to the next prompts, and let every role judge them."""
        config = self.config
        batch = self.collator([self.dataset[i] for i in self._next_rows()])
        prompts, mask = (batch[name].to(self.model.device) for name in ("input_ids", "attention_mask"))
        uniforms = torch.rand(config.batch_size, config.response_length, generator=self.generator)
        limits = {"temperature": config.temperature, "stop": config.stop_token_id, "pad": self.tokenizer.pad_token_id}
        tokens, mask = generate(self.backbone, prompts, mask, uniforms.to(prompts.device), **limits)
        prompt = prompts.shape[1]
        rollout = judged(
            self.backbone,
            self.value_head,
            tokens,
            mask,
            self._scores(tokens, mask, prompt),
            prompt=prompt,
            temperature=config.temperature,
            forward_batch=config.local_rollout_forward_batch_size,
        )
        if config.missing_eos_penalty is not None:
            rollout.scores = rollout.scores - config.missing_eos_penalty * ~self._ended(rollout.tokens, prompt)
        return rollout

    def _ended(self, tokens: Tensor, prompt: int) -> Tensor:
        """(batch,), bool: the response, and not only the prompt, has the end token."""
        stop = self.config.stop_token_id
        return (tokens[:, prompt:] == (-1 if stop is None else stop)).any(1)

    def _scores(self, tokens: Tensor, mask: Tensor, prompt: int) -> Tensor | Callable:
        if not isinstance(self.reward, AdapterReward):
            return self._scores_of_texts(tokens, mask, prompt)
        ended = self._ended(tokens, prompt)
        return lambda states, rows: self.reward.read(self.backbone, states, mask[rows], ended[rows])

    def _scores_of_texts(self, tokens: Tensor, mask: Tensor, prompt: int) -> Tensor:
        """Ask the user's function, and refuse an answer that would poison the run."""
        decoded = [
            self.tokenizer.batch_decode([row[keep] for row, keep in zip(part, part_mask, strict=True)])
            for part, part_mask in ((tokens[:, :prompt], mask[:, :prompt]), (tokens[:, prompt:], mask[:, prompt:]))
        ]
        scores = torch.as_tensor(self.reward(*decoded), dtype=torch.float32, device=tokens.device)
        if scores.shape != (len(tokens),):
            raise ValueError(f"reward: {len(tokens)} responses need as many floats; it returned {tuple(scores.shape)}.")
        for text, score in zip(decoded[0], scores.tolist(), strict=True):
            if score != score or abs(score) == float("inf"):
                raise ValueError(f"reward: the score of the response to {text!r} is {score}; it must be finite.")
        return scores

    def _optimize(self, rollout: Rollout) -> dict:
        """A few epochs of clipped steps on one rollout."""
        config, mask = self.config, rollout.response_mask
        rewards = rewards_per_token(rollout.scores, rollout.logprobs, rollout.reference_logprobs, mask, self.kl_coef)
        advantages, returns = advantages_and_returns(rewards, rollout.values, mask, config.gamma, config.lam)
        advantages = _whitened(advantages, mask)
        self._set_learning_rate()
        steps = []
        for _ in range(config.num_ppo_epochs):
            order = torch.randperm(len(mask), generator=self.generator).to(mask.device)
            for rows in order.chunk(config.num_mini_batches):
                steps.append(self._step(rollout, advantages, returns, rows))
        kl = (torch.where(mask, rollout.logprobs - rollout.reference_logprobs, 0)).sum(1).mean().item()
        metrics = self._metrics(rollout, rewards, returns, kl)
        metrics |= {name: sum(step[name] for step in steps) / len(steps) for name in steps[0]}
        metrics["val/ratio_min"] = min(step["val/ratio_min"] for step in steps)
        metrics["val/ratio_max"] = max(step["val/ratio_max"] for step in steps)
        if config.kl_target is not None:
            self.kl_coef = adapted_kl_coef(self.kl_coef, kl, config.kl_target, config.kl_horizon, config.batch_size)
        return metrics

    def _step(self, rollout: Rollout, advantages: Tensor, returns: Tensor, rows: Tensor) -> dict:
        """One optimizer step on a minibatch, in micro-batches whose *sums* are divided by the minibatch's tokens."""
        config = self.config
        tokens = rollout.response_mask[rows].sum()
        totals: dict[str, float] = {}
        ratios = []
        for part in rows.split(config.per_device_train_batch_size):
            mask = rollout.response_mask[part]
            hidden = self.backbone.top(rollout.states.rows(part))
            logprobs = self.backbone.response_logprobs(hidden, rollout.responses[part], config.temperature)
            values = head_values(self.value_head, hidden.detach(), mask.shape[1])
            old = rollout.logprobs[part]
            policy = torch.where(mask, policy_losses(logprobs, old, advantages[part], config.cliprange), 0).sum()
            errors = value_losses(values, rollout.values[part], returns[part], config.cliprange_value)
            value = torch.where(mask, errors, 0).sum()
            warm = len(self.history) < config.value_warmup_updates
            ((0.0 if warm else 1.0) * policy / tokens + config.vf_coef * value / tokens).backward()
            change = (logprobs.detach() - old)[mask]
            ratios.append(change.exp())
            sums = {
                "loss/policy_avg": policy,
                "loss/value_avg": value,
                "policy/approxkl_avg": 0.5 * change.square().sum(),
                "policy/clipfrac_avg": ((change.exp() - 1).abs() > config.cliprange).sum(),
                "val/ratio": ratios[-1].sum(),
            }
            for name, total in sums.items():
                totals[name] = totals.get(name, 0.0) + total.item() / tokens.item()
        norm = nn.utils.clip_grad_norm_(self.trained, config.max_grad_norm)
        if not torch.isfinite(norm):
            raise ValueError(
                f"The gradient of update {len(self.history) + 1} is not finite; no step was made. Look at the reward "
                "and at learning_rate, and resume from the last checkpoint."
            )
        self.optimizer.step()
        self.optimizer.zero_grad()
        ratio = torch.cat(ratios)
        totals |= {"val/ratio_min": ratio.min().item(), "val/ratio_max": ratio.max().item(), "grad_norm": norm.item()}
        return totals

    def _metrics(self, rollout: Rollout, rewards: Tensor, returns: Tensor, kl: float) -> dict:
        """What the rollout says about the run, before its steps."""
        mask = rollout.response_mask
        k3 = torch.where(mask, kl_per_token(rollout.logprobs, rollout.reference_logprobs), 0).sum(1).mean()
        return {
            "update": len(self.history) + 1,
            "episode": (len(self.history) + 1) * self.config.batch_size,
            "objective/scores": rollout.scores.mean().item(),
            "objective/kl": kl,
            "objective/kl_k3": k3.item(),
            "objective/entropy": torch.where(mask, -rollout.logprobs, 0).sum(1).mean().item(),
            "objective/rlhf_reward": rewards.sum(1).mean().item(),
            "val/explained_variance": _explained_variance(rollout.values[mask], returns[mask]),
            "response_length": mask.sum(1).float().mean().item(),
            "eos_share": self._ended(rollout.tokens, rollout.prompt_length).float().mean().item(),
            "kl_coef": self.kl_coef,
            "lr": self.optimizer.param_groups[0]["lr"],
        }

    def _set_learning_rate(self) -> None:
        total = self.config.total_updates
        left = 1.0 if total is None else max(0.0, 1 - len(self.history) / total)
        for group, rate in zip(self.optimizer.param_groups, self.base_rates, strict=True):
            group["lr"] = rate * left

    def _next_rows(self) -> list[int]:
        """The next prompts' row numbers: each epoch of the dataset in an order of its own."""
        while len(self.order) < self.config.batch_size:
            self.order += torch.randperm(len(self.dataset), generator=self.generator).tolist()
        rows, self.order = self.order[: self.config.batch_size], self.order[self.config.batch_size :]
        return rows

    def _save_numbered(self) -> None:
        try:
            checkpoint.save_numbered(
                Path(self.config.output_dir), len(self.history), self.model, self.value_head, self._state()
            )
        except Exception as error:  # a full disk must not end the training; it is said at every save
            print(
                f"The checkpoint of update {len(self.history)} was not written: {error}. Training goes on.", flush=True
            )

    def _state(self) -> dict:
        return {
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "order": self.order,
            "kl_coef": self.kl_coef,
            "history": self.history,
        }

    def _restore(self, state: dict) -> None:
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        self.order, self.kl_coef, self.history = state["order"], state["kl_coef"], state["history"]


def _whitened(advantages: Tensor, mask: Tensor) -> Tensor:
    """Mean 0 and variance 1 over the real response tokens of the rollout; 0 elsewhere."""
    mean = masked_mean(advantages, mask)
    variance = masked_mean((advantages - mean).square(), mask)
    return torch.where(mask, (advantages - mean) * torch.rsqrt(variance + 1e-8), 0)


def _explained_variance(values: Tensor, returns: Tensor) -> float:
    """1 - var(returns - values) / var(returns): 1 is a perfect value head, 0 a constant one."""
    return (1 - (returns - values).var() / returns.var().clamp_min(1e-8)).item()


def _padded_by(tokenizer: Any) -> Callable:
    return lambda rows: tokenizer.pad([{"input_ids": row["input_ids"]} for row in rows], return_tensors="pt")
