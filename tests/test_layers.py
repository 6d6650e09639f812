"""Layers with a backward of their own: the same numbers, with less kept, and only where they are known to be."""

import contextlib
import io

import pytest
import torch
from conftest import tiny_llama
from peft import LoraConfig, get_peft_model
from tiny_ppo import FLOATS, PRECISIONS, config_of, llama, policy_of, reproducible, trainer_of, uneven_tokens
from torch import nn
from transformers import (
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS, AttentionInterface
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from helpers import layers, memory, ppo
from helpers.layers import lean_layers

SIZES = {"hidden_size": 64, "intermediate_size": 96, "num_attention_heads": 4, "num_key_value_heads": 2}


def logits_and_gradients(policy: nn.Module) -> list[torch.Tensor]:
    tokens, mask = uneven_tokens()
    policy.zero_grad()
    logits = policy(tokens, attention_mask=mask.long()).logits
    logits.float()[mask].square().sum().backward()
    return [logits.detach(), *(p.grad for p in policy.parameters() if p.requires_grad)]


def distance(found: torch.Tensor, due: torch.Tensor) -> float:
    """Relative, in float64."""
    return ((found.double() - due.double()).norm() / due.double().norm()).item()


@pytest.mark.parametrize("target", ["q_proj", "v_proj", "gate_proj", "down_proj"])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_lean_layers_give_the_logits_to_the_bit_and_the_gradients_to_rounding(precision, target, tmp_path):
    """With the adapter in the lower layer, so that gradients pass through all of the layer above it."""
    policy = policy_of(llama(precision, tmp_path, scale=2), moved=0.5, layers_to_transform=[0], target_modules=[target])
    due = logits_and_gradients(policy)
    with lean_layers(policy):
        found = logits_and_gradients(policy)
    assert len(found) == 3 and all(gradient.any() for gradient in found)
    assert torch.equal(found[0], due[0])
    rounding = {"bf16": 2e-2, "fp16": 2e-3}.get(precision, 1e-5)
    assert all(distance(mine, theirs) < rounding for mine, theirs in zip(found, due, strict=True))


@pytest.mark.parametrize(
    ("model", "config", "norms"),
    [
        (MistralForCausalLM, MistralConfig, 2),
        (Qwen2ForCausalLM, Qwen2Config, 2),
        (Qwen3ForCausalLM, Qwen3Config, 4),  # of queries and keys, too
    ],
)
def test_lean_layers_of_other_models_give_their_numbers(model, config, norms):
    torch.manual_seed(0)
    sizes = {"num_hidden_layers": 2, "vocab_size": 103, "max_position_embeddings": 64, "head_dim": 24}
    base = model(config(**SIZES, **sizes)).bfloat16().train()
    for name, parameter in base.named_parameters():
        if "norm" in name:
            torch.nn.init.uniform_(parameter, 0.5, 2)
    policy = policy_of(base.requires_grad_(False), moved=0.5, layers_to_transform=[0])
    due = logits_and_gradients(policy)
    with lean_layers(policy):
        assert sum("forward" in vars(module) for module in policy.modules()) == 2 + (2 * norms + 1) + 2
        found = logits_and_gradients(policy)
    assert torch.equal(found[0], due[0])
    assert all(distance(mine, theirs) < 2e-2 for mine, theirs in zip(found, due, strict=True))


@pytest.mark.parametrize("precision", FLOATS)
def test_gradient_of_a_lean_norm_is_that_of_its_formula(precision):
    torch.manual_seed(0)
    norm, x = LlamaRMSNorm(64).to(FLOATS[precision]).requires_grad_(False), 3 * torch.randn(2, 5, 64)
    norm.weight.data.uniform_(0.5, 2)
    x, slope = x.to(FLOATS[precision]).requires_grad_(), torch.randn(2, 5, 64).to(FLOATS[precision])
    plain = norm(x)
    with lean_layers(norm):
        normed = norm(x)
    (found,) = torch.autograd.grad(normed, x, slope)
    exact = x.detach().double().requires_grad_()
    formula = norm.weight.double() * exact / (exact.square().mean(-1, keepdim=True) + norm.variance_epsilon).sqrt()
    (due,) = torch.autograd.grad(formula, exact, slope.double())
    assert torch.equal(normed, plain)
    assert distance(found, due) < {"bf16": 5e-3, "fp16": 1e-3}.get(precision, 1e-6)


@pytest.mark.parametrize("precision", FLOATS)
def test_a_lean_gated_block_has_output_and_gradient_of_the_plain_one_to_the_bit(precision):
    block = tiny_llama().model.layers[0].mlp.to(FLOATS[precision]).requires_grad_(False)
    torch.manual_seed(0)
    x, both = torch.randn(2, 5, 64).to(FLOATS[precision]).requires_grad_(), []
    for context in (contextlib.nullcontext(), lean_layers(block)):
        with context:
            output = block(x)
        both.append([output, *torch.autograd.grad(output.float().square().sum(), x)])
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(*both, strict=True))


class LlamaAttention(nn.Module):
    """What the attention function asks of its layer: the name, and how many heads share a key."""


class MistralAttention(LlamaAttention):
    pass


class Qwen2Attention(LlamaAttention):
    pass


class Qwen3Attention(LlamaAttention):
    pass


class EncoderAttention(LlamaAttention):
    is_causal = False


EncoderAttention.__name__ = "LlamaAttention"


def attended(queries, keys, values, mask, kind=LlamaAttention, **options):
    """By what a model finds under "sdpa", and the gradients of a fixed weighting of it."""
    layer = kind()
    layer.num_key_value_groups = queries.shape[1] // keys.shape[1]
    output, _ = ALL_ATTENTION_FUNCTIONS["sdpa"](layer, queries, keys, values, mask, **options)
    torch.manual_seed(1)
    slope = torch.randn(output.shape).to(output.dtype)
    slope[0, :2] = 0  # what stands at padding is read by nothing
    return [output, *torch.autograd.grad(output, (queries, keys, values), slope, retain_graph=True)]


def drawn_attention(dtype=torch.bfloat16, heads: int = 6, groups: int = 2, length: int = 9, width: int = 16):
    torch.manual_seed(0)
    drawn = [torch.randn(3, count, length, width).to(dtype).requires_grad_() for count in (heads, groups, groups)]
    mask = torch.ones(length, length, dtype=torch.bool).tril().repeat(3, 1, 1, 1)
    mask[0, :, :, :2] = False  # two tokens of padding, whose rows see nothing at all
    return drawn, mask


def by_hand(queries, keys, values, mask, scale: float):
    """Equation 1 in float64, one head at a time."""
    output = torch.zeros(*queries.shape[:3], values.shape[-1], dtype=torch.float64)
    for head in range(queries.shape[1]):
        group = head * keys.shape[1] // queries.shape[1]
        scores = scale * queries[:, head] @ keys[:, group].mT
        weights = torch.where(mask[:, 0], scores, -torch.inf).softmax(-1).nan_to_num(0)
        output[:, head] = weights @ values[:, group]
    return output.transpose(1, 2)


@pytest.mark.parametrize("kind", [LlamaAttention, MistralAttention, Qwen2Attention, Qwen3Attention])
def test_attention_of_each_model_is_lean(kind):
    given, mask = drawn_attention()
    with lean_layers(nn.Module()):
        assert type(attended(*given, mask, kind)[0].grad_fn).__name__ == "_ShortAttentionBackward"


def test_attention_of_another_model_may_be_called_by_the_names_of_its_arguments():
    (queries, keys, values), mask = drawn_attention()
    layer = EncoderAttention()
    layer.num_key_value_groups = 3
    named = {"query": queries, "key": keys, "value": values, "attention_mask": mask}
    due, _ = ALL_ATTENTION_FUNCTIONS["sdpa"](module=layer, **named)
    with lean_layers(nn.Module()):
        found, _ = ALL_ATTENTION_FUNCTIONS["sdpa"](module=layer, **named)
    assert torch.equal(found, due)


@pytest.mark.parametrize("times", [10, 100])
def test_gradients_of_lean_attention_are_as_exact_as_pytorchs_where_scores_are_large(times):
    """As with the large key biases of Qwen2: scores rounded to bfloat16 would be off by whole units."""
    (queries, keys, values), mask = drawn_attention(length=64, width=64)
    queries = (times * queries).detach().requires_grad_()
    plain = attended(queries, keys, values, mask)
    with lean_layers(nn.Module()):
        found = attended(queries, keys, values, mask)
    due = due_of(queries, keys, values, mask, 0.125)
    errors = [[distance(x, exact) for x, exact in zip(those[1:], due, strict=True)] for those in (found, plain)]
    assert all(mine <= 1.2 * theirs for mine, theirs in zip(*errors, strict=True))


def due_of(queries, keys, values, mask, scale: float) -> tuple[torch.Tensor, ...]:
    """The gradients of `attended`, in float64."""
    exact = [x.detach().double().requires_grad_() for x in (queries, keys, values)]
    real = by_hand(*exact, mask, scale)
    torch.manual_seed(1)
    slope = torch.randn(real.shape).bfloat16().double()
    slope[0, :2] = 0
    return torch.autograd.grad(real, exact, slope)


@pytest.mark.parametrize("at_once", [1, 200, 2**17])
@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("groups", [1, 2, 6])
@pytest.mark.parametrize("scale", [None, 0.5])
def test_gradients_of_lean_attention_are_those_of_its_formula(padded, groups, scale, at_once, monkeypatch):
    monkeypatch.setattr(layers, "WEIGHTS_AT_ONCE", at_once)
    given, mask = drawn_attention(groups=groups)
    if not padded:
        mask = torch.ones(9, 9, dtype=torch.bool).tril().repeat(3, 1, 1, 1)
    plain = attended(*given, mask if padded else None, scaling=scale)
    with lean_layers(nn.Module()):
        found = attended(*given, mask if padded else None, scaling=scale)
    assert type(found[0].grad_fn).__name__ == "_ShortAttentionBackward" and torch.equal(found[0], plain[0])
    due = due_of(*given, mask, scale or 0.25)
    assert all(distance(mine, theirs) < 5e-3 for mine, theirs in zip(found[1:], due, strict=True))


@pytest.mark.parametrize(
    "changed",
    [
        {"dtype": torch.float32},
        {"dtype": torch.float16},
        {"length": 260},
        {"mask": "numbers"},
        {"mask": None, "is_causal": False},
        {"kind": nn.Module},
        {"mask": None, "kind": EncoderAttention},
        {"position_bias": torch.randn(3, 6, 9, 9).bfloat16()},
        {"dropout": 0.5},
    ],
    ids=lambda changed: "-".join(changed),
)
def test_attention_of_another_kind_is_left_to_pytorch(changed):
    sizes = {name: changed.pop(name) for name in ("dtype", "length") if name in changed}
    given, mask = drawn_attention(**sizes)
    options = {"mask": mask, **changed}
    if isinstance(options["mask"], str):
        options["mask"] = torch.zeros(3, 1, 9, 9).masked_fill(~mask, -1e9).bfloat16()
    torch.manual_seed(2)
    due = attended(*given, **options)
    with lean_layers(nn.Module()):
        torch.manual_seed(2)
        found = attended(*given, **options)
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(found, due, strict=True))
    assert type(found[0].grad_fn).__name__ != "_ShortAttentionBackward"


def test_no_more_attention_weights_than_allowed_exist_at_once():
    (queries, keys, _), mask = drawn_attention(heads=4, groups=1, length=128)
    for rows, short in ((1, True), (16, True), (17, False)):
        assert layers._is_short(queries[:1].expand(rows, -1, -1, -1), keys, mask[:1]) is short


def adapted(dtype=torch.bfloat16, **settings) -> nn.Module:
    torch.manual_seed(0)
    base = nn.Sequential(nn.Linear(32, 24)).to(dtype)
    settings = {"r": 4, "lora_alpha": 12, "target_modules": ["0"], "init_lora_weights": False, **settings}
    return get_peft_model(base, LoraConfig(**settings))


def output_and_gradients(model: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    torch.manual_seed(3)
    output, trained = model(x), [p for p in model.parameters() if p.requires_grad]
    if not output.requires_grad:
        return [output]
    return [output, *torch.autograd.grad(output.float().square().sum(), [*trained, x], allow_unused=True)]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_lean_adapter_has_the_output_of_pefts_to_the_bit_and_gradients_to_rounding(dtype):
    model, x = adapted(dtype), torch.randn(2, 5, 32).to(dtype).requires_grad_()
    due = output_and_gradients(model, x)
    with lean_layers(model):
        found = output_and_gradients(model, x)
    assert type(found[0].grad_fn).__name__ == "_AdaptedBackward" and len(found) == 4
    assert torch.equal(found[0], due[0])
    assert all(distance(mine, theirs) < 1e-6 for mine, theirs in zip(found[1:3], due[1:3], strict=True))
    assert distance(found[3], due[3]) < 1e-2


ANOTHER_KIND = {
    "dropout": lambda: adapted(lora_dropout=0.5),
    "dora": lambda: adapted(use_dora=True),
    "bias": lambda: adapted(lora_bias=True),
    "float32 model": lambda: adapted(torch.float32),
    "adapter in bfloat16": lambda: adapted().to(torch.bfloat16),
    "merged": lambda: _after(adapted(), lambda model: model.merge_adapter()),
    "adapters off": lambda: _after(adapted(), lambda model: model.base_model.disable_adapter_layers()),
    "two adapters": lambda: _after(adapted(), _use_two),
    "adapter of another layer": lambda: _after(adapted(), lambda model: model.base_model.model[0].lora_A.clear()),
}


def _after(model: nn.Module, change) -> nn.Module:
    change(model)
    return model


def _use_two(model: nn.Module) -> None:
    model.add_adapter("second", LoraConfig(r=2, target_modules=["0"], init_lora_weights=False))
    model.base_model.set_adapter(["default", "second"])


@pytest.mark.parametrize("kind", ANOTHER_KIND)
def test_an_adapter_of_another_kind_is_left_to_peft(kind):
    model = ANOTHER_KIND[kind]()
    x = torch.randn(2, 5, 32).to(next(model.parameters()).dtype).requires_grad_()
    due = output_and_gradients(model, x)
    with lean_layers(model):
        found = output_and_gradients(model, x)
    assert type(found[0].grad_fn).__name__ != "_AdaptedBackward"
    pairs = [pair for pair in zip(found, due, strict=True) if pair[1] is not None]
    assert pairs and all(torch.equal(mine, theirs) for mine, theirs in pairs)


@pytest.mark.parametrize("module", [lambda: LlamaRMSNorm(32).requires_grad_(False), lambda: adapted()])
def test_norms_and_adapters_of_another_device_are_left_alone(module):
    """On a GPU nothing of them has been measured; the device of this test has no numbers at all."""
    model = module().to("meta")
    x = torch.empty(2, 5, 32, device="meta", dtype=next(model.parameters()).dtype, requires_grad=True)
    due = type(model(x).grad_fn)
    with lean_layers(model):
        assert type(model(x).grad_fn) is due


def kept_bytes(policy: nn.Module, context) -> int:
    tokens, mask = uneven_tokens()
    with context, memory.saved_for_backward(policy) as saved:
        policy(tokens, attention_mask=mask.long())
    return memory.stored_bytes(saved)


def test_lean_layers_keep_what_their_backward_needs_and_no_more():
    """In bfloat16, against what PyTorch and peft keep more of a token in a layer, counted by hand."""
    policy = policy_of(llama("bf16"), layers_to_transform=[0, 1], target_modules=["q_proj"])
    config, (tokens, _) = policy.config, uneven_tokens()
    width, heads, length = config.hidden_size, config.num_attention_heads, tokens.shape[1]
    repeated = width - config.num_key_value_heads * config.head_dim
    attention = 2 * width + 4 * heads + 2 * 2 * repeated + 2 * length  # output, sums, keys and values, mask as numbers
    in_float32 = 2 * 2 * width + 2 * width  # of two norms the input, and of the adapter, in 4 bytes instead of 2
    more = config.num_hidden_layers * (2 * config.intermediate_size + attention + in_float32)
    one_mask = length  # in bytes, for all layers
    found = kept_bytes(policy, contextlib.nullcontext()) - kept_bytes(policy, lean_layers(policy))
    assert found == tokens.numel() * (more - one_mask)


def test_a_norm_that_is_trained_gets_its_gradient_even_where_it_was_frozen_on_entry():
    norm, x = LlamaRMSNorm(64).requires_grad_(False), torch.randn(2, 5, 64)
    with lean_layers(norm):
        norm.requires_grad_(True)
        norm(x.requires_grad_()).square().sum().backward()
    assert norm.weight.grad is not None
    found = norm.weight.grad.clone()
    norm.weight.grad = None
    norm(x).square().sum().backward()
    assert torch.equal(found, norm.weight.grad)


def test_a_block_of_another_activation_or_replaced_before_stays_as_it_is():
    gelu, replaced = tiny_llama(hidden_act="gelu"), tiny_llama()
    mine = replaced.model.layers[0].mlp.forward = lambda x: 7 * x
    with lean_layers(gelu), lean_layers(replaced):
        assert "forward" not in vars(gelu.model.layers[0].mlp) and "forward" in vars(gelu.model.norm)
        assert replaced.model.layers[0].mlp.forward is mine and "forward" in vars(replaced.model.layers[1].mlp)
    assert replaced.model.layers[0].mlp.forward is mine


def test_a_policy_can_be_pickled_in_the_midst_of_its_training():
    policy, whole = policy_of(llama("bf16")), io.BytesIO()
    trainer_of(policy, config_of(), on_update=lambda metrics: torch.save(policy, whole)).train(1)
    whole.seek(0)
    again, (tokens, mask) = torch.load(whole, weights_only=False), uneven_tokens()
    assert torch.equal(again(tokens, attention_mask=mask).logits, policy(tokens, attention_mask=mask).logits)


def test_afterwards_all_is_as_before():
    policy, plain = policy_of(llama("bf16")), ALL_ATTENTION_FUNCTIONS["sdpa"]
    with pytest.raises(KeyError), lean_layers(policy):
        assert ALL_ATTENTION_FUNCTIONS["sdpa"] is not plain
        raise KeyError
    assert ALL_ATTENTION_FUNCTIONS["sdpa"] is plain
    assert not any("forward" in vars(module) for module in policy.modules())


def test_a_table_of_attention_functions_changed_before_or_later_is_respected(monkeypatch):
    own = ALL_ATTENTION_FUNCTIONS["sdpa"]
    with lean_layers(nn.Module()):
        outer = ALL_ATTENTION_FUNCTIONS["sdpa"]
        with lean_layers(nn.Module()):
            pass
        assert ALL_ATTENTION_FUNCTIONS["sdpa"] is outer
    later = {**AttentionInterface._global_mapping, "sdpa": lambda *given: own(*given)}
    monkeypatch.setattr(AttentionInterface, "_global_mapping", later)  # as `register` does, and undone
    assert ALL_ATTENTION_FUNCTIONS["sdpa"] is later["sdpa"]


def test_a_training_with_lean_layers_is_the_training_without_them(monkeypatch):
    histories = []
    for lean in (ppo.lean_layers, lambda model: contextlib.nullcontext()):
        monkeypatch.setattr(ppo, "lean_layers", lean)
        policy = policy_of(llama(), layers_to_transform=[0, 1])
        trainer = trainer_of(policy, config_of(per_device_train_batch_size=2, learning_rate=1e-3))
        histories.append(reproducible(trainer.train(2)))
    for mine, theirs in zip(*histories, strict=True):
        assert mine == pytest.approx(theirs, rel=1e-4, abs=1e-5)
