"""README defines each metric that the trainer writes, and none that it does not."""

import re
from pathlib import Path

from tiny_ppo import trainer_of

README = Path(__file__).parents[1] / "README.md"


def rows() -> list[list[str]]:
    table = README.read_text(encoding="utf-8").split("\n## Metrics\n")[1].split("\n## ")[0]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("| `")]


def test_each_metric_of_an_update_has_one_row_in_readme_and_each_row_its_metric():
    (update,) = trainer_of().train(1)
    assert sorted(row[0].strip("`") for row in rows()) == sorted(update)


def test_each_row_gives_unit_and_meaning_and_says_what_is_healthy_of_all_but_the_counters():
    assert all(unit and meaning for _, unit, meaning, _ in rows())
    assert [re.sub("`", "", name) for name, _, _, healthy in rows() if not healthy] == ["update", "episode"]
