"""What lesson 5 asks: numbers that hold, and a project."""

from helpers.checks.exercise import Exercise

EXERCISES = (
    Exercise(
        "5.1",
        "How many prompts?",
        "prompts_needed",
        points=2,
        difficulty=2,
        minutes=10,
        agrees_with="a search over n, one prompt more at a time, in float64",
        hints=(
            "The prompts are the same before and after, so there is one list of numbers whose spread counts. The pilot "
            "tells you its standard deviation s. Then it is a formula to be solved for n: 1.96 s / √n < change.",
            "`(after - before).std()` divides by one less than the number of prompts, as it should. Squared, the "
            "condition is n > (1.96 s / change)². The smallest whole number above x is `math.floor(x) + 1`.",
        ),
    ),
    Exercise(
        "5.2",
        "What does it show?",
        "claim_of",
        points=3,
        difficulty=2,
        minutes=15,
        agrees_with="the signs of both ends of each interval, and the two bounds on language",
        hints=(
            "Begin with the reward alone: its interval ends at change - half and at change + half. Both above 0, both "
            "below, or one on each side? Only where both are above 0 is there anything to doubt.",
            "Of a reward that rose, ask three questions: is lexicon_change - lexicon_half above 0, is distinct_2_after "
            'at least 0.8 · distinct_2_before, is nll_after - nll_before at most 1? Three times yes is "aligned". KL '
            "has no bound of its own here.",
        ),
    ),
    Exercise(
        "5.3",
        "Which checkpoint?",
        "best_checkpoint",
        points=2,
        difficulty=2,
        minutes=15,
        agrees_with="a walk over the checkpoints, each with the line that was measured on it",
        hints=(
            "Which responses does line 6 of the log describe? They were written when five updates had been made: by "
            "the policy of checkpoint 5. So each checkpoint has its figures in the line after its own.",
            "Checkpoint c is judged by `scores[c]` and `kl[c]`, counted from 0, for c = save_every, 2 · save_every … "
            "as long as there is such a line. Keep those with `kl[c] <= kl_budget` and take the `max` by `scores[c]`.",
        ),
    ),
)
