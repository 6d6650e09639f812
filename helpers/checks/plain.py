"""Plain data as bytes and back: tensors as safetensors, the rest as JSON. Nothing read here can run code."""

import json
import math
import os
import re
import stat
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

_MOST_BYTES = 16 * 2**20
_MOST_TEXT = 64 * 2**10  # of JSON: a few bytes of it can become an object of a hundred, and take long to read
MOST_ELEMENTS = 10**6
MOST_DIMENSIONS = 4
MOST_KIND = 80
_KIND = re.compile(rf"\w[\w (),]{{0,{MOST_KIND - 1}}}", re.ASCII)  # a string that comes back says what a value is
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
REAL_DTYPES = (*_FLOATS, torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


class Refused(ValueError):
    """What came back is not what a call returns."""


def packed(data: dict) -> bytes:
    """Plain data as bytes: the length of a JSON text, the text, and the tensors as safetensors.

    The text holds all names in their order; a tensor is null there.
    """
    tensors = {key: value.contiguous() for key, value in data.items() if isinstance(value, Tensor)}
    rest = {key: None if isinstance(value, Tensor) else value for key, value in data.items()}  # keeps the order
    text = json.dumps(rest).encode()
    return len(text).to_bytes(8, "little") + text + safetensors.torch.save(tensors)


def unpacked(content: bytes) -> dict:
    """What `packed` packed.

    Raises:
        Refused: the content is too large, or not what `packed` makes.
    """
    if len(content) > _MOST_BYTES:
        raise Refused(f"what came back is larger than {_MOST_BYTES // 2**20} MiB")
    length = int.from_bytes(content[:8], "little")
    if length > _MOST_TEXT:
        raise Refused(f"what came back is, without its tensors, larger than {_MOST_TEXT // 2**10} KiB")
    try:
        rest = json.loads(content[8 : 8 + length])
        tensors = safetensors.torch.load(content[8 + length :])
    except (ValueError, KeyError, RecursionError, safetensors.SafetensorError):  # KeyError: a dtype unknown to torch
        raise Refused("what came back cannot be read") from None
    if not isinstance(rest, dict) or {key for key, value in rest.items() if value is None} != tensors.keys():
        raise Refused("what came back is no plain data")
    return {key: tensors.get(key, value) for key, value in rest.items()}


def read_bytes(path: Path, most_bytes: int = _MOST_BYTES) -> bytes:
    """The bytes of an ordinary file of bounded size: no link is followed, no pipe is waited for."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        raise
    except OSError:
        raise Refused("a file is a link or cannot be opened") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # before fdopen, which keeps a folder's descriptor open
        os.close(descriptor)
        raise Refused("a file is not an ordinary file")
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise Refused(f"a file is larger than {most_bytes // 2**20} MiB")
    return content


def validated(outputs: dict, expected: dict[str, type]) -> dict:
    """The outputs, if they have just the expected names and types, and bounded sizes.

    Raises:
        Refused: they do not. The message repeats nothing of their content.
    """
    if outputs.keys() != expected.keys():
        raise Refused("what came back has other names than this exercise's")
    for name, wanted in expected.items():
        value = outputs[name]
        if not isinstance(value, wanted) or (wanted is not bool and isinstance(value, bool)):
            raise Refused(f"{name} came back with another type")
        if not _bounded(value):
            raise Refused(f"{name} came back too large or out of range")
    return outputs


def _bounded(value: object) -> bool:
    if isinstance(value, Tensor):
        return value.dtype in REAL_DTYPES and value.numel() <= MOST_ELEMENTS and value.dim() <= MOST_DIMENSIONS
    if isinstance(value, str):
        return _KIND.fullmatch(value) is not None
    return isinstance(value, bool) or (math.isfinite(value) and abs(value) < 2**53)
