"""Every equation of the course, on tensors. No model, no file, no state: each can be checked with a pencil."""

import torch
from torch import Tensor
from torch.nn import functional


def absmax_quantize(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Quantize each row to whole numbers from -127 to 127 by its largest magnitude.

        q = round(127 · x / max|x|)      Dettmers et al. (2022), "LLM.int8()", equation 1, one scale a row

    Args:
        rows: (rows, columns), a float dtype.

    Returns:
        The codes, (rows, columns), int8, and max|x| of each row, (rows,), float32.
    """
    absmax = rows.abs().amax(dim=1).float()
    codes = torch.round(rows.float() * (127 / absmax.clamp_min(torch.finfo(torch.float32).tiny))[:, None])
    return codes.to(torch.int8), absmax


def absmax_dequantize(codes: Tensor, absmax: Tensor) -> Tensor:
    """Turn int8 codes back into numbers: q · max|x| / 127; (rows, columns), float32. Off by half a step at most."""
    return codes.float() * (absmax[:, None] / 127)


def lora_output(x: Tensor, weight: Tensor, lora_A: Tensor, lora_B: Tensor, scaling: float) -> Tensor:
    """What a linear layer with a LoRA adapter computes, without a bias.

        y = x Wᵀ + scaling · (x Aᵀ) Bᵀ,   scaling = alpha / r      Hu et al. (2021), "LoRA", equation 3

    Args:
        x: (…, inputs).
        weight: (outputs, inputs), frozen.
        lora_A: (r, inputs), drawn at random.
        lora_B: (outputs, r), zero at the start, so that training starts from the original model.
        scaling: alpha / r.

    Returns:
        (…, outputs).
    """
    return x @ weight.T + scaling * (x @ lora_A.T) @ lora_B.T


def token_logprobs(logits: Tensor, tokens: Tensor) -> Tensor:
    """Log-probability of each token given those before it: logits at position t speak about token t + 1.

    Args:
        logits: (batch, length, vocabulary), what a causal model returns for `tokens`.
        tokens: (batch, length), int64.

    Returns:
        (batch, length - 1), nats, float32: entry t belongs to tokens[:, t + 1].

    Raises:
        ValueError: logits and tokens are not of the same batch and length.
    """
    if logits.shape[:2] != tokens.shape:
        raise ValueError(f"Logits of {tuple(logits.shape[:2])} do not belong to tokens of {tuple(tokens.shape)}.")
    logprobs = functional.log_softmax(logits[:, :-1].float(), dim=-1)
    return logprobs.gather(-1, tokens[:, 1:, None]).squeeze(-1)


def kl_per_token(policy_logprobs: Tensor, reference_logprobs: Tensor) -> Tensor:
    """Estimate KL(policy || reference) at each token from the one token the policy sampled there.

        k3 = r - 1 - log r,   r = reference / policy      Schulman (2020), "Approximating KL Divergence"

    Never negative, 0 where the models agree, and exact on average over tokens *sampled from the policy*.
    It measures. As a loss, on tokens of the policy, its gradient is that of the *other* KL, KL(reference || policy).

    Args:
        policy_logprobs: (batch, response), nats: log-probabilities of the sampled tokens.
        reference_logprobs: (batch, response), nats: of the same tokens, under the reference.

    Returns:
        (batch, response), nats, in the dtype of the inputs.

    Raises:
        ValueError: the shapes differ. Broadcasting would silently compare different tokens.
    """
    if policy_logprobs.shape != reference_logprobs.shape:
        raise ValueError(
            f"The policy has log-probs of shape {tuple(policy_logprobs.shape)}, the reference of "
            f"{tuple(reference_logprobs.shape)}: give both for the same tokens."
        )
    log_r = reference_logprobs - policy_logprobs
    return torch.expm1(log_r) - log_r


def bradley_terry_loss(first_scores: Tensor, second_scores: Tensor, preferences: Tensor) -> Tensor:
    """Cross-entropy between what people prefer and what two scores say they would.

        P(first preferred) = sigmoid(first - second)      Bradley & Terry (1952)

    Args:
        first_scores, second_scores: (pairs,), any unit: only differences count.
        preferences: (pairs,), in [0, 1]: the share of people who prefer the first.

    Returns:
        A scalar, nats a pair.
    """
    return functional.binary_cross_entropy_with_logits(first_scores - second_scores, preferences)


def agreement(score_gaps: Tensor, rating_gaps: Tensor) -> tuple[float, float]:
    """The share of pairs that scores put in the same order as people, and the half-width of its 95% interval.

    A tie of the scores counts as half. The interval is p ± 1.96 √(p (1 - p) / n), for pairs that share no sentence.

    Args:
        score_gaps, rating_gaps: (pairs,): first minus second; no rating gap is 0.
    """
    right = (score_gaps * rating_gaps > 0).double() + 0.5 * (score_gaps == 0)
    share = right.mean().item()
    return share, 1.96 * (share * (1 - share) / len(right)) ** 0.5


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over the entries where `mask` is true; a scalar. Entries outside, whatever they hold, do not count."""
    return torch.where(mask, values, 0).sum() / mask.sum()


def rewards_per_token(
    scores: Tensor, policy_logprobs: Tensor, reference_logprobs: Tensor, mask: Tensor, kl_coef: float
) -> Tensor:
    """What PPO is paid for each token: the price of drifting, and at the last real token the score of the text.

        r_t = - kl_coef · (log policy - log reference) + [t is last] · score      Ziegler et al. (2019), equation 2

    This is k1, whose expected gradient is that of the KL penalty; `kl_per_token` (k3) is for logging.

    Args:
        scores: (batch,), of whole texts.
        policy_logprobs, reference_logprobs: (batch, response), nats, of the sampled tokens.
        mask: (batch, response), bool: true up to and including the end token; each row has at least one true entry.
        kl_coef: score units a nat.

    Returns:
        (batch, response), 0 outside the mask.
    """
    rewards = torch.where(mask, -kl_coef * (policy_logprobs - reference_logprobs), 0)
    last = mask.sum(1, keepdim=True) - 1
    return rewards.scatter_add(1, last, scores[:, None].to(rewards.dtype))


def advantages_and_returns(rewards: Tensor, values: Tensor, mask: Tensor, gamma: float, lam: float):
    """Generalized advantage estimation, and what the value head should have said.

        delta_t = r_t + gamma · V_{t+1} - V_t,   A_t = sum over k of (gamma · lam)^k · delta_{t+k}
        R_t = A_t + V_t      Schulman et al. (2016), "High-Dimensional Continuous Control Using GAE", equation 16

    V is 0 behind the last real token.

    Args:
        rewards, values: (batch, response).
        mask: (batch, response), bool.
        gamma, lam: in [0, 1].

    Returns:
        Advantages (not whitened) and returns, both (batch, response), 0 outside the mask.
    """
    values, rewards = torch.where(mask, values, 0), torch.where(mask, rewards, 0)
    following = torch.cat([values[:, 1:], torch.zeros_like(values[:, :1])], dim=1)
    deltas = rewards + gamma * following - values
    advantages, running = torch.zeros_like(deltas), torch.zeros_like(deltas[:, 0])
    for t in reversed(range(deltas.shape[1])):
        running = deltas[:, t] + gamma * lam * running
        advantages[:, t] = running
    advantages = torch.where(mask, advantages, 0)
    return advantages, torch.where(mask, advantages + values, 0)


def policy_losses(logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, cliprange: float) -> Tensor:
    """The clipped objective of PPO at each token, as a loss.

        L = - min(ratio · A, clip(ratio, 1 - cliprange, 1 + cliprange) · A),   ratio = exp(new - old)
        Schulman et al. (2017), "Proximal Policy Optimization Algorithms", equation 7

    Args:
        logprobs: (batch, response), nats, with gradients; old_logprobs: the same at rollout time.
        advantages: (batch, response).

    Returns:
        (batch, response): no mean is taken, so that micro-batches of different token counts can be summed.
    """
    ratio = torch.exp(logprobs - old_logprobs)
    clipped = ratio.clamp(1 - cliprange, 1 + cliprange)
    return torch.maximum(-ratio * advantages, -clipped * advantages)


def value_losses(values: Tensor, old_values: Tensor, returns: Tensor, cliprange_value: float) -> Tensor:
    """Half the squared error of values that may move at most `cliprange_value` from the *old* ones; (batch, response).

    The larger of the clipped and the plain error counts, as in OpenAI's baselines (`ppo2`).
    """
    clipped = old_values + (values - old_values).clamp(-cliprange_value, cliprange_value)
    return 0.5 * torch.maximum((values - returns).square(), (clipped - returns).square())


def adapted_kl_coef(kl_coef: float, kl: float, target: float, horizon: int, episodes: int) -> float:
    """The KL coefficient after an update, moved towards the one that keeps the KL at `target`.

        coef · (1 + error · episodes / horizon),   error = clip(kl / target - 1, -0.2, 0.2)
        Ziegler et al. (2019), section 2.2

    Args:
        kl, target: nats a response, of the last rollout and wanted.
        horizon, episodes: responses over which the coefficient may change by a fifth, and responses of this update.
    """
    error = max(-0.2, min(0.2, kl / target - 1))
    return kl_coef * (1 + error * episodes / horizon)
