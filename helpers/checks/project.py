"""Exercise 5.4, the project: what a handed-in adapter does on held-out prompts.

One file of tensors is read, no code runs and no configuration is loaded: rank, modules and layers are read off names
and shapes, each out of a list of allowed values, and `lora_alpha` is 2 r.
"""

import functools
import re
from dataclasses import dataclass, field
from pathlib import Path

import safetensors.torch
import torch
from peft import LoraConfig, PeftModel, get_peft_model, set_peft_model_state_dict
from torch import Tensor
from transformers import AutoConfig

from helpers.backbone import Backbone
from helpers.checks.check import MissingAnswer, WrongAnswer
from helpers.checks.plain import read_bytes
from helpers.device import best_precision
from helpers.evaluation import Responses, change_and_interval, responses_to
from helpers.feedback import prompt_ids
from helpers.model import load_model, load_tokenizer, model_folder, model_name
from helpers.reward import AdapterReward
from helpers.shapes import Shape, shape_of

FILE = "adapter_model.safetensors"
MOST_BYTES = 400_000
RANKS = (1, 2, 4, 8, 16, 32)
DTYPES = (torch.float32, torch.float16, torch.bfloat16)
MOST_KL = 8.0  # nats a response
LEAST_VARIETY, MOST_NLL_GROWTH = 0.8, 0.5  # of distinct-2 before; nats a token
PROMPTS, RESPONSE_LENGTH = 64, 24
_NAME = re.compile(r"base_model\.model\.model\.layers\.(\d{1,3})\.(self_attn|mlp)\.(\w{1,20})\.lora_([AB])\.weight")
_BLOCKS = {"self_attn": ("q_proj", "k_proj", "v_proj", "o_proj"), "mlp": ("gate_proj", "up_proj", "down_proj")}

REASONS = {
    "missing": f"there is no {FILE}",
    "too_large": f"{FILE} is larger than {MOST_BYTES:,} bytes: take a smaller rank, fewer modules, fewer layers, "
    "or numbers in float16",
    "unreadable": f"{FILE} is no file of tensors (links are not followed): hand in what the trainer's save wrote",
    "names": f"{FILE} holds something else than LoRA matrices of a language model's linear layers: no DoRA, no biases, "
    "no modules_to_save, and names as the trainer's save or save_pretrained writes them",
    "incomplete": "some adapted layer lacks a matrix, or not every adapted layer has the same modules, as it must here",
    "shapes": "a matrix does not fit the course's model, or the ranks differ",
    "rank": f"the rank is none of {', '.join(map(str, RANKS))}",
    "dtype": "a matrix is in another dtype than float32, float16 or bfloat16",
    "not_finite": "a weight, or a figure that it leads to, is infinite or no number: train in float32, or with a lower "
    "learning rate",
    "untrained": "every B is zero: an adapter that nothing was trained into. Save after training",
    "too_far": f"the KL is above {MOST_KL:g} nats a response: a higher kl_coef, or fewer updates, keep it closer "
    "(unless lora_alpha was less than 2 r, for the grader takes 2 r)",
    "garbled": f"the NLL under the reference grew by more than {MOST_NLL_GROWTH:g} nats a token: no longer language. "
    "Read samples; a lower learning rate, or a higher kl_coef",
    "repeating": f"distinct-2 is below {LEAST_VARIETY:g} of what it was: the policy repeats itself. Read samples; a "
    "higher kl_coef, or fewer updates",
    "worse": "the reward fell, and its interval lies wholly below 0: look at the log, for it fell there, too, or the "
    "adapter is another run's",
    "nothing_shown": "the 95% interval of the reward's change contains 0: more updates, or a higher learning rate "
    "(unless lora_alpha was more than 2 r, or rsLoRA was on, for the grader takes 2 r without it)",
    "unconfirmed": "the reward rose, and the lexicon, on which nothing was trained, did not: hacked, or not far enough "
    "to tell. Read samples; if they are fine, more updates or larger batches",
    "too_little": "the lexicon rose by too little to be shown, for the 95% interval of its change contains 0: more "
    "updates, or larger batches",
}


@dataclass(frozen=True)
class ProjectVerdict:
    """Whether the project is passed; if not, which of `REASONS`; and what was measured, {} if nothing was."""

    passed: bool
    hint_name: str = ""
    reason: str = ""
    figures: dict[str, float] = field(default_factory=dict)


class Unusable(Exception):
    """The file cannot be measured; the argument is one of `REASONS`."""


def verdict_on(file: Path, seed: int, prompts: int = PROMPTS) -> ProjectVerdict:
    """Measure the adapter of one submission; the only function that a grader needs.

    Args:
        file: the learner's `adapter_model.safetensors`; nothing beside it is read, and no link is followed.
        seed: draws `prompts` prompts of the test split, and the random numbers of the responses.

    Raises:
        CourseError: the course's own model, ratings or reward adapter cannot be had.
    """
    try:
        weights = _weights(file)
        lora = rebuilt_config(weights, shape_of(AutoConfig.from_pretrained(model_folder()), model_name()))
        unchanged, after = before(seed, prompts), _after(lora, weights, seed, prompts)
    except Unusable as error:
        return _failed(str(error))
    return verdict_of(unchanged, after)


def check_project(folder: Path | str = ".", seed: int = 11) -> None:
    """What a learner runs: say what the adapter in `folder` does, and whether that passes; it stops as `check` does."""
    verdict = verdict_on(Path(folder) / FILE, seed)
    if verdict.hint_name == "missing":
        raise MissingAnswer(
            f"Exercise 5.4 waits for your adapter: put {FILE} beside this notebook, and run this again."
        )
    for name, value in verdict.figures.items():
        sign = "" if name.endswith(("half-width", "share kept")) else "+"
        print(f"{name:24}{value:{sign}8.2f}")
    if not verdict.passed:
        raise WrongAnswer(f"Exercise 5.4 is not passed yet: {verdict.reason}.")
    print("Exercise 5.4 is passed: the reward rose, the lexicon confirms it, and it is still language.")


def rebuilt_config(weights: dict[str, Tensor], shape: Shape) -> LoraConfig:
    """The configuration of an adapter, from the names and shapes of its matrices.

    Raises:
        Unusable: a name, a shape, a rank or a dtype that is not allowed, or a matrix that is missing.
    """
    found = {}
    for name, tensor in weights.items():
        match = _NAME.fullmatch(name)
        if match is None or match[3] not in _BLOCKS[match[2]] or int(match[1]) >= shape.layers:
            raise Unusable("names")
        if tensor.dtype not in DTYPES:
            raise Unusable("dtype")
        found[int(match[1]), match[3], match[4]] = tensor
    layers, modules = ({key[place] for key in found} for place in (0, 1))
    if not found or len(found) != 2 * len(layers) * len(modules):
        raise Unusable("incomplete")
    first = next(iter(found.values()))
    r = min(first.shape, default=0)
    if r not in RANKS:
        raise Unusable("rank")
    for (_, module, side), tensor in found.items():
        outputs, inputs = shape.linear[module]
        if tensor.shape != ((r, inputs) if side == "A" else (outputs, r)):
            raise Unusable("shapes")
    if not all(tensor.isfinite().all() for tensor in weights.values()):
        raise Unusable("not_finite")
    if not any(tensor.any() for (_, _, side), tensor in found.items() if side == "B"):
        raise Unusable("untrained")
    placed = {"target_modules": sorted(modules), "layers_to_transform": sorted(layers)}
    return LoraConfig(r=r, lora_alpha=2 * r, lora_dropout=0.0, bias="none", task_type="CAUSAL_LM", **placed)


def verdict_of(unchanged: Responses, after: Responses) -> ProjectVerdict:
    """The verdict on responses to the same prompts, without the adapter and with it."""
    changes = {
        name: change_and_interval(getattr(unchanged, name), getattr(after, name)) for name in ("reward", "lexicon")
    }
    variety, kl = after.distinct_2 / unchanged.distinct_2, after.kl.mean().item()
    growth = (after.reference_nll - unchanged.reference_nll).mean().item()
    figures = {"distinct-2, share kept": variety, "KL, nats a response": kl, "NLL, nats a token": growth}
    for name, (change, half) in changes.items():
        figures |= {f"{name}, change": change, f"{name}, half-width": half}
    if not torch.tensor(list(figures.values())).isfinite().all():
        return _failed("not_finite")
    (reward, half), (lexicon, lexicon_half) = changes.values()
    faults = {
        "too_far": kl > MOST_KL,
        "garbled": growth > MOST_NLL_GROWTH,
        "repeating": variety < LEAST_VARIETY,
        "worse": reward + half < 0,
        "nothing_shown": reward - half <= 0,
        "unconfirmed": lexicon <= 0,
        "too_little": lexicon - lexicon_half <= 0,
    }
    fault = next((name for name, is_so in faults.items() if is_so), "")
    return _failed(fault, figures) if fault else ProjectVerdict(True, figures=figures)


def _failed(name: str, figures: dict[str, float] | None = None) -> ProjectVerdict:
    return ProjectVerdict(False, name, REASONS[name], figures or {})


def _weights(path: Path) -> dict[str, Tensor]:
    if not path.is_symlink() and path.is_file() and path.stat().st_size > MOST_BYTES:
        raise Unusable("too_large")
    try:
        return safetensors.torch.load(read_bytes(path, MOST_BYTES))
    except FileNotFoundError:
        raise Unusable("missing") from None
    except Exception:  # of what a header can claim, a shape beyond 2**63 raises TypeError, and there may be more
        raise Unusable("unreadable") from None


@functools.lru_cache(maxsize=1)
def before(seed: int, prompts: int = PROMPTS) -> Responses:
    """What the model does without an adapter: the same for all submissions of one grading.

    Raises:
        CourseError: the course's own model, ratings or reward adapter cannot be had.
    """
    return _responses(_model(LoraConfig(r=1, target_modules=["q_proj"], task_type="CAUSAL_LM")), seed, prompts)


def _after(lora: LoraConfig, weights: dict[str, Tensor], seed: int, prompts: int) -> Responses:
    model = _model(lora)
    if set_peft_model_state_dict(model, {name: t.float() for name, t in weights.items()}).unexpected_keys:
        raise Unusable("names")
    try:
        return _responses(model, seed, prompts)
    except (RuntimeError, IndexError) as error:  # a probability that is no number
        if "alloc" in str(error):  # the memory of this machine is no fault of the adapter
            raise
        raise Unusable("not_finite") from None


def _model(lora: LoraConfig) -> PeftModel:
    return get_peft_model(load_model(best_precision()[0]).requires_grad_(False), lora).train()


def _responses(model: PeftModel, seed: int, prompts: int) -> Responses:
    tokenizer = load_tokenizer()
    asked, reward = prompt_ids("test", tokenizer, prompts, seed), AdapterReward(model)
    return responses_to(asked, Backbone(model), reward, tokenizer, RESPONSE_LENGTH, seed)
