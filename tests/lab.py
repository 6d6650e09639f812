"""JupyterLab as `make lab` starts it, used as a learner uses it: in Debian's Chromium, with mouse and keyboard.

`make test-lab` opens an exercise and lesson 1, runs them from the menu, answers wrong and right, and leaves a picture
of each step in build/lab. The notebooks are copies, so nothing that JupyterLab saves reaches the repository.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import nbformat
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "build" / "lab"
FIRST = "notebooks/0_the_memory_bill.ipynb"  # what `make lab` opens
LESSON = "notebooks/1_load_in_8bit.ipynb"
EXERCISE = "exercises/2_add_lora_adapters.ipynb"  # needs no model, so its checks answer at once

# What a learner reads, word for word: taken from helpers.checks, these lines would agree with any text.
WAITS = "Exercise {} waits for your answer: in {}, write your lines in place of `raise NotImplementedError`"
WRONG = "return weight + lora_B @ lora_A"
# an error and a check that wait for an answer, and what a cell that was skipped after an error would have defined
UNANSWERED = re.compile(r"write\s+your\s+lines|NameError: name '\w+' is not defined")
HINT = (
    "Likely cause: You added lora_B @ lora_A as it is. What the layer adds is that times a scale: without it, "
    "merging changes the model."
)
RIGHT = "return weight + lora_alpha / r * (lora_B @ lora_A)"
PRAISE = "Exercise 2.1 is right: it agrees with "

START_SECONDS = 600  # the first start fetches the model
RUN_SECONDS = 1500  # lesson 1 takes 90 on two idle cores
LOOK_SECONDS = 60  # for a page, a menu or a text to appear

ADDRESS = re.compile(r"http://\S+/lab/tree/\S+token=\w+")
PROMPT = ".jp-CodeCell .jp-InputPrompt"
RED = ".jp-OutputArea-output:is([data-mime-type$='.stderr'], [data-mime-type$='.error'])"
BOX = ".jp-Dialog, .Toastify__toast"  # an error box, or a notice in the corner
BROWSER = "--disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update"


def copy_course(folder: Path) -> None:
    """Copy what a learner opens, without outputs: what is seen afterwards was made by this run."""
    shutil.copy(ROOT / "README.md", folder)
    shutil.copytree(ROOT / "notebooks" / "images", folder / "notebooks" / "images")
    for path in (FIRST, LESSON, EXERCISE):
        notebook = nbformat.read(ROOT / path, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        (folder / path).parent.mkdir(exist_ok=True)
        nbformat.write(notebook, folder / path)


def fresh_settings(folder: Path) -> dict[str, str]:
    """Nobody's settings: what a first start would ask, it asks here."""
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    return {name: str(folder / name) for name in names}


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """JupyterLab on a free port, with nobody's settings; yields the address it prints, and stops it in any case."""
    command = ["sh", str(ROOT / ".setup.sh"), "lab", "--no-browser", "--port=0", f"--ServerApp.root_dir={folder}"]
    around = {**os.environ, **fresh_settings(folder / ".jupyter")}
    (folder / ".jupyter").mkdir()
    printed = folder / ".jupyter" / "printed"
    with printed.open("w") as log:
        # in a session of its own, so that a Control-C comes here alone
        process = subprocess.Popen(command, env=around, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        yield printed_address(printed, process)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)  # the server then ends its kernels
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def printed_address(log: Path, process: subprocess.Popen) -> str:
    """Wait for the line that a learner would copy into a browser."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if found := ADDRESS.search(log.read_text()):
            return found[0]
        time.sleep(0.2)
    due, code = f"make lab should print its address within {START_SECONDS} seconds", process.poll()
    raise RuntimeError(f"{due}; it did not (exit code: {code}), and printed this:\n{log.read_text()}")


@contextmanager
def lab() -> Iterator[Callable[[str], Page]]:
    """A server and a browser; yields a function that opens a notebook in a window of its own."""
    if (chromium := shutil.which("chromium")) is None:
        raise RuntimeError("Chromium was not found. On Debian: apt install chromium. Then run this again.")
    expect.set_options(timeout=LOOK_SECONDS * 1000)
    arguments = BROWSER.split() + (["--no-sandbox"] if os.getuid() == 0 else [])
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, sync_playwright() as playwright:
        copy_course(Path(folder))
        with server(Path(folder)) as address:
            browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
            try:
                yield lambda path: window(browser, address.replace(FIRST, path))
            finally:
                browser.close()


def window(browser: Browser, address: str) -> Page:
    """Open a notebook, and nothing that was open before; wait until it can be run."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(LOOK_SECONDS * 1000)
    page.goto(f"{address}&reset")
    page.locator(".jp-Notebook h1").first.wait_for()
    page.locator("#jp-main-statusbar").get_by_text("| Idle").wait_for()
    expect(page.locator(BOX)).to_have_text([])
    return page


def run_all(page: Page) -> None:
    """Run > Run All Cells, and wait for the end; no box may have opened."""
    first = page.locator(PROMPT).first.text_content()  # a [*] for each cell takes its place, until that has run
    for name in ("Run", "Run All Cells"):
        page.get_by_role("menuitem", name=name, exact=True).click()
    expect(page.locator(PROMPT).first).not_to_have_text(first)
    expect(page.locator(PROMPT).filter(has_text="*")).to_have_count(0, timeout=RUN_SECONDS * 1000)
    expect(page.locator(BOX)).to_have_text([])


def answer(page: Page, function: str, line: str) -> None:
    """Type over the last line of a function, as a learner would."""
    page.locator(".jp-CodeCell .cm-content").filter(has_text=f"def {function}(").locator(".cm-line").last.click()
    page.keyboard.press("End")
    page.keyboard.press("Shift+Home")  # as far as the indent
    page.keyboard.type(line)


def picture(page: Page, name: str, of: str) -> None:
    """Keep what a learner sees when the first of these is in view."""
    page.locator(of).first.scroll_into_view_if_needed()
    page.wait_for_timeout(1000)  # scrolling renders cells anew
    page.screenshot(path=PICTURES / f"{name}.png")


def expect_red(page: Page, text: str) -> None:
    """The first output in red holds this text; any other is of a cell without an answer, or after a skipped one.

    An error stops the cells that have reached the kernel; one that comes a moment later still runs, without the names
    that a stopped one would have defined (every cell that is not stopped is run by `make lessons`).
    """
    due = re.compile(r"\s+".join(map(re.escape, text.split())))  # broken into lines in any way
    expect(page.locator(RED).first).to_have_text(due)
    expect(page.locator(RED).filter(has_not_text=due).filter(has_not_text=UNANSWERED)).to_have_text([])


def use_exercise(page: Page) -> None:
    """Nothing, a wrong and a right answer: the only red there is says what to do, and the equations are set."""
    picture(page, "exercise_opened", of="mjx-container")
    expect(page.locator("mjx-merror")).to_have_count(0)
    run_all(page)
    expect_red(page, WAITS.format("2.1", "merged_weight"))
    picture(page, "exercise_waits", of=RED)
    answer(page, "merged_weight", WRONG)
    run_all(page)
    expect_red(page, HINT)
    picture(page, "exercise_hint", of=RED)
    answer(page, "merged_weight", RIGHT)
    run_all(page)
    expect(page.locator(".jp-OutputArea-output").first).to_contain_text(PRAISE)
    expect_red(page, WAITS.format("2.2", "trained_weights"))
    picture(page, "exercise_right", of=".jp-OutputArea-output")


def use_lesson(page: Page) -> None:
    """Every cell runs, in its order, none shows red, and the chart is there."""
    picture(page, "lesson_opened", of=".jp-Notebook h1")
    run_all(page)
    expect(page.locator(RED)).to_have_count(0)
    expect(page.locator(PROMPT)).to_have_text([f"[{n + 1}]:" for n in range(page.locator(PROMPT).count())])
    expect(page.locator(".jp-OutputArea-output img")).to_have_count(1)
    picture(page, "lesson_run", of=".jp-OutputArea-output img")


def main() -> None:
    """Do all three, and say how long each took; a stop by SIGTERM ends the server, too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Stopped."))
    with lab() as opened:
        for path, use in ((FIRST, Page.close), (EXERCISE, use_exercise), (LESSON, use_lesson)):
            started = time.monotonic()
            use(opened(path))
            print(f"{path}: {time.monotonic() - started:.0f} s", flush=True)
    print(f"make test-lab passed. Pictures are in {PICTURES.relative_to(ROOT)}.")


if __name__ == "__main__":
    main()
