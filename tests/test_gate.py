"""A gated block that keeps two tensors instead of three: the same numbers, with less kept."""

import pytest
import torch
from conftest import tiny_llama
from tiny_ppo import PRECISIONS, config_of, llama, policy_of, reproducible, trainer_of, uneven_tokens
from torch import nn

from helpers import memory, ppo
from helpers.gate import lean_gates


def logits_and_gradients(policy: nn.Module) -> list[torch.Tensor]:
    tokens, mask = uneven_tokens()
    policy.zero_grad()
    logits = policy(tokens, attention_mask=mask.long()).logits
    logits.float().square().sum().backward()
    return [logits, *(p.grad for p in policy.parameters() if p.requires_grad)]


@pytest.mark.parametrize("target", ["q_proj", "gate_proj", "up_proj", "down_proj"])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_lean_gates_give_the_logits_and_gradients_of_the_plain_block_to_the_bit(precision, target, tmp_path):
    """With the adapter in the lower layer, so that gradients pass through the block above it."""
    base = llama(precision, tmp_path)
    policy = policy_of(base, moved=0.5, layers_to_transform=[0], target_modules=[target])
    due = logits_and_gradients(policy)
    with lean_gates(policy):
        lean = logits_and_gradients(policy)
    assert len(lean) == 3 and all(gradient.any() for gradient in lean)
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(lean, due, strict=True))


def test_a_lean_gate_keeps_one_tensor_of_its_width_less():
    policy, (tokens, _) = policy_of(llama(), layers_to_transform=[0, 1]), uneven_tokens()
    kept = []
    for gates in (lean_gates(policy), lean_gates(nn.Module())):
        with gates, memory.saved_for_backward(policy) as saved:
            policy(tokens)
        kept.append(memory.stored_bytes(saved))
    config = policy.config
    assert kept[1] - kept[0] == 4 * tokens.numel() * config.num_hidden_layers * config.intermediate_size


def test_blocks_with_another_activation_and_those_outside_stay_as_they_are():
    silu, gelu = tiny_llama(), tiny_llama(hidden_act="gelu")
    for model, changed in ((silu, True), (gelu, False)):
        block = model.model.layers[0].mlp
        with lean_gates(model):
            assert ("forward" in vars(block)) is changed
        assert "forward" not in vars(block)


def test_an_update_with_lean_gates_is_the_update_without_them(monkeypatch):
    histories = []
    for gates in (ppo.lean_gates, lambda model: lean_gates(nn.Module())):
        monkeypatch.setattr(ppo, "lean_gates", gates)
        trainer = trainer_of(policy_of(llama(), layers_to_transform=[0, 1]), config_of(per_device_train_batch_size=2))
        histories.append(reproducible(trainer.train(2)))
    assert histories[0] == histories[1]
