"""Each predicted line equals what a live model holds, to the byte; and the counting itself equals another counting."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import SIZES, in_8bit, tiny_llama
from peft import LoraConfig, get_peft_model
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import (
    Gemma3TextConfig,
    LlamaConfig,
    LlamaForSequenceClassification,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2ForSequenceClassification,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3ForSequenceClassification,
)

from helpers import bill, memory
from helpers.adapters import top_layers
from helpers.backbone import Backbone
from helpers.bill import LINEARS, MIB, Run
from helpers.eight_bit import lean
from helpers.formulas import token_logprobs
from helpers.shapes import MODELS

UNTIED = {"tie_word_embeddings": False}
FULL_HEADS = {"num_key_value_heads": 4}
SMALL = {"batch": 4, "micro_batch": 3, "prompt_length": 2, "response_length": 5}
ONE_BACKBONE = Run(precision="8bit", adapter_rank=4, shared_reference=True, adapted_layers=3, **SMALL)


class LiveStorages(TorchDispatchMode):
    """Remember each storage that an operation made, without keeping it alive: what is left, something else keeps."""

    def __init__(self):
        super().__init__()
        self.made = {}

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = operation(*args, **(kwargs or {}))
        given = {storage._cdata for storage in storages((args, kwargs))}
        new = [storage for storage in storages(result) if storage._cdata not in given]
        self.made |= {storage._cdata: (StorageWeakRef(storage), storage.nbytes()) for storage in new}
        return result

    def alive_bytes(self) -> int:
        return sum(size for ref, size in self.made.values() if not ref.expired())


def storages(tree) -> list[torch.UntypedStorage]:
    return [leaf.untyped_storage() for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


def model_of(run: Run, folder: Path, **sizes) -> torch.nn.Module:
    """The live model of a run's policy."""
    model = tiny_llama(**sizes)
    model = in_8bit(model, folder) if run.precision == "8bit" else model
    if run.adapter_rank:
        targets, dropout = list(run.adapter_targets), 0.1 * run.dropout
        model = get_peft_model(model, LoraConfig(r=run.adapter_rank, target_modules=targets, lora_dropout=dropout))
    return model.train()


def kept_by_forward(model: torch.nn.Module, run: Run) -> tuple[int, int]:
    """Bytes kept after the forward of a micro-batch: as the course collects them, and as `LiveStorages` sees them."""
    drawn = torch.randint(200, (run.micro_batch, run.length))
    with LiveStorages() as live:
        tokens = drawn.clone()
        with memory.saved_for_backward(model) as kept:
            logprobs = token_logprobs(model(tokens, use_cache=False).logits, tokens)
    counted = memory.stored_bytes(kept)
    kept.clear()  # else it would itself keep what it counted
    return counted, live.alive_bytes() - logprobs.nbytes


def predicted(model: torch.nn.Module, run: Run) -> int:
    return bill.activation_bytes(model.config, run) + bill.logits_bytes(model.config, run)


ADAPTERS = [("q_proj", "v_proj"), *[(name,) for name in LINEARS], LINEARS, ("o_proj", "up_proj")]
RUNS = [Run(precision=precision, **SMALL) for precision in ("fp32", "8bit")]
RUNS += [
    Run(precision=precision, adapter_rank=4, adapter_targets=targets, dropout=dropout, **SMALL)
    for precision in ("fp32", "8bit")
    for targets in ADAPTERS
    for dropout in (False, True)
]


def named(run: Run) -> str:
    targets = "+".join(run.adapter_targets).replace("_proj", "") if run.adapter_rank else "full"
    return f"{run.precision}-{targets}{'-dropout' * run.dropout}"


@pytest.mark.parametrize("run", RUNS, ids=named)
def test_activations_predicted_are_what_stays_alive_after_a_forward(run, tmp_path):
    model = model_of(run, tmp_path)
    assert predicted(model, run) == kept_by_forward(model, run)[1]


@pytest.mark.parametrize("run", [run for run in RUNS if not run.dropout], ids=named)
def test_activations_predicted_on_a_gpu_are_what_its_attention_and_its_8bit_layers_keep(run, tmp_path):
    """Both of which can be had on a CPU, too."""
    model = model_of(run, tmp_path)
    with lean(model), sdpa_kernel(SDPBackend.MATH):
        counted, _ = kept_by_forward(model, run)
    assert predicted(model, replace(run, on_gpu=True)) == counted


def test_activations_predicted_on_a_gpu_are_what_was_counted_on_one():
    """In lesson 0 on an NVIDIA H100 with torch 2.11.0: 179.5 MiB in float32, 164.1 on a CPU."""
    found = [bill.activation_bytes(MODELS["SmolLM2-135M"].config, Run(on_gpu=on_gpu)) for on_gpu in (True, False)]
    assert [round(size / MIB, 1) for size in found] == [179.5, 164.1]


@pytest.mark.parametrize("run", [RUNS[0], RUNS[1], RUNS[2], RUNS[-1]], ids=named)
def test_saved_for_backward_collects_what_stays_alive_after_a_forward(run, tmp_path):
    counted, alive = kept_by_forward(model_of(run, tmp_path), run)
    assert counted == alive


@pytest.mark.parametrize("run", RUNS[:2], ids=named)
def test_saved_for_backward_sees_what_checkpointing_keeps_but_for_positions(run, tmp_path):
    model = model_of(run, tmp_path)
    model.gradient_checkpointing_enable()
    counted, alive = kept_by_forward(model, run)
    positions = 2 * 4 * run.length * model.config.head_dim + 8 * run.length  # cosines, sines, position ids
    assert counted == alive - positions


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpointing_spares_the_inputs_of_8bit_layers_only_if_reentrant(reentrant, tmp_path):
    model = model_of(RUNS[1], tmp_path)
    model.gradient_checkpointing_enable({"use_reentrant": reentrant})
    tokens, sizes = RUNS[1].micro_batch * RUNS[1].length, model.config
    checkpoints = tokens * sizes.hidden_size * sizes.num_hidden_layers
    inputs = tokens * (3 * sizes.hidden_size + sizes.intermediate_size) * sizes.num_hidden_layers
    ends = bill.logits_bytes(sizes, RUNS[1]) + tokens * (4 * (3 * sizes.hidden_size + 1) + 8)
    assert kept_by_forward(model, RUNS[1])[0] == 4 * checkpoints + ends + (0 if reentrant else 4 * inputs)


@pytest.mark.parametrize(
    "change",
    [
        {"num_key_value_heads": 4},
        {"num_key_value_heads": 1},
        {"head_dim": 32},
        {"tie_word_embeddings": False},
        {"num_hidden_layers": 5},
        {"vocab_size": 333},
        {"micro_batch": 1},
        {"prompt_length": 9},
        {"response_length": 1},
    ],
    ids=lambda change: "-".join(f"{k}-{v}" for k, v in change.items()),
)
def test_activations_predicted_follow_sizes_and_lengths(change, tmp_path):
    lengths = {name: value for name, value in change.items() if name in SMALL}
    run = Run(precision="8bit", adapter_rank=4, dropout=True, **{**SMALL, **lengths})
    model = model_of(run, tmp_path, **{name: value for name, value in change.items() if name not in SMALL})
    assert predicted(model, run) == kept_by_forward(model, run)[1]


def test_saved_for_backward_leaves_no_hook_on_the_model(tmp_path):
    model = model_of(RUNS[1], tmp_path)
    kept_by_forward(model, RUNS[1])
    assert not any(module._forward_pre_hooks for module in model.modules())


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"precision": "bf16"}, "'bf16'"),
        ({"adapter_targets": ("q_proj", "lm_head")}, "lm_head is not predicted"),
        ({"adapted_layers": 2, "adapter_rank": 8}, "give adapter_rank, shared_reference"),
        ({**vars(ONE_BACKBONE), "micro_batch": 5}, "micro_batch=5 is more than the batch of 4"),
        ({**vars(ONE_BACKBONE), "response_length": 63}, "Texts of 65 tokens: of more than 64"),
    ],
)
def test_run_refuses_what_it_cannot_predict(wrong, words):
    with pytest.raises(ValueError, match=words):
        Run(**wrong)


@pytest.mark.parametrize("adapted_layers", [-1, 1, 7])
def test_bill_refuses_adapted_layers_that_are_not_there_or_fewer_than_the_reward_adapter_has(adapted_layers):
    config = tiny_llama(num_hidden_layers=6).config
    with pytest.raises(ValueError, match=f"adapted_layers={adapted_layers}, but the model has 6 .* the top 2 of them"):
        bill.predicted_bill(config, replace(ONE_BACKBONE, adapted_layers=adapted_layers))


@pytest.mark.parametrize("sizes", [{}, UNTIED, FULL_HEADS], ids=["tied", "untied", "full heads"])
@pytest.mark.parametrize("precision", ["fp32", "bf16", "8bit"])
def test_weights_predicted_are_the_footprint_of_transformers(precision, sizes, tmp_path):
    model = tiny_llama(**sizes)
    model = model.bfloat16() if precision == "bf16" else in_8bit(model, tmp_path) if precision == "8bit" else model
    scales = sum(p.SCB.nbytes for p in model.parameters() if hasattr(p, "SCB"))  # transformers leaves them out
    footprint = model.get_memory_footprint(return_buffers=False) + scales
    assert bill.weight_bytes(model.config, precision) == footprint == memory.counted_weight_bytes(model)


def test_weights_of_an_8bit_model_are_counted_the_same_before_and_after_a_forward(tmp_path):
    model = in_8bit(tiny_llama(), tmp_path)  # its first forward moves weights and scales into another place
    before = memory.counted_weight_bytes(model)
    model(torch.zeros(1, 2, dtype=torch.long))
    assert memory.counted_weight_bytes(model) == before


@pytest.mark.parametrize("run", [run for run in RUNS if run.adapter_rank and not run.dropout][:11], ids=named)
def test_adapters_predicted_are_the_trainable_weights_of_peft(run, tmp_path):
    model = model_of(run, tmp_path)
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert bill.adapter_parameters(model.config, 4, run.adapter_targets) == trainable
    assert memory.counted_weight_bytes(model, adapters=True) == 4 * trainable


@pytest.mark.parametrize("sizes", [{}, FULL_HEADS], ids=["grouped", "full heads"])
def test_kv_cache_predicted_is_what_generate_ends_with(sizes):
    model, run = tiny_llama(**sizes), Run(**SMALL)
    length = {"max_new_tokens": run.response_length, "min_new_tokens": run.response_length}
    prompts = torch.randint(3, 200, (run.batch, run.prompt_length))
    ended = model.generate(prompts, **length, do_sample=True, return_dict_in_generate=True)
    cache = ended["cache"] if "cache" in ended else ended["past_key_values"]
    held = sum(storage.nbytes() for layer in cache.layers for storage in storages((layer.keys, layer.values)))
    assert bill.kv_cache_bytes(model.config, run) == held == memory.counted_kv_cache_bytes(ended)


def test_rollout_predicted_is_what_ppo_keeps_of_it():
    tokens = torch.zeros(4, 7, dtype=torch.int64)
    kept = {name: torch.zeros(4, 5) for name in ("policy", "reference", "values", "rewards", "advantages", "returns")}
    due = memory.counted_bytes({"tokens": tokens, "scores": torch.zeros(4), **kept})
    assert bill.rollout_bytes(Run(**SMALL)) == due == 4 * 7 * 8 + 6 * 4 * 5 * 4 + 4 * 4


def one_update(policy: torch.nn.Module, value: torch.nn.Module) -> torch.optim.Optimizer:
    """A backward and a step of both models of a run that train."""
    tokens = torch.randint(3, 200, (2, 5))
    policy(tokens).logits.logsumexp(-1).sum().backward()
    value.score(value.model(tokens).last_hidden_state).square().sum().backward()
    optimizer = torch.optim.AdamW([p for model in (policy, value) for p in model.parameters() if p.requires_grad])
    optimizer.step()
    return optimizer


@pytest.mark.parametrize("sizes", [{}, UNTIED], ids=["tied", "untied"])
@pytest.mark.parametrize("rank", [0, 4], ids=["full", "adapters"])
def test_weights_gradients_and_optimizer_predicted_are_those_of_an_update(rank, sizes, tmp_path):
    run = Run(adapter_rank=rank, adapter_targets=("k_proj", "down_proj"), **SMALL)
    policy, reference = model_of(run, tmp_path, **sizes), tiny_llama(**sizes)
    value, reward = (LlamaForSequenceClassification(classifier_config(reference)) for _ in range(2))
    value.model.requires_grad_(not rank)
    optimizer = one_update(policy, value)
    models = (policy, reference, value, reward)
    moments = [t for state in optimizer.state.values() for t in (state["exp_avg"], state["exp_avg_sq"])]
    gradients = [p.grad for model in models for p in model.parameters() if p.grad is not None]
    due = bill.predicted_bill(reference.config, run)
    held = [p for model in models for p in model.parameters()]  # tied weights once
    assert due["weights"] + due["adapters"] == sum(p.numel() * 4 for p in held)
    assert due["gradients"] == sum(g.numel() * 4 for g in gradients) == memory.counted_gradient_bytes(*models)
    assert due["optimizer state"] == sum(m.numel() * 4 for m in moments) == memory.counted_optimizer_bytes(optimizer)


def classifier_config(model: torch.nn.Module):
    return type(model.config).from_dict({**model.config.to_dict(), "id2label": {0: "score"}})


def test_bill_has_every_line_and_no_other():
    assert tuple(bill.predicted_bill(tiny_llama().config, Run())) == bill.LINES


def test_bill_with_a_shared_reference_is_short_of_one_model():
    config = tiny_llama().config
    four, three = (bill.predicted_bill(config, Run(adapter_rank=4, shared_reference=shared)) for shared in (0, 1))
    assert four["weights"] - three["weights"] == sum(p.nbytes for p in tiny_llama().parameters())
    assert {**four, "weights": 0} == {**three, "weights": 0}


@pytest.mark.parametrize(
    ("layers", "run", "sizes"),
    [
        (8, ONE_BACKBONE, {}),
        (8, replace(ONE_BACKBONE, precision="fp32", adapted_layers=8), UNTIED),
        (7, replace(ONE_BACKBONE, precision="fp32", response_length=62), {"head_dim": 12}),
        (3, replace(ONE_BACKBONE, precision="fp32", adapted_layers=1, adapter_targets=("v_proj", "up_proj")), {}),
    ],
)
def test_bill_of_one_backbone_is_what_a_live_one_holds(layers, run, sizes, tmp_path):
    model = tiny_llama(num_hidden_layers=layers, **sizes)
    model = in_8bit(model, tmp_path) if run.precision == "8bit" else model
    options = {"target_modules": list(run.adapter_targets), "bias": "none"}
    adapted = list(range(layers - run.adapted_layers, layers))
    policy = get_peft_model(model, LoraConfig(r=run.adapter_rank, layers_to_transform=adapted, **options)).train()
    options |= {"target_modules": ["q_proj", "v_proj"], "layers_to_transform": top_layers(model)}
    policy.add_adapter("reward", LoraConfig(r=bill.REWARD_RANK, **options))
    heads = [torch.nn.Linear(model.config.hidden_size, 1) for _ in ("value", "reward")]
    split, tokens = Backbone(policy), torch.randint(200, (run.batch, run.length))
    states = split.trunk(tokens, torch.ones_like(tokens))
    with memory.saved_for_backward(policy) as kept:
        hidden = split.top(states.rows(slice(0, run.micro_batch)))
        split.response_logprobs(hidden, tokens[: run.micro_batch, -run.response_length :], temperature=1.0)
    weights = {name: p for name, p in policy.named_parameters() if "lora_" in name}
    trained = sum(p.nbytes for p in [*weights.values(), *heads[0].parameters()] if p.requires_grad)
    found = bill.predicted_bill(policy.config, run)
    in_heads = sum(p.nbytes for head in heads for p in head.parameters())
    assert found["weights"] == memory.counted_weight_bytes(policy) + in_heads
    assert found["adapters"] == sum(p.nbytes for p in weights.values())
    assert found["gradients"] == found["optimizer state"] / 2 == trained
    assert found["activations"] == memory.stored_bytes(kept)
    assert found["rollout buffers"] == bill.rollout_bytes(run) + states.hidden.nbytes
    assert found["KV cache"] == bill.kv_cache_bytes(policy.config, run)
    assert found["logits"] == 2 * 4 * min(2**19, run.micro_batch * run.response_length * policy.config.vocab_size)


@pytest.fixture(scope="module")
def peaks() -> dict[str, int]:
    """The peaks of a process that does nothing, of one that holds 200 MiB, and of their parent, which held 800."""
    held = torch.ones(800 * MIB // 4)
    idle, holding = (memory.peak_bytes_of_fresh_process(f"held = bytearray({size} * 2**20)") for size in (0, 200))
    return {"idle": idle, "holding": holding, "parent": memory.peak_bytes(), "held by parent": held.nbytes}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there the peak is that of the GPU")
def test_peak_of_a_fresh_process_sees_an_allocation(peaks):
    assert 199 * MIB < peaks["holding"] - peaks["idle"] < 220 * MIB


@pytest.mark.skipif(torch.cuda.is_available(), reason="there the peak is that of the GPU")
def test_peak_of_a_fresh_process_is_not_that_of_its_parent(peaks):
    assert peaks["idle"] < peaks["held by parent"] < peaks["parent"]


def test_peak_of_a_fresh_process_says_why_its_code_failed():
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        memory.peak_bytes_of_fresh_process("1 / 0")


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        (LlamaConfig(attention_bias=True), "attention_bias=True"),
        (LlamaConfig(mlp_bias=True), "mlp_bias=True"),
        (LlamaConfig(attention_dropout=0.1), "attention_dropout=0.1"),
        (LlamaConfig(hidden_act="gelu"), "hidden_act='gelu'"),
        (Gemma3TextConfig(), "model_type='gemma3_text'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bill_refuses_a_model_that_it_would_predict_wrongly_and_names_the_setting(config, fault):
    for predict in (bill.predicted_bill, bill.activation_bytes):
        with pytest.raises(ValueError, match=f"{fault} is not predicted"):
            predict(config, Run())


def test_bill_refuses_texts_that_are_longer_than_a_sliding_window():
    """There attention is given a mask, and keeps more."""
    config = MistralConfig(**SIZES, sliding_window=7)
    assert bill.activation_bytes(config, Run(**SMALL)) > 0
    with pytest.raises(ValueError, match="Texts of 8 tokens, more than sliding_window=7, are not predicted"):
        bill.activation_bytes(config, Run(**SMALL | {"response_length": 6}))


OTHERS = {
    "mistral": (MistralForCausalLM, MistralConfig),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config),
}


def other(family: str) -> torch.nn.Module:
    """A tiny model of another family, with biases that are not 0 where it has some."""
    torch.manual_seed(0)
    sizes = SIZES | ({"head_dim": 24} if family == "qwen3" else {})  # 4 heads of 24 are no 64
    model = OTHERS[family][0](OTHERS[family][1](**sizes)).train()
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter)
    return model


@pytest.mark.parametrize("run", [RUNS[0], RUNS[1], RUNS[2], RUNS[-3], RUNS[-4]], ids=named)
@pytest.mark.parametrize("family", OTHERS)
def test_bill_of_another_family_is_what_a_live_model_holds(family, run, tmp_path):
    model = other(family)
    model = in_8bit(model, tmp_path) if run.precision == "8bit" else model
    assert bill.weight_bytes(model.config, run.precision) == memory.counted_weight_bytes(model)
    if run.adapter_rank:
        lora = LoraConfig(r=4, target_modules=list(run.adapter_targets), lora_dropout=0.1 * run.dropout)
        model = get_peft_model(model, lora)
    assert kept_by_forward(model, run)[1] == predicted(model, run)


@pytest.mark.parametrize(
    ("family", "classifier"), [("qwen2", Qwen2ForSequenceClassification), ("qwen3", Qwen3ForSequenceClassification)]
)
def test_bill_of_another_family_counts_its_biases_and_norms_among_what_is_trained(family, classifier):
    policy, reference = other(family), other(family)
    value, reward = (classifier(classifier_config(reference)) for _ in range(2))
    optimizer = one_update(policy, value)
    due = bill.predicted_bill(reference.config, Run(**SMALL))
    assert due["weights"] == sum(memory.counted_weight_bytes(model) for model in (policy, reference, value, reward))
    assert due["gradients"] == memory.counted_gradient_bytes(policy, value)
    assert due["optimizer state"] == memory.counted_optimizer_bytes(optimizer)
