"""Each formula beside an independent source: another library, a loop in float64, or every case there is."""

import bitsandbytes
import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch.distributions import Categorical, kl_divergence

from helpers import formulas


@pytest.fixture
def rows() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(9, 33) * torch.logspace(-3, 3, 9)[:, None]


@pytest.fixture
def two_models() -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities of policy and reference: (contexts, vocabulary), every token there is, float64."""
    torch.manual_seed(0)
    return tuple(torch.randn(5, 7, dtype=torch.float64).log_softmax(-1) for _ in range(2))


def test_absmax_quantize_equals_bitsandbytes(rows):
    rows = rows.half()
    codes, absmax = formulas.absmax_quantize(rows)
    due_codes, due_absmax, _ = bitsandbytes.functional.int8_vectorwise_quant(rows)
    assert torch.equal(codes, due_codes) and torch.equal(absmax, due_absmax)


def test_absmax_quantize_is_off_by_half_a_step_at_most(rows):
    codes, absmax = formulas.absmax_quantize(rows)
    steps = (rows - formulas.absmax_dequantize(codes, absmax)).abs() / (absmax / 127)[:, None]
    assert 0.4 < steps.max() <= 0.5 + 1e-4  # float32 rounds near 127


def test_absmax_quantize_gives_the_largest_number_back_as_it_was(rows):
    back = formulas.absmax_dequantize(*formulas.absmax_quantize(rows))
    torch.testing.assert_close(back.abs().amax(1), rows.abs().amax(1))


def test_absmax_quantize_keeps_a_row_of_zeros():
    codes, absmax = formulas.absmax_quantize(torch.zeros(1, 4))
    assert formulas.absmax_dequantize(codes, absmax).tolist() == [[0.0] * 4]


def test_lora_output_equals_the_layer_of_peft():
    torch.manual_seed(0)
    base = torch.nn.Sequential(torch.nn.Linear(6, 5, bias=False))
    config = LoraConfig(r=3, lora_alpha=12, target_modules=["0"], init_lora_weights=False)
    layer = get_peft_model(base, config).get_base_model()[0]
    x, A, B = torch.randn(2, 4, 6), layer.lora_A["default"].weight, layer.lora_B["default"].weight
    torch.testing.assert_close(formulas.lora_output(x, layer.weight, A, B, scaling=4.0), layer(x))


def test_token_logprobs_equal_a_loop_over_categorical_distributions():
    torch.manual_seed(0)
    logits, tokens = torch.randn(2, 5, 7), torch.randint(7, (2, 5))
    due = [[Categorical(logits=logits[b, t]).log_prob(tokens[b, t + 1]) for t in range(4)] for b in range(2)]
    torch.testing.assert_close(formulas.token_logprobs(logits, tokens), torch.tensor(due))


def test_token_logprobs_of_half_precision_logits_are_computed_in_float32():
    torch.manual_seed(0)
    logits, tokens = torch.randn(1, 3, 7).bfloat16(), torch.randint(7, (1, 3))
    due = formulas.token_logprobs(logits.float(), tokens)
    assert torch.equal(formulas.token_logprobs(logits, tokens), due) and due.dtype == torch.float32


@pytest.mark.parametrize("shape", [(2, 4), (1, 5), (5,)])
def test_token_logprobs_refuse_tokens_of_another_shape(shape):
    with pytest.raises(ValueError, match=r"Logits of \(2, 5\) do not belong to tokens of"):
        formulas.token_logprobs(torch.zeros(2, 5, 7), torch.zeros(shape, dtype=torch.int64))


def test_kl_per_token_averages_to_the_exact_kl_under_the_policy(two_models):
    policy, reference = two_models
    average = (policy.exp() * formulas.kl_per_token(policy, reference)).sum(-1)  # every token, weighted: no luck
    torch.testing.assert_close(average, kl_divergence(Categorical(logits=policy), Categorical(logits=reference)))


def test_kl_per_token_as_a_loss_has_the_gradient_of_the_other_kl(two_models):
    policy, reference = (logits.log_softmax(-1) for logits in two_models)
    moved, other = (policy.clone().requires_grad_() for _ in range(2))
    shares, logprobs = policy.exp(), moved.log_softmax(-1)  # who writes the tokens stays as it is
    (found,) = torch.autograd.grad((shares * formulas.kl_per_token(logprobs, reference)).sum(), moved)
    both = Categorical(logits=reference), Categorical(logits=other)
    (due,) = torch.autograd.grad(kl_divergence(*both).sum(), other)
    torch.testing.assert_close(found, due)


def test_kl_per_token_is_never_negative_and_zero_where_the_models_agree():
    gaps = torch.tensor([[-30.0, -1.0, -1e-4, 0.0, 1e-4, 1.0, 30.0]])
    estimates = formulas.kl_per_token(torch.zeros_like(gaps), gaps)
    assert (estimates >= 0).all() and estimates[0, 3] == 0


def test_kl_per_token_resolves_small_differences_in_float32():
    gap = 1e-3
    estimate = formulas.kl_per_token(torch.zeros(1, 1), torch.full((1, 1), gap))
    torch.testing.assert_close(estimate.item(), gap**2 / 2 + gap**3 / 6, rtol=1e-3, atol=0)


def test_kl_per_token_refuses_shapes_that_would_broadcast():
    with pytest.raises(ValueError, match=r"shape \(2, 3\), the reference of \(1, 3\)"):
        formulas.kl_per_token(torch.zeros(2, 3), torch.zeros(1, 3))


def test_bradley_terry_loss_equals_the_cross_entropy_by_hand():
    first, second, share = (torch.tensor(x, dtype=torch.float64) for x in ([1.5, -2.0], [0.5, 1.0], [0.8, 0.5]))
    wins = 1 / (1 + torch.exp(second - first))
    due = -(share * wins.log() + (1 - share) * (1 - wins).log()).mean()
    torch.testing.assert_close(formulas.bradley_terry_loss(first, second, share), due)


def test_bradley_terry_loss_is_finite_where_people_and_scores_are_far_apart():
    assert formulas.bradley_terry_loss(torch.tensor([0.0]), torch.tensor([1000.0]), torch.ones(1)).item() == 1000


def test_agreement_counts_a_tie_as_half_and_gives_the_interval():
    share, interval = formulas.agreement(torch.tensor([2.0, -1.0, 0.0, 3.0]), torch.tensor([1.0, -2.0, 1.5, -1.0]))
    assert (share, interval) == (2.5 / 4, pytest.approx(1.96 * (0.625 * 0.375 / 4) ** 0.5))


def test_agreement_of_the_same_order_is_whole_and_of_the_reverse_nothing():
    ratings = torch.tensor([0.1, -3.0, 2.0])
    assert [formulas.agreement(sign * ratings, ratings)[0] for sign in (1, -1)] == [1, 0]


def test_masked_mean_of_a_mask_is_the_mean_of_the_chosen_entries_whatever_the_others_hold():
    values = torch.tensor([[1.0, 2.0, float("nan")], [6.0, float("inf"), float("nan")]])
    mask = torch.tensor([[True, True, False], [True, False, False]])
    assert formulas.masked_mean(values, mask).item() == 3.0


@pytest.fixture
def uneven() -> dict[str, torch.Tensor]:
    """Rewards and values of responses of 6, 1 and 3 tokens, float64."""
    torch.manual_seed(0)
    rewards, values = torch.randn(2, 3, 6, dtype=torch.float64)
    return {"rewards": rewards, "values": values, "mask": torch.arange(6) < torch.tensor([[6], [1], [3]])}


def poisoned(tensor: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return torch.where(mask, tensor, float("nan"))


def test_rewards_per_token_are_the_penalty_by_hand_with_the_score_on_the_last_real_token():
    policy, reference = torch.tensor([[-1.0, -2.0, 9.0]]), torch.tensor([[-1.5, -1.0, 9.0]])
    mask = torch.tensor([[True, True, False]])
    found = formulas.rewards_per_token(torch.tensor([10.0]), policy, reference, mask, kl_coef=0.1)
    torch.testing.assert_close(found, torch.tensor([[-0.05, 10.1, 0.0]]))


def test_rewards_per_token_do_not_look_behind_the_end():
    mask = torch.tensor([[True, False, False], [True, True, True]])
    logprobs = poisoned(-torch.ones(2, 3), mask)
    assert formulas.rewards_per_token(torch.ones(2), logprobs, 2 * logprobs, mask, 0.05).isfinite().all()


def test_penalty_in_the_reward_has_the_gradient_of_the_exact_kl():
    """REINFORCE with the reward of each token, weighted by its probability: every token, no luck."""
    torch.manual_seed(0)
    logits = torch.randn(7, dtype=torch.float64, requires_grad=True)
    policy, reference = logits.log_softmax(0), torch.randn(7, dtype=torch.float64).log_softmax(0)
    (due,) = torch.autograd.grad(-0.3 * (policy.exp() * (policy - reference)).sum(), logits, retain_graph=True)
    column = policy.detach()[:, None]
    one = torch.ones(7, 1, dtype=torch.bool)
    rewards = formulas.rewards_per_token(torch.zeros(7), column, reference[:, None], one, kl_coef=0.3)[:, 0]
    (found,) = torch.autograd.grad((policy.exp().detach() * rewards * policy).sum(), logits)
    torch.testing.assert_close(found, due)


@pytest.mark.parametrize(("gamma", "lam"), [(1.0, 0.95), (0.9, 0.8), (0.97, 1.0), (1.0, 0.0)])
def test_advantages_are_the_double_sum_of_the_definition(uneven, gamma, lam):
    rewards, values, mask = uneven.values()
    found, _ = formulas.advantages_and_returns(rewards, values, mask, gamma, lam)
    for b, length in enumerate(mask.sum(1).tolist()):
        v = [*values[b, :length].tolist(), 0.0]
        deltas = [rewards[b, t].item() + gamma * v[t + 1] - v[t] for t in range(length)]
        due = [sum((gamma * lam) ** (k - t) * deltas[k] for k in range(t, length)) for t in range(length)]
        torch.testing.assert_close(found[b, :length], torch.tensor(due, dtype=torch.float64))


def test_returns_with_lambda_1_are_the_discounted_sums_of_rewards(uneven):
    rewards, values, mask = uneven.values()
    _, found = formulas.advantages_and_returns(rewards, values, mask, gamma=0.9, lam=1.0)
    for b, length in enumerate(mask.sum(1).tolist()):
        due = [sum(0.9 ** (k - t) * rewards[b, k].item() for k in range(t, length)) for t in range(length)]
        torch.testing.assert_close(found[b, :length], torch.tensor(due, dtype=torch.float64))


def test_advantages_and_returns_do_not_look_behind_the_end(uneven):
    rewards, values, mask = uneven.values()
    due = formulas.advantages_and_returns(rewards, values, mask, 0.9, 0.8)
    found = formulas.advantages_and_returns(poisoned(rewards, mask), poisoned(values, mask), mask, 0.9, 0.8)
    assert all(torch.equal(a, b) and not a[~mask].any() for a, b in zip(found, due, strict=True))


@pytest.mark.parametrize(
    ("ratio", "advantage", "due"),
    [(1.5, 2.0, -2.4), (0.5, 2.0, -1.0), (1.5, -2.0, 3.0), (0.5, -2.0, 1.6), (1.1, 2.0, -2.2), (0.9, -2.0, 1.8)],
)
def test_policy_loss_is_the_pessimistic_one_by_hand(ratio, advantage, due):
    old = torch.tensor([-3.0], dtype=torch.float64)
    new = old + torch.tensor(ratio, dtype=torch.float64).log()
    assert formulas.policy_losses(new, old, torch.tensor([advantage]), 0.2).item() == pytest.approx(due)


@pytest.mark.parametrize(
    ("ratio", "advantage", "moves"), [(1.5, 2.0, 0), (0.5, 2.0, 1), (1.5, -2.0, 1), (0.5, -2.0, 0)]
)
def test_policy_gradient_is_cut_only_where_the_ratio_left_in_the_direction_of_the_advantage(ratio, advantage, moves):
    new = torch.tensor([ratio], dtype=torch.float64).log().requires_grad_()
    formulas.policy_losses(new, torch.zeros(1), torch.tensor([advantage]), 0.2).sum().backward()
    assert new.grad.item() == pytest.approx(-moves * ratio * advantage)


@pytest.mark.parametrize(
    ("value", "old", "due", "loss"),
    [(1.0, 0.5, 2.0, 0.5 * 1.3**2), (1.0, 0.5, 0.0, 0.5), (0.6, 0.5, 2.0, 0.5 * 1.4**2), (-1.0, 0.5, 0.0, 0.5)],
)
def test_value_loss_is_clipped_around_the_old_value_by_hand(value, old, due, loss):
    found = formulas.value_losses(*(torch.tensor([x], dtype=torch.float64) for x in (value, old, due)), 0.2)
    assert found.item() == pytest.approx(loss)


@pytest.mark.parametrize(("kl", "due"), [(6.0, 0.1 * 1.02), (60.0, 0.1 * 1.02), (5.5, 0.1 * 1.01), (0.0, 0.1 * 0.98)])
def test_adapted_kl_coef_moves_towards_the_target_by_a_clipped_error(kl, due):
    assert formulas.adapted_kl_coef(0.1, kl, target=5.0, horizon=160, episodes=16) == pytest.approx(due)
