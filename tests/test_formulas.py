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
