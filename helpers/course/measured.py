"""What a run of the lessons took: recorded by `python -m helpers lessons`, shown as the table in README.md."""

import datetime
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace

import psutil
import torch

from helpers.course import notebook, reading
from helpers.device import best_precision, default_device

ROOT = Path(__file__).parents[2]
RECORD = ROOT / "notebooks" / "measured.json"
README = ROOT / "README.md"
BEGIN, END = "<!-- table of lessons: begin -->", "<!-- table of lessons: end -->"
LESSONS = {
    "0_the_memory_bill": (
        "The memory bill",
        "say where the memory of an RLHF run goes, predict it for any Llama-like model, and check it",
    ),
    "1_load_in_8bit": (
        "Load in 8-bit",
        "quantize by hand, load in 8-bit, and say what that converts, costs and does not speed up",
    ),
    "2_add_lora_adapters": (
        "Add LoRA adapters",
        "write a LoRA layer, and say what `r`, `lora_alpha`, `lora_dropout` and `bias` do",
    ),
    "3_ppo_with_a_shared_reference": (
        "PPO with a shared reference",
        "run PPO with `ref_model=None`, prove that the reference is the original, and name what breaks it",
    ),
    "4_one_backbone_four_roles": (
        "One backbone, four roles",
        "build the trainer from its parts: policy, reference, value and reward from a single 8-bit model",
    ),
    "5_practice": (
        "Practice",
        "take a model from base to aligned within a memory budget, and defend the result with numbers",
    ),
    "6_the_same_idea_elsewhere": (
        "The same idea elsewhere",
        "recognise the shared reference in DPO and GRPO with today's TRL, and say when PPO is still the tool",
    ),
}


@contextmanager
def measured() -> Iterator[SimpleNamespace]:
    """Yield an object that has, after the block, `seconds` and `peak_bytes`: the memory of all processes that this one
    has started (a notebook's kernel, and its children) at its highest, looked at ten times a second. Resident memory;
    or where there is a GPU the GPU's, on which no other program may then start or end."""
    on_gpu = default_device() == "cuda"
    used = _used_on_gpu if on_gpu else _resident_bytes_of_children
    before = used() if on_gpu else 0
    found, done, started = SimpleNamespace(seconds=0.0, peak_bytes=0), threading.Event(), time.monotonic()

    def watch() -> None:
        while not done.wait(0.1):
            found.peak_bytes = max(found.peak_bytes, used() - before)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield found
    finally:
        done.set()
        watcher.join()
        found.seconds = time.monotonic() - started


def store(lesson: Path, figures: SimpleNamespace) -> None:
    """Record the figures of one lesson on a GPU, or in the precision of this CPU, with machine and date; make the table
    anew."""
    if lesson.stem not in LESSONS or lesson.resolve().parent != RECORD.parent:
        return
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    on_gpu = default_device() == "cuda"
    cpu = f"{psutil.cpu_count()} CPU cores, {psutil.virtual_memory().total / 2**30:.0f} GiB, no GPU"
    record.setdefault(lesson.stem, {})["gpu" if on_gpu else best_precision()[0]] = {
        "minutes": round(figures.seconds / 60, 1),
        "peak_gib": round(figures.peak_bytes / 2**30, 1),
        "machine": torch.cuda.get_device_name() if on_gpu else cpu,
        "date": datetime.date.today().isoformat(),
    }
    RECORD.write_text(json.dumps(dict(sorted(record.items())), indent=1) + "\n")
    README.write_text(with_table(README.read_text(encoding="utf-8"), record), encoding="utf-8")


def with_table(text: str, record: dict) -> str:
    """`text` with the table between its two marks made anew from `record`."""
    heads = ["lesson", "after it you can", "minutes in all", "of them running (bf16 / fp32)", "memory, GiB"]
    heads += ["on a GPU"] * any("gpu" in kinds for kinds in record.values())
    rows = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for name, (title, purpose) in LESSONS.items():
        link = f"[{name[0]} · {title}](notebooks/{name}.ipynb)"
        minutes, memory = (_both(record.get(name, {}), figure) for figure in ("minutes", "peak_gib"))
        in_all = reading.minutes_in_all(notebook.read(ROOT / "notebooks" / f"{name}.ipynb"), record.get(name, {}))
        cells = [link, purpose, str(in_all), minutes, memory, _on_gpu(record.get(name, {}))]
        rows.append(f"| {' | '.join(cells[: len(heads)])} |")
    every = {(kind, one["machine"], one["date"]) for kinds in record.values() for kind, one in kinds.items()}
    made = [f"{kind} on {machine}, {date}" for kind, machine, date in sorted(every)]
    before, rest = text.split(BEGIN)
    note = (
        f"\n\nMinutes in all are an estimate: {reading.WORDS_A_MINUTE} words a minute, printed ones too, "
        f"{reading.LINES_AN_HOUR} lines of code an hour, {reading.SECONDS_A_PREDICTION} seconds a prediction, and the "
        "slower of the two runs. Longer thought and exercises come on top; nobody was timed. Running time and peak "
        "memory (resident, or the GPU's) of the whole notebook are measured, where the processor has bfloat16 "
        "instructions / where it has none: "
        f"{'; '.join(made)}{'' if len(heads) > 5 else '; on a GPU not yet'}.\n"
    )
    return before + BEGIN + "\n" + "\n".join(rows) + note + END + rest.split(END)[1]


def _on_gpu(kinds: dict) -> str:
    if "gpu" not in kinds:
        return "not measured yet"
    found = kinds["gpu"]
    return f"{found['minutes']}, {found['peak_gib']} GiB"


def _both(kinds: dict, figure: str) -> str:
    return " / ".join(str(kinds[kind][figure]) if kind in kinds else "not measured yet" for kind in ("bf16", "fp32"))


def _used_on_gpu() -> int:
    free, total = torch.cuda.mem_get_info()
    return total - free


def _resident_bytes_of_children() -> int:
    total = 0
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it has just ended
            total += process.memory_info().rss
    return total
