"""Each lesson with another model in the place of the default one, as `COURSE_MODEL` puts it there.

    python tests/other_model.py [NUMBER OF A LESSON …]

No other language model is at hand without a hub. So the course's own weights are written in another architecture,
Qwen2's, with small random biases where that one has some: another family and another function, which still writes
English. A reward adapter is trained for it as README says, then every lesson is executed. Ends with a table, and with 1
if one of them stopped. Takes half an hour on two cores.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import environments
import torch
from nbclient.exceptions import CellExecutionError
from transformers import Qwen2Config, Qwen2ForCausalLM

from helpers.course import lessons
from helpers.model import load_model, load_tokenizer

BIAS = 0.02  # standard deviation of the biases


def write_qwen2(folder: Path) -> float:
    """Save the model; returns how many nats its log-probabilities of one sentence differ from the default model's."""
    torch.manual_seed(0)
    model, tokenizer = load_model("fp32", "cpu"), load_tokenizer()
    sizes = {name: value for name, value in model.config.to_dict().items() if name in vars(Qwen2Config())}
    other = Qwen2ForCausalLM(Qwen2Config(**{**sizes, "model_type": "qwen2", "architectures": None})).train()
    absent = other.load_state_dict(model.state_dict(), strict=False).missing_keys
    for name in absent:
        torch.nn.init.normal_(other.get_parameter(name), std=BIAS)
    assert absent and all(name.endswith("bias") for name in absent), absent
    tokens = tokenizer("The film was long, but nobody left.", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        first, second = (of(tokens).logits.log_softmax(-1) for of in (model, other))
    other.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return (first - second).abs().mean().item()


def run_lesson(lesson: Path) -> dict[str, str]:
    try:
        _, figures = lessons.executed(lesson, 1200)
    except (ValueError, CellExecutionError) as error:
        return {"lesson": lesson.stem, "minutes": "-", "peak, GiB": "-", "": f"FAILED: {str(error).splitlines()[0]}"}
    minutes, peak = f"{figures.seconds / 60:.1f}", f"{figures.peak_bytes / 2**30:.1f}"
    return {"lesson": lesson.stem, "minutes": minutes, "peak, GiB": peak, "": "ran"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("numbers", nargs="*", metavar="NUMBER", help="of lessons, such as 0 3; default: all")
    args = parser.parse_args()
    found = sorted((environments.ROOT / "notebooks").glob("[0-9]_*.ipynb"))
    chosen = [lesson for lesson in found if not args.numbers or lesson.name[0] in args.numbers]
    with tempfile.TemporaryDirectory(prefix="other-model-") as room:
        difference = write_qwen2(Path(room) / "model")
        print(f"A Qwen2 whose log-probabilities differ from the default model's by {difference:.2f} nats.", flush=True)
        os.environ |= {"COURSE_MODEL": str(Path(room) / "model"), "COURSE_CACHE": str(Path(room) / "cache")}
        subprocess.run([sys.executable, "-m", "helpers", "reward"], check=True, cwd=environments.ROOT)
        rows = [run_lesson(lesson) for lesson in chosen]
    print("\n" + environments.table(rows))
    return int(any(row[""] != "ran" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
