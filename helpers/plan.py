"""Does it fit? The memory of a training run, line by line and phase by phase, from a model's shape alone; in bytes.

Three methods: "full", the four models of lesson 0; "ppo", this course's trainer, one frozen backbone with adapters;
"qlora", supervised fine-tuning of adapters on a 4-bit model with gradient checkpointing (Dettmers et al., 2023).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from helpers import bill
from helpers.shapes import Shape

MIB = 2**20
METHODS = {"full": "fp32", "ppo": "8bit", "qlora": "4bit"}  # and the precision of each, where none is asked for
PRECISIONS = ("fp32", "fp16", "bf16", "8bit", "4bit")
NF4 = {"ppo": 0.5 + 4 / 64, "qlora": 0.5 + 1 / 64 + 4 / (64 * 256)}  # bytes a weight; scales of 64, doubly quantized
TRUNK_TEXT = 256  # as in helpers.backbone, which takes seconds to import
SHORT_ATTENTION, WEIGHTS_AT_ONCE = 2**20, 2**17  # weights of a layer, as in helpers.layers
CUDA_CONTEXT = 666_632_192  # with all kernels loaded; pytorch pull request 86509 (a fresh, lazy one takes 426 MiB)
CUBLAS_WORKSPACE = 32 * MIB  # of PyTorch on Hopper; 8 MiB on older cards
LIBRARIES = 499 * MIB  # Python, what the trainer imports, and what that loads when it runs; tests/bench/peaks.json
GAPS = 0.6  # of malloc on Linux, a part of the tensors that come and go; near 0 with MALLOC_TRIM_THRESHOLD_=65536 set
STAYING = ("weights", "adapters", "gradients", "optimizer state")


@dataclass(frozen=True)
class Job:
    """What is to be done with a model.

    Attributes:
        method, precision: one of `METHODS`, and of `PRECISIONS`. What 8-bit and 4-bit leave is float32 ("ppo", "full"),
            or bfloat16 ("qlora").
        layers: adapters on "all" layers, or on the "top" third. "qlora" adapts every linear layer, "ppo" q and v.
        r: rank of the adapters.
        batch, micro_batch: sequences a rollout, and sequences a pass of a training step. "qlora" has passes only.
        length: tokens of a sequence; a quarter of them is the prompt.
        on_gpu: else in the memory of a CPU.
    """

    method: str = "ppo"
    precision: str = "8bit"
    layers: str = "top"
    r: int = 8
    batch: int = 16
    micro_batch: int = 8
    length: int = 32
    on_gpu: bool = True

    @property
    def response(self) -> int:
        return self.length - self.length // 4

    @property
    def number(self) -> int:
        """Bytes of a number that is computed with."""
        return 2 if self.precision in ("fp16", "bf16") or self.method == "qlora" else 4

    def adapted_layers(self, shape: Shape) -> int:
        return shape.layers if self.layers == "all" or self.method == "qlora" else bill.third_of(shape.layers)


def phases(shape: Shape, job: Job) -> dict[str, dict[str, int]]:
    """What is in memory in each phase of a run: bytes for each line, in the order of `bill.LINES`; see `full_bill`."""
    if job.method == "full":
        found = {"full": full_bill(shape, job)}
    elif job.method == "qlora":
        found = {"training": _fixed(shape, job) | _step(shape, job)}
    else:
        found = {
            "writing": _fixed(shape, job) | _writing(shape, job),
            "judging": _fixed(shape, job) | _judging(shape, job),
            "training": _fixed(shape, job) | _step(shape, job),
        }
    order = (*bill.LINES, "working memory")
    in_order = {phase: {line: lines[line] for line in order if line in lines} for phase, lines in found.items()}
    return {phase: lines | _base(lines, job.on_gpu) for phase, lines in in_order.items()}


def _base(lines: dict[str, int], on_gpu: bool) -> dict[str, int]:
    """What a process needs beside the bill."""
    if on_gpu:
        return {"cuBLAS workspace": CUBLAS_WORKSPACE, "CUDA context": CUDA_CONTEXT}
    coming_and_going = sum(size for line, size in lines.items() if line not in STAYING)
    return {"gaps of the heap": int(GAPS * coming_and_going), "libraries": LIBRARIES}


def peak(shape: Shape, job: Job) -> tuple[str, int]:
    """The phase that needs most, and its bytes."""
    totals = {phase: sum(lines.values()) for phase, lines in phases(shape, job).items()}
    return max(totals.items(), key=lambda phase: phase[1])


def weight_bytes(shape: Shape, job: Job) -> int:
    """One model in the precision of the job."""
    if job.precision not in ("8bit", "4bit"):
        return bill.BYTES[job.precision] * shape.parameters
    other = job.number * shape.other_weights
    if job.precision == "4bit":
        return int(NF4["qlora" if job.method == "qlora" else "ppo"] * shape.linear_weights) + other
    return shape.linear_weights + 4 * shape.linear_rows + other  # int8, and a float32 scale for each row


def adapter_weights(shape: Shape, job: Job) -> int:
    """Weights that the policy trains, without the value head."""
    adapted = shape.linear if job.method == "qlora" else shape.adapted
    return job.adapted_layers(shape) * job.r * sum(sum(shape.linear[name]) for name in adapted)


def full_bill(shape: Shape, job: Job) -> dict[str, int]:
    """The bill of lesson 0: four models, policy and value model trained in full; `bill.predicted_bill` where it knows
    the family.

    GPT-NeoX is counted here, with rotary positions on a quarter of each head.
    """
    if job.precision != "fp32":
        raise ValueError(f"precision={job.precision!r}: full fine-tuning is planned in fp32 only.")
    run = bill.Run(batch=job.batch, micro_batch=job.micro_batch, prompt_length=job.length // 4)
    run = replace(run, response_length=job.response, on_gpu=job.on_gpu)
    if shape.family != "gpt_neox":
        return bill.predicted_bill(shape.config, run)
    head, output = shape.width, shape.vocabulary * shape.width
    trained = 2 * shape.parameters + head - output
    tokens = job.micro_batch * job.length
    # Input, both norms, q, k, 3 for v (see `kept_by_layer`), attention twice; gelu's input and output; norms' moments.
    layer = 10 * shape.width + shape.heads + 4 + 2 * shape.inner
    ends = tokens * (4 * (2 * shape.width + 2) + 8) + 2 * 4 * job.length * (shape.queries // shape.heads // 4)
    return {
        "weights": 4 * (4 * shape.parameters + 2 * (head - output)),
        "adapters": 0,
        "gradients": 4 * trained,
        "optimizer state": 8 * trained,
        "activations": 2 * (4 * tokens * shape.layers * layer + ends),
        "logits": bill.logits_bytes(shape.config, run),
        "KV cache": bill.kv_cache_bytes(shape.config, run),
        "rollout buffers": bill.rollout_bytes(run),
    }


def _fixed(shape: Shape, job: Job) -> dict[str, int]:
    """What stays from the first optimizer step on."""
    trained = adapter_weights(shape, job) + (shape.width + 1 if job.method == "ppo" else 0)
    held = trained
    if job.method == "ppo":
        reward = replace(job, layers="top", r=bill.REWARD_RANK)
        held += adapter_weights(shape, reward) + shape.width + 1
    return {"weights": weight_bytes(shape, job), "adapters": 4 * held, "optimizer state": 8 * trained}


def _writing(shape: Shape, job: Job) -> dict[str, int]:
    """While the policy writes: keys and values of all layers, and one more layer's while they are joined."""
    cache = 2 * job.batch * (job.length - 1) * shape.keys * job.number
    prompt = job.batch * (job.length - job.response)
    return {
        "KV cache": shape.layers * cache,
        "logits": 12 * job.batch * shape.vocabulary,  # scaled logits, their softmax, and its sums, in float32
        "working memory": cache + _pass(shape, job, prompt) + _dequantized(shape, job),
    }


def _judging(shape: Shape, job: Job) -> dict[str, int]:
    """While every role reads what was written: the top a micro-batch at a time, the trunk more short texts at once."""
    trunk = min(job.batch, job.micro_batch * max(1, TRUNK_TEXT // job.length))
    rows = trunk if job.adapted_layers(shape) < shape.layers else job.micro_batch
    mask = rows * job.length**2 * job.number
    return {
        "rollout buffers": _rollout(shape, job),
        "logits": _logits(shape, job)["logits"],
        "working memory": _pass(shape, job, rows * job.length) + mask + _dequantized(shape, job),
    }


def _step(shape: Shape, job: Job) -> dict[str, int]:
    """While a micro-batch is trained: gradients, and what its forward keeps."""
    tokens = job.micro_batch * job.length
    kept, entering, adapted = kept_by_layer(shape, job), shape.width * job.number, job.adapted_layers(shape)
    if job.method == "qlora":  # of each layer its input; of one layer at a time, all
        activations = tokens * (kept + adapted * entering)
    else:  # layers times tokens of a text of which all is kept; of the others, what enters
        whole = min(adapted * job.length, max(adapted * bill.LONG_TEXT, job.length))
        activations = job.micro_batch * (whole * kept + (adapted * job.length - whole) * entering)
    backward = 3 * tokens * max(shape.inner, shape.width) * job.number  # the gradients that flow through one block
    lines = {"gradients": _fixed(shape, job)["optimizer state"] // 2, "activations": activations, **_logits(shape, job)}
    one = job.length**2 * shape.queries // shape.keys
    weights = min(_short_attention(shape, job), max(WEIGHTS_AT_ONCE, one))
    of_attention = 3 * 4 * weights - 2 * tokens * shape.inner * job.number  # with gradients; gate and up are gone then
    lines["working memory"] = max(backward, of_attention) + _dequantized(shape, job)
    return lines | ({"rollout buffers": _rollout(shape, job)} if job.method == "ppo" else {})


def kept_by_layer(shape: Shape, job: Job) -> int:
    """Bytes that one adapted layer keeps for the backward of each token, with padded prompts (a mask).

    Equal to what is counted on a live model on a CPU, but for the first layer, where the norm and that of the keys keep
    nothing:

    - A norm of a Llama keeps its input in float32 and 1 / rms; LayerNorm keeps its input once for both of GPT-NeoX.
      Qwen3 has one of each head of the queries and of the keys, too.
    - Attention keeps queries, keys and values at the width of the queries (grouped ones are repeated), its output, a
      float32 a head, and its mask: one number for each token before. On a GPU, grouped keys in float32 without padding
      take another way, which keeps its weights, one for each head and token before, and no output: the larger counts.
    - LoRA keeps its input in float32: a copy of its own for each adapter if numbers are of 2 bytes, else one for all
      that have the same input; and A x.
    - A gated feed-forward block keeps gate, up and silu(gate).
    - In "ppo" (`helpers.layers`) the gated block keeps the first two; and on a CPU norms and LoRA keep their input once
      and as it is, and attention of a short text in bfloat16 queries, keys and values as they are.
    - 8-bit layers of bitsandbytes keep their input, frozen or not. What PPO has instead (`helpers.eight_bit`) and 4-bit
      layers do not.
    """
    number, width, inner = job.number, shape.width, shape.inner
    lean = job.method == "ppo" and not job.on_gpu  # helpers.layers
    adapted = shape.linear if job.method == "qlora" else shape.adapted
    attention = number * (4 * shape.queries + job.length) + 4 * shape.heads
    if job.on_gpu and number == 4 and shape.keys < shape.queries:
        attention = max(attention, number * (3 * shape.queries + shape.heads * job.length))
    if _short_attention(shape, job):
        attention = number * (shape.queries + 2 * shape.keys)
    kept = attention + 4 * job.r * len(adapted)
    copies = number == 2 and not lean
    kept += 4 * sum(shape.linear[name][1] for name in adapted) if copies else number * width  # q and v share one
    eight = job.precision == "8bit" and job.method != "ppo"
    if shape.family == "gpt_neox":  # one input of both norms; values are a view of all that `query_key_value` returned
        return kept + number * (3 * width + 4 + inner) + eight * number * (2 * width + inner)
    normed, gated = number if lean else 4, 2 if job.method == "ppo" else 3
    if shape.norms_heads:
        kept += normed * (shape.queries + shape.keys) + 4 * (shape.heads + shape.kv_heads)
    return kept + 2 * (normed * width + 4) + gated * number * inner + eight * number * (width + inner)


def _short_attention(shape: Shape, job: Job) -> int:
    """The weights of a layer's attention, if they exist in its backward; else 0."""
    weights = job.micro_batch * shape.heads * job.length**2
    own = job.method == "ppo" and job.precision == "bf16" and not job.on_gpu and shape.family != "gpt_neox"
    return weights if own and weights <= SHORT_ATTENTION else 0


def _logits(shape: Shape, job: Job) -> dict[str, int]:
    if job.method == "qlora":  # cross-entropy: the logits, in float32 too, their log-softmax, and a gradient
        return {"logits": job.micro_batch * job.length * shape.vocabulary * (job.number + 12)}
    rows = job.micro_batch * job.response
    slice_of_logits = min(bill.CHUNK_LOGITS, rows * shape.vocabulary) * (4 + job.number)  # float32, and as multiplied
    return {"logits": slice_of_logits + 3 * 4 * rows * shape.width}  # and the gradients of the rows, summed along


def _rollout(shape: Shape, job: Job) -> int:
    """Tokens, what the roles said of them, what enters the first adapted layer, and the mask of that layer."""
    tokens = job.batch * job.length
    return 8 * tokens + 6 * 4 * job.batch * job.response + tokens * (shape.width * job.number + job.length)


def _pass(shape: Shape, job: Job, tokens: int) -> int:
    """What a pass without gradients holds at once: a block's input, its norm in float32, and the feed-forward block."""
    return tokens * (2 * job.number * shape.width + 2 * 4 * shape.width + 3 * job.number * shape.inner)


def _dequantized(shape: Shape, job: Job) -> int:
    """The largest linear layer, when it is brought back to floats for a product."""
    quantized = job.precision in ("8bit", "4bit")
    return quantized * job.number * max(rows * columns for rows, columns in shape.linear.values())


def largest(fits: Callable[[int], bool], most: int) -> int:
    """The largest number from 1 to `most` that fits, if what is larger never fits better; 0 if not even 1 does."""
    low, high = 0, 1
    while high <= most and fits(high):
        low, high = high, 2 * high
    high = min(high, most + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
