"""The reward model: a LoRA adapter on the top layers and a linear head, trained on what people prefer."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from tqdm import tqdm
from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerBase

from helpers.adapters import top_layers
from helpers.backbone import Backbone, TrunkStates
from helpers.download import CourseError, cache_folder, written_aside
from helpers.feedback import lexicon_scores, preference_pairs, sentences
from helpers.formulas import agreement, bradley_terry_loss
from helpers.model import load_model, load_tokenizer, model_folder, model_key, model_name

SHIPPED = Path(__file__).parent / "reward_adapter"


class RewardModel:
    """Scores texts: 0 is an average sentence, 1 is one standard deviation above (over the validation sentences).

    A score is read off the last token, by a linear head in float32 on the hidden state behind the final norm.
    """

    def __init__(self, model: PeftModel, head: nn.Linear, tokenizer: PreTrainedTokenizerBase):
        self.model, self.head, self.tokenizer = model, head, tokenizer

    def __call__(self, prompts: Sequence[str], responses: Sequence[str]) -> list[float]:
        """One score for each prompt with its response."""
        return self.scores([p + r for p, r in zip(prompts, responses, strict=True)]).tolist()

    @torch.no_grad()
    def scores(self, texts: Sequence[str], batch_size: int = 64) -> Tensor:
        """(texts,), float32 on the CPU, in standard deviations."""
        batches = [texts[i : i + batch_size] for i in range(0, len(texts), batch_size)]
        return torch.cat([self.forward(batch) for batch in batches]).cpu()

    def forward(self, texts: Sequence[str]) -> Tensor:
        """(texts,), float32, with gradients. The batch is padded on the left: the last position is the last token."""
        inputs = self.tokenizer(list(texts), return_tensors="pt", padding=True, add_special_tokens=False)
        inputs = inputs.to(self.model.device)
        mask = inputs["attention_mask"]
        positions = (mask.cumsum(1) - 1).clamp_min(0)
        hidden = self.model.get_base_model().model(inputs["input_ids"], mask, position_ids=positions).last_hidden_state
        return self.head(hidden[:, -1].float()).squeeze(-1)


class AdapterReward:
    """The same reward, as one more role of the policy's own backbone: another adapter and a head, no other weights.

    Args:
        model: the policy's `PeftModel`; the reward adapter is loaded into it, frozen, under the name "reward".

    Raises:
        CourseError: see `load_reward_model`.
    """

    def __init__(self, model: PeftModel, folder: Path | None = None):
        folder = _checked(folder or reward_folder())
        _refuse_other_model(model, folder)
        policy, training = model.active_adapter, model.training
        model.load_adapter(str(folder), adapter_name="reward", is_trainable=False)
        model.train(training)  # peft leaves it in eval(): on a CPU, another function where the weights are 8-bit
        model.base_model.set_adapter(policy)  # peft would leave the new one trainable and on
        self.head = _head(folder, model.device)

    @torch.no_grad()
    def read(self, backbone: Backbone, states: TrunkStates, mask: Tensor) -> Tensor:
        """Read the score of each text off its last token; (batch,), float32.

        Args:
            mask: (batch, length), bool: true where a token is text, which padding is not, nor a special token at the
                end, for no rated sentence has one: `rollout.text_mask`.
        """
        with backbone.adapter("reward"):
            hidden = backbone.top(states)
        positions = torch.arange(mask.shape[1], device=mask.device)
        last = torch.where(mask, positions, 0).amax(1)
        return self.head(hidden[torch.arange(len(hidden), device=mask.device), last].float()).squeeze(-1)


def new_reward_model(precision: str, seed: int = 0) -> RewardModel:
    """An untrained reward model: adapter (r=16, on q and v of the top third) and a head of zeros."""
    torch.manual_seed(seed)
    base = load_model(precision).requires_grad_(False)
    config = LoraConfig(r=16, lora_alpha=32, target_modules=["q_proj", "v_proj"], layers_to_transform=top_layers(base))
    head = nn.Linear(base.config.hidden_size, 1, device=base.device)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return RewardModel(get_peft_model(base, config), head, load_tokenizer())


def train_reward_model(reward: RewardModel, pairs: int = 2400, batch_size: int = 16, learning_rate: float = 5e-4):
    """Fit `reward` to people's preferences (Bradley-Terry), in place; one pass, the learning rate falling to 0.

    Raises:
        CourseError: `pairs` is less than one batch.
    """
    if pairs < batch_size:
        raise CourseError(f"{pairs} pairs are less than one batch of {batch_size}: nothing would be trained.")
    parameters = [p for p in reward.model.parameters() if p.requires_grad] + list(reward.head.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=0.0)
    steps = pairs // batch_size
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=steps)
    drawn = preference_pairs("train", pairs)
    bar = tqdm(range(0, steps * batch_size, batch_size), desc="reward model", unit="step")
    for start in bar:
        batch = drawn[start : start + batch_size]
        scores = reward.forward([p.first.text for p in batch] + [p.second.text for p in batch])
        preferences = torch.tensor([p.preference for p in batch], device=scores.device)
        loss = bradley_terry_loss(scores[: len(batch)], scores[len(batch) :], preferences)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        bar.set_postfix(loss=f"{loss.item():.3f}")
    _standardize(reward)


def evaluate_reward_model(reward: RewardModel) -> dict:
    """How often it agrees with people on held-out pairs whose mean ratings differ by more than 1, and the lexicon.

    Returns:
        `pairs`, and for each judge the share of agreement and the half-width of its 95% interval. No two pairs share
        a sentence, and no sentence was seen in training.
    """
    held_out = len(sentences("test")) // 2  # one pass: each sentence in at most one pair
    pairs = [p for p in preference_pairs("test", held_out) if abs(p.rating_gap) > 1]
    texts = [p.first.text for p in pairs] + [p.second.text for p in pairs]
    ratings = torch.tensor([p.rating_gap for p in pairs])
    figures = {"pairs": len(pairs), "chance": 0.5}
    for name, judge in (("reward_model", reward.scores), ("lexicon", lexicon_scores)):
        first, second = judge(texts).chunk(2)
        figures[name], figures[f"{name}_interval"] = agreement(first - second, ratings)
    return figures


def reward_folder() -> Path:
    """Where the reward adapter of the course's model is: shipped for the default model, else cached by model."""
    shipped = model_key() == "smollm2-135m-instruct"
    return SHIPPED if shipped else cache_folder() / "reward" / model_key()


def save_reward_model(reward: RewardModel, folder: Path, figures: dict) -> None:
    """Write adapter, head and the figures of the run that made them; the folder appears whole or not at all."""
    figures = {"model": model_name(), "fingerprints": fingerprints(reward.model), **figures}
    with written_aside(folder) as aside:
        reward.model.save_pretrained(aside)
        (aside / "README.md").unlink(missing_ok=True)  # peft's empty model card
        config = json.loads((aside / "adapter_config.json").read_text())
        config["base_model_name_or_path"] = model_name()  # it was a folder of the machine that trained
        (aside / "adapter_config.json").write_text(json.dumps(config, indent=1) + "\n")
        save_file({k: v.cpu() for k, v in reward.head.state_dict().items()}, aside / "head.safetensors")
        (aside / "figures.json").write_text(json.dumps(figures, indent=1) + "\n")


def load_reward_model(precision: str = "fp32", folder: Path | None = None) -> RewardModel:
    """Load the trained reward model, frozen.

    Raises:
        CourseError: there is none for this model yet, or `folder` holds one that was trained on another model.
    """
    folder = _checked(folder or reward_folder())
    base = load_model(precision).requires_grad_(False)
    _refuse_other_model(base, folder)
    return RewardModel(PeftModel.from_pretrained(base, folder).train(), _head(folder, base.device), load_tokenizer())


def load_sequence_classifier(precision: str = "8bit", folder: Path | None = None) -> nn.Module:
    """The same reward model as an `AutoModelForSequenceClassification`, the form in which TRL takes one.

    TRL finds the hidden states by `base_model_prefix` and the head as `score`. Frozen, in `train()` mode.
    """
    folder = _checked(folder or reward_folder())
    model = load_classifier_base(precision)
    _refuse_other_model(model, folder)
    model.load_adapter(str(folder))
    model.score = _head(folder, model.device)
    return model.requires_grad_(False).train()


def load_classifier_base(precision: str = "8bit") -> nn.Module:
    """The course's model under a fresh one-output head of zeros, `score`, in float32: what TRL takes as a value model.

    Only `score` is trainable: an 8-bit weight cannot be trained, and TRL would train all that is left.
    """
    causal = load_model(precision).requires_grad_(False)
    config = type(causal.config).from_dict({**causal.config.to_dict(), "id2label": {0: "score"}})  # one label
    with torch.device("meta"):
        model = AutoModelForSequenceClassification.from_config(config)
    setattr(model, model.base_model_prefix, getattr(causal, causal.base_model_prefix))
    model.score = nn.Linear(config.hidden_size, 1, bias=False, device=causal.device)
    nn.init.zeros_(model.score.weight)
    return model.train()


def fingerprints(model: nn.Module) -> list[str]:
    """Two times sixteen hexadecimal digits that tell base models apart; at any two precisions, one of both is the same.

    They come from what no precision of this course quantizes, the norms and the first rows of the embedding, and from
    the largest weight of each linear layer, which quantization keeps as a scale. The first is of these rounded to
    bfloat16, the second to float16, whose small numbers have fewer digits. (A model that was saved in float32 shares
    none in float16 and in bfloat16 or 8-bit: neither can be had from the other.)
    """
    norms = [p for n, p in model.named_parameters() if p.ndim == 1 and n.endswith("norm.weight")]
    layers = [m for n, m in model.named_modules() if ".layers." in n and "lora_" not in n and isinstance(m, nn.Linear)]
    parts = [model.get_input_embeddings().weight[:64], *norms, *map(_largest_weight, layers)]
    found = []
    for dtype in (torch.bfloat16, torch.float16):
        digest = hashlib.sha256()
        for part in (p.detach().cpu().to(dtype) for p in parts):
            digest.update(str(tuple(part.shape)).encode() + part.view(torch.int16).numpy().tobytes())
        found.append(digest.hexdigest()[:16])
    return found


def _largest_weight(layer: nn.Linear) -> Tensor:
    """(1,): the largest magnitude in a linear layer of any precision."""
    scales = layer.weight
    if getattr(scales, "quant_state", None) is not None:  # 4-bit: the largest of each block
        scales = scales.quant_state.absmax
    elif scales.dtype == torch.int8:  # the largest of each row; the first forward moves it to the layer's state
        scales = layer.state.SCB if scales.SCB is None else scales.SCB
    return scales.detach().abs().max().reshape(1)


def _standardize(reward: RewardModel) -> None:
    """Shift and scale the head so that the validation sentences have mean 0 and standard deviation 1."""
    scores = reward.scores([s.text for s in sentences("validation")])
    with torch.no_grad():
        reward.head.bias.sub_(scores.mean()).div_(scores.std())
        reward.head.weight.div_(scores.std())


def _head(folder: Path, device: torch.device) -> nn.Linear:
    weights = load_file(folder / "head.safetensors")
    head = nn.Linear(weights["weight"].shape[1], 1, device=device).requires_grad_(False)
    head.load_state_dict(weights)
    return head


def _checked(folder: Path) -> Path:
    if not (Path(folder) / "head.safetensors").is_file():
        raise CourseError(f"{model_name()} has no reward model in {folder} yet. Train it: python -m helpers reward")
    return Path(folder)


def _refuse_other_model(base: nn.Module, folder: Path) -> None:
    trained_on = json.loads((folder / "figures.json").read_text())
    if not set(trained_on.get("fingerprints", ())) & set(fingerprints(base)):
        raise CourseError(
            f"The reward model in {folder} was trained on {trained_on['model']}, and this is {model_name()} "
            f"({model_folder()}): its adapter means nothing there. Train one for it: python -m helpers reward"
        )
