"""Kill a training by `kill -9` at random moments, go on, and compare with a run that nobody disturbed.

    python tests/kill.py MOMENTS

Half of the moments are points in time, half are the n-th time that a file is opened, renamed or removed: in the middle
of a checkpoint. Each run is a fork of this process, so that 50 moments take a minute and not ten.
"""

import contextlib
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

import tiny_run
import torch

UPDATES = 5
FILE_EVENTS = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree"}


def start(folder: Path, last_event: int | None = None) -> int:
    """Fork a training; it kills itself at a file event. Returns its process id."""
    process = os.fork()
    if process:
        return process
    code = 1
    with (folder / "log").open("a") as log, contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
        try:
            watch_files(folder, last_event)
            tiny_run.main(folder, UPDATES)
            code = 0
        except BaseException:
            traceback.print_exc()
    os._exit(code)


def watch_files(folder: Path, last_event: int | None) -> None:
    """Count what happens to files of the run, into `events`, and kill this process at the last one."""
    run, counter = str(folder / "run"), (folder / "events").open("w")
    seen = 0

    def hook(event: str, arguments: tuple) -> None:
        nonlocal seen
        if event in FILE_EVENTS and str(arguments[0]).startswith(run):
            seen += 1
            counter.seek(0)
            counter.write(str(seen))
            counter.flush()
            if seen == last_event:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def undisturbed(folder: Path) -> tuple[float, int]:
    """Seconds and file events of a whole run."""
    started = time.perf_counter()
    finish(folder)
    return time.perf_counter() - started, int((folder / "events").read_text())


def finish(folder: Path) -> None:
    _, status = os.waitpid(start(folder), 0)
    if status:
        raise SystemExit(f"The run in {folder} did not go on:\n{(folder / 'log').read_text()}")


def kill_one(folder: Path, seconds: float, events: int, by_file: bool, random_numbers: random.Random) -> str:
    """Start a run and kill it; says when."""
    if by_file:
        event = random_numbers.randint(1, events)
        os.waitpid(start(folder, event), 0)
        return f"file event {event} of {events}"
    moment = random_numbers.uniform(0, seconds)
    process = start(folder)
    time.sleep(moment)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return f"{moment:.2f} s of {seconds:.2f}"


def same(folder: Path, due: dict) -> bool:
    found = torch.load(folder / "result.pt", weights_only=True)
    equal = [torch.equal(a, b) for a, b in zip(found["weights"], due["weights"], strict=True)]
    return found["history"] == due["history"] and all(equal)


def main(moments: int) -> int:
    torch.set_num_threads(1)
    random_numbers, alike = random.Random(0), 0
    with tempfile.TemporaryDirectory() as room:
        whole = Path(room) / "whole"
        whole.mkdir()
        seconds, events = undisturbed(whole)
        due = torch.load(whole / "result.pt", weights_only=True)
        for number in range(moments):
            folder = Path(room) / str(number)
            folder.mkdir()
            when = kill_one(folder, seconds, events, bool(number % 2), random_numbers)
            done = sorted(path.name for path in (folder / "run").glob("update-*"))
            finish(folder)
            alike += same(folder, due)
            told = "the same" if same(folder, due) else "ANOTHER HISTORY"
            print(f"killed at {when}, went on after {done[-1] if done else 'nothing'}: {told}", flush=True)
    print(f"{alike} of {moments} killed runs have the bit-identical history")
    return int(alike < moments)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
