"""What lesson 3 asks: PPO with a shared reference."""

from helpers.checks.exercise import Exercise

EXERCISES = (
    Exercise(
        "3.1",
        "Two models out of one",
        "policy_and_reference_logprobs",
        points=3,
        difficulty=3,
        minutes=25,
        agrees_with="two separate models, with the adapter and without",
        hints=(
            "Both results come from the same three lines, so write them once, as a function inside yours, and "
            "call it twice. The logits at one position are about the *next* token. `gather` picks the token's "
            "entry out of the last dimension.",
            "`logits[:, :-1]` belong to `tokens[:, 1:]`; `gather` wants the tokens with one dimension more, "
            "`tokens[:, 1:, None]`. Put only the second pass inside `with torch.no_grad(), "
            "model.disable_adapter():`.\n\n"
            "Dropout, one way: `model.eval()` before both passes and `model.train(was_training)` after them. "
            "The other: set `p` of every `torch.nn.Dropout` in `model.modules()` to 0 before them, and back "
            "to what it was after them.",
        ),
    ),
    Exercise(
        "3.2",
        "How far has it drifted?",
        "kl_per_position",
        points=2,
        difficulty=2,
        minutes=10,
        agrees_with="torch's KL of two categorical distributions, position by position",
        hints=(
            "Logits are not log-probabilities yet: what turns them into some, and over which dimension? The KL is an "
            "average of log policy - log reference, and the policy decides how much each token of the vocabulary "
            "weighs in it.",
            "`(p.exp() * (p - q)).sum(dim=-1)` with p and q the two `log_softmax(dim=-1)`. What stands at padded "
            "positions may be no number at all, so choose with `torch.where(mask, kl, 0)`; a product with mask would "
            "keep a nan.",
        ),
    ),
    Exercise(
        "3.3",
        "Who is paid what",
        "token_rewards",
        points=2,
        difficulty=2,
        minutes=15,
        agrees_with="a walk over each response, token by token",
        hints=(
            "mask covers prompt and response, the log-probabilities only the response. Which columns of mask belong to "
            "them? Then: a penalty wherever that part is true, 0 elsewhere, and the score added in one place of each "
            "row.",
            "`real = mask[:, -policy_logprobs.shape[1]:]`. A response with n real tokens ends in column n - 1, "
            "`real.sum(dim=1) - 1`; `rewards[torch.arange(len(scores)), last] += scores` adds to a tensor that is your "
            "own.",
        ),
    ),
    Exercise(
        "3.4",
        "A loss that does not run away",
        "clipped_loss",
        points=2,
        difficulty=2,
        minutes=10,
        agrees_with="the four cases of the objective, token by token",
        hints=(
            "Three steps: the ratio of the two probabilities from their logarithms; the gain, ratio times advantage, "
            "once plain and once with the ratio held in its range; the smaller of the two. A loss is made small, "
            "a gain large.",
            "`ratio.clamp(1 - cliprange, 1 + cliprange)` and `torch.minimum`. For the mean, "
            "`gain[mask].mean()` drops padding before it divides; `(gain * mask).mean()` divides by padding, too.",
        ),
    ),
    Exercise(
        "3.5",
        "What dropout costs",
        "nats_of_dropout",
        points=1,
        difficulty=1,
        minutes=5,
        agrees_with="two passes under the same random numbers, by the definition of the softmax",
        hints=(
            "Call the model twice and change nothing in between, not even its mode. Both times you need the "
            "log-probability of each token that follows; exercise 3.1 had the lines.",
            "`model(input_ids=tokens).logits[:, :-1].log_softmax(-1).gather(-1, tokens[:, 1:, None])`, twice. The "
            "differences have both signs: `.abs()` before `.mean()`.",
        ),
    ),
    Exercise(
        "3.6",
        "Name what broke it",
        "broken_by",
        points=3,
        difficulty=3,
        minutes=15,
        agrees_with="how the nine runs were made",
        hints=(
            "Begin with the log of the first batch, its KL and ratios. Ratios that are not 1 have one reason. A KL "
            "that is not 0 has two, and the ratios tell them apart. Whatever is left had a clean first log.",
            "Of the runs with a clean first log, ask two questions: did the original move (`off_moved > 0`), and was "
            "more trained than the adapter (`trained > in_adapter`)? Two yes-or-no questions tell four runs apart.",
        ),
    ),
)
