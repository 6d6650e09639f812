"""One fresh process of the benchmark: a few PPO updates by one trainer; prints a JSON line with time and peak memory.

python tests/bench/worker.py own|trl 8bit|bf16 top|all UPDATES [RESPONSE_LENGTH BATCH]
"""

import json
import sys
import tempfile
import time
from types import SimpleNamespace

import torch

from helpers.course.train import new_policy
from helpers.feedback import prompt_collator, prompt_ids, prompts
from helpers.memory import counted_weight_bytes, peak_bytes
from helpers.model import load_tokenizer, start_lesson

TRL_MICRO_BATCH = 4


def micro_batch(precision: str, layers: str) -> int:
    """This trainer's: 8; less where time is to spare, and memory is not; more where it is the other way round."""
    return {("8bit", "top"): 4, ("bf16", "top"): 16}.get((precision, layers), 8)


def own(job: SimpleNamespace) -> dict:
    from helpers import ppo
    from helpers.reward import AdapterReward

    job.libraries = peak_bytes()
    model, tokenizer = new_policy(job.precision, layers=job.layers), load_tokenizer()
    job.loaded = job.libraries + counted_weight_bytes(model)  # not resident memory: a file's pages come when first read
    config = ppo.PPOConfig(
        learning_rate=1e-3,
        temperature=1.0,
        batch_size=job.batch,
        response_length=job.response,
        seed=0,
        per_device_train_batch_size=job.micro_batch,
    )
    phases = {name: 0.0 for name in ("generate", "judged")}
    for name in phases:
        setattr(ppo, name, timed(getattr(ppo, name), phases, name))
    ends = []
    trainer = ppo.PPOTrainer(
        config,
        model,
        None,
        tokenizer=tokenizer,
        dataset=prompt_ids("train", tokenizer, 4 * job.batch),
        data_collator=prompt_collator(tokenizer),
        reward=AdapterReward(model),
        on_update=lambda metrics: ends.append((time.perf_counter(), dict(phases))),
    )
    return finished(job, ends, lambda: trainer.train(job.updates))


def trl(job: SimpleNamespace) -> dict:
    """TRL at its cheapest honest setting: LoRA policy, ref_model=None, and of the value model only the head trained."""
    from transformers import PrinterCallback, TrainerCallback
    from trl.experimental.ppo import PPOConfig, PPOTrainer, ppo_trainer

    from helpers.reward import load_classifier_base, load_sequence_classifier

    job.libraries = peak_bytes()
    model, tokenizer = new_policy(job.precision, layers=job.layers), load_tokenizer()
    job.loaded = job.libraries + counted_weight_bytes(model)
    reward_model, value_model = load_sequence_classifier(job.precision), load_classifier_base(job.precision)
    if job.precision == "bf16":  # TRL feeds the heads what the backbone returns
        for model_with_head in (reward_model, value_model):
            model_with_head.score.to(torch.bfloat16)
    optimizer = torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad] + list(value_model.score.parameters()), lr=1e-3, eps=1e-5
    )
    args = PPOConfig(
        output_dir=tempfile.mkdtemp(),
        report_to="none",
        disable_tqdm=True,
        save_strategy="no",
        num_sample_generations=0,
        use_cpu=not torch.cuda.is_available(),
        bf16=False,
        gradient_checkpointing=False,
        seed=0,
        temperature=1.0,
        total_episodes=job.updates * job.batch,
        response_length=job.response,
        num_ppo_epochs=4,
        num_mini_batches=1,
        per_device_train_batch_size=TRL_MICRO_BATCH,
        gradient_accumulation_steps=job.batch // TRL_MICRO_BATCH,
        local_rollout_forward_batch_size=16,
    )
    phases, ends = {"generate": 0.0}, []
    ppo_trainer.batch_generation = timed(ppo_trainer.batch_generation, phases, "generate")

    class Ends(TrainerCallback):
        def on_step_end(self, *_, **__):
            ends.append((time.perf_counter(), dict(phases)))

    data = prompts("train", tokenizer, 4 * job.batch)
    trainer = PPOTrainer(
        args=args,
        processing_class=tokenizer,
        model=model,
        ref_model=None,
        reward_model=reward_model,
        value_model=value_model,
        train_dataset=data,
        eval_dataset=data,
        data_collator=prompt_collator(tokenizer),
        optimizers=(optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)),
        callbacks=[Ends()],
    )
    trainer.remove_callback(PrinterCallback)
    return finished(job, ends, trainer.train)


def timed(function, phases: dict, name: str):
    def wrapper(*args, **kwargs):
        started = time.perf_counter()
        result = function(*args, **kwargs)
        phases[name] += time.perf_counter() - started
        return result

    return wrapper


def finished(job: SimpleNamespace, ends: list, train) -> dict:
    """Train; the first update warms up and does not count."""
    train()
    (before, phases_before), (after, phases_after) = ends[0], ends[-1]
    counted = job.updates - 1
    phases = {name: (phases_after[name] - phases_before[name]) / counted for name in phases_after}
    seconds = (after - before) / counted
    return {
        "seconds": seconds,
        "peak_bytes": peak_bytes(),
        "libraries_bytes": job.libraries,
        "loaded_bytes": job.loaded,  # libraries and the policy
        "phases": {**phases, "rest": seconds - sum(phases.values())},
    }


if __name__ == "__main__":
    side, precision, layers, updates, *size = sys.argv[1:]
    response, batch = size or (24, 16)
    start_lesson()
    job = SimpleNamespace(precision=precision, layers=layers, updates=int(updates))
    job.response, job.batch = int(response), int(batch)
    job.micro_batch = 8 if size else micro_batch(precision, layers)  # fixed, where the growth of cost is measured
    print(json.dumps({"own": own, "trl": trl}[side](job)))
