"""Runs that would be silently wrong are refused from the constructor, by a sentence that names the setting."""

import warnings

import pytest
import torch
from conftest import letter_tokenizer
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from tiny_ppo import EOS, PROMPTS, config_of, gpt2, llama, policy_of, tokenizer, trainer_of

from helpers.settings import PPOConfig, checked_scores, input_ids

WRONG = {
    "learning_rate": [0.0, -1e-3, float("nan"), float("inf")],
    "total_updates": [0],
    "batch_size": [0, -4, 2.5],
    "num_ppo_epochs": [0],
    "num_mini_batches": [0, 3],
    "per_device_train_batch_size": [0],
    "local_rollout_forward_batch_size": [0],
    "response_length": [0],
    "temperature": [0.0, -1.0, float("nan")],
    "missing_eos_penalty": [float("nan"), float("inf")],
    "kl_coef": [-0.1, float("nan"), float("inf")],
    "kl_target": [0.0, -6.0],
    "kl_horizon": [0],
    "cliprange": [0.0, -0.2],
    "cliprange_value": [0.0],
    "vf_coef": [-0.1],
    "gamma": [-0.1, 1.1],
    "lam": [-0.1, 1.1, float("nan")],
    "max_grad_norm": [0.0],
    "value_warmup_updates": [-1],
    "save_every": [-1],
    "sample_every": [-1],
}


def asked(*_, **__):
    raise AssertionError("The tokenizer or collator was called before the refusal.")


class Silent:
    """A tokenizer that may be looked at and not be called."""

    pad_token_id, eos_token_id = 0, EOS
    __call__ = decode = pad = asked


def refused(match: str, **arguments):
    """The constructor refuses without a question to tokenizer, collator or reward."""
    given = {"tokenizer": Silent(), "data_collator": asked, "reward": asked, **arguments}
    with pytest.raises(ValueError, match=match):
        trainer_of(**given)


def with_biases(**settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft's own word on biases
        return policy_of(**settings)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_config_refuses_a_value_out_of_range_and_names_it(name, value):
    with pytest.raises(ValueError, match=rf"^{name}={value!r}: it must be "):
        PPOConfig(**{"stop_token_id": EOS, name: value})


def test_config_accepts_its_defaults_and_the_ends_of_its_ranges():
    PPOConfig()
    PPOConfig(gamma=0.0, lam=1.0, kl_coef=0.0, vf_coef=0.0, batch_size=1, total_updates=1, response_length=1)


def test_config_refuses_to_save_nowhere():
    with pytest.raises(ValueError, match="output_dir=None: it must be a folder if save_every"):
        PPOConfig(save_every=1)


def test_config_refuses_a_penalty_for_an_end_token_that_it_does_not_know():
    with pytest.raises(ValueError, match="stop_token_id=None: it must be an id if missing_eos_penalty"):
        PPOConfig(missing_eos_penalty=1.0)


def test_config_has_the_defaults_of_trl_where_names_mean_the_same(monkeypatch):
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    from trl.experimental.ppo import PPOConfig as TrlConfig

    names = ("num_ppo_epochs", "num_mini_batches", "response_length", "stop_token_id", "temperature", "lam", "gamma")
    names += ("missing_eos_penalty", "kl_coef", "cliprange", "vf_coef", "cliprange_value", "learning_rate", "seed")
    theirs = TrlConfig(output_dir="unused", use_cpu=True, bf16=False, report_to=[])
    assert {name: getattr(PPOConfig(), name) for name in names} == {name: getattr(theirs, name) for name in names}


@pytest.mark.parametrize("bias", ["lora_only", "all"])
def test_trained_biases_are_refused(bias):
    refused(f"Use bias='none' .it is '{bias}'", model=with_biases(base=gpt2(), bias=bias))


@pytest.mark.parametrize("bias", ["lora_only", "all"])
def test_trained_biases_beside_a_reference_of_its_own_are_refused(bias):
    refused("bias and .* weights beside the adapter", model=with_biases(base=gpt2(), bias=bias), ref_model=gpt2())


@pytest.mark.parametrize("bias", ["none", "lora_only", "all"])
def test_any_bias_setting_is_accepted_on_layers_without_biases(bias):
    trainer_of(with_biases(base=llama(), bias=bias))


def test_bias_none_is_accepted_on_layers_with_biases():
    trainer_of(policy_of(gpt2()))


def test_modules_to_save_are_refused():
    refused("modules_to_save=", model=policy_of(llama(tie_word_embeddings=False), modules_to_save=["lm_head"]))


def test_trained_embeddings_are_refused():
    policy = policy_of(llama())
    policy.get_input_embeddings().requires_grad_(True)
    refused(r"embed_tokens\.weight and 0 more weights of the original model are trained", model=policy)
    refused(r"embed_tokens\.weight and 0 more weights beside the adapter", model=policy, ref_model=llama())


def test_base_with_trainable_weights_is_refused():
    policy = policy_of(llama())
    policy.get_base_model().model.norm.weight.requires_grad_(True)
    refused(r"norm\.weight and 0 more weights", model=policy)


@pytest.mark.parametrize("reference", [None, "own"])
def test_merged_adapter_is_refused(reference):
    policy = policy_of(llama())
    policy.merge_adapter()
    refused(r"merged into the weights.*unmerge_adapter", model=policy, ref_model=reference and llama())


@pytest.mark.parametrize("reentrant", [True, False])
def test_gradient_checkpointing_that_would_train_nothing_is_refused(reentrant):
    policy = policy_of(llama())
    policy.get_base_model().gradient_checkpointing_enable({"use_reentrant": reentrant})
    if reentrant:
        refused(r"use_reentrant=True, under which no adapter.*gradient_checkpointing_disable", model=policy)
        policy.get_base_model().gradient_checkpointing_disable()
    trainer_of(policy)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_adapter_in_half_precision_is_refused(dtype):
    policy = policy_of(llama())
    for parameter in policy.parameters():
        parameter.data = parameter.data.to(dtype) if parameter.requires_grad else parameter.data
    refused(rf"lora_A.*is in {dtype}, in which a small step is rounded away", model=policy)


def test_model_without_adapters_is_refused():
    refused("model is a LlamaForCausalLM; this trainer trains adapters", model=llama())


def test_frozen_adapter_is_refused():
    refused("model has no trainable adapter", model=policy_of(llama()).requires_grad_(False))


def test_second_trainable_adapter_is_refused():
    policy = policy_of(llama())
    policy.add_adapter("other", LoraConfig(target_modules=["q_proj"]))
    policy.base_model.set_adapter("default")
    for name, parameter in policy.named_parameters():
        parameter.requires_grad_(".lora_" in name)
    refused(r"\.other\..* more weights beside the adapter 'default'", model=policy)


def test_reference_that_is_the_policy_is_refused():
    policy = policy_of(llama())
    refused("ref_model is the policy itself", model=policy, ref_model=policy)


def test_reference_that_holds_the_adapter_is_refused():
    policy = policy_of(llama())
    refused("ref_model holds the adapter that is trained", model=policy, ref_model=policy.get_base_model())


def test_policy_that_starts_from_a_trained_adapter_is_refused():
    refused(r"starts from a trained adapter .*ref_adapter_name=", model=policy_of(llama(), moved=0.5))


def test_policy_that_starts_from_a_trained_adapter_is_accepted_beside_a_reference_of_its_own():
    trainer_of(policy_of(llama(), moved=0.5), ref_model=llama())


def test_reference_adapter_that_the_model_lacks_is_refused():
    config = config_of(ref_adapter_name="sft")
    refused("ref_adapter_name='sft': the model has the adapters default", model=policy_of(llama()), config=config)


def test_reference_adapter_that_is_trained_is_refused():
    config = config_of(ref_adapter_name="default")
    refused("ref_adapter_name='default' is the adapter that is trained", config=config)


@pytest.mark.parametrize("pad", ["<eos>", None])
def test_padding_that_is_the_end_token_or_missing_is_refused(pad):
    silent = Silent()
    silent.pad_token_id = EOS if pad else None
    refused("pad_token_id=.* is missing or the end token", tokenizer=silent)


def test_padding_that_is_the_stop_token_is_refused():
    refused("pad_token_id=0 is missing or the end token", config=config_of(stop_token_id=0))


def test_empty_dataset_is_refused():
    refused("dataset is empty", dataset=[])


def test_empty_prompt_is_refused():
    refused("dataset has an empty prompt", dataset=[[3, 4], []])


def test_prompt_that_leaves_no_room_is_refused():
    refused(
        r"response_length=6 leaves no room: the longest prompt has 59 tokens, and .* 64",
        dataset=[[3] * 59],
        model=policy_of(gpt2()),
    )


def test_prompt_that_just_leaves_room_is_accepted():
    trainer_of(policy_of(gpt2()), dataset=[[3] * 58])


def test_adapter_outside_the_layers_is_refused():
    policy = get_peft_model(llama(), LoraConfig(target_modules=["q_proj", "embed_tokens"]))
    refused("target_modules: .* adapts what is no layer", model=policy)


def test_right_padding_is_refused():
    with pytest.raises(ValueError, match=r"data_collator pads on the right.*padding_side = 'left'"):
        trainer_of(tokenizer=tokenizer(padding_side="right"))


def test_collator_without_a_mask_is_refused():
    with pytest.raises(ValueError, match="data_collator returns no attention_mask"):
        trainer_of(data_collator=lambda rows: {"input_ids": torch.ones(len(rows), 3)})


def test_rows_of_every_kind_have_the_same_ids():
    reads = letter_tokenizer(chat_template="{% for m in messages %}{{ m['content'] }}{% endfor %}")
    ids = reads("a film")["input_ids"]
    rows = ["a film", {"text": "a film"}, {"prompt": "a film"}, ids, {"input_ids": ids}, torch.tensor(ids)]
    rows += [[{"role": "user", "content": "a film"}], {"messages": [{"role": "user", "content": "a film"}]}]
    assert [input_ids(row, reads) for row in rows] == [ids] * len(rows)


def test_row_of_another_kind_is_refused():
    with pytest.raises(ValueError, match=r"dataset: a row must have input_ids, .*this one is 3\.5"):
        trainer_of(dataset=[3.5])


@pytest.mark.parametrize("dataset", [PROMPTS, ["a film", "no"], Dataset.from_dict({"input_ids": PROMPTS})])
def test_dataset_of_every_kind_trains(dataset):
    assert len(trainer_of(dataset=dataset).train(1)) == 1


@pytest.mark.parametrize("scores", [[1.0], [1.0, 2.0, 3.0], [], [[1.0], [2.0]], 1.0, None, ["good", "bad"]])
def test_reward_of_the_wrong_count_or_kind_is_refused(scores):
    with pytest.raises(ValueError, match=r"^reward: 2 (responses need as many )?floats"):
        checked_scores(scores, ["one", "two"])


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -float("inf")])
def test_reward_that_is_not_finite_is_refused_and_the_prompt_named(score):
    with pytest.raises(ValueError, match=r"reward: the score of the response to 'two' is .*; it must be finite"):
        checked_scores([1.0, score], ["one", "two"])


def test_reward_with_a_graph_is_taken_without_it():
    assert not checked_scores(torch.ones(2, requires_grad=True) * 2, ["one", "two"]).requires_grad
