"""The memory bill of an RLHF run, predicted line by line from a model's configuration; everything in bytes.

For models of the architectures Llama, Mistral, Qwen2 and Qwen3 (SmolLM2, Llama, Qwen2.5, Qwen3 …) under PyTorch's
`scaled_dot_product_attention`, with all sequences of one length; what has other layers is refused. `helpers.memory`
counts the same lines on a live model.
"""

import copy
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

MIB = 2**20
LINES = (
    "weights",
    "adapters",
    "gradients",
    "optimizer state",
    "activations",
    "logits",
    "KV cache",
    "rollout buffers",
)
BYTES = {"fp32": 4, "fp16": 2, "bf16": 2, "8bit": 1}
CHUNK_LOGITS, LONG_TEXT = 2**19, 64  # as in helpers.backbone, which takes seconds to import
REWARD_RANK = 16  # of the reward adapter, which one backbone also holds, on the top third of its layers
ARCHITECTURES = ("llama", "mistral", "qwen2", "qwen3")
LINEARS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class Run:
    """What a bill depends on beside the model: one PPO update of policy, reference, value and reward model.

    Attributes:
        precision: of the four models, "fp32" or "8bit" (linear layers in int8, all else fp32).
        adapter_rank: `r` of the LoRA adapters; 0 trains all float weights of policy and value model. With adapters,
            the value model trains only its head.
        adapter_targets: the linear layers that get an adapter.
        dropout: LoRA's dropout is above 0, and the adapters are in `train()` mode.
        on_gpu: what is kept for the backward is that of an NVIDIA GPU, for models with grouped keys to the byte, and in
            8-bit after `helpers.eight_bit.read_rows_alone`; all other lines are the same.
        shared_reference: the reference is recovered from the policy and has no weights of its own.
        adapted_layers: not 0: one frozen backbone plays all four roles, with the policy's adapters on so many of its
            top layers, and what is below runs once a rollout (lesson 4).
        batch, micro_batch: sequences a rollout, and sequences a training step forward and backward.
        prompt_length, response_length: tokens.
    """

    precision: str = "fp32"
    adapter_rank: int = 0
    adapter_targets: tuple[str, ...] = ("q_proj", "v_proj")
    dropout: bool = False
    on_gpu: bool = False
    shared_reference: bool = False
    adapted_layers: int = 0
    batch: int = 16
    micro_batch: int = 4
    prompt_length: int = 8
    response_length: int = 24

    def __post_init__(self):
        if self.precision not in ("fp32", "8bit"):
            raise ValueError(f"A run is predicted in 'fp32' or '8bit', not in {self.precision!r}.")
        unknown = sorted(set(self.adapter_targets) - set(LINEARS))
        if unknown:
            raise ValueError(f"An adapter on {', '.join(unknown)} is not predicted, only on {', '.join(LINEARS)}.")
        if self.adapted_layers:
            _refuse_other_backbones(self)

    @property
    def length(self) -> int:
        return self.prompt_length + self.response_length


def linear_shapes(config: Any) -> dict[str, tuple[int, int]]:
    """(outputs, inputs) of each linear layer of one transformer block.

    Raises:
        ValueError: the model has weights, or keeps tensors, that no line of the bill knows.
    """
    refuse_other_architectures(config)
    width, inner = config.hidden_size, config.intermediate_size
    queries = config.num_attention_heads * _head_dim(config)
    keys = config.num_key_value_heads * _head_dim(config)
    shapes = [(queries, width), (keys, width), (keys, width), (width, queries), (inner, width), (inner, width)]
    return dict(zip(LINEARS, [*shapes, (width, inner)], strict=True))


def parameters(config: Any) -> dict[str, int]:
    """How many weights are in linear layers, how many rows these have, and how many weights are elsewhere: embedding,
    norms, output layer, and the biases of queries, keys and values that Qwen2 has.

    Qwen3 has two norms more in each layer, of the queries and of the keys, each of the width of a head.
    """
    of_layer = linear_shapes(config)
    shapes, biased = of_layer.values(), ("q_proj", "k_proj", "v_proj") if config.model_type == "qwen2" else ()
    embeddings = config.vocab_size * config.hidden_size * (1 if config.tie_word_embeddings else 2)
    of_heads = 2 * _head_dim(config) if _norms_heads(config) else 0
    return {
        "linear": config.num_hidden_layers * sum(rows * columns for rows, columns in shapes),
        "linear_rows": config.num_hidden_layers * sum(rows for rows, _ in shapes),
        "other": embeddings
        + (2 * config.num_hidden_layers + 1) * config.hidden_size
        + config.num_hidden_layers * (of_heads + sum(of_layer[name][0] for name in biased)),
    }


def weight_bytes(config: Any, precision: str, other_precision: str = "fp32") -> int:
    """Bytes of one model's weights. In 8-bit a linear weight is one byte, and each row adds a float32 scale.

    Args:
        config: a `LlamaConfig` or one with the same names.
        precision: "fp32", "fp16", "bf16" or "8bit".
        other_precision: with "8bit", of embedding, norms and output layer, which are not quantized.
    """
    count = parameters(config)
    if precision != "8bit":
        return BYTES[precision] * (count["linear"] + count["other"])
    return count["linear"] + 4 * count["linear_rows"] + BYTES[other_precision] * count["other"]


def adapter_parameters(config: Any, rank: int, targets: Iterable[str]) -> int:
    """Weights of LoRA adapters on all layers: r · (inputs + outputs) for each adapted linear layer."""
    shapes = linear_shapes(config)
    return config.num_hidden_layers * sum(rank * sum(shapes[target]) for target in targets)


def activation_bytes(config: Any, run: Run) -> int:
    """What one forward of a micro-batch keeps for its backward (float32), without parameters and without logits.

    It is no estimate: the count on a live model is equal. What decides:

    - A linear layer keeps its input only if it has something to train: its weight, or an adapter's A.
    - bitsandbytes' 8-bit layers keep their input although their weights are frozen, and their backward never reads it.
      So 8-bit weights save no activations: training all float weights keeps as much as it does in float32. (On a GPU
      other products take their place, which keep nothing: `helpers.eight_bit`.)
    - On a CPU, attention in float32 is one operation, which keeps its output and what came in. On a GPU, where keys are
      shared by groups of heads, it runs in steps: each head has its own copy of the keys and values, and the attention
      weights are kept, for each token one for every token.
    - A frozen norm keeps its input and 1 / rms; a trained one also keeps what it scales. Qwen3 has a norm of each head
      of the queries and of the keys, too.
    - LoRA without dropout keeps nothing that another layer with the same input does not keep already, but A x. Dropout
      gives each adapter an input of its own, and a mask as large (float32 on a CPU, one byte a number on a GPU).
    - In the first layer of a frozen base, what comes before the first adapter gets no gradient and keeps nothing. So
      an adapter on `o_proj` spares the first layer's attention, and only there.
    """
    window = getattr(config, "sliding_window", None)
    if window and run.length > window:
        raise ValueError(f"Texts of {run.length} tokens, more than sliding_window={window}, are not predicted.")
    tokens, width = run.micro_batch * run.length, config.hidden_size
    trains_base = run.adapter_rank == 0
    first = sum(_kept_by_layer(config, run, gradient_enters=trains_base).values())
    others = (config.num_hidden_layers - 1) * sum(_kept_by_layer(config, run, gradient_enters=True).values())
    last = width + 1 + (2 * width if trains_base else 0)  # the final norm; the output layer keeps its input if trained
    rotary = _rotary(config, run)  # one cosine and sine for all layers and sequences
    return 4 * (tokens * (first + others + last) + rotary) + 8 * tokens  # and the token ids, int64


def logits_bytes(config: Any, run: Run) -> int:
    """The log-softmax over the vocabulary that one micro-batch keeps for its backward (float32)."""
    return 4 * run.micro_batch * (run.length - 1) * config.vocab_size


def kv_cache_bytes(config: Any, run: Run) -> int:
    """Keys and values of all tokens but the last, which is never fed back (float32)."""
    width = config.num_key_value_heads * _head_dim(config)
    return 4 * 2 * config.num_hidden_layers * run.batch * (run.length - 1) * width


def rollout_bytes(run: Run) -> int:
    """What PPO keeps of a rollout: token ids (int64), and for each response token the log-probs of policy and
    reference, values, rewards, advantages and returns (float32); a score for each response."""
    return 8 * run.batch * run.length + 6 * 4 * run.batch * run.response_length + 4 * run.batch


def predicted_bill(config: Any, run: Run) -> dict[str, int]:
    """Every line of the bill of one PPO update, in bytes, predicted from a model's configuration alone."""
    if run.adapted_layers:
        return _bill_of_one_backbone(config, run)
    count = parameters(config)
    models = 3 if run.shared_reference else 4
    head = config.hidden_size  # of value and reward model, in place of an output layer
    output_layer = 0 if config.tie_word_embeddings else config.vocab_size * config.hidden_size
    if run.adapter_rank:
        adapters = adapter_parameters(config, run.adapter_rank, run.adapter_targets)
        trained = adapters + head
        activations = activation_bytes(config, run) + 4 * run.micro_batch * run.length * config.hidden_size
    else:
        adapters = 0
        trained = 2 * (count["other"] + (count["linear"] if run.precision == "fp32" else 0)) + head - output_layer
        activations = 2 * activation_bytes(config, run)
    return {
        "weights": models * weight_bytes(config, run.precision) + 4 * 2 * (head - output_layer),
        "adapters": 4 * adapters,
        "gradients": 4 * trained,
        "optimizer state": 2 * 4 * trained,  # Adam's two moments; its step counters are a few bytes
        "activations": activations,
        "logits": logits_bytes(config, run),
        "KV cache": kv_cache_bytes(config, run),
        "rollout buffers": rollout_bytes(run),
    }


def _refuse_other_backbones(run: Run) -> None:
    if not (run.adapter_rank and run.shared_reference):
        raise ValueError("One backbone shares its reference and has adapters: give adapter_rank, shared_reference.")
    if run.batch < run.micro_batch:
        raise ValueError(f"micro_batch={run.micro_batch} is more than the batch of {run.batch}.")
    if run.length > LONG_TEXT:
        raise ValueError(
            f"Texts of {run.length} tokens: of more than {LONG_TEXT} the trainer computes some layers again in the "
            "backward, which this bill does not know. `python -m helpers plan` does."
        )


def _bill_of_one_backbone(config: Any, run: Run) -> dict[str, int]:
    """The policy owns an adapter, the reward model another and a head, the value model a head, the reference nothing.

    Of the logits one slice of the vocabulary exists at a time, as a product and in float32; instead of them, the
    gradient of the log-probabilities by the hidden states is kept. Cosine and sine come for each sequence of the
    rollout; the embedding keeps no ids.
    """
    layers, width = config.num_hidden_layers, config.hidden_size
    top, top_third = copy.copy(config), copy.copy(config)
    top.num_hidden_layers, top_third.num_hidden_layers = run.adapted_layers, third_of(layers)
    if not third_of(layers) <= run.adapted_layers <= layers:
        raise ValueError(
            f"adapted_layers={run.adapted_layers}, but the model has {layers} layers, and the reward adapter sits on "
            f"the top {third_of(layers)} of them: fewer are not predicted."
        )
    adapter = adapter_parameters(top, run.adapter_rank, run.adapter_targets)
    trained, head = adapter + width + 1, width + 1
    for_gradients = 4 * run.micro_batch * run.response_length * width
    positions = 4 * (run.batch - 1) * _rotary(top, run) - 8 * run.micro_batch * run.length
    return predicted_bill(config, replace(run, adapted_layers=0)) | {
        "weights": weight_bytes(config, run.precision) + 4 * 2 * head,
        "adapters": 4 * (adapter + adapter_parameters(top_third, REWARD_RANK, ("q_proj", "v_proj"))),
        "gradients": 4 * trained,
        "optimizer state": 2 * 4 * trained,
        "activations": activation_bytes(top, run) + for_gradients + positions,
        "logits": 8 * min(CHUNK_LOGITS, run.micro_batch * run.response_length * config.vocab_size),
        "rollout buffers": rollout_bytes(run) + 4 * run.batch * run.length * width,  # and what the layers below gave
    }


def refuse_other_architectures(config: Any) -> None:
    """Raise a `ValueError` that names the setting under which a model has weights or tensors that are not counted."""
    if config.model_type not in ARCHITECTURES:
        raise ValueError(
            f"model_type={config.model_type!r} is not predicted, only {', '.join(ARCHITECTURES)}: others have more "
            "norms (Gemma), experts or other layers."
        )
    wanted = {"attention_bias": False, "mlp_bias": False, "attention_dropout": 0, "hidden_act": "silu"}
    for setting, value in wanted.items():
        if (found := getattr(config, setting, value)) != value:
            raise ValueError(f"{setting}={found!r} is not predicted, only {setting}={value!r}.")


def _head_dim(config: Any) -> int:
    return getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads


def third_of(layers: int) -> int:
    """How many layers the top third are; as many as `helpers.adapters.top_layers` names."""
    return max(1, round(layers / 3))


def _rotary(config: Any, run: Run) -> int:
    """Numbers of a sequence's cosines and sines; they are kept where queries or keys need a gradient."""
    needed = run.adapter_rank == 0 or config.num_hidden_layers > 1 or {"q_proj", "k_proj"} & set(run.adapter_targets)
    return 2 * run.length * _head_dim(config) if needed else 0


def _norms_heads(config: Any) -> bool:
    return config.model_type == "qwen3"


def _kept_by_layer(config: Any, run: Run, gradient_enters: bool) -> dict[str, int]:
    """Numbers that one layer keeps for the backward of each token, by storage: what two operations keep counts once.

    In the order of the forward. `linear` and `norm` return whether their output needs a gradient.
    """
    shapes, width, inner = linear_shapes(config), config.hidden_size, config.intermediate_size
    queries, keys = shapes["q_proj"][0], shapes["k_proj"][0]
    trains_base = run.adapter_rank == 0
    kept: dict[str, int] = {}

    def norm(x: str, gradient: bool, numbers: int = width, norms: int = 1) -> bool:
        if gradient:
            kept.update({x: numbers, f"1 / rms of {x}": norms})
        if trains_base:
            kept[f"normalised {x}"] = numbers
        return gradient or trains_base

    def linear(name: str, x: str, gradient: bool) -> bool:
        inputs = shapes[name][1]
        trained = trains_base and run.precision == "fp32"
        adapted = not trains_base and name in run.adapter_targets
        unread = run.precision == "8bit" and gradient and not run.on_gpu
        if trained or unread or (adapted and not run.dropout):
            kept[x] = inputs
        if adapted and run.dropout:
            mask = inputs // 4 if run.on_gpu else inputs
            kept.update({f"{name}, dropped out": inputs, f"{name}, mask": mask if gradient else 0})
        if adapted:
            kept[f"{name}, A x"] = run.adapter_rank
        return gradient or trained or adapted

    gradient = norm("layer input", gradient_enters)
    needed = [linear(name, "attention input", gradient) for name in ("q_proj", "k_proj", "v_proj")]
    if _norms_heads(config):
        heads, kv_heads = config.num_attention_heads, config.num_key_value_heads
        needed[:2] = norm("raw queries", needed[0], queries, heads), norm("raw keys", needed[1], keys, kv_heads)
    if any(needed) and run.on_gpu and keys < queries:
        query, key, _ = needed  # a product keeps a factor only if the other one needs a gradient
        kept.update({"queries": queries * key, "keys": queries * query, "values": queries * (query or key)})
        kept["attention weights"] = config.num_attention_heads * run.length
    elif any(needed):
        attention = {"queries": queries, "keys": keys, "values": keys, "attention output": queries}
        kept.update(attention, log_sum_exp=config.num_attention_heads)
    gradient = linear("o_proj", "attention output", any(needed)) or gradient
    gradient = norm("middle", gradient)
    gate, up = (linear(name, "feed-forward input", gradient) for name in ("gate_proj", "up_proj"))
    if gate:
        kept.update({"gate": inner, "up": inner})  # for the gradients of silu(gate) and of silu(gate) * up
    if up:
        kept["silu(gate)"] = inner
    linear("down_proj", "product", gate or up)
    return kept
