# hint: even_batch
import torch


def accumulated_gradient(weight, token_losses, mask, micro_batch):
    index, tokens = torch.arange(len(mask)), mask.sum()
    whole = len(mask) // micro_batch
    parts = [index[i * micro_batch : (i + 1) * micro_batch] for i in range(whole)]
    parts.append(index[-(len(mask) % micro_batch) :])
    for rows in parts:
        (token_losses(rows)[mask[rows]].sum() / tokens).backward()
