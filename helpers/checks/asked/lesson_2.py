"""What lesson 2 asks: add LoRA adapters."""

from helpers.checks.exercise import Exercise

EXERCISES = (
    Exercise(
        "2.1",
        "Fold the adapter into the weight",
        "merged_weight",
        points=1,
        difficulty=1,
        minutes=5,
        agrees_with="a layer that peft merged",
        hints=(
            "Write the formula for y with x taken out once: x (W + …)ᵀ. What stands in the bracket? Remember "
            "that (B A)ᵀ = Aᵀ Bᵀ.",
            "The update has the shape of weight, (out, in). Of `lora_A @ lora_B` and `lora_B @ lora_A` only "
            "one has that shape. Scale it, then add it, without `+=`: that would write into the frozen "
            "weight.",
        ),
    ),
    Exercise(
        "2.2",
        "What a configuration trains",
        "trained_weights",
        points=1,
        difficulty=1,
        minutes=8,
        agrees_with="the trainable weights of a model that peft adapted",
        hints=(
            "Go through the layers; two questions decide whether one gets an adapter: the number of its block, and the "
            "last part of its name. How many numbers do A, (r, in), and B, (out, r), hold together?",
            '`name.split(".")` of "model.layers.11.self_attn.q_proj" is a list whose third part is the number, as a '
            "string, and whose last part is the name to look for in target_modules. An adapter has r * (out + in) "
            "numbers.",
        ),
    ),
    Exercise(
        "2.3",
        "The first gradient",
        "gradient_of_lora_b",
        points=2,
        difficulty=2,
        minutes=18,
        agrees_with="autograd, through a layer that peft adapted with use_rslora=True",
        hints=(
            "Call h = x Aᵀ what A makes of the input. The adapter adds scale · h Bᵀ to the output: an ordinary linear "
            "layer with weight B and input h. What is the gradient of an ordinary linear layer's weight?",
            "For y = h Bᵀ it is (gradient of y)ᵀ h: of shape (out, tokens) @ (tokens, r), so that it sums over tokens. "
            "The scale, lora_alpha / sqrt(r), goes in once.",
        ),
    ),
    Exercise(
        "2.4",
        "What rank r cannot reach",
        "loss_of_rank",
        points=2,
        difficulty=2,
        minutes=15,
        agrees_with="the eigenvalues of updateᵀ update",
        hints=(
            "The best matrix of rank r keeps the r largest singular values and drops the others (Eckart and Young). "
            "What is then the norm of what was dropped, in terms of singular values?",
            "`S = torch.linalg.svdvals(update)` is sorted, the largest first. The Frobenius norm of a matrix is the "
            "root of the sum of its squared singular values; of what is left, that is `S[r:].norm()`.",
        ),
    ),
    Exercise(
        "2.5",
        "Which run lost its reference?",
        "lost_reference",
        points=2,
        difficulty=2,
        minutes=10,
        agrees_with="how the runs were made",
        hints=(
            "Switching adapters off removes what tensors named `lora_…` add, and nothing else. So which tensors must "
            "be the same before and after?",
            'For each run: `any(not torch.equal(run["after"][name], value) for name, value in '
            'run["before"].items() if "lora_" not in name)`. Look up by name: the order may have changed.',
        ),
    ),
)
