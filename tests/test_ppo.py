"""The trainer: what each step does, what it leaves alone, and what it reports."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from accelerate.tracking import GeneralTracker
from peft import PeftModel
from tiny_ppo import (
    EOS,
    PRECISIONS,
    PROMPTS,
    config_of,
    frozen_weights,
    gpt2,
    llama,
    policy_of,
    reproducible,
    reward_folder,
    trained_weights,
    trainer_of,
    uneven_rollout,
    uneven_tokens,
)
from torch import Tensor, nn

from helpers import ppo
from helpers.backbone import whole_logprobs
from helpers.ppo import PPOTrainer
from helpers.reward import AdapterReward, RewardModel


class Recorder(torch.optim.SGD):
    """Keeps the gradients of each step, and steps nowhere."""

    def __init__(self, model: PeftModel):
        super().__init__([p for p in model.parameters() if p.requires_grad], lr=1.0)
        self.seen: list[list[Tensor]] = []

    def step(self, closure=None):
        self.seen.append([p.grad.clone() for group in self.param_groups for p in group["params"]])


def recorder(model: PeftModel | None = None, **settings) -> PPOTrainer:
    """A trainer of a policy that has left its reference, which keeps gradients instead of stepping."""
    model = model or policy_of(llama(), moved=0.5)
    config = config_of(**{"num_ppo_epochs": 1, "max_grad_norm": 1e9, **settings})
    trainer = trainer_of(model, config, ref_model=llama(), optimizer=Recorder(model))
    nn.init.normal_(trainer.value_head.weight, std=0.1)
    return trainer


def gradients(trainer: PPOTrainer) -> list[Tensor]:
    """Of the first step on the uneven rollout."""
    trainer._optimize(uneven_rollout(trainer.backbone, trainer.value_head))
    return trainer.optimizer.seen[0]


def far(found: list[Tensor], due: list[Tensor]) -> float:
    """How far two lists of gradients are apart, relative to the second."""
    apart = sum((a - b).square().sum() for a, b in zip(found, due, strict=True))
    return (apart / sum(b.square().sum() for b in due)).sqrt().item()


def recorded(monkeypatch, name: str) -> list[tuple]:
    """The arguments of each call of a formula by the trainer."""
    calls, formula = [], getattr(ppo, name)
    monkeypatch.setattr(ppo, name, lambda *arguments: calls.append(arguments) or formula(*arguments))
    return calls


# The first step


@pytest.mark.parametrize("micro_batch", [1, 3, 8])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_first_step_has_ratio_1_and_kl_0(precision, micro_batch, tmp_path):
    config = config_of(num_ppo_epochs=1, per_device_train_batch_size=micro_batch)
    (metrics,) = trainer_of(policy_of(llama(precision, tmp_path)), config).train(1)
    assert [metrics[name] for name in ("val/ratio_min", "val/ratio", "val/ratio_max")] == [1, 1, 1]
    assert (metrics["objective/kl"], metrics["objective/kl_k3"]) == (0, 0)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_first_step_of_a_policy_that_has_moved_has_ratio_1(precision, tmp_path):
    trainer = trainer_of(policy_of(llama(precision, tmp_path)), config_of(num_ppo_epochs=1))
    second = trainer.train(2)[1]
    assert second["val/ratio_min"] == second["val/ratio_max"] == 1 and second["objective/kl_k3"] > 0


def test_first_step_has_ratio_1_with_every_dropout_that_a_model_can_have():
    policy = policy_of(llama(attention_dropout=0.5), lora_dropout=0.5)
    (metrics,) = trainer_of(policy, config_of(num_ppo_epochs=1)).train(1)
    assert metrics["val/ratio_min"] == metrics["val/ratio_max"] == 1


def test_reference_of_its_own_has_no_dropout_and_the_mode_of_the_policy():
    reference = llama(attention_dropout=0.5).eval()
    (metrics,) = trainer_of(policy_of(llama()), ref_model=reference).train(1)
    assert metrics["objective/kl"] == 0 and all(module.training for module in reference.modules())


def test_every_pass_of_a_training_is_in_train_mode(monkeypatch):
    trainer, modes = trainer_of(policy_of(llama()).eval()), set()
    for layer in trainer.backbone.layers:
        layer.register_forward_hook(lambda layer, *_: modes.add(layer.training))
    trainer.train(1)
    assert modes == {True}


@pytest.mark.parametrize("precision", PRECISIONS)
def test_adapters_and_value_head_are_float32_and_so_are_their_finite_gradients(precision, tmp_path):
    trainer = recorder(policy_of(llama(precision, tmp_path), moved=0.1))
    found = gradients(trainer)
    assert {p.dtype for p in trainer.trained} == {g.dtype for g in found} == {torch.float32}
    assert all(g.isfinite().all() and g.any() for g in found)


def test_loss_that_overflows_in_float16_is_scaled_down_until_it_does_not():
    due = gradients(recorder(policy_of(llama("fp16"), moved=0.1)))
    trainer = recorder(policy_of(llama("fp16"), moved=0.1))
    trainer.loss_scale = 2.0**40
    assert far(gradients(trainer), due) < 0.01 and trainer.loss_scale < 2.0**40


@pytest.mark.parametrize(
    ("saved_in", "resumed_in", "due"), [("fp32", "fp16", 2.0**16), ("fp16", "fp32", 1.0), ("fp16", "fp16", 2.0**10)]
)
def test_loss_scale_is_that_of_float16_whatever_the_run_was_saved_in(saved_in, resumed_in, due, tmp_path):
    saved = trainer_of(policy_of(llama(saved_in)))
    saved.loss_scale = min(saved.loss_scale, 2.0**10)
    saved.save(tmp_path / "saved")
    assert trainer_of(policy_of(llama(resumed_in)), resume_from=tmp_path / "saved").loss_scale == due


# The loss


def plain_gradients(trainer: PPOTrainer) -> list[Tensor]:
    """The same step by hand: full logits of all rows at once, one mean over all real tokens."""
    rollout, config, (tokens, mask) = (
        uneven_rollout(trainer.backbone, trainer.value_head),
        trainer.config,
        uneven_tokens(),
    )
    real, positions = mask[:, 5:], (mask.long().cumsum(1) - 1).clamp_min(0)
    decoder = trainer.backbone.decoder
    hidden = decoder(tokens, attention_mask=mask.long(), position_ids=positions).last_hidden_state[:, 4:-1]
    logprobs = (trainer.backbone.output_layer(hidden) / config.temperature).log_softmax(-1)
    logprobs = logprobs.gather(-1, tokens[:, 5:, None]).squeeze(-1)
    advantages, returns = by_hand(rollout, config)
    mean, variance = advantages[real].mean(), advantages[real].var(unbiased=False)
    advantages = (advantages - mean) / (variance + 1e-8).sqrt()
    ratio = (logprobs - rollout.logprobs).exp()
    policy = -(ratio * advantages)[real].mean()  # nothing is clipped at ratio 1
    value = 0.5 * (trainer.value_head(hidden.detach()).squeeze(-1) - returns).square()[real].mean()
    return list(torch.autograd.grad(policy + config.vf_coef * value, trainer.trained))


def by_hand(rollout, config) -> tuple[Tensor, Tensor]:
    """Advantages and returns as an explicit double sum in float64."""
    lengths = rollout.response_mask.sum(1).tolist()
    advantages = torch.zeros_like(rollout.values)
    for b, length in enumerate(lengths):
        drift = (rollout.logprobs - rollout.reference_logprobs)[b, :length].tolist()
        rewards = [-config.kl_coef * x for x in drift]
        rewards[-1] += rollout.scores[b].item()
        v = [*rollout.values[b, :length].tolist(), 0.0]
        deltas = [rewards[t] + config.gamma * v[t + 1] - v[t] for t in range(length)]
        for t in range(length):
            advantages[b, t] = sum((config.gamma * config.lam) ** (k - t) * deltas[k] for k in range(t, length))
    return advantages, advantages + rollout.values


@pytest.mark.parametrize("micro_batch", [1, 2, 3, 4])
def test_gradient_is_that_of_a_plain_pass_whatever_the_micro_batch(micro_batch):
    trainer = recorder(per_device_train_batch_size=micro_batch)
    assert far(gradients(trainer), plain_gradients(trainer)) < 1e-4


def test_gradient_of_gpt2_is_that_of_a_plain_pass():
    model = policy_of(gpt2(), moved=0.5)
    trainer = trainer_of(
        model, config_of(num_ppo_epochs=1, max_grad_norm=1e9), ref_model=gpt2(), optimizer=Recorder(model)
    )
    trainer.value_head = nn.Linear(32, 1)
    trainer.trained[-2:] = trainer.value_head.parameters()
    trainer.optimizer.param_groups[-1]["params"] = trainer.trained[-2:]
    assert far(gradients(trainer), plain_gradients(trainer)) < 1e-4


def test_gradient_of_checkpointed_layers_is_that_of_a_plain_pass():
    trainer = recorder()
    trainer.model.get_base_model().gradient_checkpointing_enable()
    assert far(gradients(trainer), plain_gradients(trainer)) < 1e-4


def test_minibatch_is_a_sum_over_its_tokens_and_no_mean_of_micro_batch_means():
    together, apart = (gradients(recorder(per_device_train_batch_size=size, vf_coef=0.0)) for size in (4, 1))
    assert far(apart, together) < 1e-4


def test_value_loss_does_not_flow_into_the_adapter():
    with_value, without = (gradients(recorder(vf_coef=weight)) for weight in (1.0, 0.0))
    assert far(with_value[:-2], without[:-2]) == 0 and with_value[-2].any() and not without[-2].any()


def test_advantages_are_whitened_once_over_the_real_tokens_and_returns_are_not(monkeypatch):
    policy_calls, value_calls = recorded(monkeypatch, "policy_losses"), recorded(monkeypatch, "value_losses")
    trainer = recorder()
    rollout = uneven_rollout(trainer.backbone, trainer.value_head)
    trainer._optimize(rollout)
    real, (advantages, returns) = rollout.response_mask, by_hand(rollout, trainer.config)
    whitened = (advantages - advantages[real].mean()) / advantages[real].std(unbiased=False)
    for found, due in ((policy_calls[0][2], whitened[real]), (value_calls[0][2], returns[real])):
        torch.testing.assert_close(found.sort().values, due.sort().values, rtol=1e-4, atol=1e-5)


def test_ratio_and_value_are_clipped_around_those_of_the_rollout_in_every_epoch(monkeypatch):
    policy_calls, value_calls = recorded(monkeypatch, "policy_losses"), recorded(monkeypatch, "value_losses")
    trainer = trainer_of()
    rollout = trainer._roll_out()
    trainer._optimize(rollout)
    for calls, old in ((policy_calls, rollout.logprobs), (value_calls, rollout.values)):
        due = old[rollout.response_mask].sort().values
        assert len(calls) == 4 and all(torch.equal(call[1].sort().values, due) for call in calls)
    assert not torch.allclose(value_calls[3][0], value_calls[3][1])


@pytest.mark.parametrize("other", [1, 50, 102])
def test_whatever_stands_behind_the_end_changes_no_weight_and_no_metric(other):
    def updated(poison: bool):
        trainer = recorder()
        rollout = uneven_rollout(trainer.backbone, trainer.value_head)
        if poison:
            behind = ~rollout.response_mask
            rollout.tokens[:, 5:][behind] = other
            for values in (rollout.logprobs, rollout.reference_logprobs, rollout.values):
                values[behind] = float("nan")
        return trainer._optimize(rollout), trainer.optimizer.seen[0]

    (due, due_gradients), (found, found_gradients) = updated(False), updated(True)
    assert found == due and far(found_gradients, due_gradients) == 0


def test_gradient_norm_is_logged_before_it_is_clipped_and_zeroed():
    trainer = recorder(max_grad_norm=0.01)
    whole = torch.cat([g.flatten() for g in plain_gradients(trainer)])
    metrics = trainer._optimize(uneven_rollout(trainer.backbone, trainer.value_head))
    assert metrics["grad_norm"] == pytest.approx(whole.norm().item(), rel=1e-3)
    clipped = torch.cat([g.flatten() for g in trainer.optimizer.seen[0]])
    torch.testing.assert_close(clipped, whole * 0.01 / whole.norm(), rtol=1e-3, atol=1e-6)


def test_gradients_of_one_step_are_gone_in_the_next():
    trainer = recorder(num_ppo_epochs=2)
    trainer._optimize(uneven_rollout(trainer.backbone, trainer.value_head))
    assert far(trainer.optimizer.seen[1], trainer.optimizer.seen[0]) < 1e-4


def test_gradients_stand_before_each_forward_and_stay_in_their_place(monkeypatch):
    """One born in the backward would lie amid the activations that it frees, and keep the heap from closing again."""
    trainer, places = trainer_of(config=config_of(per_device_train_batch_size=2)), set()
    top = trainer.backbone.top

    def seen(states):
        if torch.is_grad_enabled():
            places.add(tuple(p.grad is not None and p.grad.data_ptr() for p in trainer.trained))
        return top(states)

    monkeypatch.setattr(trainer.backbone, "top", seen)
    trainer.train(2)
    assert len(places) == 1 and False not in places.pop()


def test_built_optimizer_is_adam_with_the_epsilon_of_ppo():
    optimizer = trainer_of().optimizer
    assert isinstance(optimizer, torch.optim.AdamW)
    assert {group["eps"] for group in optimizer.param_groups} == {1e-5}
    assert {group["lr"] for group in optimizer.param_groups} == {1e-2}


def test_given_optimizer_keeps_its_settings_and_trains_the_value_head_too(capsys):
    policy = policy_of(llama())
    given = torch.optim.SGD([p for p in policy.parameters() if p.requires_grad], lr=0.5, momentum=0.3)
    trainer = trainer_of(policy, optimizer=given)
    trainer.train(1)
    assert "value head is added to the given optimizer" in capsys.readouterr().out
    assert trainer.optimizer is given and {(g["lr"], g["momentum"]) for g in given.param_groups} == {(0.5, 0.3)}
    assert trainer.value_head.weight.any()


def test_each_epoch_takes_each_response_once_and_each_minibatch_one_step(monkeypatch):
    trainer, rows = trainer_of(config=config_of(num_ppo_epochs=3, num_mini_batches=2)), []
    step = trainer._step
    monkeypatch.setattr(trainer, "_step", lambda *a: rows.append(a[3].tolist()) or step(*a))
    trainer.train(1)
    assert len(rows) == 6 and all(sorted(rows[i] + rows[i + 1]) == [0, 1, 2, 3] for i in (0, 2, 4))


# What it learns


def test_training_reaches_the_optimum_that_can_be_written_down():
    """One-token responses: the best policy is reference · exp(reward / coefficient), token by token."""
    coefficient, pays = 0.5, torch.tensor([0, 0, 0, 0.0, 0.5, 1.0, -0.5, 0.25])
    base = llama(vocab_size=8, scale=2)
    texts = {"": 0.0, **{str(n): pays[n + 3].item() for n in range(5)}}
    config = config_of(
        batch_size=128, response_length=1, stop_token_id=None, kl_coef=coefficient, learning_rate=2e-2,
        total_updates=30, per_device_train_batch_size=128, temperature=1.0, num_ppo_epochs=2, vf_coef=1.0,
    )  # fmt: skip
    trainer = trainer_of(
        policy_of(base, target_modules=["down_proj"]),
        config,
        dataset=[[3, 4]],
        reward=lambda prompts, responses: [texts[response] for response in responses],
    )
    logits = trainer.model(torch.tensor([[3, 4]])).logits[0, -1].detach()
    due = (logits + pays / coefficient).softmax(0)
    before = (logits.softmax(0) - due).abs().sum().item() / 2
    trainer.train(30)
    found = trainer.model(torch.tensor([[3, 4]])).logits[0, -1].softmax(0)
    assert (found - due).abs().sum() / 2 < 0.04 < 0.2 < before


def test_value_head_learns_what_a_response_is_worth():
    config = config_of(learning_rate=0.05, batch_size=16, vf_coef=1.0, kl_coef=0.0, value_warmup_updates=20)
    trainer = trainer_of(config=config, reward=lambda prompts, responses: [3.0] * len(prompts))
    assert trainer.train(20)[-1]["loss/value_avg"] < 0.1 * trainer.history[0]["loss/value_avg"]


# What stays as it is


def test_base_reward_adapter_and_head_are_bit_identical_after_training(tmp_path):
    policy = policy_of(llama())
    reward = AdapterReward(policy, reward_folder(tmp_path))
    trainer = trainer_of(policy, reward=reward)
    before, head = frozen_weights(policy), [p.clone() for p in reward.head.parameters()]
    due = whole_logprobs(llama(), *uneven_tokens(), 6, 0.7)
    moved = trained_weights(trainer)
    trainer.train(2)
    after = frozen_weights(policy)
    assert after.keys() == before.keys() and any(".reward." in name for name in after)
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert all(torch.equal(a, b) for a, b in zip(reward.head.parameters(), head, strict=True))
    assert all(not torch.equal(a, b) for a, b in zip(trainer.trained, moved, strict=True))
    rollout = uneven_rollout(trainer.backbone, trainer.value_head)
    real = rollout.response_mask
    torch.testing.assert_close(rollout.reference_logprobs[real], due[real])


@pytest.mark.parametrize("training", [True, False])
def test_reward_adapter_leaves_the_mode_of_the_policy_and_what_is_trainable(training, tmp_path):
    policy = policy_of(llama()).train(training)
    before = [name for name, parameter in policy.named_parameters() if parameter.requires_grad]
    AdapterReward(policy, reward_folder(tmp_path))
    assert all(module.training == training for module in policy.modules())
    assert [name for name, parameter in policy.named_parameters() if parameter.requires_grad] == before


@pytest.mark.parametrize("precision", PRECISIONS)
def test_frozen_weights_of_any_precision_are_bit_identical_after_training(precision, tmp_path):
    policy = policy_of(llama(precision, tmp_path))
    trainer, before = trainer_of(policy), frozen_weights(policy)
    trainer.train(1)
    assert all(torch.equal(weight, before[name]) for name, weight in frozen_weights(policy).items())


def test_no_adapter_is_changed_between_the_first_forward_and_the_last_step(tmp_path, monkeypatch):
    policy = policy_of(llama())
    trainer = trainer_of(policy, reward=AdapterReward(policy, reward_folder(tmp_path)))
    rollout, changes = trainer._roll_out(), []
    monkeypatch.setattr(policy.base_model, "set_adapter", lambda *a, **k: changes.append(a))
    monkeypatch.setattr(policy, "disable_adapter", lambda: changes.append("off"))
    trainer._optimize(rollout)
    assert changes == []


def test_policy_from_a_trained_adapter_starts_at_its_frozen_copy_and_leaves_it_alone(tmp_path):
    policy_of(llama(), moved=0.5).save_pretrained(tmp_path)
    policy = PeftModel.from_pretrained(llama(), tmp_path, is_trainable=True)
    policy.load_adapter(tmp_path, "sft")
    policy.set_adapter("default")  # before 0.21, peft freezes both
    trainer = trainer_of(policy, config_of(ref_adapter_name="sft"))
    before = frozen_weights(policy)
    first, second = trainer.train(2)
    assert first["objective/kl"] == 0 and second["objective/kl_k3"] > 0
    assert all(torch.equal(weight, before[name]) for name, weight in frozen_weights(policy).items())


def test_value_warm_up_trains_the_value_head_and_nothing_else():
    trainer = trainer_of(policy_of(llama(), moved=0.5), config_of(value_warmup_updates=2), ref_model=llama())
    *before, weight, _ = trained_weights(trainer)
    trainer.train(2)
    assert all(torch.equal(a, b) for a, b in zip(trainer.trained, before, strict=False))
    assert not torch.equal(trainer.value_head.weight, weight)
    trainer.train(1)
    assert not any(torch.equal(a, b) for a, b in zip(trainer.trained, before, strict=False))


# Reward


@pytest.mark.parametrize(("end", "stop"), [(33, EOS), (EOS, EOS), (EOS, None), (33, 33)])
def test_reward_adapter_scores_prompt_and_response_as_the_reward_model_alone_does(end, stop, tmp_path):
    """A special token at the end is left out, as in what a reward function reads; a stop that is text is not."""
    folder, policy = reward_folder(tmp_path), policy_of(llama(), moved=0.5)
    given = {"ref_model": llama(), "reward": AdapterReward(policy, folder)}
    trainer = trainer_of(policy, config_of(stop_token_id=stop), **given)
    alone = PeftModel.from_pretrained(llama(), folder).train()
    model = RewardModel(alone, trainer.reward.head, trainer.tokenizer)
    tokens, mask = uneven_tokens()
    tokens[tokens == EOS] = end
    rollout = trainer_rollout(trainer, tokens, mask)
    texts = [trainer.tokenizer.decode(row[real & (row != EOS)]) for row, real in zip(tokens, mask, strict=True)]
    torch.testing.assert_close(rollout.scores, model.scores(texts))


def trainer_rollout(trainer: PPOTrainer, tokens: Tensor, mask: Tensor):
    """The trainer's own rollout, with these tokens in place of generated ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ppo, "generate", lambda *_: (tokens, mask))
        return trainer._roll_out()


def test_reward_function_gets_prompts_and_responses_without_padding_and_special_tokens():
    asked = []
    trainer = trainer_of(reward=lambda prompts, responses: asked.append((prompts, responses)) or [0.0] * 4)
    trainer_rollout(trainer, *uneven_tokens())
    read = trainer.tokenizer.decode
    assert asked[0][0] == [read(prompt) for prompt in PROMPTS]
    assert asked[0][1] == [read(r) for r in ([20, 21, 22, 23, 24, 25], [30], [], [40, 41, 42])]


def test_missing_end_token_is_looked_for_in_the_response_only():
    trainer = trainer_of(config=config_of(missing_eos_penalty=10.0), reward=lambda p, r: [0.0] * len(p))
    tokens, mask = uneven_tokens()
    tokens[0, 1] = EOS  # in the prompt of the one response that has none
    assert trainer_rollout(trainer, tokens, mask).scores.tolist() == [-10.0, 0.0, 0.0, 0.0]


def test_reward_that_is_not_finite_stops_the_run_and_names_the_prompt():
    with pytest.raises(ValueError, match=r"reward: the score of the response to '.+' is nan"):
        trainer_of(reward=lambda prompts, responses: [0.0, 0.0, float("nan"), 0.0]).train(1)


@pytest.mark.parametrize(
    ("formula", "named"), [("policy_losses", "loss/policy_avg"), ("value_losses", "loss/value_avg")]
)
def test_loss_that_is_not_finite_stops_before_the_step(formula, named, monkeypatch):
    trainer = trainer_of()
    trainer.train(1)
    before, usual = trained_weights(trainer), getattr(ppo, formula)
    monkeypatch.setattr(ppo, formula, lambda *arguments: usual(*arguments) * float("nan"))
    with pytest.raises(ValueError, match=rf"{named} of update 2 is nan; no step was made"):
        trainer.train(1)
    assert all(torch.equal(a, b) for a, b in zip(trainer.trained, before, strict=True))


# Metrics and schedules


def test_metrics_of_a_rollout_are_their_definitions():
    trainer = recorder()
    rollout = uneven_rollout(trainer.backbone, trainer.value_head)
    metrics, real = trainer._optimize(rollout), rollout.response_mask
    drift = (rollout.logprobs - rollout.reference_logprobs)[real]
    _, returns = by_hand(rollout, trainer.config)
    unexplained = (returns - rollout.values)[real].var() / returns[real].var()
    due = {
        "objective/scores": 2.5 / 4,
        "objective/kl": drift.sum().item() / 4,
        "objective/kl_k3": ((-drift).exp() - 1 + drift).sum().item() / 4,
        "objective/entropy": -rollout.logprobs[real].sum().item() / 4,
        "objective/rlhf_reward": 2.5 / 4 - 0.05 * drift.sum().item() / 4,
        "response_length": 13 / 4,
        "eos_share": 3 / 4,
        "val/explained_variance": 1 - unexplained.item(),
        "update": 1,
        "episode": 4,
        "kl_coef": 0.05,
        "lr": 1.0,
    }
    assert {name: metrics[name] for name in due} == pytest.approx(due, rel=1e-4)


def test_metrics_of_the_steps_are_their_definitions():
    trainer = recorder(cliprange=0.2)
    rollout = uneven_rollout(trainer.backbone, trainer.value_head)
    real, change = rollout.response_mask, torch.linspace(-0.5, 0.4, 24).view(4, 6)
    (advantages, returns), values = by_hand(rollout, trainer.config), rollout.values[rollout.response_mask]
    rollout.logprobs = rollout.logprobs - change  # the ratios are then exp(change)
    rollout.reference_logprobs = rollout.reference_logprobs - change  # and the advantages as before
    metrics, ratio = trainer._optimize(rollout), change.exp()
    whitened = (advantages - advantages[real].mean()) / advantages[real].std(unbiased=False)
    binds = ((ratio > 1.2) & (whitened > 0)) | ((ratio < 0.8) & (whitened < 0))
    losses = -torch.minimum(ratio * whitened, ratio.clamp(0.8, 1.2) * whitened)
    due = {
        "val/ratio": ratio[real].mean(),
        "val/ratio_min": ratio[real].min(),
        "val/ratio_max": ratio[real].max(),
        "policy/approxkl_avg": 0.5 * change[real].square().mean(),
        "policy/clipfrac_avg": binds[real].float().mean(),
        "loss/policy_avg": losses[real].mean(),
        "loss/value_avg": 0.5 * (values - returns[real]).square().mean(),
    }
    assert {name: metrics[name] for name in due} == pytest.approx({n: v.item() for n, v in due.items()}, rel=1e-3)


def test_learning_rate_falls_linearly_to_0():
    history = trainer_of(config=config_of(total_updates=4)).train(4)
    assert [row["lr"] for row in history] == pytest.approx([1e-2, 0.75e-2, 0.5e-2, 0.25e-2])


@pytest.mark.parametrize(("target", "moves"), [(1e-6, 1), (1e6, -1)])
def test_kl_coefficient_follows_its_target(target, moves):
    history = trainer_of(config=config_of(kl_target=target, kl_horizon=40)).train(4)
    assert (history[3]["kl_coef"] - history[2]["kl_coef"]) * moves > 0


def test_prompts_come_in_an_order_of_their_own_each_epoch_and_none_is_left_out():
    trainer = trainer_of(config=config_of(batch_size=2))
    seen = [trainer._next_rows() for _ in range(20)]
    epochs = [seen[i] + seen[i + 1] for i in range(0, 20, 2)]
    assert all(sorted(epoch) == [0, 1, 2, 3] for epoch in epochs) and len({tuple(epoch) for epoch in epochs}) > 3


def test_runs_of_the_same_seed_are_the_same_and_of_another_are_not():
    histories = [reproducible(trainer_of(config=config_of(seed=seed)).train(2)) for seed in (1, 1, 2)]
    assert histories[0] == histories[1] != histories[2]


def test_run_neither_reads_nor_moves_the_random_numbers_of_others():
    first = trainer_of()
    torch.manual_seed(5)
    due = torch.rand(3)
    torch.manual_seed(5)
    history = reproducible(first.train(1))
    assert torch.equal(torch.rand(3), due) and reproducible(trainer_of().train(1)) == history


def test_callback_gets_the_metrics_of_each_update():
    seen = []
    trainer = trainer_of(on_update=seen.append)
    assert trainer.train(2) == seen == trainer.history


def test_samples_are_printed_every_so_many_updates(capsys):
    trainer_of(config=config_of(sample_every=2)).train(4)
    assert capsys.readouterr().out.count(" KL | ") == 2 * 4


def test_tracker_gets_the_metrics_of_each_update():
    class Tracker(GeneralTracker):
        name, requires_logging_directory, seen = "tiny", False, []
        tracker = None

        def store_init_configuration(self, values):
            pass

        def log(self, values, step, **_):
            self.seen.append((step, values["objective/kl"]))

    trainer = trainer_of(config=config_of(report_to=Tracker()))
    trainer.train(2)
    assert Tracker.seen == [(row["update"], row["objective/kl"]) for row in trainer.history]


# Memory that runs out


def out_of_memory(trainer: PPOTrainer, when) -> list:
    """Raise as a GPU does at the first pass of `top` for which `when(hidden)` holds; the list tells whether it did."""
    raised = []

    def fail(module, inputs):
        if not raised and when(inputs[0]):
            raised.append(True)
            raise torch.OutOfMemoryError("CUDA out of memory.")

    trainer.backbone.layers[1].mlp.register_forward_pre_hook(fail)
    return raised


@pytest.mark.parametrize("sizes", [{}, {"local_rollout_forward_batch_size": 4}])
def test_judging_that_runs_out_of_memory_is_repeated_with_half_the_batch(sizes, capsys):
    trainer = trainer_of(config=config_of(**sizes))
    raised = out_of_memory(trainer, lambda hidden: hidden.shape[1] == 11 and not torch.is_grad_enabled())
    (found,), (due,) = (reproducible(t.train(1)) for t in (trainer, trainer_of()))
    assert raised and found == pytest.approx(due, rel=1e-3, abs=1e-5)
    assert "Out of memory:" in capsys.readouterr().out


def test_trunk_that_runs_out_of_memory_is_repeated_in_smaller_parts(monkeypatch):
    monkeypatch.setattr("helpers.rollout.TRUNK_TEXT", 22)  # tokens: two texts for one
    trainer, sizes = trainer_of(), []

    def fail(module, inputs):
        if inputs[0].shape[1] == 11:
            sizes.append(len(inputs[0]))
            if len(inputs[0]) > 2:
                raise torch.OutOfMemoryError("CUDA out of memory.")

    trainer.backbone.layers[0].mlp.register_forward_pre_hook(fail)
    (found,), (due,) = (reproducible(t.train(1)) for t in (trainer, trainer_of()))
    assert sizes == [4, 4, 2, 2] and found == pytest.approx(due, rel=1e-3, abs=1e-5)


def test_step_that_runs_out_of_memory_is_repeated_with_half_the_micro_batch(capsys):
    trainer, passes = trainer_of(config=config_of(per_device_train_batch_size=2)), []
    raised = out_of_memory(
        trainer, lambda hidden: hidden.requires_grad and passes.append(1) is None and len(passes) == 2
    )
    (found,), (due,) = (reproducible(t.train(1)) for t in (trainer, trainer_of()))
    assert raised and found == pytest.approx(due, rel=1e-3, abs=1e-5)
    assert "Out of memory: micro_batch goes from 2 to 1, and this step is repeated." in capsys.readouterr().out


def test_run_that_has_no_memory_for_one_response_ends_with_that_error():
    trainer = trainer_of(config=config_of(per_device_train_batch_size=1))
    out_of_memory(trainer, lambda hidden: hidden.requires_grad)
    with pytest.raises(torch.OutOfMemoryError):
        trainer.train(1)


def test_processes_that_cannot_share_a_rollout_evenly_are_refused():
    from helpers.settings import refuse_world

    with pytest.raises(ValueError, match="batch_size=4: it must be a multiple of the 3 processes"):
        refuse_world(config_of(), 3)


@pytest.mark.parametrize("disabled", [False, True])
def test_training_shows_a_bar_unless_tqdm_is_disabled(disabled):
    environment = {name: value for name, value in os.environ.items() if name != "TQDM_DISABLE"}
    environment |= {"PYTHONPATH": str(Path(__file__).parent), **({"TQDM_DISABLE": "1"} if disabled else {})}
    code = "from tiny_ppo import trainer_of; trainer_of().train(updates=1)"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert ("1/1" in done.stderr) != disabled
