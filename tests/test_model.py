"""Loading: what has which dtype, what is kept where, and what a reader is told who names a wrong model."""

import gc
import logging
import os
import shutil
import warnings
import weakref

import pytest
import torch
from conftest import letter_tokenizer, tiny_llama, write_tiny_model
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, PreTrainedModel, T5Config

from helpers import device, eight_bit, model
from helpers.download import CourseError, cache_folder, damage_of_folder
from helpers.memory import peak_bytes_of_fresh_process

LINEAR = "model.layers.0.mlp.up_proj.weight"
FLOATS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
TOKENS = torch.arange(3, 35).view(2, 16)


def dtypes(loaded: torch.nn.Module) -> tuple[torch.dtype, set[torch.dtype]]:
    """The dtype of a linear layer's weight, and the dtypes of embedding, norms and output layer."""
    others = {p.dtype for name, p in loaded.named_parameters() if "_proj" not in name}
    return loaded.get_parameter(LINEAR).dtype, others


def expected(precision: str) -> tuple[torch.dtype, set[torch.dtype]]:
    linear = {"8bit": torch.int8, "4bit": torch.uint8, **FLOATS}[precision]
    return linear, {FLOATS.get(precision, torch.float32)}


def logits(loaded: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return loaded(TOKENS.to(loaded.device)).logits


@pytest.fixture
def real_model(monkeypatch):
    monkeypatch.delenv("COURSE_MODEL", raising=False)


@pytest.mark.real
@pytest.mark.parametrize("precision", model.PRECISIONS)
def test_real_model_loads_in_the_precision_asked_for(precision, real_model):
    assert dtypes(model.load_model(precision)) == expected(precision)


@pytest.mark.real
def test_real_8bit_folder_gives_bit_for_bit_the_logits_of_quantizing_at_load(real_model):
    saved = logits(model.load_model("8bit"))
    options = {"quantization_config": BitsAndBytesConfig(load_in_8bit=True), "dtype": torch.float32}
    quantized = AutoModelForCausalLM.from_pretrained(
        model.model_folder("bf16"), device_map=device.default_device(), **options
    )
    assert torch.equal(saved, logits(quantized.train()))


@pytest.mark.real
@pytest.mark.skipif(torch.cuda.is_available(), reason="is about memory of the CPU")
def test_memory_of_a_converted_model_that_is_gone_serves_the_next_one(real_model):
    used = """
import gc, torch
from helpers.course.train import new_policy
model = new_policy("fp32")
model(input_ids=torch.arange(256).view(8, 32)).logits.mean().backward()
"""
    once, twice = (peak_bytes_of_fresh_process(code) for code in (used, f"{used}del model; gc.collect()\n{used}"))
    assert twice - once < 100e6  # the model has 538 MB


@pytest.mark.real
def test_real_linear_weights_have_at_most_16_values_in_a_block_of_32(real_model):
    weights = load_file(f"{model.model_folder('bf16')}/model.safetensors")
    linear = [weight for name, weight in weights.items() if "_proj" in name]
    distinct = [(w.float().view(-1, 32).sort(dim=1).values.diff(dim=1) != 0).sum(1).max().item() + 1 for w in linear]
    assert len(linear) == 210 and max(distinct) == 16


@pytest.mark.real
def test_real_tokenizer_pads_on_the_left_with_a_token_that_is_not_the_end(real_model):
    tokenizer = model.load_tokenizer()
    assert (tokenizer.padding_side, tokenizer.pad_token_id, tokenizer.eos_token_id) == ("left", 0, 2)


@pytest.mark.real
def test_real_model_that_is_converted_now_is_the_one_that_was_converted_before(real_model, tmp_path, monkeypatch):
    due, ids = load_file(f"{model.model_folder('bf16')}/model.safetensors"), model.load_tokenizer()
    model._write_bf16(tmp_path)
    found = load_file(tmp_path / "model.safetensors")
    assert found.keys() == due.keys() and all(torch.equal(found[name], due[name]) for name in due)
    monkeypatch.setattr(model, "model_folder", lambda precision: str(tmp_path))
    tokenizer = model.load_tokenizer()
    assert tokenizer("It's 3 films — naïve").input_ids == ids("It's 3 films — naïve").input_ids
    names = ("bos_token", "eos_token", "unk_token", "pad_token")
    assert [getattr(tokenizer, name) for name in names] == ["<|im_start|>", "<|im_end|>", *["<|endoftext|>"] * 2]


@pytest.mark.parametrize("precision", model.PRECISIONS)
def test_named_folder_loads_in_the_precision_asked_for(precision, tiny_course):
    assert dtypes(model.load_model(precision, "cpu")) == expected(precision)


@pytest.mark.parametrize("precision", ["fp32", "8bit"])
def test_model_is_in_train_mode_as_the_whole_course_is(precision, tiny_course):
    assert all(module.training for module in model.load_model(precision, "cpu").modules())


def test_named_folder_gives_the_weights_that_were_saved(tiny_course):
    due = tiny_llama().state_dict()
    assert all(torch.equal(w, due[name]) for name, w in model.load_model("fp32", "cpu").state_dict().items())


def test_8bit_folder_of_a_named_model_is_cached_under_a_key_of_its_own(tiny_course):
    folder = cache_folder() / "models" / model.model_key() / "8bit"
    assert model.model_folder("8bit") == str(folder)
    assert model.model_key().startswith("tiny-") and damage_of_folder(folder) is None
    assert os.listdir(cache_folder() / "models") == [model.model_key()]


def test_8bit_folder_is_made_once(tiny_course, capsys):
    model.model_folder("8bit")
    first = capsys.readouterr().out
    model.model_folder("8bit")
    assert first.startswith("Preparing the 8bit folder") and capsys.readouterr().out == ""


def test_deleted_8bit_model_of_a_gpu_is_gone_when_the_next_one_is_loaded(tiny_course, monkeypatch):
    monkeypatch.setattr(eight_bit, "_on_gpu", lambda layer: True)
    first = model.load_model("8bit")
    weight = weakref.ref(eight_bit._eight_bit_layers(first)[0].weight)
    there, next_one = [], tiny_llama()
    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", lambda *_, **__: there.append(weight()) or next_one)
    gc.disable()
    try:
        del first
        model.load_model("fp32")
    finally:
        gc.enable()
    assert there == [None]


def test_8bit_folder_of_a_large_model_is_written_in_parts(tiny_course, monkeypatch):
    """A model on a GPU goes through the memory of the CPU file by file."""
    sizes, save = [], PreTrainedModel.save_pretrained
    monkeypatch.setattr(
        PreTrainedModel, "save_pretrained", lambda *a, **k: sizes.append(k.get("max_shard_size")) or save(*a, **k)
    )
    model.model_folder("8bit")
    assert sizes == ["1GB"]


def test_model_key_changes_when_the_named_folder_is_written_anew(tiny_course):
    before = model.model_key()
    write_tiny_model(tiny_course, seed=1)
    assert model.model_key() != before


def test_model_key_of_two_folders_of_one_name_differs(tiny_course, tmp_path, monkeypatch):
    before = model.model_key()
    shutil.copytree(tiny_course, tmp_path / "elsewhere" / "tiny")
    monkeypatch.setenv("COURSE_MODEL", str(tmp_path / "elsewhere" / "tiny"))
    assert model.model_key() != before


@pytest.mark.parametrize("use", [model.load_model, model.load_tokenizer, lambda: model.model_folder("8bit")])
def test_wrong_name_of_a_model_gets_a_sentence(use, monkeypatch):
    monkeypatch.setenv("COURSE_MODEL", "nobody/no-such-model")  # and no hub is asked: conftest.py
    with pytest.raises(CourseError, match=r"COURSE_MODEL='nobody/no-such-model' cannot be loaded .* must be a folder"):
        use()


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_named_folder_that_lacks_a_file_gets_a_sentence(missing, tiny_course):
    (tiny_course / missing).unlink()
    with pytest.raises(CourseError, match="cannot be loaded"):
        model.load_model("fp32", "cpu")


def test_named_folder_of_another_kind_of_model_gets_a_sentence(tiny_course):
    T5Config().save_pretrained(tiny_course)
    with pytest.raises(CourseError, match=r"cannot be loaded .* causal model"):
        model.load_model("fp32", "cpu")


def test_named_folder_that_fails_leaves_no_half_8bit_folder(tiny_course):
    (tiny_course / "model.safetensors").unlink()
    with pytest.raises(CourseError):
        model.model_folder("8bit")
    assert os.listdir(cache_folder() / "models" / model.model_key()) == []


@pytest.mark.parametrize("call", [model.load_model, model.model_folder])
def test_unknown_precision_is_refused(call):
    with pytest.raises(ValueError, match="'int3'"):
        call("int3")


@pytest.mark.parametrize(
    ("special", "pad"),
    [
        ({}, "<unk>"),
        ({"pad_token": "<eos>"}, "<unk>"),
        ({"pad_token": "<pad>"}, "<pad>"),
        ({"unk_token": "<eos>", "additional_special_tokens": ["<spare>"]}, "<spare>"),  # GPT-2's way
        ({"unk_token": None, "additional_special_tokens": ["<spare>"]}, "<spare>"),  # Llama 3's
    ],
    ids=["no pad", "pad is eos", "pad", "unk is eos", "no unk"],
)
def test_tokenizer_pads_on_the_left_with_a_special_token_that_is_not_the_end(special, pad, tiny_course):
    letter_tokenizer(**special).save_pretrained(tiny_course)
    tokenizer = model.load_tokenizer()
    assert (tokenizer.padding_side, tokenizer.pad_token) == ("left", pad)


def test_tokenizer_without_a_token_to_spare_gets_a_sentence(tiny_course):
    letter_tokenizer(unk_token="<eos>").save_pretrained(tiny_course)
    with pytest.raises(CourseError, match="no special token that could pad"):
        model.load_tokenizer()


def on_a_gpu(monkeypatch, name: str, capability: tuple[int, int]) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: name)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *_: True)  # what a T4 answers


@pytest.mark.parametrize(
    ("name", "capability", "due"),
    [
        ("Tesla T4", (7, 5), ("fp16", "Tesla T4 has no native bfloat16")),
        ("NVIDIA L4", (8, 9), ("bf16", "NVIDIA L4 has native bfloat16")),
    ],
)
def test_best_precision_of_a_gpu_follows_its_compute_capability(name, capability, due, monkeypatch):
    on_a_gpu(monkeypatch, name, capability)
    assert device.best_precision() == due


@pytest.mark.parametrize(("native", "due"), [(True, "bf16"), (False, "fp32")])
def test_best_precision_of_a_cpu_follows_its_instructions(native, due, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: native)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert device.best_precision()[0] == due


@pytest.mark.parametrize(
    ("logger", "message"),
    [
        ("bitsandbytes.autograd._functions", "MatMul8bitLt: inputs will be cast from torch.float32 to float16"),
        ("bitsandbytes.backends.cpu.ops", "Failed to load CPU gemm_4bit_forward from kernels-community"),
    ],
)
def test_loggers_lose_the_known_message_and_no_other(logger, message):
    records = [logging.LogRecord(logger, logging.WARNING, "", 0, text, (), None) for text in (message, "all else")]
    assert [bool(logging.getLogger(logger).filter(record)) for record in records] == [False, True]


@pytest.fixture
def started(monkeypatch):
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "0")
    with warnings.catch_warnings(record=True) as caught, torch.random.fork_rng(devices=[]):
        warnings.simplefilter("always")
        model.start_lesson()
        yield caught


def test_start_lesson_silences_the_known_warning_and_no_other(started):
    for text in ("`is_gradient_checkpointing` is deprecated", "something else is deprecated"):
        warnings.warn(text, FutureWarning, stacklevel=1)
    assert [str(warning.message) for warning in started] == ["something else is deprecated"]


def test_start_lesson_seeds_torch(started):
    first = torch.rand(3)
    model.start_lesson()
    assert torch.equal(torch.rand(3), first)


def test_name_of_a_model_that_is_too_long_for_a_file_gets_a_sentence_or_a_shorter_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    monkeypatch.setenv("COURSE_MODEL", "x" * 250)
    assert len(model.model_key()) == 113
    monkeypatch.setenv("COURSE_MODEL", "x" * 300)
    with pytest.raises(CourseError, match=r"COURSE_MODEL='x+' cannot be loaded"):
        model.model_folder("8bit")
