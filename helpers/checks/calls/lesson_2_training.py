"""Inputs of two exercises of lesson 2: the weights that a configuration trains, and an adapter's first gradient."""

import torch

from helpers.checks.calls.observe import NUMBER_OUTPUTS, TENSOR_OUTPUTS, call_for_number, call_for_tensor

TRAINED_WEIGHTS_OUTPUTS = NUMBER_OUTPUTS
GRADIENT_OF_LORA_B_OUTPUTS = TENSOR_OUTPUTS
call_trained_weights = call_for_number
call_gradient_of_lora_b = call_for_tensor


def trained_weights_inputs(seed: int) -> dict:
    """The linear layers of a model of 13 blocks, and what a LoraConfig says.

    Adapted are 3 of the 13 blocks, 1 and 12 among them, so that "1" in a name is not enough, nor "2" in the list; and
    three of eight layers, none of them square. `fused_q_proj` ends like `q_proj`, `q_proj_in` begins like it, `proj`
    stands in it, and none is one; `fc1` has a digit that is no block's. Layers come in no order. Blocks differ in
    size, as in a pruned model, so that a block next to the right one shows; and no adapted layer gives out as much
    as another adapted one takes in, for A alone of one would be as large as B of the other.
    """
    generator = torch.Generator().manual_seed(seed)

    def size(least: int, most: int) -> int:
        return int(torch.randint(least, most, (), generator=generator))

    r, width, keys, inner = (
        (3, 5, 6, 7)[size(0, 4)],
        size(300, 900),
        size(50, 200),
        size(1000, 2000),
    )  # large: no two slips agree
    linears = {}
    for block in range(13):
        shapes = {"self_attn.q_proj": [width + 30, width], "self_attn.v_proj": [keys + 7 * block, width]}
        shapes |= {"self_attn.fused_q_proj": [keys + width + 1, width], "self_attn.q_proj_in": [keys + 3, width]}
        shapes |= {"mlp.fc1": [inner + 11 * block + 5, width], "mlp.proj": [keys + 5 * block + 2, width]}
        shapes |= {"mlp.up_proj": [inner + 9 * block, width], "mlp.down_proj": [width - 11, inner + 9 * block]}
        linears |= {f"model.layers.{block}.{name}": shape for name, shape in shapes.items()}
    names = list(linears)
    return {
        "linears": {names[place]: linears[names[place]] for place in torch.randperm(len(names), generator=generator)},
        "r": r,
        "lora_alpha": 2 * r + 3 + size(0, 3),
        "target_modules": ["q_proj", ("up_proj", "down_proj")[size(0, 2)], "fc1"],
        "layers_to_transform": [12, 1, size(3, 10)],
    }


def gradient_of_lora_b_inputs(seed: int) -> dict:
    """One layer's input, the gradient that arrives at its output, and a fresh A; r is no square, so that roots show."""
    generator = torch.Generator().manual_seed(seed)
    r = int(torch.randint(5, 8, (), generator=generator))
    tokens, width, out = 9, 16, 12
    return {
        "x": torch.randn(tokens, width, generator=generator),
        "output_gradient": torch.randn(tokens, out, generator=generator),
        "lora_A": torch.randn(r, width, generator=generator),
        "lora_alpha": 2 * r + 1 + int(torch.randint(1 if r == 7 else 2, (), generator=generator)),  # never 16
        "r": r,
    }
