"""The memory bill of an RLHF run: predict each line from a configuration, count each line on a live model.

Predictions are for models of the Llama family without biases (SmolLM2, Llama, Mistral, Qwen3 …) under PyTorch's
`scaled_dot_product_attention`, with all sequences of one length. Everything is in bytes.
"""

import contextlib
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks

MIB = 2**20
LINES = (
    "weights",
    "adapters",
    "gradients",
    "optimizer state",
    "activations",
    "logits",
    "KV cache",
    "rollout buffers",
)
BYTES = {"fp32": 4, "fp16": 2, "bf16": 2, "8bit": 1}
LINEARS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class Run:
    """What a bill depends on beside the model: one PPO update of policy, reference, value and reward model.

    Attributes:
        precision: of the four models, "fp32" or "8bit" (linear layers in int8, all else fp32).
        adapter_rank: `r` of the LoRA adapters; 0 trains all float weights of policy and value model. With adapters,
            the value model trains only its head.
        adapter_targets: the linear layers that get an adapter.
        dropout: LoRA's dropout is above 0, and the adapters are in `train()` mode.
        shared_reference: the reference is recovered from the policy and has no weights of its own.
        batch, micro_batch: sequences a rollout, and sequences a training step forward and backward.
        prompt_length, response_length: tokens.
    """

    precision: str = "fp32"
    adapter_rank: int = 0
    adapter_targets: tuple[str, ...] = ("q_proj", "v_proj")
    dropout: bool = False
    shared_reference: bool = False
    batch: int = 16
    micro_batch: int = 4
    prompt_length: int = 8
    response_length: int = 24

    def __post_init__(self):
        if self.precision not in ("fp32", "8bit"):
            raise ValueError(f"A run is predicted in 'fp32' or '8bit', not in {self.precision!r}.")
        unknown = sorted(set(self.adapter_targets) - set(LINEARS))
        if unknown:
            raise ValueError(f"An adapter on {', '.join(unknown)} is not predicted, only on {', '.join(LINEARS)}.")

    @property
    def length(self) -> int:
        return self.prompt_length + self.response_length


def linear_shapes(config: Any) -> dict[str, tuple[int, int]]:
    """(outputs, inputs) of each linear layer of one transformer block."""
    width, inner = config.hidden_size, config.intermediate_size
    queries = config.num_attention_heads * config.head_dim
    keys = config.num_key_value_heads * config.head_dim
    shapes = [(queries, width), (keys, width), (keys, width), (width, queries), (inner, width), (inner, width)]
    return dict(zip(LINEARS, [*shapes, (width, inner)], strict=True))


def parameters(config: Any) -> dict[str, int]:
    """How many weights are in linear layers, how many rows these have, and how many weights are elsewhere."""
    shapes = linear_shapes(config).values()
    embeddings = config.vocab_size * config.hidden_size * (1 if config.tie_word_embeddings else 2)
    return {
        "linear": config.num_hidden_layers * sum(rows * columns for rows, columns in shapes),
        "linear_rows": config.num_hidden_layers * sum(rows for rows, _ in shapes),
        "other": embeddings + (2 * config.num_hidden_layers + 1) * config.hidden_size,
    }


def weight_bytes(config: Any, precision: str, other_precision: str = "fp32") -> int:
    """Bytes of one model's weights. In 8-bit a linear weight is one byte, and each row adds a float32 scale.

    Args:
        config: a `LlamaConfig` or one with the same names.
        precision: "fp32", "fp16", "bf16" or "8bit".
        other_precision: with "8bit", of embedding, norms and output layer, which are not quantized.
    """
    count = parameters(config)
    if precision != "8bit":
        return BYTES[precision] * (count["linear"] + count["other"])
    return count["linear"] + 4 * count["linear_rows"] + BYTES[other_precision] * count["other"]


def adapter_parameters(config: Any, rank: int, targets: Iterable[str]) -> int:
    """Weights of LoRA adapters on all layers: r · (inputs + outputs) for each adapted linear layer."""
    shapes = linear_shapes(config)
    return config.num_hidden_layers * sum(rank * sum(shapes[target]) for target in targets)


def activation_bytes(config: Any, run: Run) -> int:
    """What one forward of a micro-batch keeps for its backward (float32), without parameters and without logits.

    It is no estimate: the count on a live model is equal, on a CPU, from two layers up. What decides:

    - A linear layer keeps its input only if it has something to train: its weight, or an adapter's A.
    - bitsandbytes' 8-bit layers keep their input although their weights are frozen, and their backward never reads it.
      So 8-bit weights save no activations: training all float weights keeps as much as it does in float32.
    - A frozen norm keeps its input and 1 / rms; a trained one also keeps what it scales.
    - LoRA without dropout keeps nothing that another layer with the same input does not keep already, but A x. Dropout
      gives each adapter an input of its own, and a mask as large (float32 on a CPU, one byte a number on a GPU).
    - In the first layer of a frozen base, what comes before the first adapter gets no gradient and keeps nothing. So
      an adapter on `o_proj` spares the first layer's attention, and only there.
    """
    tokens, width = run.micro_batch * run.length, config.hidden_size
    trains_base = run.adapter_rank == 0
    first = sum(_kept_by_layer(config, run, gradient_enters=trains_base).values())
    others = (config.num_hidden_layers - 1) * sum(_kept_by_layer(config, run, gradient_enters=True).values())
    last = width + 1 + (2 * width if trains_base else 0)  # the final norm; the output layer keeps its input if trained
    rotary = 2 * run.length * config.head_dim  # one cosine and sine for all layers and sequences
    return 4 * (tokens * (first + others + last) + rotary) + 8 * tokens  # and the token ids, int64


def logits_bytes(config: Any, run: Run) -> int:
    """The log-softmax over the vocabulary that one micro-batch keeps for its backward (float32)."""
    return 4 * run.micro_batch * (run.length - 1) * config.vocab_size


def kv_cache_bytes(config: Any, run: Run) -> int:
    """Keys and values of all tokens but the last, which is never fed back (float32)."""
    width = config.num_key_value_heads * config.head_dim
    return 4 * 2 * config.num_hidden_layers * run.batch * (run.length - 1) * width


def rollout_bytes(run: Run) -> int:
    """What PPO keeps of a rollout: token ids (int64), and for each response token the log-probs of policy and
    reference, values, rewards, advantages and returns (float32); a score for each response."""
    return 8 * run.batch * run.length + 6 * 4 * run.batch * run.response_length + 4 * run.batch


def predicted_bill(config: Any, run: Run) -> dict[str, int]:
    """Every line of the bill of one PPO update, in bytes, predicted from a model's configuration alone."""
    count = parameters(config)
    models = 3 if run.shared_reference else 4
    head = config.hidden_size  # of value and reward model, in place of an output layer
    output_layer = 0 if config.tie_word_embeddings else config.vocab_size * config.hidden_size
    if run.adapter_rank:
        adapters = adapter_parameters(config, run.adapter_rank, run.adapter_targets)
        trained = adapters + head
        activations = activation_bytes(config, run) + 4 * run.micro_batch * run.length * config.hidden_size
    else:
        adapters = 0
        trained = 2 * (count["other"] + (count["linear"] if run.precision == "fp32" else 0)) + head - output_layer
        activations = 2 * activation_bytes(config, run)
    return {
        "weights": models * weight_bytes(config, run.precision) + 4 * 2 * (head - output_layer),
        "adapters": 4 * adapters,
        "gradients": 4 * trained,
        "optimizer state": 2 * 4 * trained,  # Adam's two moments; its step counters are a few bytes
        "activations": activations,
        "logits": logits_bytes(config, run),
        "KV cache": kv_cache_bytes(config, run),
        "rollout buffers": rollout_bytes(run),
    }


def _kept_by_layer(config: Any, run: Run, gradient_enters: bool) -> dict[str, int]:
    """Numbers that one layer keeps for the backward of each token, by storage: what two operations keep counts once.

    In the order of the forward. `linear` and `norm` return whether their output needs a gradient.
    """
    shapes, width, inner = linear_shapes(config), config.hidden_size, config.intermediate_size
    queries, keys = shapes["q_proj"][0], shapes["k_proj"][0]
    trains_base = run.adapter_rank == 0
    kept: dict[str, int] = {}

    def norm(x: str, gradient: bool) -> bool:
        if gradient:
            kept.update({x: width, f"1 / rms of {x}": 1})
        if trains_base:
            kept[f"normalised {x}"] = width
        return gradient or trains_base

    def linear(name: str, x: str, gradient: bool) -> bool:
        inputs = shapes[name][1]
        trained = trains_base and run.precision == "fp32"
        adapted = not trains_base and name in run.adapter_targets
        if trained or (run.precision == "8bit" and gradient) or (adapted and not run.dropout):
            kept[x] = inputs
        if adapted and run.dropout:
            kept.update({f"{name}, dropped out": inputs, f"{name}, mask": inputs if gradient else 0})
        if adapted:
            kept[f"{name}, A x"] = run.adapter_rank
        return gradient or trained or adapted

    gradient = norm("layer input", gradient_enters)
    needed = [linear(name, "attention input", gradient) for name in ("q_proj", "k_proj", "v_proj")]
    if any(needed):
        attention = {"queries": queries, "keys": keys, "values": keys, "attention output": queries}
        kept.update(attention, log_sum_exp=config.num_attention_heads)
    gradient = linear("o_proj", "attention output", any(needed)) or gradient
    gradient = norm("middle", gradient)
    gate, up = (linear(name, "feed-forward input", gradient) for name in ("gate_proj", "up_proj"))
    if gate:
        kept.update({"gate": inner, "up": inner})  # for the gradients of silu(gate) and of silu(gate) * up
    if up:
        kept["silu(gate)"] = inner
    linear("down_proj", "product", gate or up)
    return kept


def counted_weight_bytes(model: nn.Module, adapters: bool = False) -> int:
    """Bytes of a live model's weights, tied ones once, int8 scales included.

    Args:
        adapters: count LoRA's weights instead of the others.
    """
    tensors = {p.data_ptr(): p for name, p in model.named_parameters() if (".lora_" in name) == adapters}
    if adapters:
        return sum(p.nbytes for p in tensors.values())
    scales = [p.SCB for p in tensors.values() if getattr(p, "SCB", None) is not None]
    scales += [m.state.SCB for m in model.modules() if getattr(getattr(m, "state", None), "SCB", None) is not None]
    unique = {scale.data_ptr(): scale for scale in scales}
    return sum(p.nbytes for p in [*tensors.values(), *unique.values()])


def counted_gradient_bytes(*models: nn.Module) -> int:
    """Bytes of all gradients that a backward left on the models."""
    return sum(p.grad.nbytes for model in models for p in model.parameters() if p.grad is not None)


def counted_optimizer_bytes(optimizer: torch.optim.Optimizer) -> int:
    """Bytes of an optimizer's state, such as Adam's two moments, without its step counters."""
    states = (value for state in optimizer.state.values() for key, value in state.items() if key != "step")
    return sum(value.nbytes for value in states if isinstance(value, torch.Tensor))


def counted_bytes(tensors: Mapping[str, torch.Tensor] | Iterable[torch.Tensor]) -> int:
    """Bytes of a collection of tensors, such as rollout buffers or the keys and values of a cache."""
    return sum(t.nbytes for t in (tensors.values() if isinstance(tensors, Mapping) else tensors))


def counted_kv_cache_bytes(generated: Mapping[str, Any]) -> int:
    """Bytes of the keys and values that `generate(…, return_dict_in_generate=True)` ended with."""
    cache = generated["cache"] if "cache" in generated else generated["past_key_values"]  # renamed in transformers 5
    return counted_bytes(t for layer in cache.layers for t in (layer.keys, layer.values))


@contextlib.contextmanager
def saved_for_backward(*models: nn.Module) -> Iterator[list[torch.Tensor]]:
    """Collect what is kept for the backward of the block: one tensor for each storage, the models' parameters left out.

    It is what autograd saves, and the inputs of 8-bit layers, which bitsandbytes keeps where autograd's hooks do not
    see them. With gradient checkpointing it is the inputs of the checkpointed layers, without the few numbers for
    positions that they share; and still those inputs of 8-bit layers, unless `use_reentrant=True`.
    """
    owned = {t.untyped_storage().data_ptr() for model in models for t in _tensors_of(model)}
    found: dict[int, torch.Tensor] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        pointer = tensor.untyped_storage().data_ptr()
        if pointer not in owned:
            found.setdefault(pointer, tensor)  # holding it keeps its address from being used again
        return tensor

    def pack_input(layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        if torch.is_grad_enabled() and inputs[0].requires_grad:
            pack(inputs[0])

    kept: list[torch.Tensor] = []
    with contextlib.ExitStack() as hooks:
        for layer in (m for model in models for m in model.modules() if hasattr(getattr(m, "state", None), "SCB")):
            hooks.callback(layer.register_forward_pre_hook(pack_input).remove)
        hooks.enter_context(saved_tensors_hooks(pack, lambda tensor: tensor))
        yield kept
    kept.extend(found.values())


def stored_bytes(tensors: Iterable[torch.Tensor]) -> int:
    """Bytes of the whole storages behind tensors, which may be views of more than they show."""
    return sum(t.untyped_storage().nbytes() for t in tensors)


def peak_bytes() -> int:
    """The peak of this process so far: allocated GPU memory, or without a GPU the resident memory."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    if sys.platform == "linux":  # not ru_maxrss: a child process starts with its parent's
        status = Path("/proc/self/status").read_text()
        return 1024 * int(status.split("VmHWM:")[1].split()[0])
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def peak_bytes_of_fresh_process(code: str) -> int:
    """Run `code` in a new Python process and return the peak of that process, libraries included.

    Raises:
        RuntimeError: the code failed; the message ends with what it printed.
    """
    code += "\nfrom helpers.memory import peak_bytes\nprint('\\npeak', peak_bytes())"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if result.returncode != 0:
        raise RuntimeError(f"The measured process failed:\n{result.stderr[-2000:]}")
    return int(result.stdout.split()[-1])


def _tensors_of(model: nn.Module) -> list[torch.Tensor]:
    owned = [*model.parameters(), *model.buffers()]
    for holder in [*model.parameters(), *(getattr(m, "state", None) for m in model.modules())]:
        owned += [t for t in (getattr(holder, "CB", None), getattr(holder, "SCB", None)) if t is not None]
    return owned
