"""A device that is not the CPU, for machines without a GPU: torch's device "simulated".

A tensor there is memory of the CPU under another name (renamed by DLPack, nothing is copied), and each operation is
computed by the CPU's own kernel: numbers are the CPU's, time and memory say nothing. But what was left on the CPU fails
as on a GPU: an operation on both, numpy of a tensor that was not brought back. What only a GPU does (its kernels, fp16,
running out of memory, CUDA's random numbers) is not simulated: `make test-gpu`.

Since nothing undoes it, `install` and `answer_as_a_gpu` are called in a process of their own.
"""

import ctypes
import functools
from collections.abc import Callable
from types import SimpleNamespace

import psutil
import torch
from torch import Tensor
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "simulated"
_DLPACK_CPU, _DLPACK_OTHER = 1, 12  # kDLCPU and kDLExtDev, which torch reads as its device for others' backends
_MOVES = ("aten::copy_", "aten::_to_copy", "aten::_copy_from", "aten::set_")  # these take tensors of two devices
# Indices may be on the CPU on a GPU, too. The first argument and the values may not.
_INDEXES = ("aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_")
_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype, _pointer.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
_installed = []  # torch.library forgets what nobody keeps


def install() -> None:
    """Let torch know the device from now on.

    Raises:
        RuntimeError: another backend took the place that torch leaves for one.
    """
    answers = {"is_available": True, "is_initialized": True, "_is_in_bad_fork": False, "device_count": 1}
    module = SimpleNamespace(**{name: functools.partial(_answer, found) for name, found in answers.items()})
    module.current_device, module.manual_seed_all = (functools.partial(_answer, found) for found in (0, None))
    module.get_amp_supported_dtype = functools.partial(_answer, [torch.float16, torch.bfloat16])
    _setup_privateuseone_for_python_backend(NAME, backend_module=module)
    every, copies = torch.library.Library("_", "IMPL"), torch.library.Library("aten", "IMPL")
    every.fallback(_run, "PrivateUse1")
    copies.impl("_copy_from", _copy_from, "PrivateUse1")
    _installed.extend([every, copies])
    torch.UntypedStorage.cpu = functools.partialmethod(_storage_on_cpu, torch.UntypedStorage.cpu)


def answer_as_a_gpu() -> None:
    """Let `torch.cuda` say that there is a GPU, and the course and safetensors take "simulated" for it.

    Called before anything of the course is imported.
    """
    import safetensors.torch  # these two in this order, for what they import asks whether there is a GPU

    safetensors.torch.load_file = functools.partial(_load_file, safetensors.torch.load_file)
    import helpers.device

    helpers.device.default_device = lambda: NAME
    import helpers.eight_bit

    helpers.eight_bit._on_gpu = lambda layer: layer.weight.device.type == NAME
    import helpers.plan

    helpers.plan.CUDA_CONTEXT = 0  # here memory is the resident one, which has the libraries
    used = psutil.Process().memory_info
    answers = {
        **{"is_available": True, "is_initialized": True, "is_bf16_supported": True, "device_count": 1},
        **{"current_device": 0, "get_device_name": "simulated GPU", "get_device_capability": (8, 0)},
        **dict.fromkeys(("synchronize", "empty_cache", "manual_seed", "manual_seed_all", "reset_peak_memory_stats")),
        "mem_get_info": (8 * 2**30, 16 * 2**30),
    }
    for name, found in answers.items():
        setattr(torch.cuda, name, functools.partial(_answer, found))
    torch.cuda.memory_allocated = torch.cuda.max_memory_allocated = lambda *_: used().rss


def _answer(found: object, *_, **__) -> object:
    return found


def _load_file(load: Callable, filename: str, device: str = "cpu", **others) -> dict[str, Tensor]:
    loaded = load(filename, "cpu", **others)
    return loaded if str(device) == "cpu" else {name: tensor.to(NAME) for name, tensor in loaded.items()}


def _storage_on_cpu(storage: torch.UntypedStorage, original: Callable) -> torch.UntypedStorage:
    if storage.device.type != NAME:
        return original(storage)
    copied = torch.UntypedStorage(storage.nbytes())
    ctypes.memmove(copied.data_ptr(), storage.data_ptr(), storage.nbytes())
    return copied


def _renamed(tensor: Tensor, kind: int) -> Tensor:
    """The same memory as a tensor of a device of this kind."""
    capsule = torch._C._to_dlpack(tensor)
    address = _pointer(capsule, b"dltensor") + ctypes.sizeof(ctypes.c_void_p)  # the device stands behind the pointer
    ctypes.c_int32.from_address(address).value = kind
    return torch._C._from_dlpack(capsule)


def _on_cpu(value: object) -> object:
    if isinstance(value, Tensor):
        return _renamed(value, _DLPACK_CPU) if value.device.type == NAME else value
    return type(value)(map(_on_cpu, value)) if isinstance(value, (list, tuple)) else value


def _there(value: object) -> object:
    if isinstance(value, Tensor):
        return _renamed(value, _DLPACK_OTHER)
    return type(value)(map(_there, value)) if isinstance(value, (list, tuple)) else value


def _copy_from(source: Tensor, target: Tensor, non_blocking: bool = False) -> Tensor:
    _on_cpu(target).copy_(_on_cpu(source))
    return target


def _run(operation: torch._ops.OpOverload, *args, **kwargs) -> object:
    """Compute one operation, of which a tensor or the result is on the device."""
    name = operation._schema.name
    asked = kwargs.get("device")
    if asked is not None and torch.device(asked).type == NAME:
        kwargs["device"] = torch.device("cpu")
    elif name not in _MOVES:
        _refuse_others(name, args if name in _INDEXES else [*args, *kwargs.values()], within=name not in _INDEXES)
    out = kwargs.get("out")
    if isinstance(out, Tensor) and not out.numel():  # made empty, for the operation to give it its size
        kwargs["out"] = torch.empty(0, dtype=out.dtype)
        out.data = _there(operation(*map(_on_cpu, args), **{key: _on_cpu(value) for key, value in kwargs.items()}))
        return out
    result = operation(*map(_on_cpu, args), **{key: _on_cpu(value) for key, value in kwargs.items()})
    written = [args[place] if place is not None else kwargs.get(key) for place, key in _written(operation, len(args))]
    if written:
        return _given_back(name, written, result)
    goes_back = asked is not None and "device" in kwargs and torch.device(asked).type != NAME
    return result if goes_back or not _has_tensor(result) else _there(result)


def _has_tensor(value: object) -> bool:
    return isinstance(value, Tensor) or (isinstance(value, (list, tuple)) and any(map(_has_tensor, value)))


def _refuse_others(name: str, values: list, within: bool) -> None:
    for value in values:
        if isinstance(value, Tensor):
            if value.device.type != NAME and value.dim():
                raise RuntimeError(
                    f"{name}: Expected all tensors to be on the same device, but found at least two devices, "
                    f"{NAME}:0 and {value.device}!"
                )
        elif within and isinstance(value, (list, tuple)):
            _refuse_others(name, value, within)


@functools.cache
def _written(operation: torch._ops.OpOverload, given: int) -> list[tuple[int | None, str]]:
    """Place or name of each argument that the operation writes to, of this many without a name."""
    arguments = enumerate(operation._schema.arguments)
    found = [(n, a) for n, a in arguments if a.alias_info is not None and a.alias_info.is_write]
    return [(place if place < given else None, argument.name) for place, argument in found]


def _given_back(name: str, written: list[Tensor], result: object) -> object:
    """What was written to, which is what such an operation returns."""
    if result is None:
        return None
    first = result if isinstance(result, Tensor) else result[0]
    if isinstance(written[0], Tensor) and first.shape != written[0].shape:
        raise RuntimeError(f"{name} changes the size of a tensor in place, which is not simulated")
    return written[0] if isinstance(result, Tensor) else tuple(written)
