"""Inputs and call of an exercise of lesson 1: the bytes of a model in 8-bit."""

import torch

from helpers.checks.calls.observe import NUMBER_OUTPUTS, call_for_number

BYTES_IN_8BIT_OUTPUTS = NUMBER_OUTPUTS
call_bytes_in_8bit = call_for_number


def bytes_in_8bit_inputs(seed: int) -> dict:
    """A small model's tensors: layers with biases and norms, a tied output layer, and a head of its own in float32.

    Of the names in `skipped` one is the beginning of another layer's, the end of a third one's and the last part of a
    fourth one's, one ends as other layers' names do, and one holds another layer's name. A quantized weight, too,
    serves in two layers; some quantized ones came in float32.
    """
    generator = torch.Generator().manual_seed(seed)

    def size(least: int, most: int) -> int:
        return int(torch.randint(least, most, (), generator=generator))

    width, vocabulary = 8 * size(20, 36) + 4, size(3000, 4000)  # large, as all that follows: two slips hardly agree
    inner = 2 * size(175, 240) + 1
    tensors, address = [], 4096

    def add(layer: str, kind: str, tensor: str, shape: list[int], bytes_each: int = 2) -> None:
        nonlocal address
        entry = {"layer": layer, "kind": kind, "tensor": tensor, "shape": shape, "bytes_each": bytes_each}
        tensors.append({**entry, "address": address})
        address += 64 * size(100, 1000)

    add("embed", "Embedding", "weight", [vocabulary, width])
    for number in range(size(2, 4)):
        shapes = {"q_proj": (width, width), "k_proj": (width // 2, width)}
        shapes |= {"up_proj": (inner, width), "down_proj": (width, inner)}
        for name, (rows, columns) in shapes.items():
            add(f"layers.{number}.{name}", "Linear", "weight", [rows, columns], 4 if name == "down_proj" else 2)
            add(f"layers.{number}.{name}", "Linear", "bias", [rows])
        add(f"layers.{number}.norm", "RMSNorm", "weight", [width], bytes_each=4)
    add("score_in", "Linear", "weight", [size(200, 300), width])
    add("pre_score", "Linear", "weight", [size(300, 400), width])
    add("score", "Linear", "weight", [size(400, 500), width], bytes_each=4)
    add("head", "Linear", "weight", [size(500, 600), width])
    add("value.score", "Linear", "weight", [size(600, 700), width])
    tied = {**tensors[0], "layer": "lm_head", "kind": "Linear"}
    first = next(tensor for tensor in tensors if tensor["layer"] == "layers.0.up_proj")
    shares = next(t for t in tensors if (t["layer"], t["tensor"]) == ("layers.1.up_proj", "weight"))
    shares["address"], shares["bytes_each"] = first["address"], first["bytes_each"]
    return {"tensors": [*tensors, tied], "skipped": ["lm_head", "score", "layers.1.q_proj"]}
