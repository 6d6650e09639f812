"""What lesson 6 asks: the same idea elsewhere."""

from helpers.checks.exercise import Exercise

EXERCISES = (
    Exercise(
        "6.1",
        "The loss of DPO",
        "dpo_losses",
        points=1,
        difficulty=1,
        minutes=5,
        agrees_with="the odds that the policy gives, in double precision",
        hints=(
            "How much likelier is a text under the policy than under the reference? That log-ratio, for the chosen and "
            "for the rejected text; then their difference.",
            "`margin = beta * ((policy_chosen - reference_chosen) - (policy_rejected - reference_rejected))`. The "
            "probability of the preference is its sigmoid; `torch.nn.functional.logsigmoid` takes the logarithm, too.",
        ),
    ),
    Exercise(
        "6.2",
        "Compared with its group",
        "group_advantages",
        points=2,
        difficulty=2,
        minutes=20,
        agrees_with="Python's own statistics of each group",
        hints=(
            "Count the scored responses of each group, put 0 in place of the others with `torch.where`, and divide "
            "sums by counts. `keepdim=True` keeps a column that broadcasts along the group.",
            "Put 0 in place of the unscored *after* taking the mean off, too, so that they add nothing to the squares. "
            "Divide these by `(count - 1).clamp_min(1)`, take the root, and add 1e-4: then a group without differences "
            "gives 0, not nan.",
        ),
    ),
    Exercise(
        "6.3",
        "Which method keeps this?",
        "grpo_run",
        points=2,
        difficulty=2,
        minutes=15,
        agrees_with="what each method must keep",
        hints=(
            "Go line by line: which method writes no responses? Which one guesses the reward to come? Which run "
            "asks no reference at all? Three lines leave two runs.",
            "A copied reference doubles `weights`. Take the least of all runs: that is one model.",
        ),
    ),
    Exercise(
        "6.4",
        "The first step tells",
        "outdated_reference",
        points=2,
        difficulty=2,
        minutes=15,
        agrees_with="what an old reference does to the first step",
        hints=(
            "Look at the first entry of each metric. With the right reference both rewards are 0 there. After SFT on "
            "reviews, the policy finds reviews likelier than the model before it did: the preferred ones, and the "
            "others?",
            "Its loss is close to log 2, for the loss is about the *difference* of the rewards. It is the rewards "
            "themselves that are far from 0, both on the same side.",
        ),
    ),
)
