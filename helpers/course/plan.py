"""`python -m helpers plan`: does a model fit a GPU, where does the memory go, and how large may batch and length be?"""

import argparse
from dataclasses import replace
from pathlib import Path

from helpers import bill, plan, shapes
from helpers.download import CourseError
from helpers.plan import METHODS, MIB, PRECISIONS, Job
from helpers.shapes import GPUS, NO_BFLOAT16, Shape

MOST_SEQUENCES, MOST_TOKENS = 4096, 131_072  # where the search for the largest ends
MICRO_BATCHES = (8, 4, 2, 1)
TRAINED = {
    "full": "PPO with four models, policy and value model trained in full (lesson 0)",
    "ppo": "PPO on one frozen backbone, adapters on q and v of",
    "qlora": "supervised fine-tuning, checkpointed, adapters on every linear layer of",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    models = ", ".join(shapes.MODELS)
    parser.add_argument("--model", default="SmolLM2-135M", help=f"a folder, a hub id, or one of (the first): {models}")
    cards = ", ".join(GPUS)
    parser.add_argument("--gpu", default="t4", help=f"GiB, cpu (this machine's), or one of: {cards} (t4)")
    parser.add_argument("--method", choices=METHODS, default="ppo", help="default: ppo, this course's trainer")
    parser.add_argument("--precision", choices=PRECISIONS, help="default: 8bit for ppo, 4bit for qlora, fp32 for full")
    parser.add_argument("--layers", choices=("top", "all"), help="adapted layers (ppo alone; default: the top third)")
    parser.add_argument("--r", type=positive, default=8, help="rank of the adapters (default: 8)")
    parser.add_argument("--batch", type=positive, default=16, help="sequences a rollout, of qlora a step (default: 16)")
    parser.add_argument(
        "--micro-batch",
        type=positive,
        help="sequences a training pass (default: what fits, at most 8; of qlora, the batch)",
    )
    parser.add_argument("--length", type=positive, default=32, help="tokens of prompt and response (default: 32)")


def run(args: argparse.Namespace) -> int:
    """Print the plan; return 0 if it fits, 1 if not."""
    shape, (card, capacity) = shape_named(args.model), card_named(args.gpu)
    job = job_of(args, shape, capacity, on_gpu=args.gpu != "cpu")
    one_at_a_time = args.micro_batch is None and args.method != "qlora"
    print(report(shape, job, (card, capacity), one_at_a_time))
    return 0 if plan.peak(shape, job)[1] <= capacity else 1


def job_of(args: argparse.Namespace, shape: Shape, capacity: int, on_gpu: bool) -> Job:
    """What the options ask for; without `--micro-batch`, with the largest one of at most 8 that fits.

    Raises:
        CourseError: full fine-tuning in another precision than fp32, an option that the method does not have, or a
            sequence without a prompt.
    """
    if args.length < 4:
        raise CourseError(f"--length {args.length}: a quarter is the prompt, so it must be at least 4 tokens.")
    precision = args.precision or METHODS[args.method]
    if args.method == "full" and precision != "fp32":
        raise CourseError(f"--method full is planned in fp32 only, as in lesson 0. Leave --precision {precision} out.")
    if args.method != "ppo" and args.layers:
        raise CourseError(f"--method {args.method} trains all layers. Leave --layers {args.layers} out.")
    layers = args.layers or "top"
    job = Job(args.method, precision, layers, args.r, args.batch, args.batch, args.length, on_gpu)
    if args.method == "qlora" and args.micro_batch:
        raise CourseError("--method qlora takes its batch in one pass: give --batch in place of --micro-batch.")
    if args.method == "qlora":
        return job
    if args.micro_batch:
        return replace(job, micro_batch=min(args.micro_batch, args.batch))
    tried = [replace(job, micro_batch=min(rows, args.batch)) for rows in MICRO_BATCHES]
    return next((found for found in tried if plan.peak(shape, found)[1] <= capacity), tried[-1])


def shape_named(model: str) -> Shape:
    """A model of the table, or the shape in the configuration of a folder or hub id; no weights are read.

    Raises:
        CourseError: there is none, or its layers are not known.
    """
    if found := shapes.named(model):
        return found
    if not Path(model).exists() and "/" not in model:
        raise CourseError(
            f"--model {model}: neither in the table ({', '.join(shapes.MODELS)}) nor a folder here. A hub id has a "
            "slash, such as Qwen/Qwen2.5-0.5B."
        )
    from transformers import AutoConfig  # it takes seconds, and a name of the table needs it not

    try:
        config = AutoConfig.from_pretrained(model)
        shape = shapes.shape_of(config, model)
        if shape.family in bill.ARCHITECTURES:
            bill.refuse_other_architectures(config)
        return shape
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise CourseError(
            f"--model {model} cannot be planned: {reason} It must be a folder with a config.json, the id of a model on "
            f"the hub (with a network), or one of {', '.join(shapes.MODELS)}."
        ) from error


def card_named(gpu: str) -> tuple[str, int]:
    """A name, and its memory in bytes.

    Raises:
        CourseError: neither a known card nor a number above 0.
    """
    if gpu.lower() in GPUS:
        return gpu.lower(), GPUS[gpu.lower()] * MIB
    if gpu == "cpu":
        import psutil

        return "this machine's CPU", psutil.virtual_memory().total
    try:
        gib = float(gpu)
    except ValueError:
        gib = 0
    if not 0 < gib < 10_000:
        raise CourseError(f"--gpu {gpu}: a number of GiB (without a unit), cpu, or one of {', '.join(GPUS)}.")
    return f"a card of {gib:g} GiB", int(gib * 2**30)


def report(shape: Shape, job: Job, card: tuple[str, int], one_at_a_time: bool) -> str:
    """The whole answer, as text; `one_at_a_time`: what is suggested may go through the model in micro-batches of 1."""
    name, capacity = card
    phase, total = plan.peak(shape, job)
    lines = plan.phases(shape, job)
    trained = "" if job.method == "full" else f" {job.adapted_layers(shape)} of {shape.layers} layers, r={job.r}"
    text = [
        f"{shape.name}: {shape.parameters / 1e9:.2f} billion weights ({shape.source})",
        f"{TRAINED[job.method]}{trained}; weights in {job.precision}",
        f"batch {job.batch}, {job.micro_batch} at a time, length {job.length}; {name}: {capacity / MIB:,.0f} MiB",
        "",
        *[f"{line:18}{size / MIB:10,.0f} MiB" for line, size in lines[phase].items()],
        f"{'peak, ' + phase:18}{total / MIB:10,.0f} MiB",
    ]
    others = [f"{name} {sum(of.values()) / MIB:,.0f} MiB" for name, of in lines.items() if name != phase]
    if others:
        text += [f"(other phases: {', '.join(others)})"]
    largest = replace(job, micro_batch=1) if one_at_a_time else job
    text += ["", *verdict(shape, job, capacity - total, capacity), suggestion(shape, largest, capacity)]
    text += remarks(shape, job, name)
    return "\n".join(text)


def verdict(shape: Shape, job: Job, left: int, capacity: int) -> list[str]:
    """Whether it fits, and by how much."""
    if left >= 0:
        said = [f"It fits: {left / MIB:,.0f} MiB are left."]
        if left < 0.05 * capacity:
            said += ["That is less than 5%: an allocator that leaves gaps may need it. Try a smaller micro-batch."]
    else:
        said = [f"It does not fit: {-left / MIB:,.0f} MiB are missing.{smaller(shape, job, capacity)}"]
    return said


def remarks(shape: Shape, job: Job, card: str) -> list[str]:
    """What stands in the way of the run beside memory."""
    said = []
    if 0 < shape.context < job.length:
        said += [f"(But {shape.name} was made for texts of at most {shape.context:,} tokens.)"]
    if job.precision == "bf16" and card in NO_BFLOAT16:
        said += [f"(But a {card} has no bfloat16 instructions: take --precision fp16, which needs as much memory.)"]
    return said


def smaller(shape: Shape, job: Job, capacity: int) -> str:
    """The options with which the same run fits, as a sentence; '' if this course has none."""
    fewer = PRECISIONS[max(PRECISIONS.index(job.precision) + 1, PRECISIONS.index("8bit")) :]
    method, option = ("ppo", "--method ppo ") if job.method == "full" else (job.method, "")
    for precision in fewer:
        if plan.peak(shape, replace(job, method=method, precision=precision))[1] <= capacity:
            return f" With {option}--precision {precision} it fits."
    return ""


def suggestion(shape: Shape, job: Job, capacity: int) -> str:
    """The largest batch and length that fit, in micro-batches of the size that the job has."""
    batch, length = suggested_batch(shape, job, capacity), suggested_length(shape, job, capacity)
    way = ", one at a time" if job.micro_batch == 1 < job.batch else ""
    most = f"batch {batch}{' or more' if batch == MOST_SEQUENCES else ''}"
    longest = f"length {length}{' (its whole context)' if length == shape.context else ''}"
    if batch and length:
        return f"The largest that fits{way}: {most} at length {job.length}, or {longest} at batch {job.batch}."
    if length:
        return f"No batch fits at length {job.length}{way}; at batch {job.batch}, {longest} does."
    if batch:
        return f"No length fits at batch {job.batch}{way}; at length {job.length}, {most} does."
    alone = plan.peak(shape, replace(job, batch=1, micro_batch=1, length=4))[1]
    other = "--method ppo" if job.method == "full" else "fewer bits"
    return f"One sequence of 4 tokens needs {alone / MIB:,.0f} MiB: take {other}, a smaller model, or a larger card."


def suggested_batch(shape: Shape, job: Job, capacity: int) -> int:
    """The largest batch of this length, in micro-batches of at most this size; 0: none."""

    def fits(batch: int) -> bool:
        rows = batch if job.method == "qlora" else min(batch, job.micro_batch)
        return plan.peak(shape, replace(job, batch=batch, micro_batch=rows))[1] <= capacity

    return plan.largest(fits, MOST_SEQUENCES)


def suggested_length(shape: Shape, job: Job, capacity: int) -> int:
    """The longest sequences of this batch, at most what the model was made for; 0: not even those of 4 tokens."""
    most = shape.context or MOST_TOKENS
    return plan.largest(lambda n: plan.peak(shape, replace(job, length=max(n, 4)))[1] <= capacity, most)


def positive(text: str) -> int:
    """A whole number above 0, for argparse."""
    if (number := int(text)) < 1:
        raise ValueError
    return number
