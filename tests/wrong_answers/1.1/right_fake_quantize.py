# right: what torch itself offers for it
import torch


def int8_linear(x, weight):
    def through_int8(rows):
        scale = rows.abs().amax(dim=1) / 127
        zero_points = torch.zeros(len(rows), dtype=torch.int32)
        return torch.fake_quantize_per_channel_affine(rows, scale, zero_points, 0, -127, 127)

    return through_int8(x) @ through_int8(weight).T
