"""Each lesson with another model in the place of the default one, as `COURSE_MODEL` puts it there.

    python tests/other_model.py [--family qwen2 | qwen3] [NUMBER OF A LESSON …]

No other language model is at hand without a hub. So the course's own weights are written in another architecture, with
small random biases where Qwen2 has some and two more layers of small weights on top, or with the norms of heads that
Qwen3 has: another family, depth and function, which still writes English. A reward adapter is trained for it as README
says, then every lesson is executed. Ends with a table, and with 1 if one of them stopped. Takes half an hour on two
cores.
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
from transformers import Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

from helpers.course import lessons
from helpers.model import load_model, load_tokenizer

FAMILIES = {"qwen2": (Qwen2Config, Qwen2ForCausalLM), "qwen3": (Qwen3Config, Qwen3ForCausalLM)}
BIAS = 0.02  # standard deviation of the biases
MORE_LAYERS = {"qwen2": 2, "qwen3": 0}
SENTENCE = "The film was long, but nobody left."


def write(family: str, folder: Path) -> float:
    """Save the model; returns how many nats its log-probabilities of one sentence differ from the default model's."""
    torch.manual_seed(0)
    (config, kind), model, tokenizer = FAMILIES[family], load_model("fp32", "cpu"), load_tokenizer()
    sizes = {name: value for name, value in model.config.to_dict().items() if name in vars(config())}
    more = {"num_hidden_layers": model.config.num_hidden_layers + MORE_LAYERS[family], "layer_types": None}
    other = kind(config(**{**sizes, **more, "model_type": family, "architectures": None})).train()
    absent = other.load_state_dict(model.state_dict(), strict=False).missing_keys
    tokens = tokenizer(SENTENCE, return_tensors="pt")["input_ids"]
    of_heads = sizes_of_heads(model, tokens)
    assert absent
    with torch.no_grad():
        for name in absent:
            layer, _, last = name.rpartition(".self_attn.")
            if last.endswith(".bias"):
                other.get_parameter(name).normal_(std=BIAS)
            elif (layer, last[0]) not in of_heads:
                if name.endswith(("o_proj.weight", "down_proj.weight")):
                    other.get_parameter(name).mul_(0.1)  # the new layers change little
            else:
                other.get_parameter(name).fill_(of_heads[layer, last[0]])
        first, second = (of(tokens).logits.log_softmax(-1) for of in (model, other))
    other.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return (first - second).abs().mean().item()


def sizes_of_heads(model: torch.nn.Module, tokens: torch.Tensor) -> dict[tuple[str, str], float]:
    """By layer and "q" or "k": the average root mean square of a head. A norm of this weight keeps it, on average."""
    found, width = {}, model.config.head_dim

    def remember(name: str, output: torch.Tensor) -> None:
        layer, _, last = name.rpartition(".self_attn.")
        found[layer, last[0]] = output.view(-1, width).square().mean(-1).sqrt().mean().item()

    hooks = [
        module.register_forward_hook(lambda _, __, output, name=name: remember(name, output))
        for name, module in model.named_modules()
        if name.endswith((".q_proj", ".k_proj"))
    ]
    with torch.no_grad():
        model(tokens)
    for hook in hooks:
        hook.remove()
    return found


def put_there(family: str, room: Path) -> None:
    """Let this process and those that it starts take a model of this family, and a reward adapter trained for it."""
    difference = write(family, room / "model")
    print(f"A {family}: its log-probabilities differ from ours by {difference:.2f} nats.", flush=True)
    os.environ |= {"COURSE_MODEL": str(room / "model"), "COURSE_CACHE": str(room / "cache")}
    subprocess.run([sys.executable, "-m", "helpers", "reward"], check=True, cwd=environments.ROOT)


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
    parser.add_argument("--family", choices=FAMILIES, default="qwen2", help="default: qwen2")
    args = parser.parse_args()
    found = sorted((environments.ROOT / "notebooks").glob("[0-9]_*.ipynb"))
    chosen = [lesson for lesson in found if not args.numbers or lesson.name[0] in args.numbers]
    with tempfile.TemporaryDirectory(prefix="other-model-") as room:
        put_there(args.family, Path(room))
        rows = [run_lesson(lesson) for lesson in chosen]
    print("\n" + environments.table(rows))
    return int(any(row[""] != "ran" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
