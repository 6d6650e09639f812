"""What takes memory on a live model, counted line by line, and the peak of a process; everything in bytes."""

import contextlib
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks


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
        layers = [m for model in models for m in model.modules() if hasattr(getattr(m, "state", None), "SCB")]
        for layer in (
            m for m in layers if "forward" not in vars(m)
        ):  # else another product stands in for bitsandbytes'
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
