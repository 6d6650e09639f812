"""Verdicts on two exercises of lesson 2: how many weights a configuration trains, and an adapter's first gradient."""

from collections.abc import Callable, Iterator
from math import sqrt

import torch
from torch import Tensor, nn

from helpers.checks.verdicts.compare import Causes, Verdict, agree, failed, number_verdict, tensor_verdict

_TRAINED_WEIGHTS_HINTS = {
    "all_layers": "You counted an adapter in all blocks. `layers_to_transform` lists the numbers of those that get "
    "one.",
    "all_modules": "You counted an adapter on every linear layer. `target_modules` lists the names of those that get "
    "one.",
    "full_weights": "You counted the weights of the adapted layers themselves. They are frozen: trained are A, (r, "
    "in), and B, (out, r).",
    "frozen_too": "You counted the frozen weights as well. Only A, (r, in), and B, (out, r), are trained; the weight "
    "beside them is not.",
    "product": "You multiplied out by in by r. The two matrices stand beside each other: r * in + out * r.",
    "a_alone": "You counted A alone. B, (out, r), is trained too.",
    "b_alone": "You counted B alone. A, (r, in), is trained too.",
    "square_only": "You took every layer for a square one: 2 * r * in (or out). A has r * in numbers and B has out * "
    "r.",
    "digits_in_the_name": 'You went by digits of the name: "1" is in "10" and "11" too, 11 ends like 1, and `fc1` '
    "has a digit that is no block's. Split the name at its dots and compare whole numbers.",
    "digits_in_the_list": 'You looked for a block\'s number in the list written as text: "2" is in "[1, 12]" too. '
    "Compare whole numbers: int(…) in layers_to_transform.",
    "nothing_counted": "No layer met your conditions. A part of a name is a string, and `layers_to_transform` holds "
    'whole numbers: "11" is not 11. (And if the conditions are right: does `return` stand inside the loop?)',
    "one_of_two": "You counted layers that meet one of the two conditions. A layer needs both, the block and the name: "
    "`and`, not `or`.",
    "endings": "You took `fused_q_proj` or `q_proj_in` for a `q_proj`. peft compares whole parts of a name, between "
    "dots.",
    "first_blocks": "You counted as many blocks as `layers_to_transform` is long, or the first or last ones. It holds "
    "their *numbers*: look for a range, a slice, a len() or a single entry such as [0].",
    "next_block": "You adapted the blocks beside those asked for. The number in a name is the number of the block: "
    "compare it as it is, without + 1 or - 1.",
    "one_name": "You counted one of the names in `target_modules`. A layer gets an adapter if its name is any of them.",
    "one_layer": "You counted a single layer. Does `return` stand inside the loop? It ends the function at once.",
    "scaled": "lora_alpha scales what the adapter adds. It trains nothing.",
    "in_bytes": "This is twice or four times what is due: bytes, or each adapter counted more than once. Asked is the "
    "number of weights.",
    "name_in_the_list": "You looked for a layer's name in the list written as text: `proj` is in \"['q_proj', …]\" "
    "too. Compare with each name of the list.",
    "names_typed_in": "You typed in names, such as q_proj and v_proj. `target_modules` is an argument of the function.",
    "bias_counted": "You counted biases, too: one more number for each output (or for each row of A). There are none: "
    "A and B are all that an adapter holds.",
    "bracket_forgotten": "r multiplies one of the two sizes only. A is (r, in) and B is (out, r): look where your "
    "bracket is.",
    "sizes_typed_in": "You typed in a number, a size such as 576 or a rank such as 8. Each layer comes with its own "
    "[out, in] in `linears`, and r is an argument.",
    "r_forgotten": "r is missing: each adapter has r rows of A and r columns of B.",
}


def trained_weights_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against peft: the model is built without memory, adapted, and its trainable weights are counted."""
    due = float(_counted_by_peft(**inputs))
    return number_verdict(outputs, due, _counting_causes(**inputs), _TRAINED_WEIGHTS_HINTS, tolerance=1e-9)


def _counted_by_peft(linears, r, lora_alpha, target_modules, layers_to_transform) -> int:
    from peft import LoraConfig, get_peft_model

    model = nn.Module()
    for name, (out, width) in linears.items():
        *path, last = name.split(".")
        parent = model
        for part in path:
            if not hasattr(parent, part):
                parent.add_module(part, nn.Module())
            parent = getattr(parent, part)
        parent.add_module(last, nn.Linear(width, out, bias=False, device="meta"))
    config = LoraConfig(
        r=r, lora_alpha=lora_alpha, target_modules=target_modules, layers_to_transform=layers_to_transform
    )
    return sum(p.numel() for p in get_peft_model(model, config).parameters() if p.requires_grad)


def _counting_causes(linears, r, lora_alpha, target_modules, layers_to_transform) -> Iterator[tuple[str, float]]:
    def is_in_layer(name: str) -> bool:
        return int(name.split(".")[2]) in layers_to_transform

    def is_target(name: str) -> bool:
        return name.split(".")[-1] in target_modules

    def total(of=lambda out, width: r * (out + width), layer=is_in_layer, target=is_target) -> int:
        return sum(of(*shape) for name, shape in linears.items() if layer(name) and target(name))

    due = total()
    yield "digits_in_the_name", total(layer=lambda name: any(str(n) in name for n in layers_to_transform))
    yield "digits_in_the_list", total(layer=lambda name: name.split(".")[2] in str(layers_to_transform))
    for target in (
        lambda name: name.endswith(tuple(target_modules)),
        lambda name: any(t in name for t in target_modules),
        lambda name: name.split(".")[-1].startswith(tuple(target_modules)),
    ):
        yield "endings", total(target=target)
        yield "endings", total(target=target, layer=lambda name: True)
    yield "name_in_the_list", total(target=lambda name: name.split(".")[-1] in str(target_modules))
    yield "names_typed_in", total(target=lambda name: name.split(".")[-1] in ("q_proj", "v_proj"))
    yield from (("sizes_typed_in", due / r * rank) for rank in (8, 16))
    for part in (lambda n: f"{n}.", lambda n: f".{n}"):
        yield (
            "digits_in_the_name",
            total(layer=lambda name, part=part: any(part(n) in name for n in layers_to_transform)),
        )
    yield "digits_in_the_name", total(layer=lambda name: int(name.split(".")[2][-1]) in layers_to_transform)
    yield "digits_in_the_name", total(layer=lambda name: _all_digits(name) in layers_to_transform)
    yield "nothing_counted", 0
    yield "one_of_two", total(layer=lambda name: is_in_layer(name) or is_target(name), target=lambda name: True)
    yield "all_layers", total(layer=lambda name: True)
    for layer in (is_in_layer, lambda name: True):
        yield "all_modules", total(target=lambda name: True, layer=layer)
    yield from [
        ("full_weights", total(lambda out, width: out * width)),
        ("frozen_too", total(lambda out, width: out * width + r * (out + width))),
        ("frozen_too", due + sum(out * width for out, width in linears.values())),
        ("product", total(lambda out, width: r * out * width)),
        ("a_alone", total(lambda out, width: r * width)),
        ("b_alone", total(lambda out, width: r * out)),
        ("square_only", total(lambda out, width: 2 * r * width)),
        ("square_only", total(lambda out, width: 2 * r * out)),
        *(("one_name", total(target=lambda name, of=of: name.split(".")[-1] == of)) for of in target_modules),
        *(("one_layer", r * sum(shape)) for name, shape in linears.items() if is_in_layer(name) and is_target(name)),
        ("bias_counted", total(lambda out, width: r * (out + width) + out)),
        ("bias_counted", total(lambda out, width: r * (out + width) + out + r)),
        ("bracket_forgotten", total(lambda out, width: r * width + out)),
        ("bracket_forgotten", total(lambda out, width: r * out + width)),
        *(("sizes_typed_in", total(lambda out, width, rank=rank: rank * (576 + 576))) for rank in (r, 8)),
        ("r_forgotten", due / r),
        ("scaled", due * lora_alpha),
        ("scaled", due * lora_alpha / r),
    ]
    for shift in (-1, 1):
        yield (
            "next_block",
            total(layer=lambda name, shift=shift: int(name.split(".")[2]) + shift in layers_to_transform),
        )
    yield from (("first_blocks", count) for count in _of_other_blocks(linears, layers_to_transform, total))
    yield from [("in_bytes", due * size) for size in (2, 4)]


def _all_digits(name: str) -> int:
    return int("".join(letter for letter in name if letter.isdigit()))


def _of_other_blocks(linears, layers_to_transform, total: Callable) -> Iterator[int]:
    """What is counted where the list of block numbers is taken for a length or for the ends of a range."""
    blocks = sorted({int(name.split(".")[2]) for name in linears})
    length, first, last = len(layers_to_transform), min(layers_to_transform), max(layers_to_transform)
    some = [part for end in range(1, length) for part in (layers_to_transform[:end], layers_to_transform[end:])]
    for others in (blocks[:length], blocks[-length:], range(first, last), range(first, last + 1), *some):
        yield total(layer=lambda name, others=others: int(name.split(".")[2]) in others)
    of_name = {name.split(".")[-1]: name for name in linears}  # the last of each
    yield length * total(layer=lambda name: name in of_name.values())
    for block in (blocks[0], blocks[-1]):
        yield length * total(layer=lambda name, block=block: int(name.split(".")[2]) == block)


_GRADIENT_HINTS = {
    "alpha_over_r": "You scaled by lora_alpha / r. That is LoRA; in rsLoRA it is lora_alpha / sqrt(r).",
    "not_scaled": "The scale is missing. The output holds it, so the gradient does: a louder adapter learns faster, "
    "too.",
    "root_of_both": "You took the root of all of lora_alpha / r. The root is of r alone.",
    "root_rounded": "The root of r, or the scale, was rounded to a whole number: int(…), round(…) or // does it. The "
    "root is r**0.5, about 2.6 for r = 7.",
    "alpha_alone": "You scaled by lora_alpha alone. In rsLoRA it is divided by the root of r.",
    "alpha_forgotten": "lora_alpha is missing: the scale is lora_alpha / sqrt(r).",
    "precedence": "`r ** 1/2` is (r ** 1) / 2: a power comes before a division. Write r**0.5.",
    "counted_twice": "This is twice the gradient: backward() ran twice, or a term is in your sum twice.",
    "typed_in": "The scale holds a number of the cell below, 16 or 8**0.5. lora_alpha and r are arguments of the "
    "function.",
    "upside_down": "Your scale is upside down: it is lora_alpha / sqrt(r).",
    "times_root_r": "You multiplied by the root of r. It divides: the scale is lora_alpha / sqrt(r).",
    "scaled_twice": "The scale went in twice. It stands once in the formula of the output.",
    "averaged": "You averaged over the tokens. The gradient of a sum is the *sum* over tokens; if the loss is a mean, "
    "output_gradient already holds the division.",
    "gradient_ignored": "output_gradient is not in your result: you took it for 1 everywhere, as y.sum().backward() "
    "does. Each token's output gradient multiplies what that token put into B.",
    "wrong_sign": "The sign is the other way round. Asked is the gradient; it is the optimizer that goes against it.",
    "outer_of_sums": "You summed over tokens before multiplying. Each token's output gradient belongs to that token's "
    "own input: multiply token by token, then sum, which is what a matrix product does.",
    "result_transposed": "Your gradient lies on its side: {got_shape} for {due_shape}. It has the shape of lora_B, "
    "(out, r).",
    "zero": "This is all zeros, which is the gradient of *A* at the start: it passes through B, and B is zero. The "
    "gradient of B does not.",
    "taken_for_a_target": "You took output_gradient for a target, and the loss for the squared distance to it. It is a "
    "gradient already: of the loss, with respect to the output. What is left of the way back to B?",
    "one_token": "One token alone counts in your result. All tokens pass through the same B: what each of them gives "
    "adds up. (In a loop, = writes over what += would add to.)",
    "a_twice": "You have one lora_A too many: {got_shape} for {due_shape}. B multiplies what comes out of A; on the "
    "way back, A comes after B.",
    "without_a": "This is the gradient of the weight, {got_shape}: lora_A is missing. B multiplies what comes out of "
    "A, x @ lora_A.T, and not x, so its gradient is {due_shape}.",
}


def gradient_of_lora_b_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against autograd, through a layer that peft adapted with use_rslora=True, in float64."""
    due, got = _gradient_through_peft(**inputs), outputs["output"]
    if outputs["kind"] == "Tensor" and got.shape == (len(due), inputs["lora_A"].shape[1]):
        return failed(_cause_of_width(got, **inputs), got, due, _GRADIENT_HINTS)
    return tensor_verdict(outputs, due, _gradient_causes(**inputs), _GRADIENT_HINTS)


def _cause_of_width(got: Tensor, x, output_gradient, lora_A, **_) -> str:
    """Why it has the shape of the weight: without lora_A, or with it twice, by whatever number it is scaled."""
    x, gradient, lora_A = x.double(), output_gradient.double(), lora_A.double()
    without = (gradient.T @ x, torch.ones_like(gradient).T @ x, torch.outer(gradient.sum(0), x.sum(0)))
    twice = gradient.T @ x @ lora_A.T @ lora_A
    for name, wrong in (*(("without_a", each) for each in without), ("a_twice", twice)):
        factor = (got * wrong).sum() / wrong.square().sum()
        if factor and agree(got, factor * wrong):
            return name
    return "shape"


def _gradient_through_peft(x, output_gradient, lora_A, lora_alpha, r) -> Tensor:
    from peft import LoraConfig, get_peft_model

    layer = nn.Linear(x.shape[1], output_gradient.shape[1], bias=False)
    config = LoraConfig(r=r, lora_alpha=lora_alpha, target_modules=["0"], use_rslora=True)
    model = get_peft_model(nn.Sequential(layer).double(), config)
    adapted = model.base_model.model[0]
    adapted.lora_A["default"].weight.data = lora_A.double()
    model(x.double()).backward(output_gradient.double())
    return adapted.lora_B["default"].weight.grad


def _gradient_causes(x, output_gradient, lora_A, lora_alpha, r) -> Causes:
    x, gradient, lora_A = x.double(), output_gradient.double(), lora_A.double()
    product, scale = gradient.T @ (x @ lora_A.T), lora_alpha / sqrt(r)
    for name, factor in {
        "alpha_over_r": lora_alpha / r,
        "not_scaled": 1,
        "root_of_both": sqrt(lora_alpha / r),
        "upside_down": sqrt(r) / lora_alpha,
        "times_root_r": lora_alpha * sqrt(r),
        "scaled_twice": scale**2,
        "alpha_alone": lora_alpha,
        "alpha_forgotten": 1 / sqrt(r),
        "counted_twice": 2 * scale,
        "averaged": scale / len(x),
        "wrong_sign": -scale,
        "zero": 0,
    }.items():
        yield name, product * factor
    yield from (("precedence", product * factor) for factor in (lora_alpha / r / 2, 2 * lora_alpha / r))
    for root in (int(sqrt(r)), round(sqrt(r))):
        yield "root_rounded", product * lora_alpha / root
    for whole in (int(scale), round(scale)):
        yield "root_rounded", product * whole
    yield from (("typed_in", product * factor) for factor in (16 / sqrt(8), 16 / sqrt(r), lora_alpha / sqrt(8)))
    yield "averaged", product * scale / gradient.numel()
    for factor in (scale, lora_alpha / r, 1):
        yield "gradient_ignored", torch.ones_like(gradient).T @ (x @ lora_A.T) * factor
    for factor in (1, lora_alpha / r):
        yield "averaged", product * factor / len(x)
        yield "wrong_sign", -product * factor
    for factor in (scale, lora_alpha / r, 1):
        yield from (("one_token", torch.outer(gradient[n], lora_A @ x[n]) * factor) for n in range(len(x)))
        yield from (("taken_for_a_target", -2 * product * factor / n) for n in (1, len(x), gradient.numel()))
    for factor in (scale, lora_alpha / r, 1, scale / len(x), scale / len(x) ** 2):
        yield "outer_of_sums", torch.outer(gradient.sum(0), (x @ lora_A.T).sum(0)) * factor
