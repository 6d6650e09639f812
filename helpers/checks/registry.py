"""Which exercises there are."""

from helpers.checks.asked import lesson_1, lesson_2, lesson_3, lesson_4, lesson_5, lesson_6
from helpers.checks.exercise import Exercise

LESSONS = (lesson_1, lesson_2, lesson_3, lesson_4, lesson_5, lesson_6)
EXERCISES = {asked.id: asked for lesson in LESSONS for asked in lesson.EXERCISES}

# The project asks for no function; `helpers.checks.project` says whether it is passed.
PROJECT_ID, PROJECT_TITLE, PROJECT_POINTS = "5.4", "The project: what your adapter does", 6


def exercise(exercise_id: str) -> Exercise:
    """The exercise of this id.

    Raises:
        ValueError: there is none; the message lists those there are.
    """
    if exercise_id not in EXERCISES:
        raise ValueError(f"There is no exercise {exercise_id!r}. There are: {', '.join(EXERCISES)}.")
    return EXERCISES[exercise_id]
