"""Adapters off is the original model, everything is as before afterwards, and what would break that is refused."""

import warnings

import pytest
import torch
from conftest import in_8bit, tiny_llama
from peft import AdaLoraConfig, IA3Config, LoraConfig, OFTConfig, VeraConfig, get_peft_model
from transformers import GPT2Config, GPT2LMHeadModel

from helpers.adapters import checksum_of_base, reference, top_layers

TOKENS = torch.arange(3, 15).view(2, 6)


def policy_of(base: torch.nn.Module, **settings):
    """A policy whose adapter has moved away from where it started."""
    torch.manual_seed(1)
    targets = {"target_modules": ["q_proj", "v_proj"], "init_lora_weights": False, "r": 4}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft's own word on bias="lora_only"
        return get_peft_model(base, LoraConfig(**{**targets, **settings})).train()


def tiny_gpt2() -> GPT2LMHeadModel:
    """A model with biases."""
    torch.manual_seed(0)
    return GPT2LMHeadModel(GPT2Config(n_layer=2, n_embd=32, n_head=2, vocab_size=200, bos_token_id=1, eos_token_id=2))


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return model(TOKENS).logits


def frozen_names(model: torch.nn.Module) -> dict[str, bool]:
    return {name: parameter.requires_grad for name, parameter in model.named_parameters()}


@pytest.fixture
def policy():
    return policy_of(tiny_llama())


@pytest.mark.parametrize("precision", ["fp32", "8bit"])
def test_reference_is_bit_for_bit_the_model_before_wrapping(precision, tmp_path):
    base = in_8bit(tiny_llama(), tmp_path) if precision == "8bit" else tiny_llama()
    before = logits(base)
    policy = policy_of(base)
    assert not torch.equal(logits(policy), before)
    with reference(policy) as original:
        assert torch.equal(logits(original), before)


def test_reference_after_training_is_bit_for_bit_the_model_before_it(policy):
    before = logits(tiny_llama())
    optimizer = torch.optim.AdamW([p for p in policy.parameters() if p.requires_grad], lr=0.1)
    policy(TOKENS).logits.square().mean().backward()
    optimizer.step()
    with reference(policy) as original:
        assert torch.equal(logits(original), before)


def test_reference_gives_the_policy_back_afterwards(policy):
    before = logits(policy)
    with reference(policy):
        pass
    assert torch.equal(logits(policy), before)


def test_reference_in_a_reference_leaves_the_outer_one_as_it_is(policy):
    with reference(policy):
        before = logits(policy)
        with reference(policy):
            pass
        assert torch.equal(logits(policy), before)


def test_reference_restores_requires_grad_of_a_frozen_adapter(policy):
    policy.set_adapter("default", inference_mode=True)
    before = frozen_names(policy)
    with reference(policy):
        pass
    assert frozen_names(policy) == before and not any(before.values())


@pytest.mark.parametrize("trainable", [True, False])
def test_reference_restores_requires_grad_of_a_second_adapter(policy, trainable):
    policy.add_adapter("reward", LoraConfig(r=2, target_modules=["q_proj"]))
    for name, parameter in policy.named_parameters():
        if ".reward." in name:
            parameter.requires_grad_(trainable)
    before = frozen_names(policy)
    with reference(policy):
        pass
    assert frozen_names(policy) == before and len(set(before.values())) == 2


def test_reference_restores_the_policy_after_an_exception(policy):
    policy.set_adapter("default", inference_mode=True)
    before = frozen_names(policy), logits(policy)
    with pytest.raises(KeyboardInterrupt), reference(policy):
        raise KeyboardInterrupt
    assert frozen_names(policy) == before[0] and torch.equal(logits(policy), before[1])


def test_reference_refuses_trained_biases_and_names_them():
    policy = policy_of(tiny_gpt2(), target_modules=["c_attn"], bias="lora_only", fan_in_fan_out=True)
    with pytest.raises(ValueError, match=r"c_attn.*bias.*bias='none' \(it is 'lora_only'\)"), reference(policy):
        pass


def test_reference_refuses_biases_that_were_trained_and_then_frozen():
    policy = policy_of(tiny_gpt2(), target_modules=["c_attn"], bias="lora_only", fan_in_fan_out=True)
    with pytest.raises(ValueError, match=r"c_attn.*bias and 1 more weights"), reference(policy.requires_grad_(False)):
        pass


def test_reference_accepts_frozen_biases():
    base = tiny_gpt2()
    before = logits(base.train(False))
    with reference(policy_of(base, target_modules=["c_attn"], fan_in_fan_out=True).train(False)) as original:
        assert torch.equal(logits(original), before)


@pytest.mark.parametrize("bias", ["lora_only", "all"])
def test_reference_accepts_trained_biases_where_there_are_none(bias):
    before = logits(tiny_llama())
    with reference(policy_of(tiny_llama(), bias=bias)) as original:
        assert torch.equal(logits(original), before)


def test_reference_refuses_modules_to_save():
    policy = policy_of(tiny_llama(tie_word_embeddings=False), modules_to_save=["lm_head"])
    with (
        pytest.raises(ValueError, match=r"modules_to_save=.*lm_head.* trains weights beside the adapter 'default'"),
        reference(policy),
    ):
        pass


def test_reference_refuses_a_merged_adapter(policy):
    policy.merge_adapter()
    with pytest.raises(ValueError, match=r"merged into the weights: call model\.unmerge_adapter"), reference(policy):
        pass


def test_reference_refuses_a_trainable_weight_of_the_base(policy):
    policy.get_input_embeddings().requires_grad_(True)
    with pytest.raises(ValueError, match=r"embed_tokens\.weight and 0 more weights"), reference(policy):
        pass


def test_reference_refuses_biases_of_an_adapter_that_is_not_the_active_one():
    policy = policy_of(tiny_gpt2(), target_modules=["c_attn"], bias="all", fan_in_fan_out=True)
    policy.add_adapter("second", LoraConfig(r=2, target_modules=["c_attn"], fan_in_fan_out=True))
    policy.set_adapter("second")
    with (
        pytest.raises(ValueError, match=r"bias and .*bias='none' \(it is 'all'\)"),
        reference(policy.requires_grad_(False)),
    ):
        pass


@pytest.mark.parametrize(
    "config",
    [
        IA3Config(target_modules=["k_proj"], feedforward_modules=[]),
        OFTConfig(target_modules=["q_proj"], oft_block_size=4),
        VeraConfig(target_modules=["q_proj"], r=2),
        AdaLoraConfig(target_modules=["q_proj"], total_step=10),
    ],
    ids=lambda config: config.peft_type.value,
)
def test_reference_refuses_adapters_that_are_not_lora_by_name(config):
    policy = get_peft_model(tiny_llama(), config)
    with (
        pytest.raises(ValueError, match=f"needs LoRA adapters; 'default' is {config.peft_type.value}"),
        reference(policy),
    ):
        pass


@pytest.mark.parametrize("start", ["pissa", "pissa_niter_2", "olora"])
def test_reference_refuses_a_start_of_the_adapter_that_changes_the_base(start):
    policy = policy_of(tiny_llama(), init_lora_weights=start)
    with pytest.raises(ValueError, match=f"init_lora_weights='{start}' .*changes the weights"), reference(policy):
        pass


@pytest.mark.parametrize("start", [True, "gaussian", "orthogonal"])
def test_reference_accepts_a_start_of_the_adapter_that_leaves_the_base(start):
    before = logits(tiny_llama())
    with reference(policy_of(tiny_llama(), init_lora_weights=start)) as original:
        assert torch.equal(logits(original), before)


@pytest.mark.parametrize("setting", [{"layer_replication": [(0, 2), (1, 2)]}, {"trainable_token_indices": [3, 4]}])
def test_reference_refuses_what_copies_layers_or_trains_tokens(setting):
    with (
        pytest.raises(ValueError, match=f"{next(iter(setting))}=.*adapter 'default'"),
        reference(policy_of(tiny_llama(tie_word_embeddings=False), **setting)),
    ):
        pass


def test_reference_refuses_a_model_without_adapters():
    with pytest.raises(ValueError, match="needs a PeftModel, and this is a LlamaForCausalLM"), reference(tiny_llama()):
        pass


@pytest.mark.parametrize(
    ("layers", "fraction", "due"),
    [(30, 1 / 3, list(range(20, 30))), (2, 1 / 3, [1]), (5, 1.0, [0, 1, 2, 3, 4]), (4, 0.0, [3])],
)
def test_top_layers_are_the_last_ones_and_at_least_one(layers, fraction, due):
    assert top_layers(tiny_llama(num_hidden_layers=layers), fraction) == due


def test_checksum_of_the_base_is_the_same_with_adapters_and_whatever_they_learn(tmp_path):
    base = in_8bit(tiny_llama(), tmp_path)
    before = checksum_of_base(base)
    policy = policy_of(base, modules_to_save=["lm_head"])
    with torch.no_grad():
        for parameter in policy.parameters():
            if parameter.requires_grad:
                parameter.add_(1)
    assert checksum_of_base(policy) == before


def test_checksum_of_the_base_sees_the_first_and_the_last_number_of_each_of_its_tensors_move(tmp_path):
    gpt2 = policy_of(tiny_gpt2(), target_modules=["c_attn"], fan_in_fan_out=True)  # with biases
    for policy in (gpt2, policy_of(in_8bit(tiny_llama(tie_word_embeddings=False), tmp_path))):
        before, state = checksum_of_base(policy), policy.state_dict()
        made_for_the_file = "weight_format"  # of bitsandbytes; no part of the live model
        for name in [name for name in state if "lora_" not in name and not name.endswith(made_for_the_file)]:
            for place in {0, state[name].numel() - 1}:
                numbers = state[name].detach().view(-1)
                number = numbers[place].clone()
                numbers[place] += 1
                assert checksum_of_base(policy) != before, name
                numbers[place] = number
        assert checksum_of_base(policy) == before


def test_checksum_of_the_base_refuses_adapters_that_it_cannot_tell_from_the_base():
    with pytest.raises(ValueError, match="adapters of kind IA3; only LoRA's"):
        checksum_of_base(get_peft_model(tiny_llama(), IA3Config(target_modules=["k_proj"], feedforward_modules=[])))
