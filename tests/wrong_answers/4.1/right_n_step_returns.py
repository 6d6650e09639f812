# right: n-step returns of each token, mixed with the weights of λ
import torch


def lambda_returns(rewards, values, mask, gamma, lam):
    r, v = rewards.double() * mask, values.double() * mask
    B, T = r.shape
    out = torch.zeros(B, T, dtype=torch.float64)
    for b in range(B):
        L = int(mask[b].sum())
        for t in range(L):
            G, disc = 0.0, 1.0
            for n in range(1, L - t + 1):
                G = G + disc * r[b, t + n - 1]; disc *= gamma
                boot = disc * v[b, t + n] if t + n < L else 0.0
                weight = (1 - lam) * lam ** (n - 1) if t + n < L else lam ** (n - 1)
                out[b, t] += weight * (G + boot)
    return out.float()
