"""The paths that only a GPU takes: 8-bit layers, fp16 and bf16, the trainer (resumed, and out of memory), two lessons.

python tests/gpu.py

Compares with float32 on the same device. Ends with 0 if all is well, 1 if something is not, and 2 where there is no
GPU, for then nothing was checked.
"""

import gc
import math
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import environments
import torch

from helpers.course import lessons
from helpers.course.train import new_policy
from helpers.device import best_precision
from helpers.feedback import prompt_collator, prompt_ids, sentences
from helpers.memory import peak_bytes
from helpers.model import load_model, load_tokenizer, start_lesson
from helpers.ppo import OF_THE_MACHINE, PPOConfig, PPOTrainer
from helpers.reward import AdapterReward

LESSONS = ("4_one_backbone_four_roles.ipynb", "5_practice.ipynb")  # they have the trainer, in 8-bit and in half floats
DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16, "8bit": torch.int8}
ALLOWED_KL = {"fp16": 0.001, "bf16": 0.02, "8bit": 0.1}  # nats a token from float32
ALLOWED_RATIO = 0.02  # of the first step from 1: kernels may sum in another order in training than in judging
ALLOWED_CHANGE = 0.001  # of a metric, relative: sums may come in another order


def check_precision(precision: str, device: str) -> str:
    """Load the model, and compare its next-token distributions with those of float32; says by how much they differ."""
    tokens = load_tokenizer()([s.text for s in sentences()[:8]], return_tensors="pt", padding=True).to(device)
    kept = tokens["attention_mask"].bool()
    found, due = (_logprobs(name, tokens, device)[kept] for name in (precision, "fp32"))
    kl = (due.exp() * (due - found)).sum(-1).mean().item()
    assert found.isfinite().all(), f"{precision}: not all log-probabilities are finite"
    assert kl <= ALLOWED_KL[precision], (
        f"{precision} is {kl:.4f} nats a token from fp32, allowed: {ALLOWED_KL[precision]}"
    )
    return f"{kl:.5f} nats a token from fp32"


def check_training(precision: str, device: str) -> str:
    """Two updates of PPO: they start at ratio 1 and KL 0, stay finite, move the adapter, and move nothing frozen."""
    trainer = new_trainer(precision, device)
    policy = trainer.model
    frozen = {name: p.detach().clone() for name, p in policy.named_parameters() if not p.requires_grad}
    trained = [p.detach().clone() for p in trainer.trained]
    first, second = trainer.train(2)
    assert policy.device.type == torch.device(device).type, f"the policy is on {policy.device}"
    assert all(torch.equal(p, frozen[name]) for name, p in policy.named_parameters() if name in frozen), "frozen moved"
    assert all(p.dtype == torch.float32 and p.isfinite().all() for p in trainer.trained), "trained: not finite float32"
    assert any(not torch.equal(p, old) for p, old in zip(trainer.trained, trained, strict=True)), "nothing was trained"
    away = max(abs(first[name] - 1) for name in ("val/ratio_min", "val/ratio_max"))
    assert away <= ALLOWED_RATIO, f"the first ratio is {away:.4f} from 1"
    assert abs(first["objective/kl"]) <= ALLOWED_RATIO * 12, f"KL of the first update: {first['objective/kl']:.4f} nats"
    return f"first ratio within {away:.5f} of 1, then KL {second['objective/kl_k3']:.4f} nats"


def check_resuming(precision: str, device: str) -> str:
    """Update 4, two after a checkpoint was loaded into a new trainer, is update 4 of the run that was never cut off.

    Update 3 would not show a lost optimizer state: its metrics are taken before its step.
    """
    with tempfile.TemporaryDirectory() as folder:
        due = new_trainer(precision, device, save_every=2, output_dir=folder).train(4)[3]
        found = new_trainer(precision, device, resume_from=Path(folder) / "update-000002").train(2)[3]
    return f"after resuming, {_compared(found, due)}"


def check_out_of_memory(precision: str, device: str) -> str:
    """A card too small for the micro-batch: it is halved, and the update is the same."""
    settings = {"batch_size": 64, "per_device_train_batch_size": 64, "local_rollout_forward_batch_size": 8}
    trainer = new_trainer(precision, device, **settings)
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    due = trainer.train(1)[0]
    needed = torch.cuda.max_memory_allocated() - before
    del trainer
    _free()
    trainer = new_trainer(precision, device, **settings)
    _free()  # what loading left would loosen the limit
    total = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 0.75 * needed) / total)
    try:
        found = trainer.train(1)[0]
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert trainer.micro_batch < 64, f"three quarters of {needed / 2**20:,.0f} MiB were enough for a micro-batch of 64"
    return f"micro-batch 64 → {trainer.micro_batch}, {_compared(found, due)}"


def check_rows_alone(precision: str, device: str) -> str:
    """What the model says of a text, in either mode, does not depend on the texts beside it."""
    model, tokenizer = load_model(precision, device), load_tokenizer()
    texts = [s.text for s in sentences()[:8]]
    tokens = tokenizer(texts, return_tensors="pt", padding=True).to(device)
    other = torch.randint(100, 40_000, tokens["input_ids"].shape, generator=torch.Generator().manual_seed(0)).to(device)
    other[0], mask = tokens["input_ids"][0], torch.ones_like(other)
    mask[0] = tokens["attention_mask"][0]
    with torch.no_grad():
        in_train = model(**tokens).logits[0].float().log_softmax(-1)
        beside_others = model(input_ids=other, attention_mask=mask).logits[0].float().log_softmax(-1)
        in_eval = model.eval()(**tokens).logits[0].float().log_softmax(-1)
    kept = tokens["attention_mask"][0].bool()
    moved = max((found - in_train)[kept].abs().max().item() for found in (beside_others, in_eval))
    assert moved <= ALLOWED_CHANGE, f"a text's log-probabilities move by {moved:.4f} nats"
    return f"a text's log-probabilities move by {moved:.6f} nats beside other texts, and in eval()"


def check_lesson(name: str) -> str:
    """Execute one lesson; its cells hold what they claim by assertions."""
    _, figures = lessons.executed(environments.ROOT / "notebooks" / name, 1200)
    print("\r", end="")
    return f"{name}, {figures.seconds:.0f} s"


def checks_of_any_device(device: str) -> Iterator[tuple]:
    """Each check that needs no GPU: a function and its arguments."""
    for check in (check_precision, check_training, check_resuming):
        yield from ((check, precision, device) for precision in DTYPES)
    yield (check_rows_alone, "8bit", device)


def checks(device: str) -> Iterator[tuple]:
    """Each check of a GPU."""
    yield from checks_of_any_device(device)
    yield (check_out_of_memory, best_precision()[0], device)
    yield from ((check_lesson, name) for name in LESSONS)


def run(checks: Iterable[tuple]) -> int:
    """Run these checks, each whatever the others did; how many failed."""
    failed = 0
    for check, *arguments in checks:
        name = " ".join([check.__name__.removeprefix("check_"), *arguments[:1]])
        _free()
        torch.cuda.reset_peak_memory_stats()
        started = time.perf_counter()
        try:
            told = check(*arguments)
        except Exception as error:  # a kernel that is missing or an assertion: the next check may still tell more
            failed += 1
            told = f"FAILED: {type(error).__name__}: {error}"
        peak = f"{peak_bytes() / 2**20:,.0f} MiB"
        print(f"{name:20} {time.perf_counter() - started:5.1f} s  {peak:>10}  {told}", flush=True)
    return failed


def main() -> int:
    if not torch.cuda.is_available():
        build = f"is built for CUDA {torch.version.cuda}" if torch.version.cuda else "is a build without CUDA"
        print(
            f"No NVIDIA GPU that torch can use (torch {torch.__version__} {build}). Nothing was checked.",
            file=sys.stderr,
        )
        return 2
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, CUDA {torch.version.cuda}")
    failed = run(checks("cuda"))
    print(f"{failed} checks FAILED" if failed else "All checks passed.")
    return int(failed > 0)


def new_trainer(precision: str, device: str, resume_from: Path | None = None, **settings) -> PPOTrainer:
    """The trainer as the lessons have it, with the reward adapter, a small batch and one epoch."""
    start_lesson(0)
    policy, tokenizer = new_policy(precision).to(device), load_tokenizer()
    small = {"batch_size": 8, "per_device_train_batch_size": 4, "response_length": 12, "num_ppo_epochs": 1}
    return PPOTrainer(
        PPOConfig(**{**small, "learning_rate": 1e-3, "temperature": 1.0, "seed": 0, **settings}),
        policy,
        ref_model=None,
        tokenizer=tokenizer,
        dataset=prompt_ids("train", tokenizer, 64),
        data_collator=prompt_collator(tokenizer),
        reward=AdapterReward(policy),
        resume_from=resume_from,
    )


def _free() -> None:
    gc.collect()
    torch.cuda.empty_cache()


def _compared(found: dict, due: dict) -> str:
    """Assert that the metrics of an update are those of another, but for the order in which a GPU may sum."""
    compared = due.keys() - OF_THE_MACHINE
    assert all(math.isfinite(side[name]) for side in (found, due) for name in compared), "a metric is not finite"
    apart = {name: abs(found[name] - due[name]) / max(0.01, abs(due[name])) for name in compared}
    worst = max(apart, key=apart.get)
    assert apart[worst] <= ALLOWED_CHANGE, f"{worst} is {found[worst]:.5f}, without {due[worst]:.5f}"
    return "the same to the bit" if apart[worst] == 0 else f"the same within {apart[worst]:.1e} ({worst})"


def _logprobs(precision: str, tokens, device: str) -> torch.Tensor:
    """(batch, length, vocabulary) log-probabilities of the next token, in float32."""
    model = load_model(precision, device)
    if precision in DTYPES:
        weight = model.get_decoder().layers[0].mlp.up_proj.weight
        assert (weight.dtype, weight.device.type) == (DTYPES[precision], torch.device(device).type), (
            f"{precision}: a weight is {weight.dtype} on {weight.device}"
        )
    with torch.no_grad():
        return model(**tokens).logits.float().log_softmax(-1)


if __name__ == "__main__":
    sys.exit(main())
