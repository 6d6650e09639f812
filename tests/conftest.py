"""A Llama of two layers and 110 letters, which does in milliseconds what the course's model does in seconds."""

import os
import string
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # no test asks a hub; read when transformers is imported

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

from helpers import feedback

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


def letter_tokenizer(**special: str | list[str] | None) -> PreTrainedTokenizerFast:
    """A tokenizer of one token a letter."""
    special = {"unk_token": "<unk>", "bos_token": "<bos>", "eos_token": "<eos>", **special}
    vocabulary = {token: index for index, token in enumerate(["<unk>", "<bos>", "<eos>", *string.printable])}
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


@pytest.fixture
def written_ratings(tmp_path, monkeypatch):
    """Three people's ratings of 400 sentences, in the files of the study, in a cache of their own."""
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "cache" / "ratings"
    folder.mkdir(parents=True)
    people = [(n % 7 - 2, n % 5 - 4, 4) for n in range(400)]
    judged = ["bad" if sum(ratings) < 0 else "good" for ratings in people]
    texts = [f"film {n} was {word} , at least in part , and then it ended" for n, word in enumerate(judged)]
    rows = [(f"{n}_1", f"{sum(ratings) / 3:.2f}", ratings, texts[n]) for n, ratings in enumerate(people)]
    write = {
        feedback.TEXTS: [f"{key}\t{mean}\t{text}\n" for key, mean, _, text in rows],
        feedback.RATINGS: [f"{key}\t{mean}\t1.0\t{list(ratings)}\n" for key, mean, ratings, _ in rows],
    }
    for member, lines in write.items():
        (folder / Path(member).name).write_text("".join(lines), encoding="utf-8")
    feedback.sentences.cache_clear()
    yield
    feedback.sentences.cache_clear()
