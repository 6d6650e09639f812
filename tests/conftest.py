"""A Llama of two layers and 110 letters, which does in milliseconds what the course's model does in seconds."""

import string
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    BitsAndBytesConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

SIZES = {
    "num_hidden_layers": 2,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "vocab_size": 200,
    "tie_word_embeddings": True,
}


def tiny_llama(seed: int = 0, **sizes) -> LlamaForCausalLM:
    """A Llama of random weights, in `train()` mode, like every model of the course."""
    torch.manual_seed(seed)
    return LlamaForCausalLM(LlamaConfig(**{**SIZES, **sizes})).train()


def in_8bit(model: LlamaForCausalLM, folder: Path) -> LlamaForCausalLM:
    """The same model with its linear layers in int8 and the rest in float32."""
    model.save_pretrained(folder)
    options = {"quantization_config": BitsAndBytesConfig(load_in_8bit=True), "dtype": torch.float32}
    return AutoModelForCausalLM.from_pretrained(folder, **options, device_map="cpu").train()


def letter_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer of one token a letter."""
    special = {"unk_token": "<unk>", "bos_token": "<bos>", "eos_token": "<eos>"}
    vocabulary = {token: index for index, token in enumerate([*special.values(), *string.printable])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)


def write_tiny_model(folder: Path, seed: int = 0) -> Path:
    """A folder as `save_pretrained` writes it: a tiny Llama and its tokenizer."""
    tiny_llama(seed).save_pretrained(folder)
    letter_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture
def tiny_course(tmp_path, monkeypatch) -> Path:
    """The folder of a tiny model that `COURSE_MODEL` names, with an empty cache of its own."""
    monkeypatch.setenv("COURSE_MODEL", str(write_tiny_model(tmp_path / "tiny")))
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "tiny"
