"""Inputs and calls of exercises 3.2 to 3.4: the KL, the reward of each token, and the clipped loss."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Distribution

from helpers.checks.calls.observe import TENSOR_OUTPUTS, call_again, call_for_number, call_for_tensor, calls_of, kind
from helpers.formulas import policy_losses, rewards_per_token

KL_PER_POSITION_OUTPUTS = TENSOR_OUTPUTS
# "left_to_helper": to the function that the trainer calls for it.
TOKEN_REWARDS_OUTPUTS = {**TENSOR_OUTPUTS, "left_to_helper": bool} | {
    f"{other}_{part}": of for other in ("cut", "fewer") for part, of in (("output", Tensor), ("kind", str))
}
CLIPRANGES = (0.2, 0.1, 0.3)  # a range that was typed in fits one of them
CLIPPED_LOSS_OUTPUTS = {
    name: of
    for number in range(1, len(CLIPRANGES) + 1)
    for name, of in ((f"loss_{number}", float), (f"kind_{number}", str), (f"gradient_{number}", Tensor))
} | {"inputs_changed": bool, "left_to_helper": bool, "dimensions": int}  # the most of a tensor of one number; 0 is due
_ROWS = 4


def kl_per_position_inputs(seed: int) -> dict:
    """Logits of two models, drawn apart.

    One padded position holds -inf alone, another one -inf in the reference. At one token the reference is nearly sure
    that it does not come, which the policy thinks likeliest. Of another the policy is so sure that its probability is
    0 in float32, and the logarithm of that is not finite. At a third each model's logits are so large that exp() of
    them is infinite: logits are known up to a constant alone.
    """
    generator = torch.Generator().manual_seed(seed)
    policy, reference = 1.5 * torch.randn(2, _ROWS, 6, 11, generator=generator)
    mask = _mask(_ROWS, 6, generator)
    last = torch.where(~mask)
    policy[last[0][-1], last[1][-1]] = -torch.inf
    reference[last[0][0], last[1][0], 0] = -torch.inf
    reference[0, 0, policy[0, 0].argmax()] -= 70
    policy[2, 0, reference[2, 0].argmin()] -= 120
    policy[1, 0] += 100
    reference[1, 0] += 105
    return {"policy_logits": policy, "reference_logits": reference, "mask": mask}


def call_kl_per_position(answer: Callable, inputs: dict) -> dict:
    """Call the answer with torch.distributions as it is once peft was imported: it takes logits of -inf as they are."""
    before = Distribution._validate_args
    Distribution.set_default_validate_args(False)
    try:
        return call_for_tensor(answer, inputs)
    finally:
        Distribution.set_default_validate_args(before)


def clipped_loss_inputs(seed: int) -> dict:
    """Log-probabilities that moved by about a third of a nat, up and down, under advantages of either sign.

    A few moved by 2.5 nats, and two advantages are 12 and -12: a bound that nobody asked for shows there.
    """
    generator = torch.Generator().manual_seed(seed)
    old = -3 * torch.rand(_ROWS, 40, generator=generator) - 0.5
    new = old + 0.35 * torch.randn(old.shape, generator=generator)
    advantages = torch.randn(old.shape, generator=generator) + 0.4
    far = torch.tensor([2.5, 2.5, 2.5, 2.5, -2.5, -2.5])
    old[0, :6] = -4 + (far < 0) * 3.3
    new[0, :6] = old[0, :6] + far
    advantages[0, :8] = torch.tensor([1.1, -0.9, 0.6, -0.7, 0.8, -1.2, 12.0, -12.0])
    mask = _mask(_ROWS, 40, generator)
    return {"new_logprobs": new, "old_logprobs": old, "advantages": advantages, "mask": mask}


def call_clipped_loss(answer: Callable, inputs: dict) -> dict:
    """Call the answer once with each range, and follow its loss back to the new log-probabilities."""
    found = {"inputs_changed": False, "left_to_helper": False, "dimensions": 0}
    for number, cliprange in enumerate(CLIPRANGES, start=1):
        seen = []

        def followed(new: Tensor, *others, seen: list = seen) -> object:
            leaf = new.clone().requires_grad_()
            given = 1 * leaf  # no leaf, as in a trainer: what is done to it in place is seen, and no error
            value = answer(given, *others)
            new.copy_(given.detach())
            dimensions = value.dim() if kind(value) == "Tensor" and value.numel() == 1 else 0
            seen.append((_gradient(value, leaf), dimensions))
            return value

        with calls_of(policy_losses) as calls:
            one = call_for_number(followed, {**inputs, "cliprange": cliprange})
        found |= {f"loss_{number}": one["output"], f"kind_{number}": one["kind"], f"gradient_{number}": seen[0][0]}
        found["inputs_changed"] |= one["inputs_changed"]
        found["left_to_helper"] |= bool(calls)
        found["dimensions"] = max(found["dimensions"], seen[0][1])
    return found


def _gradient(value: object, leaf: Tensor) -> Tensor:
    """That of one number with respect to the leaf; empty where it has none."""
    if not isinstance(value, Tensor) or value.numel() != 1 or not value.requires_grad:
        return torch.empty(0)
    (gradient,) = torch.autograd.grad(value.sum(), leaf, retain_graph=True, allow_unused=True)
    return torch.empty(0) if gradient is None else gradient


def token_rewards_inputs(seed: int) -> dict:
    """Prompts padded on the left, responses padded on the right, and log-probabilities at the padding too.

    The last column is padding in every row. In three, log-probabilities are -inf there: of both models, whose
    difference is nan, of the policy or of the reference. In the other one policy and reference are equal, so that no
    token pays. At one token of another row they are 12 nats apart. Scores are of either sign, and one is beyond 10.
    """
    generator = torch.Generator().manual_seed(seed)
    prompt, response = 5 + int(torch.randint(3, (), generator=generator)), 11
    policy, reference = -4 * torch.rand(2, _ROWS, response, generator=generator) - 0.1
    policy[:2, -1], reference[0, -1], reference[3, -1] = -torch.inf, -torch.inf, -torch.inf
    prompts = 1 + torch.randperm(_ROWS, generator=generator)  # real tokens: 1 to 4 of a prompt, 1 to 6 of a response
    responses = (1 + torch.randperm(6, generator=generator))[:_ROWS]
    reference[2] = policy[2]
    reference[0, 0], policy[1, 0] = policy[0, 0] - 12, reference[1, 0] - 2  # a penalty of either sign
    scores = (2 + torch.rand(_ROWS, generator=generator)) * torch.tensor([1.0, -1.0, 1.0, -1.0])
    scores = (scores * torch.tensor([1.0, 1.0, 1.0, 6.0]))[torch.randperm(_ROWS, generator=generator)]
    is_prompt = torch.arange(prompt) >= prompt - prompts[:, None]
    is_response = torch.arange(response) < responses[:, None]
    return {
        "scores": scores,
        "policy_logprobs": policy,
        "reference_logprobs": reference,
        "mask": torch.cat([is_prompt, is_response], 1),
        "kl_coef": 0.05 + 0.1 * torch.rand((), generator=generator).item(),
    }


def cut(inputs: dict) -> dict:
    """The same without the columns that are padding in every row: the longest response fills its row."""
    mask, response = inputs["mask"], inputs["policy_logprobs"].shape[1]
    empty = int((~mask[:, -response:].any(0)).sum())
    shorter = {name: inputs[name][:, : response - empty] for name in ("policy_logprobs", "reference_logprobs")}
    return {**inputs, **shorter, "mask": mask[:, : mask.shape[1] - empty]}


def fewer(inputs: dict) -> dict:
    """The same without the last response, and without the first column of the prompts, which is padding."""
    rows = {name: value[:-1] for name, value in inputs.items() if isinstance(value, Tensor)}
    return {**inputs, **rows, "mask": rows["mask"][:, 1:]}


def call_token_rewards(answer: Callable, inputs: dict) -> dict:
    """Call the answer on the inputs, on the same without padding behind the longest response, and on fewer of them."""
    with calls_of(rewards_per_token) as calls:
        found = call_for_tensor(answer, inputs)
    found["left_to_helper"] = bool(calls)
    for name, given in (("cut", cut(inputs)), ("fewer", fewer(inputs))):
        other = call_again(call_for_tensor, answer, given)
        found["inputs_changed"] |= other["inputs_changed"]
        found |= {f"{name}_output": other["output"], f"{name}_kind": other["kind"]}
    return found


def _mask(rows: int, length: int, generator: torch.Generator) -> Tensor:
    """True where a token is real; each row ends at another place, and the first is full."""
    ends = length - torch.randperm(max(length // 2, rows), generator=generator)[:rows]
    ends[0], ends[-1] = length, length // 2
    return torch.arange(length) < ends[:, None]
