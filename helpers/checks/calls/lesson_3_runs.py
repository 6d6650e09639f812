"""Inputs and calls of exercises 3.5 and 3.6: what dropout costs, and short runs to diagnose."""

import contextlib
import warnings
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from helpers.checks.calls.lesson_3_models import changed, counted_tokens, model_weights, policy_model, state_of
from helpers.checks.calls.observe import NUMBER_OUTPUTS, call_for_number, call_for_texts, texts_outputs

# "tokens_read": in all passes; "seeded": with another seed than the call began with; "left": what of the model is
# another than before, or "nothing".
NATS_OF_DROPOUT_OUTPUTS = {**NUMBER_OUTPUTS, "tokens_read": int, "passes": int, "seeded": bool, "left": str}
FIELDS = ("first_kl", "first_ratio_min", "first_ratio_max", "last_kl", "trained", "in_adapter", "off_moved")
WAYS = ("nothing", "bias", "modules_to_save", "starting adapter", "merged", "dropout")
# Gentle runs: ratios within the clip range, a KL far below 1 nat, biases that move less than a merge does. Who asks how
# large a figure is, and not whether it is there, calls these something else.
GENTLE = ("bias", "starting adapter", "dropout")
RUNS = (*((way, False) for way in WAYS), *((way, True) for way in GENTLE))
_RATE, _PAST = 2e-5, 0.1  # of a gentle run: its learning rate, and how far B is from 0 if it has a past
BROKEN_BY_OUTPUTS = texts_outputs(len(RUNS))


def nats_of_dropout_inputs(seed: int) -> dict:
    """A tiny policy whose adapter has dropout, and tokens."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        weights = model_weights(r=4, size=0.15)
        tokens, draw = torch.randint(3, 29, (6, 20)), int(torch.randint(2**31, ()))
    given = {"r": 4, "lora_alpha": 16, "lora_dropout": 0.2, "draw": draw, **weights}
    return {"tokens": tokens, **given}


def call_nats_of_dropout(answer: Callable, inputs: dict) -> dict:
    """Call it with a model that arrives in training mode, and random numbers that depend on the inputs alone."""
    model = policy_model(inputs)
    before = state_of(model)

    def with_model(tokens: Tensor):
        return answer(model, tokens)

    with torch.random.fork_rng(devices=[]), torch.enable_grad(), counted_tokens(model) as read:
        torch.manual_seed(inputs["draw"])
        found = call_for_number(with_model, {"tokens": inputs["tokens"]})
        seeded = torch.initial_seed() != inputs["draw"]
        left = changed(before, state_of(model))
    read = {"tokens_read": sum(read), "passes": len(read)}
    return {**found, **read, "seeded": seeded, "left": left[0] if left else "nothing"}


def broken_by_inputs(seed: int) -> dict:
    """A row of figures (`FIELDS`) for each of `RUNS`, in an order that the seed decides.

    No size of a figure tells a way. Each run has a model of its own size and an adapter of its own rank: biases are
    more numbers than the adapter's by a larger factor than a copied layer in one run, and by a smaller one in another,
    and the healthy run trains more, and goes on longer, than most. The gentle biases move the original nearly as far
    as the merge does. The first KL of the gentle starting adapter is about that of the gentle dropout, above 0.01, and
    the ratios of that one are within 0.82 to 1.18; the other dropout run is gentle, too, on a narrower model.
    """
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(RUNS), generator=generator).tolist()
    start = int(torch.randint(2**31, (), generator=generator))
    sizes = {run: _sizes(run, generator) for run in RUNS}
    found = {run: short_run(run[0], start, gentle=run[1], **sizes[run]) for run in RUNS}
    bias, past, dropout = ((way, True) for way in GENTLE)
    found["dropout", False] = short_run("dropout", start, gentle=True, **sizes["dropout", False])
    again = start
    while found[dropout]["first_ratio_min"] < 0.82 or found[dropout]["first_ratio_max"] > 1.18:
        again += 1
        found[dropout] = short_run("dropout", again, gentle=True, **sizes[dropout])
    near, kl = (0.6 + 0.3 * torch.rand(2, generator=generator)).tolist()
    share = near * found["merged", False]["off_moved"] / found[bias]["off_moved"]
    found[bias] = short_run("bias", start, gentle=True, **sizes[bias], rate=share * _RATE)
    share = 0.028 * kl / found[past]["first_kl"]
    found[past] = short_run("starting adapter", start, gentle=True, **sizes[past], past=share**0.5 * _PAST)
    return {"runs": torch.tensor([list(found[RUNS[place]].values()) for place in order], dtype=torch.float64)}


def _sizes(run: tuple[str, bool], generator: torch.Generator) -> dict[str, int]:
    """Rank, width, vocabulary and steps of a run, drawn, save for those that `broken_by_inputs` speaks of."""
    r, width, vocabulary = (int(torch.randint(*ends, (), generator=generator)) for ends in ((1, 5), (8, 17), (20, 60)))
    fixed = {
        ("nothing", False): {"r": 4, "width": 32, "steps": 6},
        ("bias", False): {"r": 1},
        ("bias", True): {"r": 4},
        ("modules_to_save", False): {"r": 3, "steps": 2},
        ("starting adapter", True): {"width": 16},
        ("dropout", False): {"width": 16},
        ("dropout", True): {"width": 48},
    }
    return {"r": r, "width": 2 * width, "vocabulary": vocabulary, "steps": 3, **fixed.get(run, {})}


def call_broken_by(answer: Callable, inputs: dict) -> dict:
    """Call the answer once for each run, with its figures by name."""
    return call_for_texts(answer, (dict(zip(FIELDS, row, strict=True)) for row in inputs["runs"].tolist()))


def short_run(
    way: str, seed: int, gentle: bool = False, steps: int = 3, rate: float | None = None, **sizes
) -> dict[str, float]:
    """Train a tiny GPT-2 with an adapter for a few steps, its reference broken in one way, and note what a log would.

    Args:
        way: one of `WAYS`.
        seed: of weights and tokens.
        gentle: break it as little as a log can show: smaller weights, less dropout, a lower learning rate.
        steps: updates.
        rate: learning rate, in the place of the usual one.
        sizes: of `tiny_policy`.

    Returns:
        A number for each of `FIELDS`; KL in nats a response, `off_moved` in logits, `trained` and `in_adapter` counts.
    """
    with torch.random.fork_rng(devices=[]), _in_one_thread(), warnings.catch_warnings():
        # What peft warns of is what these runs are about; and it asks transformers by a name on its way out.
        warnings.filterwarnings("ignore", "Careful, disabling adapter layers", UserWarning)
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        torch.manual_seed(seed)
        model = tiny_policy(way, gentle, **sizes)
        tokens = torch.randint(3, model.config.vocab_size, (4, 12))
        with torch.no_grad(), model.disable_adapter():
            off = model.eval()(input_ids=tokens).logits
        model.train()
        with torch.no_grad():
            old, new = (model(input_ids=tokens).logits.float().log_softmax(-1) for _ in range(2))
        ratios = (new - old).gather(-1, tokens[..., None]).exp()
        found = {
            "first_kl": _kl(model, tokens),
            "first_ratio_min": ratios.min().item(),
            "first_ratio_max": ratios.max().item(),
        }
        rate = rate or (_RATE if gentle else 0.02)
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=rate)
        for _ in range(steps):
            _step(model, tokens, optimizer, merging=way == "merged")
        trained = {name: p.numel() for name, p in model.named_parameters() if p.requires_grad}
        found["last_kl"] = _kl(model, tokens)
        found["trained"] = sum(trained.values())
        found["in_adapter"] = sum(count for name, count in trained.items() if ".lora_" in name)
        with torch.no_grad(), model.disable_adapter():
            found["off_moved"] = (model.eval()(input_ids=tokens).logits - off).abs().max().item()
    return found


def tiny_policy(
    way: str, gentle: bool = False, r: int = 2, width: int = 16, vocabulary: int = 53, past: float | None = None
):
    """A GPT-2 in bfloat16, whose layers have biases, with LoRA on its attention; B is zero unless it has a past.

    `past` is the spread of B then, in the place of the usual one.
    """
    from peft import LoraConfig, get_peft_model
    from transformers import GPT2Config, GPT2LMHeadModel

    size, usual, p = (0.02, _PAST, 0.05) if gentle else (0.2, 0.2, 0.1)
    p = p if way == "dropout" else 0.0
    sizes = {"n_layer": 2, "n_embd": width, "n_head": 2, "vocab_size": vocabulary, "n_positions": 16}
    sizes |= {"initializer_range": size}
    special = {"bos_token_id": 1, "eos_token_id": 2, "tie_word_embeddings": False}
    config = GPT2Config(**sizes, **special, resid_pdrop=p, embd_pdrop=p, attn_pdrop=p)
    base = GPT2LMHeadModel(config).to(torch.bfloat16)
    options = {"bias": {"bias": "all"}, "modules_to_save": {"modules_to_save": ["lm_head"]}}.get(way, {})
    lora = LoraConfig(r=r, lora_alpha=8, target_modules=["c_attn"], fan_in_fan_out=True, **options)
    model = get_peft_model(base, lora)
    if way == "starting adapter":
        for name, parameter in model.named_parameters():
            if ".lora_B." in name:
                torch.nn.init.normal_(parameter, std=past or usual)
    return model


def _step(model, tokens: Tensor, optimizer: torch.optim.Optimizer, merging: bool) -> None:
    """Make the tokens likelier. With `merging`, fold the adapter in and take it out again, as if to write faster."""
    logprobs = model(input_ids=tokens).logits[:, :-1].float().log_softmax(-1)
    (-logprobs.gather(-1, tokens[:, 1:, None]).mean()).backward()
    optimizer.step()
    optimizer.zero_grad()
    if merging:
        model.merge_adapter()
        model.unmerge_adapter()


@torch.no_grad()
def _kl(model, tokens: Tensor) -> float:
    """KL(policy || adapters off), summed over positions, mean over rows, in nats; in the mode that trains."""
    policy = model(input_ids=tokens).logits.double().log_softmax(-1)
    with model.disable_adapter():
        reference = model(input_ids=tokens).logits.double().log_softmax(-1)
    return (policy.exp() * (policy - reference)).sum((1, 2)).mean().item()


@contextlib.contextmanager
def _in_one_thread() -> Iterator[None]:
    """Threads cost a model this small more time than they save."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
