# hint: block_size_typed_in
import torch


def nf4_round_trip(weight, levels, block_size):
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit

    return dequantize_4bit(*quantize_4bit(weight, blocksize=64, quant_type="nf4"))
