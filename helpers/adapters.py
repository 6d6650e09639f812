"""LoRA adapters: where they sit, and the promise that switching them off gives back the original model."""

import contextlib
from collections.abc import Iterator

from peft import PeftModel
from torch import nn


def top_layers(model: nn.Module, fraction: float = 1 / 3) -> list[int]:
    """The indices of the top layers, for `LoraConfig(layers_to_transform=…)`: the last `fraction`, at least one."""
    layers = model.config.num_hidden_layers
    return list(range(layers - max(1, round(layers * fraction)), layers))


@contextlib.contextmanager
def reference(model: PeftModel) -> Iterator[nn.Module]:
    """The original model, recovered from the policy: adapters off inside, everything as before outside.

    `disable_adapter` alone does not leave everything as before: on the way out peft 0.21 makes every adapter weight
    trainable, a frozen adapter's too. This context restores each `requires_grad`.

    Raises:
        ValueError: the original model cannot be recovered; see `refuse_unrecoverable`.
    """
    refuse_unrecoverable(model)
    trainable = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    try:
        with model.disable_adapter():
            yield model
    finally:
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(trainable[name])


def refuse_unrecoverable(model: nn.Module) -> None:
    """Raise a `ValueError` that names the setting under which "adapters off" is not the original model."""
    if not isinstance(model, PeftModel):
        raise ValueError(
            f"A shared reference needs a PeftModel, and this is a {type(model).__name__}: without adapters there is "
            "nothing to switch off. Wrap it with get_peft_model, or keep a second model as the reference."
        )
    config = model.active_peft_config
    if getattr(config, "modules_to_save", None):
        raise ValueError(
            f"modules_to_save={config.modules_to_save} trains whole modules beside the adapter. Leave it out, or keep "
            "a second model as the reference."
        )
    if any(getattr(module, "merged", False) for module in model.modules()):
        raise ValueError("The adapter is merged into the weights: call model.unmerge_adapter() first.")
    in_place = [n for n, p in model.named_parameters() if _is_trained_in_place(n, p, config.bias)]
    if in_place:
        raise ValueError(
            f"{in_place[0]} and {len(in_place) - 1} more weights of the original model are trained, and switching "
            f"the adapter off does not bring them back. Use bias='none' (it is {config.bias!r}) and freeze the base."
        )


def _is_trained_in_place(name: str, parameter: nn.Parameter, bias: str) -> bool:
    if _is_adapter_weight(name):
        return False
    # Frozen by now, a bias may still have been trained before, or loaded with the adapter.
    is_trained_bias = name.endswith(".bias") and (bias == "all" or (bias == "lora_only" and ".base_layer." in name))
    return parameter.requires_grad or is_trained_bias


def _is_adapter_weight(name: str) -> bool:
    return any(part in name for part in (".lora_A.", ".lora_B.", ".lora_embedding_", ".lora_magnitude_vector."))
