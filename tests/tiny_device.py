"""A tiny training on the simulated device or on the CPU, in a process of its own: DEVICE PRECISION FOLDER.

In 8-bit the reward is an adapter on the device, else a function that reads texts on the CPU.
Prints the history as JSON. Run by tests/test_other_device.py.
"""

import json
import sys
from pathlib import Path

import simulated
import tiny_ppo
from transformers import AutoModelForCausalLM

from helpers.reward import AdapterReward


def main(device: str, precision: str, folder: Path) -> None:
    if device == simulated.NAME:
        simulated.install()
    base = tiny_ppo.llama(precision, folder)
    if precision == "8bit":  # like the course's: converted on the CPU, saved, and loaded to where it is used
        base.save_pretrained(folder)
        base = AutoModelForCausalLM.from_pretrained(folder, device_map=device).requires_grad_(False)
        policy = tiny_ppo.policy_of(base)
        reward = AdapterReward(policy, tiny_ppo.reward_folder(folder / "reward"))
    else:
        policy, reward = tiny_ppo.policy_of(base.to(device)), tiny_ppo.vowels
    history = tiny_ppo.trainer_of(policy, reward=reward).train(2)
    found = {
        "places": sorted({tensor.device.type for tensor in [*policy.parameters(), *policy.buffers()]}),
        "dtype": str(base.model.layers[0].mlp.up_proj.weight.dtype),
        "history": tiny_ppo.reproducible(history),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
