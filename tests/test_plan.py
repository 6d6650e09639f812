"""What `python -m helpers plan` says is what live models hold, what fresh processes need, and what was published."""

import json
import re
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from conftest import in_8bit, letter_tokenizer, tiny_llama
from peft import LoraConfig, get_peft_model
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    BertConfig,
    BitsAndBytesConfig,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from helpers import __main__ as command
from helpers import backbone, bill, layers, memory, plan
from helpers.course import plan as course_plan
from helpers.eight_bit import lean
from helpers.formulas import token_logprobs
from helpers.layers import lean_layers
from helpers.model import model_folder
from helpers.plan import Job
from helpers.ppo import PPOConfig, PPOTrainer
from helpers.shapes import MODELS, shape_of

sys.path.insert(0, str(Path(__file__).parent / "bench"))
from peaks import NAMES, RECORD, measured

PEAKS = json.loads(RECORD.read_text())
ON_GPU = json.loads((RECORD.parent / "gpu.json").read_text())["peak_bytes"]
SIZES = {"num_hidden_layers": 3, "hidden_size": 64, "intermediate_size": 256, "num_attention_heads": 4}
PUBLISHED_WEIGHTS = {  # what the hub counts in the files, but GPT-NeoX: its model card; LLaMA-65B: "65.2B" in its paper
    "SmolLM2-135M": 134_515_008,
    "Qwen2.5-0.5B": 494_032_768,
    "Qwen3-0.6B": 596_049_920,
    "Llama-3.2-1B": 1_235_814_400,
    "SmolLM2-1.7B": 1_711_376_384,
    "Llama-3.2-3B": 3_212_749_824,
    "Llama-2-7B": 6_738_415_616,
    "Mistral-7B": 7_241_732_096,
    "Qwen2.5-7B": 7_615_616_512,
    "Llama-3.1-8B": 8_030_261_248,
    "Qwen3-8B": 8_190_735_360,
    "Llama-2-13B": 13_015_864_320,
    "GPT-NeoX-20B": 20_554_567_680,
    "Qwen3-32B": 32_762_123_264,
    "LLaMA-65B": 65_285_660_672,
    "Llama-3.1-70B": 70_553_706_496,
}
# Beeching et al., "Fine-tuning 20B LLMs with RLHF on a 24GB consumer GPU" (2023), on an RTX 4090: prompts of up to
# 8, responses of up to 16 tokens, r=16. They checkpoint activations; one sequence a training pass stands for it here.
RLHF_20B = Job(precision="8bit", layers="all", r=16, batch=16, micro_batch=1, length=24)
# Dettmers et al., "QLoRA" (2023), and its script finetune_guanaco_65b.sh: r=64 on all layers, 1 sequence of 16 + 512.
QLORA_65B = Job(method="qlora", precision="4bit", r=64, batch=1, micro_batch=1, length=528)
SMALLEST = Job(batch=1, micro_batch=1, length=4, r=1)


def gib(model: str, job: Job) -> float:
    return plan.peak(MODELS[model], job)[1] / 2**30


def tiny_neox(**sizes) -> GPTNeoXForCausalLM:
    torch.manual_seed(0)
    return GPTNeoXForCausalLM(GPTNeoXConfig(**{**SIZES, "vocab_size": 200, **sizes})).train()


def tiny_qwen2() -> Qwen2ForCausalLM:
    return Qwen2ForCausalLM(Qwen2Config(**SIZES, num_key_value_heads=2, vocab_size=99)).train()


def tiny_qwen3(**sizes) -> Qwen3ForCausalLM:
    """Four heads of 24, two of the keys, on a width of 64."""
    torch.manual_seed(0)
    return Qwen3ForCausalLM(Qwen3Config(**SIZES | sizes, num_key_value_heads=2, head_dim=24, vocab_size=200)).train()


@pytest.mark.parametrize("name", MODELS)
def test_shapes_have_the_published_number_of_weights(name):
    assert MODELS[name].parameters == PUBLISHED_WEIGHTS[name]


@pytest.mark.parametrize("model", [tiny_llama(), tiny_neox(), tiny_qwen2(), tiny_qwen3()])
def test_shape_of_a_configuration_has_the_weights_of_its_model(model):
    assert shape_of(model.config, "tiny").parameters == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("precision", ["fp32", "bf16", "8bit"])
def test_weights_planned_are_those_of_a_live_model(precision, tmp_path):
    model = tiny_llama() if precision != "8bit" else in_8bit(tiny_llama(), tmp_path)
    model = model.bfloat16() if precision == "bf16" else model
    planned = plan.weight_bytes(shape_of(model.config, "tiny"), Job(precision=precision))
    assert planned == memory.counted_weight_bytes(model)


def test_4bit_weights_planned_are_those_of_a_live_model(tmp_path):
    tiny_llama().save_pretrained(tmp_path)
    options = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4")
    model = AutoModelForCausalLM.from_pretrained(tmp_path, quantization_config=options, dtype=torch.float32)
    scales = [p.quant_state.absmax for p in model.parameters() if hasattr(p, "quant_state")]
    held = sum(t.nbytes for t in [*model.parameters(), *scales])
    assert plan.weight_bytes(shape_of(model.config, "tiny"), Job(precision="4bit")) == held


@pytest.mark.parametrize("method", ["ppo", "qlora"])
def test_adapters_planned_are_those_of_peft(method):
    targets = "all-linear" if method == "qlora" else ["q_proj", "v_proj"]
    model = get_peft_model(tiny_llama(), LoraConfig(r=3, target_modules=targets, task_type="CAUSAL_LM"))
    job = Job(method=method, layers="all", r=3)
    assert plan.adapter_weights(shape_of(model.config, "tiny"), job) == model.get_nb_trainable_parameters()[0]


def test_gradients_and_optimizer_state_planned_are_those_of_a_step():
    lora = LoraConfig(r=8, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    model, head = get_peft_model(tiny_llama(), lora), torch.nn.Linear(64, 1)
    head(model(torch.zeros(1, 2, dtype=torch.long), output_hidden_states=True).hidden_states[-1]).sum().backward()
    optimizer = torch.optim.AdamW([p for p in [*model.parameters(), *head.parameters()] if p.requires_grad])
    optimizer.step()
    lines = plan.phases(shape_of(model.config, "tiny"), Job(precision="fp32", layers="all"))["training"]
    assert lines["gradients"] == memory.counted_gradient_bytes(model, head)
    assert lines["optimizer state"] == memory.counted_optimizer_bytes(optimizer)


def test_kv_cache_planned_is_that_of_the_bill():
    lines = plan.phases(MODELS["SmolLM2-135M"], Job(precision="fp32"))["writing"]
    assert lines["KV cache"] == bill.kv_cache_bytes(MODELS["SmolLM2-135M"].config, bill.Run())


@pytest.mark.parametrize("precision", ["fp32", "bf16", "8bit"])
@pytest.mark.parametrize("top", [1, 3])
@pytest.mark.parametrize("tiny", [tiny_llama, tiny_qwen3])
def test_activations_planned_are_what_the_backbone_keeps(tiny, precision, top, tmp_path):
    model = tiny(num_hidden_layers=4)
    model = in_8bit(model, tmp_path) if precision == "8bit" else model.to(bill_dtype(precision))
    lora = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], layers_to_transform=list(range(4 - top, 4)))
    split = backbone.Backbone(get_peft_model(model.requires_grad_(False), lora).train())
    tokens, mask = torch.randint(200, (3, 12)), torch.ones(3, 12, dtype=torch.long)
    mask[0, 0] = 0
    states = split.trunk(tokens, mask)
    (arguments,) = states.arguments.values()
    given = states.hidden, arguments["attention_mask"], *arguments["position_embeddings"]
    given = {t.untyped_storage().data_ptr() for t in given}
    with lean(split.model), lean_layers(split.model), memory.saved_for_backward(split.model) as kept:
        split.top(states)
    counted = memory.stored_bytes(t for t in kept if t.untyped_storage().data_ptr() not in given)
    job = Job(precision=precision, r=4, batch=3, micro_batch=3, length=12, on_gpu=False)
    shape = shape_of(model.config, "tiny")
    of_first_keys = (job.number * shape.keys + 4 * shape.kv_heads) * shape.norms_heads  # these need no gradient
    assert 3 * 12 * (top * plan.kept_by_layer(shape, job) - of_first_keys) == counted


def bill_dtype(precision: str) -> torch.dtype:
    return {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}[precision]


@pytest.mark.parametrize(
    ("prompt", "layers"), [(16, "all"), (32, "all"), (80, "top")], ids=["short", "long", "one long layer"]
)
@pytest.mark.parametrize(
    ("tiny", "precision"), [*((tiny_llama, name) for name in ("fp32", "fp16", "bf16", "8bit")), (tiny_qwen3, "bf16")]
)
def test_tensors_planned_are_those_of_an_update_of_the_trainer(tiny, precision, prompt, layers, tmp_path):
    model = tiny(num_hidden_layers=4, hidden_size=128, intermediate_size=512, num_attention_heads=8)
    model = in_8bit(model, tmp_path) if precision == "8bit" else model.to(bill_dtype(precision))
    where = None if layers == "all" else [3]
    lora = LoraConfig(r=8, target_modules=["q_proj", "v_proj"], layers_to_transform=where, task_type="CAUSAL_LM")
    settings = PPOConfig(batch_size=8, response_length=3 * prompt, per_device_train_batch_size=4, num_ppo_epochs=2)
    tokenizer = letter_tokenizer(pad_token="<unk>", padding_side="left")
    prompts = [list(range(5, 5 + prompt - (row == 0))) for row in range(8)]
    policy = get_peft_model(model.requires_grad_(False), lora)
    given = {"tokenizer": tokenizer, "dataset": prompts, "reward": lambda prompts, responses: [0.0] * len(prompts)}
    padded = partial(tokenizer.pad, return_tensors="pt")
    trainer = PPOTrainer(settings, policy, None, **given, data_collator=padded)
    with PeakOfTensors() as live:
        trainer.train(1)
    shape = shape_of(model.config, "tiny")
    job = Job(precision=precision, layers=layers, batch=8, micro_batch=4, length=4 * prompt, on_gpu=False)
    lines = plan.phases(shape, job)["training"]
    others = ("weights", "adapters", "gaps of the heap", "libraries")
    planned = sum(lines.values()) - sum(lines[line] for line in others)
    assert planned == pytest.approx(live.peak_bytes, rel=0.1)


class PeakOfTensors(TorchDispatchMode):
    """The most bytes that the storages made inside took at the same time, whatever an allocator makes of it."""

    def __init__(self):
        super().__init__()
        self.live, self.peak_bytes = {}, 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = operation(*args, **(kwargs or {}))
        known = {leaf.untyped_storage()._cdata for leaf in tree_leaves((args, kwargs)) if torch.is_tensor(leaf)}
        made = [leaf.untyped_storage() for leaf in tree_leaves(result) if torch.is_tensor(leaf)]
        self.live |= {s._cdata: (StorageWeakRef(s), s.nbytes()) for s in made if s._cdata not in known}
        self.live = {key: held for key, held in self.live.items() if not held[0].expired()}
        self.peak_bytes = max(self.peak_bytes, sum(size for _, size in self.live.values()))
        return result


@pytest.mark.parametrize("layers", [2, 4])
def test_full_bill_of_gpt_neox_is_what_a_live_model_keeps(layers):
    model = tiny_neox(num_hidden_layers=layers)
    shape, job = shape_of(model.config, "tiny"), Job("full", "fp32", batch=2, micro_batch=2, length=16)
    drawn = torch.randint(200, (2, 16)).clone()
    with memory.saved_for_backward(model) as kept:
        token_logprobs(model(drawn, use_cache=False).logits, drawn)
    lines = plan.full_bill(shape, job)
    assert lines["activations"] / 2 + lines["logits"] == memory.stored_bytes(kept)


def test_full_bill_is_that_of_lesson_0():
    run = bill.Run(batch=16, micro_batch=4, prompt_length=8, response_length=24)
    job = Job("full", "fp32", micro_batch=4, on_gpu=False)
    assert plan.full_bill(MODELS["Llama-2-7B"], job) == bill.predicted_bill(LlamaConfig(), run)


def test_full_bill_on_a_gpu_is_that_of_lesson_0_there():
    run, job = bill.Run(micro_batch=4, on_gpu=True), Job("full", "fp32", micro_batch=4)
    config = MODELS["Llama-3.1-8B"].config
    assert plan.full_bill(MODELS["Llama-3.1-8B"], job) == bill.predicted_bill(config, run)


def test_long_texts_without_padding_are_planned_with_the_attention_weights_that_a_gpu_keeps():
    """Planned a token and layer: at least what attention in steps keeps, of which lesson 0 counted each part."""
    shape, job = MODELS["SmolLM2-135M"], Job(length=2048)
    weights = 4 * shape.heads * job.length
    short, long = (plan.kept_by_layer(shape, replace(job, length=length)) for length in (32, 2048))
    assert long - short > 0.9 * weights and plan.kept_by_layer(shape, replace(job, on_gpu=False)) < weights


def test_full_bill_counts_the_biases_of_qwen2():
    shape, job = MODELS["Qwen2.5-0.5B"], Job("full", "fp32")
    without, found = (plan.full_bill(of, job) for of in (replace(shape, family="llama"), shape))
    more = {line: found[line] - without[line] for line in found if found[line] != without[line]}
    biases = 24 * (896 + 2 * 128)
    assert more == {"weights": 4 * 4 * biases, "gradients": 2 * 4 * biases, "optimizer state": 2 * 8 * biases}


def test_full_bill_counts_the_norms_of_qwen3():
    shape, job = MODELS["Qwen3-0.6B"], Job("full", "fp32")
    without, found = (plan.full_bill(of, job) for of in (replace(shape, family="llama"), shape))
    more = {line: found[line] - without[line] for line in found if found[line] != without[line]}
    norms, kept = 28 * 2 * 128, 28 * (2 * (16 + 8) * 128 + 16 + 8)  # kept a token: what came in, normalised, 1 / rms
    weights = {"weights": 4 * 4 * norms, "gradients": 2 * 4 * norms, "optimizer state": 2 * 8 * norms}
    assert more == weights | {"activations": 2 * 4 * job.micro_batch * job.length * kept}


def test_what_enters_a_layer_is_a_tenth_or_less_of_what_it_keeps():
    """As README says."""
    shape = MODELS["SmolLM2-135M"]
    for precision in ("bf16", "fp32", "8bit"):
        job = Job(precision=precision, length=bill.LONG_TEXT + 4, on_gpu=False)
        assert 0.05 < job.number * shape.width / plan.kept_by_layer(shape, job) < 0.105


@pytest.mark.parametrize(("module", "name"), [(bill, "CHUNK_LOGITS"), (bill, "LONG_TEXT"), (plan, "TRUNK_TEXT")])
def test_plan_counts_with_the_sizes_of_the_backbone(module, name):
    assert getattr(module, name) == getattr(backbone, name)


def test_attention_is_planned_as_short_where_it_is():
    assert (plan.SHORT_ATTENTION, plan.WEIGHTS_AT_ONCE) == (layers.SHORT_ATTENTION, layers.WEIGHTS_AT_ONCE)


def test_full_fine_tuning_is_planned_within_15_percent_of_a_measured_process():
    """Four float32 models, two updates of 24 texts, 8 at a time: 6,924 MiB on a CPU (AMD EPYC, 29 November 2026)."""
    job = Job("full", "fp32", batch=24, micro_batch=8, on_gpu=False)
    assert plan.peak(MODELS["SmolLM2-135M"], job)[1] == pytest.approx(6_924 * plan.MIB, rel=0.15)


@pytest.mark.parametrize("point", PEAKS["peaks"], ids=lambda point: "-".join(str(point[name]) for name in NAMES))
def test_peak_is_planned_within_15_percent_of_recorded_processes(point):
    assert planned_peak(point) == pytest.approx(point["peak_bytes"], rel=0.15)


def test_peak_is_planned_within_15_percent_of_a_recorded_training():
    history = json.loads((RECORD.parent / "learning" / "bf16-top-seed0.json").read_text())["history"]
    point = {"precision": "bf16", "layers": "top", "batch": 48, "micro_batch": 8, "prompt": 8, "response": 24}
    assert planned_peak(point) == pytest.approx(history[0]["peak_bytes"], rel=0.15)


@pytest.mark.parametrize("setting", ON_GPU)
def test_peak_is_planned_within_15_percent_of_what_was_allocated_on_a_gpu(setting):
    precision, layers = setting.split("-")
    job = Job(precision=precision, layers=layers, micro_batch=ON_GPU[setting]["micro_batch"])
    planned = plan.peak(MODELS["SmolLM2-135M"], job)[1] - plan.CUDA_CONTEXT  # torch does not count the context
    assert planned == pytest.approx(ON_GPU[setting]["own"], rel=0.15)


def test_libraries_planned_are_those_of_a_recorded_process():
    assert abs(plan.LIBRARIES / PEAKS["libraries_bytes"] - 1) < 0.05


@pytest.mark.real
@pytest.mark.skipif(torch.cuda.is_available(), reason="there the peak is that of the GPU, without libraries")
def test_peak_is_planned_within_15_percent_of_a_fresh_process():
    point = PEAKS["peaks"][0]
    assert planned_peak(point) == pytest.approx(measured(*(point[name] for name in NAMES)), rel=0.15)


def planned_peak(point: dict) -> int:
    sizes = {name: point[name] for name in ("precision", "layers", "batch", "micro_batch")}
    return plan.peak(MODELS["SmolLM2-135M"], Job(**sizes, length=point["prompt"] + point["response"], on_gpu=False))[1]


def test_what_was_published_to_fit_fits():
    assert gib("GPT-NeoX-20B", RLHF_20B) < 24_564 / 1024  # an RTX 4090
    assert gib("LLaMA-65B", QLORA_65B) < 48


def test_what_was_published_to_fit_needs_its_tricks():
    assert gib("GPT-NeoX-20B", RLHF_20B) + MODELS["GPT-NeoX-20B"].linear_weights / 2**30 > 40  # with a second copy
    assert gib("LLaMA-65B", replace(QLORA_65B, precision="8bit")) > 48


@pytest.mark.parametrize(
    ("model", "job", "card"),
    [
        ("GPT-NeoX-20B", replace(SMALLEST, precision="bf16"), 24),
        ("LLaMA-65B", replace(SMALLEST, precision="8bit"), 48),
        ("Llama-2-7B", replace(SMALLEST, precision="fp32"), 24),
        ("Llama-2-7B", replace(SMALLEST, method="full", precision="fp32"), 80),
        ("Llama-3.1-70B", replace(SMALLEST, precision="bf16"), 80),
    ],
)
def test_what_must_not_fit_does_not_in_the_smallest_run(model, job, card):
    assert gib(model, job) > card


def test_plan_warns_of_a_fit_without_room():
    job = Job(precision="8bit")
    total = plan.peak(MODELS["Llama-3.1-8B"], job)[1]
    cards = (("card", int(total * share)) for share in (1.04, 1.06))
    tight, roomy = (course_plan.report(MODELS["Llama-3.1-8B"], job, card, one_at_a_time=False) for card in cards)
    assert "less than 5%" in tight and "less than 5%" not in roomy


def test_every_line_counts_once_and_the_peak_is_the_largest_phase():
    found = plan.phases(MODELS["Llama-3.1-8B"], Job())
    assert set(found) == {"writing", "judging", "training"}
    known = {*bill.LINES, "working memory", "cuBLAS workspace", "CUDA context"}
    assert all(set(lines) <= known for lines in found.values())
    assert plan.peak(MODELS["Llama-3.1-8B"], Job())[1] == max(sum(lines.values()) for lines in found.values())


@pytest.mark.parametrize(
    "larger", [{"batch": 17}, {"micro_batch": 9}, {"length": 36}, {"r": 9}, {"layers": "all"}, {"precision": "fp32"}]
)
def test_more_of_anything_needs_no_less(larger):
    shape, job = MODELS["Llama-3.2-1B"], Job()
    assert plan.peak(shape, replace(job, **larger))[1] >= plan.peak(shape, job)[1]


@pytest.mark.parametrize("precision", ["bf16", "8bit"])
@pytest.mark.parametrize("length", [32, 64, 128, 256, 512, 2048])
def test_adapters_on_all_layers_never_need_less_than_on_the_top(length, precision):
    for shape in (MODELS["SmolLM2-135M"], MODELS["Qwen2.5-0.5B"], MODELS["Llama-3.1-8B"]):
        for rows in (1, 4, 16):
            job = Job(precision=precision, length=length, micro_batch=rows)
            assert plan.peak(shape, job)[1] <= plan.peak(shape, replace(job, layers="all"))[1], (shape.name, rows)


@pytest.mark.parametrize("limit", [0, 1, 2, 3, 31, 32, 33, 99, 100, 101, 5000])
def test_largest_is_the_last_number_that_fits(limit):
    assert plan.largest(lambda n: n <= limit, 100) == min(limit, 100)


@pytest.mark.parametrize("method", ["ppo", "qlora"])
def test_suggested_batch_and_length_fit_and_one_more_does_not(method):
    shape, capacity = MODELS["Llama-3.2-3B"], 15_360 * plan.MIB
    job = Job(method, "4bit", batch=4, micro_batch=4)
    batch, length = (suggest(shape, job, capacity) for suggest in (course_plan.suggested_batch, suggested_length))

    def fits(**changes) -> bool:
        return plan.peak(shape, replace(job, **changes))[1] <= capacity

    rows = {"micro_batch": batch} if method == "qlora" else {}
    more = {"micro_batch": batch + 1} if method == "qlora" else {}
    assert batch > 4 and fits(batch=batch, **rows) and not fits(batch=batch + 1, **more)
    assert length > 32 and fits(length=length) and not fits(length=length + 1)


suggested_length = course_plan.suggested_length


def test_plan_prints_its_lines_and_fits_or_not(capsys):
    assert command.main(["plan", "--model", "llama-3.1-8b", "--gpu", "l4"]) == 0
    said = capsys.readouterr().out
    total = round(plan.peak(MODELS["Llama-3.1-8B"], Job())[1] / plan.MIB)
    assert f"peak, training{total:14,} MiB" in said and f"It fits: {23_034 - total:,} MiB are left." in said
    lines = [int(number.replace(",", "")) for number in re.findall(r"^[a-zA-Z ]+ ([\d,]+) MiB$", said, re.M)]
    assert abs(sum(lines) - total) < len(lines)
    assert command.main(["plan", "--model", "llama-3.1-8b", "--gpu", "8"]) == 1
    assert "does not fit" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("model", "card", "options", "fit"),
    [
        ("Llama-2-7B", "8", [], ["--precision", "4bit"]),
        ("Llama-2-7B", "t4", ["--precision", "fp32"], ["--precision", "8bit"]),
        ("LLaMA-65B", "a6000", ["--method", "qlora", "--precision", "8bit"], ["--precision", "4bit"]),
        ("Qwen2.5-0.5B", "t4", ["--method", "full"], ["--method", "ppo", "--precision", "8bit"]),
        ("Llama-3.1-8B", "t4", ["--method", "full"], ["--method", "ppo", "--precision", "8bit"]),
        ("Qwen3-32B", "t4", [], []),
        ("LLaMA-65B", "24", ["--method", "qlora"], []),
    ],
)
def test_plan_that_does_not_fit_names_the_precision_that_does(model, card, options, fit, capsys):
    asked = ["plan", "--model", model, "--gpu", card]
    assert command.main([*asked, *options]) == 1
    said = re.findall(r"are missing. With (.*) it fits\.", capsys.readouterr().out)
    assert said == ([" ".join(fit)] if fit else [])
    assert not fit or command.main([*asked, *options, *fit]) == 0


def test_plan_takes_the_micro_batch_that_fits():
    given = arguments("--length", "24", "--layers", "all", "--r", "16")
    tight = course_plan.job_of(given, MODELS["GPT-NeoX-20B"], 24_564 * plan.MIB, on_gpu=True)
    roomy = course_plan.job_of(given, MODELS["GPT-NeoX-20B"], 81_559 * plan.MIB, on_gpu=True)
    assert (tight.micro_batch, roomy.micro_batch) == (4, 8)


@pytest.mark.parametrize("card", ["12", "t4"])
def test_what_plan_suggests_fits_when_asked_and_one_more_does_not(card, capsys):
    asked = ["plan", "--model", "Llama-3.1-8B", "--gpu", card]
    command.main(asked)
    batch, length = re.search(r"one at a time: batch (\d+) at .* or length (\d+) at", capsys.readouterr().out).groups()
    for option, most in (("--batch", batch), ("--length", length)):
        assert command.main([*asked, option, most]) == 0
        assert command.main([*asked, option, str(int(most) + 1)]) == 1


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--length", "4096"], "No batch fits at length 4096, one at a time; at batch 16, length"),
        (["--batch", "4000", "--micro-batch", "8"], "No length fits at batch 4000; at length 32, batch"),
        (["--gpu", "4"], "take fewer bits, a smaller model, or a larger card"),
        (["--method", "full"], "take --method ppo, a smaller model"),
    ],
)
def test_plan_that_does_not_fit_says_what_would(given, words, capsys):
    assert command.main(["plan", "--model", "Llama-3.1-8B", *given]) == 1
    assert words in capsys.readouterr().out


def test_example_of_the_readme_is_what_the_command_prints(capsys):
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    given = re.search(r"^\$ python -m helpers (plan .*)$", text, re.M)[1].split()
    command.main(given)
    assert f"$ python -m helpers {' '.join(given)}\n{capsys.readouterr().out}" in text


@pytest.mark.parametrize("name", ["SmolLM2-135M", "smollm2-135m", "HuggingFaceTB/SmolLM2-135M-Instruct"])
def test_plan_knows_a_published_model_by_its_name_and_its_hub_id(name):
    assert course_plan.shape_named(name) is MODELS["SmolLM2-135M"]


@pytest.mark.parametrize("context", [64, 4_000])
def test_plan_suggests_no_longer_texts_than_the_model_was_made_for(context, tmp_path, capsys):
    LlamaConfig(**SIZES, vocab_size=200, max_position_embeddings=context).save_pretrained(tmp_path)
    for length, remarked in ((context, False), (context + 1, True)):
        assert command.main(["plan", "--model", str(tmp_path), "--gpu", "24", "--length", str(length)]) == 0
        said = capsys.readouterr().out
        assert f"or length {context} (its whole context) at batch 16" in said
        assert (f"was made for texts of at most {context:,} tokens" in said) == remarked


def test_what_does_not_fit_a_whole_context_is_not_called_one(capsys):
    command.main(["plan", "--model", "Llama-3.1-8B"])
    assert "whole context" not in capsys.readouterr().out


def test_table_has_the_context_of_the_models_own_configuration():
    config = AutoConfig.from_pretrained(model_folder())
    assert shape_of(config, "").context == config.max_position_embeddings == MODELS["SmolLM2-135M"].context


@pytest.mark.parametrize(("card", "precision", "said"), [("t4", "bf16", 1), ("t4", "fp16", 0), ("l4", "bf16", 0)])
def test_plan_says_that_a_card_has_no_bfloat16(card, precision, said, capsys):
    assert command.main(["plan", "--gpu", card.upper(), "--precision", precision]) == 0
    assert capsys.readouterr().out.count("no bfloat16 instructions: take --precision fp16") == said


def arguments(*given: str):
    parser = course_plan.argparse.ArgumentParser()
    course_plan.add_arguments(parser)
    return parser.parse_args(given)


def test_plan_reads_only_the_configuration_of_a_folder(tmp_path, capsys):
    LlamaConfig(**SIZES, vocab_size=200).save_pretrained(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["config.json"]
    assert command.main(["plan", "--model", str(tmp_path)]) == 0
    assert "0.00 billion weights" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--model", "nonesuch"], "neither in the table"),
        (["--model", "nobody/nothing"], "must be a folder with a config.json, the id of a model on the hub"),
        (["--gpu", "gtx"], "a number of GiB (without a unit), cpu, or one of rtx4060"),
        (["--gpu", "-1"], "a number of GiB"),
        (["--length", "3"], "at least 4 tokens"),
        (["--method", "full", "--precision", "8bit"], "in fp32 only"),
        (["--method", "full", "--layers", "top"], "trains all layers"),
        (["--method", "qlora", "--layers", "all"], "trains all layers"),
        (["--method", "qlora", "--micro-batch", "1"], "give --batch in place of --micro-batch"),
    ],
)
def test_plan_says_what_to_do_about_what_it_cannot_plan(given, words, capsys):
    assert command.main(["plan", *given]) == 1
    assert words in capsys.readouterr().err


def test_plan_refuses_a_family_that_it_does_not_know(tmp_path, capsys):
    BertConfig().save_pretrained(tmp_path)
    assert command.main(["plan", "--model", str(tmp_path)]) == 1
    assert "a bert, whose layers are not planned" in capsys.readouterr().err


def test_plan_refuses_a_setting_that_the_bill_does_not_predict(tmp_path, capsys):
    LlamaConfig(**SIZES, vocab_size=200, attention_bias=True).save_pretrained(tmp_path)
    assert command.main(["plan", "--model", str(tmp_path)]) == 1
    assert "attention_bias=True is not predicted" in capsys.readouterr().err
