"""Every attack is contained, gets just what it earned, and leaves the rows of the others byte for byte as they were."""

import csv
import os
import socket
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
from attacked import ATTACKS, FOLDERS, NEIGHBOURS, NOTEBOOKS, REPOSITORY, hand_in_attacks
from handed_in import arguments, hand_in, needs_sandbox, notebook

from helpers.checks import limits
from helpers.course import grade, table

pytestmark = [pytest.mark.real, needs_sandbox]
SECONDS = 30  # three GiB are not filled at once beside another test


@dataclass
class Bank:
    """What a grading of the whole bank left behind."""

    folder: Path
    rows: dict[str, dict]
    due: dict[str, tuple[str, str]]
    alone: list[str]  # lines of the neighbours' rows, graded without the attacks
    beside: list[str]  # and with them
    connections: list


def listening(family: int, address) -> tuple[socket.socket, list]:
    """A server that only notes who came."""
    came, server = [], socket.socket(family, socket.SOCK_STREAM)
    server.bind(address)
    server.listen()

    def serve():
        while True:
            try:
                came.append(server.accept())
            except OSError:
                return

    threading.Thread(target=serve, daemon=True).start()
    return server, came


def lines_of_neighbours(out: Path) -> list[str]:
    return [line for line in out.read_bytes().decode().split("\n") if line.split(",")[0] in NEIGHBOURS]


def hand_in_neighbours(folder: Path) -> None:
    for learner, source in NEIGHBOURS.items():
        hand_in(folder, learner, notebook(source))
        for path in (folder / learner).iterdir():
            os.utime(path, (10**9, 10**9))


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(grade, "GRADED", ("2.1",))  # what starts anew after many attacks gets ready for it alone
        return graded_bank(tmp_path_factory.mktemp("bank"))


def graded_bank(folder: Path) -> Bank:
    for name in ("alone", "beside", "out_alone", "out_beside"):
        (folder / name).mkdir()
    (folder / "canary").write_text("alive")
    tcp, strangers = listening(socket.AF_INET, ("127.0.0.1", 0))
    abstract, others = listening(socket.AF_UNIX, f"\0course-{os.getpid()}")
    places = {"CANARY": folder / "canary", "SUBMITTED": folder / "beside", "OUT": folder / "out_beside"}
    places |= {"REPOSITORY": REPOSITORY, "PORT": tcp.getsockname()[1], "ABSTRACT": f"course-{os.getpid()}"}
    due = hand_in_attacks(folder / "beside", {name: str(place) for name, place in places.items()}, folder / "canary")
    os.environ["COURSE_SECRET"] = "SECRET"
    for name in ("alone", "beside"):
        hand_in_neighbours(folder / name)
        given = {"out": folder / f"out_{name}" / "grades.csv", "seconds": SECONDS, "seed_from": "known"}
        assert grade.run(arguments(folder / name, exercise=None, **given)) == 0
    del os.environ["COURSE_SECRET"]
    tcp.close(), abstract.close()
    with (folder / "out_beside" / "grades.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = {row["learner"]: row for row in csv.DictReader(file) if row["exercise"] == "2.1"}
    lines = [lines_of_neighbours(folder / f"out_{name}" / "grades.csv") for name in ("alone", "beside")]
    return Bank(folder, rows, due, *lines, strangers + others)


@pytest.mark.parametrize("learner", [*(path.stem for path in ATTACKS), *NOTEBOOKS, *FOLDERS])
def test_attack_gets_the_status_and_the_points_it_earned(bank, learner):
    row = bank.rows[table.harmless(learner)]
    assert (row["status"], row["points"]) == bank.due[learner], row["reason"]


def test_attacks_leave_the_rows_of_others_byte_for_byte_as_they_are_without_them(bank):
    assert bank.alone == bank.beside and len(bank.alone) >= len(NEIGHBOURS)


def test_attacks_leave_the_canary_and_the_folders_around_them_untouched(bank):
    assert (bank.folder / "canary").read_text() == "alive"
    assert sorted(path.name for path in bank.folder.iterdir()) == [
        "alone",
        "beside",
        "canary",
        "out_alone",
        "out_beside",
    ]
    names = {"grades.csv", "grades.csv.journal", "grades.csv.seed.json", "grades.feedback", "grades.overview.html"}
    assert {path.name for path in (bank.folder / "out_beside").iterdir()} == names
    assert not [path for path in ("/left", "/tmp/left", "/etc/left", "/usr/left", "/dev/left") if os.path.exists(path)]


def test_attacks_reach_nobody_over_the_network(bank):
    assert bank.connections == []


def test_rows_hold_no_formula_no_escape_and_no_markup_of_an_attack(bank):
    text = (bank.folder / "out_beside" / "grades.csv").read_text(encoding="utf-8-sig")
    cells = [cell for line in csv.reader(text.splitlines()) for cell in line]
    assert not [cell for cell in cells if cell.lstrip()[:1] in tuple("=+-@")]
    assert "\x1b" not in text and "\x07" not in text


def test_pages_hold_nothing_of_an_attack_that_could_run(bank):
    pages = [bank.folder / "out_beside" / "grades.overview.html", *(bank.folder / "out_beside").glob("*/*.html")]
    for page in pages:
        text = page.read_text()
        assert "<script" not in text and "<img" not in text and "Content-Security-Policy" in text
    assert len(pages) == 1 + len(bank.due) + len(NEIGHBOURS)


def test_bank_has_forty_attacks_and_names_each_once():
    assert len(ATTACKS) + len(NOTEBOOKS) + len(FOLDERS) >= 40
    assert len({*(path.stem for path in ATTACKS), *NOTEBOOKS, *FOLDERS}) == len(ATTACKS) + len(NOTEBOOKS) + len(FOLDERS)


def test_limits_are_below_what_the_bank_tries():
    assert limits.MEMORY_BYTES < limits.TOTAL_BYTES < 8 * 1400 * 2**20
