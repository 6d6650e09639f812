"""What lesson 4 asks: one backbone, four roles."""

from helpers.checks.exercise import Exercise

EXERCISES = (
    Exercise(
        "4.1",
        "What the value head should have said",
        "lambda_returns",
        points=2,
        difficulty=2,
        minutes=15,
        agrees_with="the double sum, written out",
        hints=(
            "At the last token nothing comes after: R is its reward alone. Begin there and go back, and keep two rows "
            "of numbers: R and V of the token you come from.",
            "First put 0 behind the end: `torch.where(mask, rewards, 0)`, and the values too. Then, for t in "
            "`reversed(range(…))`: the return is rewards[:, t] + gamma · ((1 - lam) · next value + lam · next return), "
            "and values[:, t] becomes the next value. Mask the result once more.",
        ),
    ),
    Exercise(
        "4.2",
        "Many small batches, one gradient",
        "accumulated_gradient",
        points=2,
        difficulty=2,
        minutes=10,
        agrees_with="the gradient's closed form",
        hints=(
            "backward() *adds* to weight.grad, so sums take care of themselves. What has to be known before the first "
            "micro-batch is what all of them are divided by.",
            "`for rows in torch.arange(len(mask)).split(micro_batch):` gives the rows of each micro-batch, the smaller "
            "last one too. `token_losses(rows)[mask[rows]]` are the losses of its real tokens: sum them, divide by "
            "`mask.sum()`, and call backward() inside the loop.",
        ),
    ),
    Exercise(
        "4.3",
        "Sample so that it can be repeated",
        "sampled_tokens",
        points=1,
        difficulty=1,
        minutes=10,
        agrees_with="a walk along each row, token by token",
        hints=(
            "Lay the probabilities of a row end to end: they fill the stretch from 0 to 1. In whose part does the "
            "random number fall?",
            "`probabilities.cumsum(1)` holds where each token's part ends. The token is the number of ends that are at "
            "or below the random number: compare with `uniforms[:, None]`, and sum over dimension 1. Leave out the "
            "last end, `[:, :-1]`: it is 1, but rounded it may be less, and would count one token too many.",
        ),
    ),
    Exercise(
        "4.4",
        "Which run is ill, and what does it have?",
        "run_diagnosis",
        points=2,
        difficulty=2,
        minutes=15,
        agrees_with="how each log was drawn",
        hints=(
            "Ask three questions, in this order. Was the KL 0 before the first step? Did any step go much too far? Did "
            "the KL level off?",
            "`log['objective/kl'][0]` of a healthy run is below a hundredth of a nat. A ratio of a healthy run stays "
            "below 3, and one single step with a ratio above 10 is too many: take the maximum. A KL that ends above "
            "20 nats was not held back.",
        ),
    ),
    Exercise(
        "4.5",
        "What does one more adapted layer cost?",
        "bytes_per_adapted_layer",
        points=2,
        difficulty=3,
        minutes=15,
        agrees_with="the closed form of the bill, in bytes",
        hints=(
            "One measurement is not one layer's share: the positions and what enters the final norm are kept once, and "
            "the lowest adapted layer keeps less than the others. What is the same in two measurements goes away when "
            "you subtract them.",
            "`with saved_for_backward(model) as kept:` around `model(input_ids=tokens)`, then `stored_bytes(kept)` "
            "below the block; both are in helpers.memory. Do it for `policy_with(2)` and `policy_with(3)`.",
        ),
    ),
)
