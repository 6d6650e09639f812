"""The verdict of exercise 3.3: the reward of each token."""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from helpers.checks.calls.lesson_3_ppo import cut, fewer
from helpers.checks.verdicts.compare import Causes, Verdict, cause_of, failed, left_to, tensor_verdict

_HINTS = {
    "reward_left_to_helper": "`rewards_per_token` of helpers.formulas did the work: it is what the trainer calls. "
    "Here, write its lines yourself: what each token pays, and the score at the last real one.",
    "reward_no_score": "The score is missing: nothing here says whether the response was good. It is added once, at "
    "the last real token of each response.",
    "reward_score_subtracted": "The score is subtracted. It is what the response has earned, so it is added; only the "
    "drift is a cost.",
    "reward_differences_of_probabilities": "You took differences of probabilities. What a token pays is the difference "
    "of the *log*-probabilities, as they are given.",
    "reward_kl_coef_typed_in": "A price was typed in. Use `kl_coef`, which is an argument of the function.",
    "reward_mask_one_early": "Your part of the mask begins one column too early. Log-probabilities are those of the "
    "response tokens themselves, so their mask is the last columns: mask[:, -n:], with n columns of log-probabilities.",
    "reward_drift_paid": "Your penalty has the wrong sign: it pays the policy for leaving the reference. Where the "
    "policy is likelier to say a token than the reference, the reward is negative.",
    "reward_no_penalty": "Only the score is there. Each real token also pays kl_coef for each nat of drift.",
    "reward_no_kl_coef": "The penalty is there at full price: multiply it by kl_coef.",
    "reward_divided": "You divided the drift by kl_coef. It is the price of a nat: multiply.",
    "reward_last_column": "The score stands in the last column, which is padding in every row: no token gets it. It "
    "belongs to the last *real* token of each response.",
    "reward_full_row": "A response that fills its row is off: there is no padding behind it to look for, and its last "
    "token is in the last column (or a width was typed in). Count the real tokens of each response instead.",
    "reward_size_typed_in": "With fewer rows, and another width of prompts, you are off: a size was typed in. Take it "
    "from the inputs, such as policy_logprobs.shape[1].",
    "reward_score_bounded": "The score came in as one number and went out as another: cut off at a bound, squeezed "
    "by a sigmoid or tanh, without its sign, or 0 where it was below 0. A bad text has a score below 0, and the "
    "policy must feel it. Add it as it is.",
    "reward_scores_whitened": "You centred or whitened the scores. They come as they are to be added: what is "
    "whitened, once for a rollout, is the advantages.",
    "reward_mask_upside_down": "You kept the padding and dropped the tokens: mask is true where a token is real.",
    "reward_score_on_padding": "The score also stands on the padding behind the last token: a count of tokens "
    "that goes on (cumsum) has its last value there, too. One place in each row.",
    "reward_last_that_pays": "You looked for the last token by what it pays. A token that has not drifted pays 0, as "
    "all do at the first update: go by the mask.",
    "reward_one_column": "The score stands in the same column of every row, where the longest response ends. Each row "
    "has a last token of its own.",
    "reward_to_go": "You added up what is still to come. That is the return, a later step; here each token has what it "
    "is paid itself.",
    "reward_k2": "The penalty is a square, as in k2. PPO treats a payment as a fixed number, and then only k1, the "
    "plain difference of the log-probabilities, pulls the policy along the gradient of the KL, on average.",
    "reward_prompt_counted": "The score stands too far right, by the length of the prompt: you counted the real "
    "tokens of prompt *and* response. The columns of the result are those of the response.",
    "reward_one_late": "The score stands one place too far right, on padding. With n real tokens, the last is n - 1.",
    "reward_first_token": "The score stands at the first token. The reward model read the whole text: it pays at the "
    "end.",
    "reward_everywhere": "The score stands at every token, so long responses collect it many times. Once, at the last.",
    "reward_spread": "The score is spread over the tokens. It belongs to the last real one whole; sharing it out "
    "among the others is what the advantages do.",
    "reward_penalty_lost": "At the last token the score took the place of the penalty. It is added to it.",
    "reward_padding": "Padding pays a penalty in your result: the log-probabilities there mean nothing. Use the part "
    "of mask that belongs to the response, and 0 where it is false.",
    "reward_prompt_mask": "You took the first columns of mask. They belong to the prompt; the response is at the end.",
    "reward_of_other_rows": "Each row has scores of other rows in it. `rewards[:, last]` takes these columns of *all* "
    "rows: index rows and columns together, rewards[torch.arange(len(scores)), last].",
    "reward_one_early": "The score stands one place too far left. With n real tokens, the last is n - 1.",
    "reward_score_priced": "kl_coef multiplies the score, too. It is the price of a nat: the score is paid whole.",
    "reward_absolute": "Your penalty takes drift in either direction. A token that the policy says *less* often than "
    "the reference is paid for: over the tokens that it writes, the differences average to the KL.",
    "reward_one_direction": "You charge for drift where the policy says a token more often than the reference, and pay "
    "nothing where it says it less often. That is paid for: over the tokens that it writes, the differences average to "
    "the KL, and what they sum to may be below 0.",
    "reward_k3": "The penalty is k3, which is made for logging. PPO treats a payment as a fixed number, and then only "
    "k1, the plain difference of the log-probabilities, pulls the policy along the gradient of the KL, on average.",
    "reward_nan_at_padding": "A padded position came out as nan. What stands there means nothing, and nan * 0 is nan: "
    "choose with torch.where(real, penalty, 0) instead of multiplying.",
    "reward_all_at_the_end": "All of the penalty stands at the last token. Each token pays for its own drift, so that "
    "the policy learns which one was dear.",
}


def token_rewards_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against a walk over each response, token by token, in plain Python floats."""
    if outputs["left_to_helper"]:
        return left_to("rewards_per_token", "reward_left_to_helper", _HINTS)
    verdict = _rewards_verdict(inputs, outputs)
    if not verdict.passed:
        return verdict
    for part, given, said, hint in (
        ("fewer", fewer(inputs), "of one response less, a shorter prompt", "reward_size_typed_in"),
        ("cut", cut(inputs), "of responses without a column of padding", "reward_full_row"),
    ):
        other = {"output": outputs[f"{part}_output"], "kind": outputs[f"{part}_kind"], "inputs_changed": False}
        of_other = _rewards_verdict(given, other)
        if not of_other.passed:
            return replace(of_other, got=f"{of_other.got}, {said}", hint=_HINTS[hint], hint_name=hint)
    return verdict


def _rewards_verdict(inputs: dict, outputs: dict) -> Verdict:
    policy, reference, mask = (inputs[name] for name in ("policy_logprobs", "reference_logprobs", "mask"))
    due = torch.zeros(policy.shape, dtype=torch.float64)
    for row, score in enumerate(inputs["scores"].tolist()):
        real = mask[row].tolist()[-policy.shape[1] :]
        for place, is_real in enumerate(real):
            if is_real:
                drift = policy[row, place].item() - reference[row, place].item()
                ends = place + 1 == len(real) or not real[place + 1]
                due[row, place] = -inputs["kl_coef"] * drift + (score if ends else 0)
    got = outputs["output"]
    if got.shape == due.shape and not got.isfinite().all() and not outputs["inputs_changed"]:
        causes = [*_reward_causes(inputs), ("reward_nan_at_padding", due)]
        name = cause_of(_finite(got), [(name, _finite(wrong)) for name, wrong in causes])
        return failed("reward_nan_at_padding" if name == "unknown" else name, got, due, _HINTS)
    return tensor_verdict(outputs, due, _reward_causes(inputs), _HINTS)


def _finite(values: Tensor) -> Tensor:
    return values.nan_to_num(0, posinf=0, neginf=0)


def _reward_causes(inputs: dict) -> Causes:
    scores, kl_coef, mask = inputs["scores"].double()[:, None], inputs["kl_coef"], inputs["mask"]
    drift = inputs["policy_logprobs"].double() - inputs["reference_logprobs"].double()
    real, places = mask[:, -drift.shape[1] :], torch.arange(drift.shape[1])
    last, penalty = real.sum(1, keepdim=True) - 1, torch.where(real, -kl_coef * drift, 0)
    at_last = places == last
    k3 = torch.where(real, (-drift).exp() - 1 + drift, 0)
    wrong_part, one_early = mask[:, : drift.shape[1]], mask[:, -drift.shape[1] - 1 : -1]
    one_of_padding = places == (~real).sum(1, keepdim=True) - 1
    odds = inputs["policy_logprobs"].double().exp() - inputs["reference_logprobs"].double().exp()
    return [
        ("reward_drift_paid", at_last * scores - penalty),
        ("reward_no_penalty", at_last * scores),
        ("reward_no_score", penalty),
        ("reward_no_score", -penalty),
        ("reward_score_subtracted", penalty - at_last * scores),
        ("reward_divided", at_last * scores + penalty / kl_coef**2),
        ("reward_no_kl_coef", at_last * scores + penalty / kl_coef),
        ("reward_last_column", penalty + (places == len(places) - 1) * scores),
        ("reward_prompt_counted", penalty + (places == mask.sum(1, keepdim=True) - 1) * scores),
        ("reward_one_late", penalty + (places == last + 1) * scores),
        ("reward_one_early", penalty + (places == (last - 1) % len(places)) * scores),
        ("reward_score_priced", penalty + at_last * scores * kl_coef),
        ("reward_absolute", at_last * scores - penalty.abs()),
        ("reward_one_direction", at_last * scores + penalty.clamp(max=0)),
        ("reward_of_other_rows", penalty + (at_last * scores).sum(0)),
        ("reward_of_other_rows", penalty + at_last.any(0) * scores),
        ("reward_first_token", penalty + (places == 0) * scores),
        ("reward_everywhere", penalty + real * scores),
        ("reward_everywhere", penalty + scores),
        ("reward_spread", penalty + real * scores / real.sum(1, keepdim=True)),
        ("reward_penalty_lost", torch.where(at_last, scores, penalty)),
        ("reward_padding", -kl_coef * drift + at_last * scores),
        ("reward_prompt_mask", torch.where(wrong_part, -kl_coef * drift, 0) + at_last * scores),
        (
            "reward_prompt_mask",
            torch.where(wrong_part, -kl_coef * drift, 0) + (places == wrong_part.sum(1, keepdim=True) - 1) * scores,
        ),
        ("reward_k3", at_last * scores - kl_coef * k3),
        ("reward_differences_of_probabilities", at_last * scores - kl_coef * torch.where(real, odds, 0)),
        *(("reward_kl_coef_typed_in", at_last * scores + penalty / kl_coef * typed) for typed in (0.05, 0.1, 0.2)),
        ("reward_mask_one_early", torch.where(one_early, -kl_coef * drift, 0) + at_last * scores),
        ("reward_mask_one_early", torch.where(one_early, -kl_coef * drift, 0) + (places == last + 1) * scores),
        ("reward_mask_upside_down", torch.where(real, 0, -kl_coef * drift) + at_last * scores),
        ("reward_mask_upside_down", torch.where(real, 0, -kl_coef * drift) + one_of_padding * scores),
        ("reward_score_on_padding", penalty + (places >= last) * scores),
        (
            "reward_last_that_pays",
            penalty + (places == ((penalty != 0).sum(1, keepdim=True) - 1) % len(places)) * scores,
        ),
        ("reward_one_column", penalty + (places == last.max()) * scores),
        ("reward_to_go", (at_last * scores + penalty).flip(1).cumsum(1).flip(1)),
        *(("reward_k2", at_last * scores - kl_coef * half * torch.where(real, drift**2, 0)) for half in (0.5, 1)),
        ("reward_k3", at_last * scores - kl_coef * torch.where(real, drift.exp() - 1 - drift, 0)),
        *(("reward_score_bounded", penalty + at_last * bounded) for bounded in _bounded(scores)),
        *(("reward_scores_whitened", penalty + at_last * white) for white in _whitened_scores(scores)),
        ("reward_all_at_the_end", at_last * (scores + penalty.sum(1, keepdim=True))),
    ]


def _bounded(scores: Tensor) -> Iterator[Tensor]:
    yield from (scores.clamp(-most, most) for most in (1, 2, 3, 5, 10))
    yield from (scores.clamp(min=0), scores.abs(), scores.sigmoid(), scores.tanh())


def _whitened_scores(scores: Tensor) -> Iterator[Tensor]:
    centred = scores - scores.mean()
    yield from (centred, *(centred / scores.std(unbiased=unbiased) for unbiased in (True, False)))
