"""Lessons and exercises work in JupyterLab itself: what executes them elsewhere shows no page, menu or equation."""

import importlib.util
import os
import shutil

import pytest

MISSING = [name for name in ("playwright",) if importlib.util.find_spec(name) is None]
MISSING += [name for name in ("chromium",) if shutil.which(name) is None]

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(3600),  # a slow machine takes its time; what hangs is ended by limits of its own
    pytest.mark.skipif(bool(MISSING) and "CI" not in os.environ, reason=f"no {' and no '.join(MISSING)}"),
]


@pytest.fixture(scope="module")
def opened():
    import lab  # which needs playwright

    with lab.lab() as opened:
        yield opened


def test_lesson_0_opens_at_the_address_that_is_printed(opened):
    import lab

    opened(lab.FIRST).close()


def test_exercise_waits_then_gives_a_wrong_answer_its_hint_and_passes_a_right_one(opened):
    import lab

    lab.use_exercise(opened(lab.EXERCISE))


def test_lesson_1_runs_from_the_menu_without_red(opened):
    import lab

    lab.use_lesson(opened(lab.LESSON))
