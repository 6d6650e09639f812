"""The same batch through TRL 1.12.0: the same losses and gradients, once the definitions are brought into line.

Where the two define things differently, one side is changed for the comparison:

    own     the score stands one position behind the last token where there is room, and the value of that position
            counts in the advantages (TRL's choice); the course puts it on the last token
    TRL     the value loss is a mean over real tokens only; TRL keeps that one more position
    TRL     advantages are whitened by the biased variance; TRL divides by one token less
    TRL     the value loss stops at the value head, which reads the policy's own hidden states
    TRL     losses of micro-batches are weighted by their tokens; TRL takes the plain mean
    both    the log-probabilities at rollout time are given, far enough from the policy's that some ratios are clipped
"""

import pytest
import torch
from datasets import Dataset
from test_ppo import Recorder, trainer_rollout
from tiny_ppo import EOS, PAD, PROMPTS, config_of, llama, policy_of, tokenizer, trainer_of, uneven_tokens
from torch import Tensor, nn

from helpers import ppo
from helpers.formulas import advantages_and_returns, rewards_per_token

TEMPERATURE = 0.7


class DetachedHead(nn.Linear):
    """A value head whose loss does not flow into what it reads."""

    def forward(self, hidden: Tensor) -> Tensor:
        return super().forward(hidden.detach())


class Headed(nn.Module):
    """What TRL takes as a value or reward model: a backbone under `base_model_prefix`, and `score`."""

    base_model_prefix = "model"

    def __init__(self, backbone: nn.Module, head: nn.Linear):
        super().__init__()
        self.model, self.score = backbone, head


def head(seed: int) -> DetachedHead:
    torch.manual_seed(seed)
    return DetachedHead(64, 1)


def old_logits(policy: nn.Module) -> Tensor:
    """(4, 6, vocabulary): logits of the uneven responses when they were written, by a policy a little different."""
    tokens, mask = uneven_tokens()
    positions = (mask.long().cumsum(1) - 1).clamp_min(0)
    with torch.no_grad():
        logits = policy(tokens, attention_mask=mask.long(), position_ids=positions).logits[:, 4:-1] / TEMPERATURE
    return logits + 0.3 * torch.randn(logits.shape, generator=torch.Generator().manual_seed(6))


def reward_model() -> Headed:
    return Headed(llama(seed=9).model, head(8))


def one_more(mask: Tensor) -> Tensor:
    """The mask with one more position, where there is room."""
    return mask | (torch.arange(mask.shape[1]) == mask.sum(1, keepdim=True))


def without_one_more(mask: Tensor) -> Tensor:
    """The inverse, which is unique because no response has 5 of 6 tokens."""
    return mask & ((torch.arange(mask.shape[1]) < mask.sum(1, keepdim=True) - 1) | mask.all(1, keepdim=True))


@pytest.fixture
def trl(monkeypatch):
    """TRL's module, with its definitions brought into line and its rollouts fixed."""
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    from trl.experimental.ppo import ppo_trainer

    usual_mean, usual_variance, tokens = ppo_trainer.masked_mean, ppo_trainer.masked_var, uneven_tokens()[0]
    ppo_trainer.token_counts, calls = [], []

    def masked_mean(values: Tensor, mask: Tensor, axis=None) -> Tensor:
        """Called 3 times to whiten and 4 times a micro-batch: loss and clip fraction of values, and of the policy."""
        calls.append(mask)
        of_values = len(calls) > 3 and (len(calls) - 4) % 4 < 2
        if of_values:
            mask = without_one_more(mask)
            ppo_trainer.token_counts.append(mask.sum().item())
        return usual_mean(values, mask, axis)

    def fixed_rollouts(policy, queries, *_):
        rows = [(tokens[:, :5] == query).all(1).int().argmax().item() for query in queries]
        return tokens[rows], old_logits(policy)[rows]

    monkeypatch.setattr(ppo_trainer, "masked_mean", masked_mean)
    monkeypatch.setattr(ppo_trainer, "masked_var", lambda values, mask: usual_variance(values, mask, unbiased=False))
    monkeypatch.setattr(ppo_trainer, "batch_generation", fixed_rollouts)
    return ppo_trainer


def step_of_trl(trl, folder, micro_batch: int) -> tuple[list[float], list[Tensor]]:
    """The losses given to `accelerator.backward`, and the gradients at `optimizer.step`."""
    from transformers import PrinterCallback
    from trl.experimental.ppo import PPOConfig

    policy = policy_of(llama(), moved=0.5)
    optimizer, value = Recorder(policy), head(2)
    optimizer.add_param_group({"params": list(value.parameters())})
    silent = {"report_to": "none", "disable_tqdm": True, "save_strategy": "no", "num_sample_generations": 0}
    sizes = {"per_device_train_batch_size": micro_batch, "gradient_accumulation_steps": 4 // micro_batch}
    same = {"num_ppo_epochs": 1, "temperature": TEMPERATURE, "response_length": 6, "stop_token_id": EOS}
    args = PPOConfig(
        output_dir=str(folder), use_cpu=True, bf16=False, gradient_checkpointing=False, total_episodes=4,
        kl_coef=0.05, vf_coef=0.1, **silent, **sizes, **same,
    )  # fmt: skip
    data = Dataset.from_dict({"input_ids": PROMPTS})
    trainer = trl.PPOTrainer(
        args, tokenizer(), policy, None, reward_model(), data, Headed(policy.get_base_model().model, value),
        eval_dataset=data, optimizers=(optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)),
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    losses, backward = [], trainer.accelerator.backward
    trainer.accelerator.backward = lambda loss: losses.append(loss.item()) or backward(loss)
    trainer.train()
    return losses, optimizer.seen[-1]


def own_step(trl, monkeypatch) -> tuple[float, list[Tensor]]:
    def rewards(scores, policy, reference, mask, kl_coef):
        drift = torch.where(mask, policy - reference, 0)
        return rewards_per_token(scores, drift, torch.zeros_like(drift), one_more(mask), kl_coef)

    def advantages(rewards, values, mask, gamma, lam):
        return advantages_and_returns(rewards, values, one_more(mask), gamma, lam)

    monkeypatch.setattr(ppo, "rewards_per_token", rewards)
    monkeypatch.setattr(ppo, "advantages_and_returns", advantages)
    policy = policy_of(llama(), moved=0.5)
    config = config_of(num_ppo_epochs=1, temperature=TEMPERATURE, max_grad_norm=1e9, per_device_train_batch_size=3)
    tokens, mask = uneven_tokens()
    with torch.no_grad():
        _, scores, _ = trl.get_reward(reward_model(), tokens, PAD, 5)
    trainer = trainer_of(
        policy, config, ref_model=llama(), optimizer=Recorder(policy), reward=lambda prompts, responses: scores
    )
    trainer.value_head.load_state_dict(head(2).state_dict())
    rollout = trainer_rollout(trainer, tokens, mask)
    rollout.logprobs = old_logits(policy).log_softmax(-1).gather(-1, tokens[:, 5:, None]).squeeze(-1)
    metrics = trainer._optimize(rollout)
    assert metrics["policy/clipfrac_avg"] > 0.1  # or the comparison would say nothing of clipping
    return metrics["loss/policy_avg"] + config.vf_coef * metrics["loss/value_avg"], trainer.optimizer.seen[0]


def test_loss_and_gradients_are_those_of_trl(trl, tmp_path, monkeypatch):
    (theirs,), their_gradients = step_of_trl(trl, tmp_path, micro_batch=4)
    own, own_gradients = own_step(trl, monkeypatch)
    assert own == pytest.approx(theirs, abs=1e-5)
    for a, b in zip(own_gradients, their_gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_loss_is_that_of_the_micro_batches_of_trl_weighted_by_their_tokens(trl, tmp_path, monkeypatch):
    losses, _ = step_of_trl(trl, tmp_path, micro_batch=2)
    counts = trl.token_counts[::2]  # value loss and value clip fraction of each micro-batch
    own, _ = own_step(trl, monkeypatch)
    weighted = sum(loss * count for loss, count in zip(losses, counts, strict=True)) / sum(counts)
    assert own == pytest.approx(weighted, abs=1e-5) and abs(sum(losses) / 2 - own) > 1e-3
