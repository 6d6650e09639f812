"""Which device a run is on, and the float precision that suits it: one place chooses both."""

import torch


def default_device() -> str:
    """ "cuda" if there is an NVIDIA GPU, else "cpu" (bitsandbytes' 8-bit layers do not run on Apple's MPS)."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def best_precision() -> tuple[str, str]:
    """The float precision that suits this machine and the reason, e.g. ("fp16", "Tesla T4 has no native bfloat16").

    A T4 *answers* that it supports bfloat16, by emulation, so the compute capability decides (8.0, Ampere, is the
    first with it); on a CPU, bfloat16 is fast only where there are instructions for it.
    """
    if torch.cuda.is_available():
        native = torch.cuda.get_device_capability()[0] >= 8
        name = torch.cuda.get_device_name()
        return ("bf16", f"{name} has native bfloat16") if native else ("fp16", f"{name} has no native bfloat16")
    if torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported():
        return "bf16", "this CPU has native bfloat16 instructions"
    return "fp32", "this CPU has no native bfloat16 instructions"
