"""What lesson 3 asks: PPO with a shared reference."""

from helpers.checks.exercise import Exercise

EXERCISES = (
    Exercise(
        "3.1",
        "Two models out of one",
        "policy_and_reference_logprobs",
        points=3,
        difficulty=3,
        minutes=15,
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
)
