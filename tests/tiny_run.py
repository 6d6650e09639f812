"""A tiny training as a process of its own, to be killed or shared by two: python tiny_run.py FOLDER UPDATES.

It goes on from what FOLDER/run holds, saves after every update, and leaves FOLDER/result.pt when it is done.
"""

import sys
from pathlib import Path

import torch
from tiny_ppo import config_of, llama, policy_of, reproducible, trainer_of


def main(folder: Path, updates: int) -> None:
    torch.set_num_threads(1)
    run = folder / "run"
    config = config_of(output_dir=str(run), save_every=1, num_mini_batches=2, kl_target=3.0, total_updates=updates)
    resume = run if any(run.glob("update-*")) else None
    trainer = trainer_of(policy_of(llama()), config, resume_from=resume)
    trainer.train(updates - len(trainer.history))
    if trainer.accelerator.is_main_process:
        weights, processes = [p.detach() for p in trainer.trained], trainer.accelerator.num_processes
        found = {"history": reproducible(trainer.history), "weights": weights, "processes": processes}
        torch.save(found, folder / "result.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
