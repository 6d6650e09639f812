"""Lesson 5 goes on after its kernel was killed, from the folder that the learner chose, and not from update 0."""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode

from helpers.course import notebook as notebooks

LESSON = Path(__file__).parents[1] / "notebooks" / "5_practice.ipynb"
MADE, TRAINED = "5-14", "5-16"  # the cells that make the trainer, and train until `stop_at`
SHORTER = {
    "updates, stop_at = 24, 14": "updates, stop_at = 24, 9",
    'prompt_ids("test", tokenizer, 96)': 'prompt_ids("test", tokenizer, 8)',
}
SAVED = "update-000004"  # the first checkpoint

pytestmark = [pytest.mark.real, pytest.mark.timeout(1800)]  # 9 updates: three minutes, and more on a busy machine


def run_lesson(folder: Path, kill_when: Path | None = None) -> dict[str, str]:
    """Execute lesson 5, shortened, up to its first training, in a kernel of its own; what code cells printed, by id.

    Args:
        folder: where the lesson writes its checkpoints.
        kill_when: `kill -9` the kernel when this is there.
    """
    notebook = shortened(notebooks.read(LESSON))
    client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(LESSON.parent)}})
    client.create_kernel_manager().kernel_spec.argv = [
        *(sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=ERROR")
    ]
    printed = {}
    with client.setup_kernel(env={**os.environ, "RUN_FOLDER": str(folder), "TQDM_DISABLE": "1"}):
        if kill_when:
            arguments = (client.km.provisioner.pid, kill_when)
            threading.Thread(target=kill_once_there, args=arguments, daemon=True).start()
        for number, cell in enumerate(notebook.cells):
            client.execute_cell(cell, number)
            printed[cell.id] = "".join(output.get("text", "") for output in cell.get("outputs", []))
            if cell.id == TRAINED:
                break
    return printed


def shortened(notebook: NotebookNode) -> NotebookNode:
    for long, short in SHORTER.items():
        (cell,) = [cell for cell in notebook.cells if long in cell.source]
        cell.source = cell.source.replace(long, short)
    return notebook


def kill_once_there(process: int, path: Path) -> None:
    while not path.exists():
        time.sleep(0.05)
    os.kill(process, signal.SIGKILL)


def history(checkpoint: Path) -> list[dict]:
    return json.loads((checkpoint / "history.json").read_text())


def test_real_lesson_5_goes_on_after_its_kernel_was_killed_in_the_middle_of_the_training(tmp_path, monkeypatch):
    monkeypatch.delenv("COURSE_MODEL", raising=False)
    with pytest.raises(DeadKernelError):
        run_lesson(tmp_path, kill_when=tmp_path / SAVED)
    assert [path.name for path in tmp_path.glob("update-*")] == [SAVED]
    before = history(tmp_path / SAVED)
    printed = run_lesson(tmp_path)
    assert printed[MADE] == "updates so far: 4\n" and "update  8: reward" in printed[TRAINED]
    after = history(tmp_path / "update-000008")
    assert [line["update"] for line in after] == list(range(1, 9))
    assert after[:4] == before  # their tokens per second, too: these updates were not done again
