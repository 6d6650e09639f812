"""A frozen 8-bit model on a CPU: the same numbers as bitsandbytes' layers, with less kept."""

import contextlib
import weakref

import pytest
import torch
from tiny_ppo import config_of, llama, policy_of, reproducible, trainer_of, uneven_tokens
from torch import nn

from helpers import eight_bit, products
from helpers.backbone import Backbone
from helpers.rollout import Limits, generate


@pytest.fixture(autouse=True)
def processor(monkeypatch):
    """One that multiplies in bfloat16, and in float32 as bitsandbytes does."""
    monkeypatch.setattr(eight_bit, "best_precision", lambda: ("bf16", ""))
    monkeypatch.setattr(products, "_mkl_is_slow", lambda: False)


@pytest.fixture
def model(tmp_path):
    """8-bit layers, with biases, of a model that has not run yet; all other numbers are exact in bfloat16."""
    base = llama("8bit", tmp_path, attention_bias=True)
    for name, parameter in base.named_parameters():
        if name.endswith("proj.bias"):
            parameter.data.normal_()
        if parameter.is_floating_point():
            parameter.data = parameter.data.bfloat16().float()
    return base


@pytest.fixture
def policy(model):
    return policy_of(model, moved=0.5)


def logits(model: nn.Module) -> torch.Tensor:
    tokens, mask = uneven_tokens()
    return model(tokens, attention_mask=mask.long()).logits


def logits_and_gradients(policy: nn.Module) -> list[torch.Tensor]:
    policy.zero_grad()
    found = logits(policy)
    found.square().sum().backward()
    return [found, *(p.grad for p in policy.parameters() if p.requires_grad)]


def inputs_still_there(policy: nn.Module) -> int:
    """How many inputs of frozen 8-bit layers are alive between forward and backward, though nothing else holds them."""
    kept = []
    layers = [module for module in policy.modules() if type(module).__name__ == "Linear8bitLt" and module.bias is None]
    hooks = [layers[-1].register_forward_pre_hook(lambda layer, inputs: kept.append(weakref.ref(inputs[0])))]
    found = logits(policy)
    for hook in hooks:
        hook.remove()
    alive = sum(reference() is not None for reference in kept)
    del found
    return alive


def test_8bit_layers_on_a_gpu_compute_in_either_mode_what_they_do_on_a_cpu_in_train(policy, monkeypatch):
    due = logits_and_gradients(policy)
    monkeypatch.setattr(eight_bit, "_on_gpu", lambda layer: True)
    eight_bit.read_rows_alone(policy)
    for mode in (True, False):
        found = logits_and_gradients(policy.train(mode))
        assert all(torch.equal(mine, theirs) for mine, theirs in zip(found, due, strict=True))


def test_backbone_lets_policy_and_a_reference_of_its_own_read_rows_alone(policy, tmp_path, monkeypatch):
    monkeypatch.setattr(eight_bit, "_on_gpu", lambda layer: True)
    reference = llama("8bit", tmp_path)
    Backbone(policy, reference)
    for model in (policy, reference):
        layers = eight_bit._eight_bit_layers(model)
        assert layers and all("forward" in vars(layer) for layer in layers)


def test_lean_leaves_the_layers_alone_that_multiply_so_already(policy, monkeypatch):
    monkeypatch.setattr(eight_bit, "_on_gpu", lambda layer: True)
    eight_bit.read_rows_alone(policy)
    before = [vars(layer)["forward"] for layer in eight_bit._eight_bit_layers(policy)]
    with eight_bit.lean(policy):
        assert before and before == [vars(layer)["forward"] for layer in eight_bit._eight_bit_layers(policy)]


def test_8bit_layers_on_a_cpu_are_left_to_bitsandbytes(policy):
    eight_bit.read_rows_alone(policy)
    assert not any("forward" in vars(module) for module in policy.modules())


def test_lean_logits_and_gradients_are_those_of_bitsandbytes_layers_to_the_bit(policy):
    with eight_bit.lean(policy):
        lean = logits_and_gradients(policy)
    due = logits_and_gradients(policy)
    assert len(lean) > 4 and all(torch.equal(mine, theirs) for mine, theirs in zip(lean, due, strict=True))


def test_lean_gradients_with_checkpointing_are_those_of_bitsandbytes_layers_to_the_bit(policy):
    due = logits_and_gradients(policy)
    policy.get_base_model().gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    with eight_bit.lean(policy):
        lean = logits_and_gradients(policy)
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(lean, due, strict=True))


def test_a_lean_frozen_layer_does_not_keep_its_input_and_bitsandbytes_does(policy):
    """The input of the last down projection, which has no adapter: nothing but the layer could need it."""
    with eight_bit.lean(policy):
        assert inputs_still_there(policy) == 0
    assert inputs_still_there(policy) == 1


def test_embedding_takes_half_the_bytes_inside_and_is_as_it_was_afterwards(model):
    weight = model.get_input_embeddings().weight
    before, size = weight.detach().clone(), weight.nbytes
    with pytest.raises(KeyError), eight_bit.lean(model):
        assert 2 * weight.nbytes == size and model.get_output_embeddings().weight is weight
        raise KeyError
    assert weight.dtype == torch.float32 and torch.equal(weight, before)


@pytest.mark.parametrize("reason", ["not exact in bfloat16", "trained", "float16", "slow bfloat16", "no 8-bit layers"])
def test_embedding_stays_as_it_is_where_halving_would_not_be_right(model, reason, monkeypatch):
    weight = model.get_input_embeddings().weight
    if reason == "not exact in bfloat16":
        weight.data[3, 5] += weight.data[3, 5].abs() * 2**-12
    elif reason == "trained":
        weight.requires_grad_()
    elif reason == "float16":
        weight.data = weight.data.half()
    elif reason == "slow bfloat16":
        monkeypatch.setattr(eight_bit, "best_precision", lambda: ("fp32", ""))
    else:
        model = llama()
        weight = model.get_input_embeddings().weight
        weight.data = weight.data.bfloat16().float()
    dtype = weight.dtype
    with eight_bit.lean(model):
        assert weight.dtype == dtype


def test_an_update_with_the_lean_model_is_the_update_without_it(tmp_path, monkeypatch):
    """On a processor without bfloat16 all of an update is equal; with it, what is written differs by its rounding."""
    monkeypatch.setattr(eight_bit, "best_precision", lambda: ("fp32", ""))
    histories = []
    for name, lean in (("lean", eight_bit.lean), ("plain", lambda model: contextlib.nullcontext())):
        monkeypatch.setattr(eight_bit, "lean", lean)
        trainer = trainer_of(policy_of(llama("8bit", tmp_path / name)), config_of(per_device_train_batch_size=2))
        histories.append(reproducible(trainer.train(2)))
    assert histories[0] == histories[1]


def test_layers_that_multiply_in_bfloat16_differ_by_its_rounding_and_are_bitsandbytes_own_afterwards(model):
    with torch.no_grad(), eight_bit.in_bfloat16(model):
        written_before_any_forward = logits(model)
    with torch.no_grad():
        due = logits(model)
        with pytest.raises(KeyError), eight_bit.in_bfloat16(model):
            written_later = logits(model)
            raise KeyError
        assert torch.equal(logits(model), due)
    assert torch.equal(written_before_any_forward, written_later)
    difference = (written_later - due).norm() / due.norm()
    assert 1e-5 < difference < 0.02


def test_layers_that_multiply_in_bfloat16_inside_a_lean_model_are_lean_again_afterwards(policy):
    with eight_bit.lean(policy):
        with torch.no_grad(), eight_bit.in_bfloat16(policy):
            logits(policy)
        assert inputs_still_there(policy) == 0


def test_layers_multiply_in_float32_where_the_processor_has_no_bfloat16(model, monkeypatch):
    monkeypatch.setattr(eight_bit, "best_precision", lambda: ("fp32", "no native bfloat16"))
    with torch.no_grad():
        due = logits(model)
        with eight_bit.in_bfloat16(model):
            assert torch.equal(logits(model), due)


def test_a_lean_model_inside_a_lean_one_is_the_outer_one_again_afterwards(policy):
    weight = policy.get_input_embeddings().weight
    with eight_bit.lean(policy):
        with eight_bit.lean(policy):
            inner = logits(policy)
        assert weight.dtype == torch.bfloat16 and torch.equal(logits(policy), inner)
        assert inputs_still_there(policy) == 0
    assert weight.dtype == torch.float32


def test_what_is_written_inside_a_lean_model_is_what_is_written_outside(policy):
    uniforms = torch.rand(4, 8, generator=torch.Generator().manual_seed(3))
    tokens, mask = uneven_tokens()
    arguments = (Backbone(policy), tokens[:, :5], mask[:, :5].long(), uniforms, Limits(1.0, None, 0))
    outside = generate(*arguments)
    with eight_bit.lean(policy):
        inside = generate(*arguments)
    assert all(torch.equal(one, other) for one, other in zip(inside, outside, strict=True))
