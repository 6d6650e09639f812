"""PPO on one backbone, in one sitting: roll out, judge, and take a few clipped steps.

trainer = PPOTrainer(PPOConfig(response_length=24, learning_rate=1e-3), model, ref_model=None, tokenizer=tokenizer,
                     dataset=prompts, data_collator=collator, optimizer=None, reward=reward)
trainer.train(updates=30)
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from peft import PeftModel
from torch import Tensor, nn
from tqdm import tqdm

from helpers import checkpoint, eight_bit, settings
from helpers.backbone import Backbone, full_batches, head_values, switch_dropout_off
from helpers.download import CourseError
from helpers.formulas import (
    adapted_kl_coef,
    advantages_and_returns,
    kl_per_token,
    policy_losses,
    rewards_per_token,
    value_losses,
)
from helpers.layers import lean_layers
from helpers.memory import peak_bytes
from helpers.reward import AdapterReward
from helpers.rollout import Limits, Reward, Rollout, Scores, Written, decoded, generate, judged, sample_table, text_mask
from helpers.settings import PPOConfig

FP16_LOSS_SCALE = 2.0**16
MEANS = ("loss/policy_avg", "loss/value_avg", "policy/approxkl_avg", "policy/clipfrac_avg", "val/ratio")  # over tokens
OF_THE_MACHINE = ("tokens_per_second", "peak_bytes")  # the metrics that differ when the same run is repeated


class PPOTrainer:
    """Trains the adapters of a peft model from rewards, with a reference that is recovered from the model itself.

    The value head is linear, in float32, zero at the start, on the policy's last hidden states. The value loss does not
    flow into the adapter, for that gained more reward (measured in README). Every dropout of the models is set to 0 and
    the models to `train()`, and both stay so.

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
        CourseError: `resume_from` holds no intact checkpoint.
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
        settings.refuse_model(config, model, ref_model)
        settings.refuse_tokenizer(config, tokenizer)
        self.accelerator = Accelerator(log_with=config.report_to, project_dir=config.output_dir)
        settings.refuse_world(config, self.accelerator.num_processes)
        self.backbone = Backbone(model, ref_model if ref_model is not None else config.ref_adapter_name)
        self.collator = data_collator or (lambda rows: tokenizer.pad(rows, return_tensors="pt"))
        self.prompts = settings.rehearsed_prompts(config, model, tokenizer, dataset, self.collator)
        self.config, self.model, self.tokenizer, self.reward = config, model, tokenizer, reward
        self.on_update = on_update
        self._prepare_model()
        settings.refuse_other_function(self.backbone, *self._padded(range(len(self.prompts))[:2]))
        self._prepare_optimizer(optimizer)
        self.generator = torch.Generator().manual_seed(config.seed)
        self.kl_coef, self.history, self.order = config.kl_coef, [], []
        self.micro_batch = min(config.per_device_train_batch_size, config.batch_size // config.num_mini_batches)
        self.forward_batch = config.local_rollout_forward_batch_size
        self.loss_scale = FP16_LOSS_SCALE if model.get_base_model().dtype == torch.float16 else 1.0
        if resume_from is not None:
            self._restore(checkpoint.load(Path(resume_from), model, self.value_head))
        if config.save_every:
            checkpoint.refuse_newer(Path(config.output_dir), len(self.history))
        if config.report_to is not None:
            self.accelerator.init_trackers("ppo")

    def train(self, updates: int) -> list[dict]:
        """Do `updates` more updates; returns `history`, one dictionary of metrics for each update so far."""
        silent = {} if self.accelerator.is_main_process else {"disable": True}  # else the user's TQDM_DISABLE decides
        bar = tqdm(range(updates), desc="ppo", unit="update", **silent)
        with eight_bit.lean(self.model), lean_layers(self.model):
            for _ in bar:
                started = time.perf_counter()
                rollout = self._roll_out()
                metrics = self._optimize(rollout)
                metrics["tokens_per_second"] = rollout.response_mask.sum().item() / (time.perf_counter() - started)
                metrics["peak_bytes"] = peak_bytes()
                self.history.append(metrics)
                bar.set_postfix(reward=f"{metrics['objective/scores']:.2f}", kl=f"{metrics['objective/kl']:.2f}")
                self._after_update(rollout, metrics)
        return self.history

    def save(self, folder: str | Path) -> None:
        """Write a checkpoint, from which `PeftModel.from_pretrained` loads the adapter and `resume_from` goes on."""
        if self.accelerator.is_main_process:
            checkpoint.save(Path(folder), self.model, self.value_head, self._state())

    def _prepare_model(self) -> None:
        for model in (self.model, self.backbone.reference):
            if isinstance(model, nn.Module):
                switch_dropout_off(model)  # it would make the first ratio differ from 1
                model.train()  # one mode everywhere: on a CPU, eval() of an 8-bit layer is another function
        self.value_head = nn.Linear(self.model.config.hidden_size, 1, device=self.model.device)
        nn.init.zeros_(self.value_head.weight)
        nn.init.zeros_(self.value_head.bias)

    def _prepare_optimizer(self, optimizer: torch.optim.Optimizer | None) -> None:
        adapter = [p for p in self.model.parameters() if p.requires_grad]
        self.trained = [*adapter, *self.value_head.parameters()]
        if optimizer is not None:
            print("The value head is added to the given optimizer, as a parameter group with the optimizer's defaults.")
        self.optimizer = optimizer or torch.optim.AdamW(adapter, lr=self.config.learning_rate, eps=1e-5)
        self.optimizer.add_param_group({"params": list(self.value_head.parameters())})
        self.base_rates = [group["lr"] for group in self.optimizer.param_groups]

    def _roll_out(self) -> Rollout:
        """Write responses to the next prompts, and let every role judge them."""
        config = self.config
        prompts, mask = self._padded(self._next_rows())
        uniforms = torch.rand(config.batch_size, config.response_length, generator=self.generator)[self._own_rows()]
        limits = Limits(config.temperature, config.stop_token_id, self.tokenizer.pad_token_id)
        tokens, mask = generate(self.backbone, prompts, mask, uniforms.to(prompts.device), limits)
        written = Written(tokens, mask, config.response_length, config.temperature)
        scores = self._scores(written)
        size = "micro_batch" if self.forward_batch is None else "forward_batch"
        rollout = self._with_less_memory(
            size, lambda: judged(self.backbone, self.value_head, written, scores, getattr(self, size))
        )
        if config.missing_eos_penalty is not None:
            rollout.scores = rollout.scores - config.missing_eos_penalty * ~self._ended(rollout.responses)
        return rollout

    def _padded(self, rows: Sequence[int]) -> tuple[Tensor, Tensor]:
        batch = self.collator([{"input_ids": self.prompts[row]} for row in rows])
        return batch["input_ids"].to(self.model.device), batch["attention_mask"].to(self.model.device)

    def _scores(self, written: Written) -> Scores:
        """Ask the user's function, and refuse an answer that would poison the run; or say how to ask the adapter."""
        tokens, mask, prompt = written.tokens, written.mask, written.tokens.shape[1] - written.response
        if isinstance(self.reward, AdapterReward):
            text = text_mask(self.tokenizer, tokens, mask)
            return lambda states, rows: self.reward.read(self.backbone, states, text[rows])
        prompts = decoded(self.tokenizer, tokens[:, :prompt], mask[:, :prompt])
        scores = self.reward(prompts, decoded(self.tokenizer, tokens[:, prompt:], mask[:, prompt:]))
        return settings.checked_scores(scores, prompts).to(tokens.device)

    def _ended(self, responses: Tensor) -> Tensor:
        """(batch,), bool: the response, whatever the prompt holds, has the end token."""
        stop = self.config.stop_token_id
        return (responses == (-1 if stop is None else stop)).any(1)

    def _optimize(self, rollout: Rollout) -> dict:
        """A few epochs of clipped steps on one rollout."""
        config, mask = self.config, rollout.response_mask
        rewards = rewards_per_token(rollout.scores, rollout.logprobs, rollout.reference_logprobs, mask, self.kl_coef)
        advantages, returns = advantages_and_returns(rewards, rollout.values, mask, config.gamma, config.lam)
        advantages = self._whitened(advantages, mask)
        self._set_learning_rate()
        steps, own = [], range(config.batch_size)[self._own_rows()]
        for _ in range(config.num_ppo_epochs):
            order = torch.randperm(config.batch_size, generator=self.generator)
            for rows in order.chunk(config.num_mini_batches):
                rows = rows[(rows >= own.start) & (rows < own.stop)] - own.start
                steps.append(self._step(rollout, advantages, returns, rows.to(mask.device)))
        metrics = self._metrics(rollout, rewards, returns) | _over_steps(steps)
        if config.kl_target is not None:
            kl, batch = metrics["objective/kl"], config.batch_size
            self.kl_coef = adapted_kl_coef(self.kl_coef, kl, config.kl_target, config.kl_horizon, batch)
        return metrics

    def _step(self, rollout: Rollout, advantages: Tensor, returns: Tensor, rows: Tensor) -> dict:
        """One optimizer step on a minibatch."""
        tokens = self._sum(rollout.response_mask[rows].sum())
        while True:
            sums = self._with_less_memory(
                "micro_batch", lambda: self._accumulate(rollout, advantages, returns, rows, tokens)
            )
            for parameter in self.trained:
                parameter.grad = self._sum(parameter.grad).div_(self.loss_scale)
            norm = nn.utils.clip_grad_norm_(self.trained, self.config.max_grad_norm)
            if torch.isfinite(norm) or self.loss_scale == 1:
                break
            self.loss_scale /= 2  # float16 overflowed: the same minibatch again, with a smaller loss
        ratios = self.accelerator.gather(sums.pop("ratios"))
        metrics = {name: (self._sum(total) / tokens).item() for name, total in sums.items()}
        metrics["grad_norm"] = norm.item()
        settings.refuse_infinite(len(self.history) + 1, metrics)
        if len(self.history) < self.config.value_warmup_updates:
            for parameter in self.trained[:-2]:
                parameter.grad = None  # a gradient of 0 would still let Adam decay the adapter
        self.optimizer.step()
        return metrics | {"val/ratio_min": ratios.min().item(), "val/ratio_max": ratios.max().item()}

    def _accumulate(self, rollout: Rollout, advantages: Tensor, returns: Tensor, rows: Tensor, tokens: Tensor) -> dict:
        """Gradients of a minibatch, in micro-batches whose *sums* are divided by the minibatch's token count."""
        config, device = self.config, tokens.device
        for parameter in self.trained:  # one born in the backward would lie amid what that frees: a scattered heap
            parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.zero_()
        totals = {name: torch.zeros((), device=device) for name in MEANS} | {"ratios": torch.ones(2, device=device)}
        policy_weight = 0.0 if len(self.history) < config.value_warmup_updates else 1.0
        for part, count in full_batches(rows, self.micro_batch):
            mask = rollout.response_mask[part]
            mask[count:] = False
            old = rollout.logprobs[part][mask]
            hidden = self.backbone.top(rollout.states.rows(part))
            logprobs = self.backbone.response_logprobs(hidden, rollout.responses[part], config.temperature)
            values = head_values(self.value_head, hidden.detach(), mask.shape[1])
            # Real tokens only: a ratio that overflows behind the end, times 0, would still be no number.
            losses = policy_losses(logprobs[mask], old, advantages[part][mask], config.cliprange)
            errors = value_losses(values[mask], rollout.values[part][mask], returns[part][mask], config.cliprange_value)
            loss = (policy_weight * losses.sum() + config.vf_coef * errors.sum()) / tokens
            (loss * self.loss_scale).backward()
            del hidden, loss  # their graph: bitsandbytes would keep its inputs through the next forward
            logprobs, losses, errors = logprobs.detach(), losses.detach(), errors.detach()
            change = logprobs[mask] - old
            totals["ratios"] = torch.stack(torch.cat([totals["ratios"], change.exp()]).aminmax())
            clipped = losses > -change.exp() * advantages[part][mask]
            found = losses, errors, 0.5 * change.square(), clipped, change.exp()
            totals |= {name: totals[name] + of_tokens.sum() for name, of_tokens in zip(MEANS, found, strict=True)}
        return totals

    def _metrics(self, rollout: Rollout, rewards: Tensor, returns: Tensor) -> dict:
        """What the rollout says about the run, before its steps."""
        mask, batch = rollout.response_mask, self.config.batch_size
        drift = torch.where(mask, rollout.logprobs - rollout.reference_logprobs, 0)
        k3 = torch.where(mask, kl_per_token(rollout.logprobs, rollout.reference_logprobs), 0)
        sums = {
            "objective/scores": rollout.scores,
            "objective/kl": drift,
            "objective/kl_k3": k3,
            "objective/entropy": torch.where(mask, -rollout.logprobs, 0),
            "objective/rlhf_reward": rewards,
            "response_length": mask,
            "eos_share": self._ended(rollout.responses),
        }
        metrics = {name: (self._sum(total.float().sum()) / batch).item() for name, total in sums.items()}
        update = len(self.history) + 1
        _, variance = self._moments(returns, mask)
        _, unexplained = self._moments(returns - rollout.values, mask)
        return metrics | {
            "update": update,
            "episode": update * batch,
            "val/explained_variance": 1 - (unexplained / variance.clamp_min(1e-8)).item(),
            "kl_coef": self.kl_coef,
            "lr": self.optimizer.param_groups[0]["lr"],
        }

    def _after_update(self, rollout: Rollout, metrics: dict) -> None:
        done, config = len(self.history), self.config
        self.accelerator.log({k: v for k, v in metrics.items() if k != "update"}, step=done)
        if self.on_update:
            self.on_update(metrics)
        if not self.accelerator.is_main_process:
            return
        if config.sample_every and done % config.sample_every == 0:
            print(sample_table(self.tokenizer, rollout))
        if config.save_every and done % config.save_every == 0:
            try:
                checkpoint.save_numbered(Path(config.output_dir), done, self.model, self.value_head, self._state())
            except (OSError, CourseError) as error:  # a full disk must not end the training; it is said at every save
                print(f"The checkpoint of update {done} was not written: {error} Training goes on.", flush=True)

    def _whitened(self, advantages: Tensor, mask: Tensor) -> Tensor:
        """Mean 0 and variance 1 over the real response tokens of the rollout, of all processes; 0 elsewhere."""
        mean, variance = self._moments(advantages, mask)
        return torch.where(mask, (advantages - mean) * torch.rsqrt(variance + 1e-8), 0)

    def _moments(self, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self._sum(mask.sum())
        mean = self._sum(torch.where(mask, values, 0).sum()) / tokens
        return mean, self._sum(torch.where(mask, (values - mean).square(), 0).sum()) / tokens

    def _with_less_memory(self, size: str, action: Callable) -> Any:
        """Do it; where memory runs out, halve `size` and do it again: the result is the same, to rounding."""
        while True:
            try:
                return action()
            except torch.OutOfMemoryError:
                rows = getattr(self, size)
                if rows == 1:
                    raise
                setattr(self, size, rows // 2)
                print(f"Out of memory: {size} goes from {rows} to {rows // 2}, and this step is repeated.", flush=True)

    def _sum(self, tensor: Tensor) -> Tensor:
        """The sum over all processes."""
        return self.accelerator.reduce(tensor, "sum") if self.accelerator.num_processes > 1 else tensor

    def _own_rows(self) -> slice:
        """The rows of a rollout that this process works on."""
        share = self.config.batch_size // self.accelerator.num_processes
        return slice(share * self.accelerator.process_index, share * (self.accelerator.process_index + 1))

    def _next_rows(self) -> list[int]:
        """This process's part of the next prompts; each epoch of the dataset has an order of its own."""
        while len(self.order) < self.config.batch_size:
            self.order += torch.randperm(len(self.prompts), generator=self.generator).tolist()
        rows, self.order = self.order[: self.config.batch_size], self.order[self.config.batch_size :]
        return rows[self._own_rows()]

    def _set_learning_rate(self) -> None:
        total = self.config.total_updates
        left = 1.0 if total is None else max(0.0, 1 - len(self.history) / total)
        for group, rate in zip(self.optimizer.param_groups, self.base_rates, strict=True):
            group["lr"] = rate * left

    def _state(self) -> dict:
        names = ("kl_coef", "history", "order", "micro_batch", "forward_batch", "loss_scale", "base_rates")
        own = {name: getattr(self, name) for name in names}
        return own | {"optimizer": self.optimizer.state_dict(), "generator": self.generator.get_state()}

    def _restore(self, state: dict) -> None:
        self.optimizer.load_state_dict(state.pop("optimizer"))
        self.generator.set_state(state.pop("generator"))
        in_one = 1 in (self.loss_scale, state["loss_scale"])  # of both runs, or in none: is the model in float16?
        vars(self).update(state | ({"loss_scale": self.loss_scale} if in_one else {}))


def _over_steps(steps: list[dict]) -> dict:
    """Means over the steps of an update; of the extremes, the extremes."""
    means = {name: sum(step[name] for step in steps) / len(steps) for name in steps[0]}
    lowest, highest = (min(s["val/ratio_min"] for s in steps), max(s["val/ratio_max"] for s in steps))
    return means | {"val/ratio_min": lowest, "val/ratio_max": highest}
