"""LoRA adapters: where they sit, and the promise that switching them off gives back the original model."""

import contextlib
import hashlib
from collections.abc import Iterator

import torch
from peft import PeftConfig, PeftModel, PeftType
from torch import nn

# What peft's `init_lora_weights` may name that takes the start of the adapter out of the base's own weights.
CHANGES_THE_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")


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


def checksum_of_base(model: nn.Module) -> str:
    """SHA-256 over all that is saved of the original: names, shapes and numbers of floats, 8-bit weights and scales.

    The same with LoRA adapters and without; training them does not change it, one bit of the original does. What no
    file of the model holds, such as the epsilon of a norm, cannot be seen.

    Raises:
        ValueError: a peft adapter other than LoRA, whose weights cannot be told from the original's.
    """
    kinds = {config.peft_type for config in getattr(model, "peft_config", {}).values()} - {PeftType.LORA}
    if kinds:
        raise ValueError(f"The model has adapters of kind {kinds.pop().value}; only LoRA's are told from the original.")
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        if not _is_adapter_weight(name) and ".modules_to_save." not in name:
            name = name.removeprefix("base_model.model.").replace(".base_layer.", ".").replace(".original_module.", ".")
            digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype} ".encode())
            digest.update(tensor.cpu().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def refuse_unrecoverable(model: nn.Module) -> None:
    """Raise a `ValueError` that names the setting under which "adapters off" is not the original model.

    All adapters count, also those that are off. What no setting tells cannot be seen: base weights that were trained
    (or written over) and then frozen are taken for the original model.
    """
    if not isinstance(model, PeftModel):
        raise ValueError(
            f"A shared reference needs a PeftModel, and this is a {type(model).__name__}: without adapters there is "
            "nothing to switch off. Wrap it with get_peft_model, or keep a second model as the reference."
        )
    for name, config in model.peft_config.items():
        _refuse_config(name, config)
    if any(getattr(module, "merged", False) for module in model.modules()):
        raise ValueError("The adapter is merged into the weights: call model.unmerge_adapter() first.")
    biases = {config.bias for config in model.peft_config.values()} - {"none"}
    in_place = [n for n, p in model.named_parameters() if _is_trained_in_place(n, p, biases)]
    if in_place:
        found = f"Use bias='none' (it is {sorted(biases)[0]!r}) and freeze" if biases else "Freeze"
        raise ValueError(
            f"{in_place[0]} and {len(in_place) - 1} more weights of the original model are trained, and switching "
            f"the adapter off does not bring them back. {found} the base."
        )


def _refuse_config(name: str, config: PeftConfig) -> None:
    second = "keep a second model as the reference."
    kind = getattr(config.peft_type, "value", config.peft_type)
    if kind != "LORA":
        raise ValueError(f"A shared reference needs LoRA adapters; {name!r} is {kind}. Use LoraConfig, or {second}")
    for setting in ("modules_to_save", "trainable_token_indices"):
        if value := getattr(config, setting, None):
            raise ValueError(f"{setting}={value} trains weights beside the adapter {name!r}. Leave it out, or {second}")
    start = str(config.init_lora_weights).lower()
    if start.startswith(CHANGES_THE_BASE):
        raise ValueError(
            f"init_lora_weights={config.init_lora_weights!r} of the adapter {name!r} changes the weights of the base. "
            f"Leave it out, or {second}"
        )
    for setting in ("layer_replication", "kasa_config"):
        if value := getattr(config, setting, None):
            raise ValueError(f"{setting}={value} of the adapter {name!r} changes the base. Leave it out, or {second}")


def _is_trained_in_place(name: str, parameter: nn.Parameter, biases: set[str]) -> bool:
    if _is_adapter_weight(name):
        return False
    # Frozen by now, a bias may still have been trained before, or loaded with the adapter.
    is_bias = name.endswith(".bias")
    return parameter.requires_grad or (
        is_bias and ("all" in biases or ("lora_only" in biases and ".base_layer." in name))
    )


def _is_adapter_weight(name: str) -> bool:
    return any(part in name for part in (".lora_A.", ".lora_B.", ".lora_embedding_", ".lora_magnitude_vector."))
