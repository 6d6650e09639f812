"""Whose file is whose, in what learning management systems export; and zips that are not safe."""

import os
import time
import unicodedata
import zipfile

import pytest

from helpers.course import unzip
from helpers.course.handin import hand_ins, name_and_number
from helpers.course.table import printable
from helpers.course.unzip import unzipped


@pytest.fixture
def found(tmp_path):
    """(files) -> the learners that they belong to, and the files of each."""

    def found(*names: str) -> dict[str, list[str]]:
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text("{}")
        return {one.learner: [name for name, _ in one.files] for one in hand_ins(tmp_path)[0]}

    return found


@pytest.mark.parametrize(
    ("names", "due"),
    [
        (["ada/1.ipynb", "bob/2.ipynb"], {"ada": ["1.ipynb"], "bob": ["2.ipynb"]}),
        (["ada.ipynb"], {"ada": ["ada.ipynb"]}),
        (["submitted/ada/ps1/1.ipynb", "source/ps1/1.ipynb"], {"ada": ["ps1/1.ipynb"]}),
        (["Ada Love_12_assignsubmission_file_/1.ipynb"], {"Ada Love (12)": ["1.ipynb"]}),
        (
            ["Ada Love_12_assignsubmission_file_1.ipynb"],
            {"Ada Love (12)": ["Ada Love_12_assignsubmission_file_1.ipynb"]},
        ),
        (
            ["loveada_5_77_1.ipynb", "loveada_5_78_2.ipynb", "loveada_6_79_1.ipynb"],
            {"loveada (5)": ["loveada_5_77_1.ipynb", "loveada_5_78_2.ipynb"], "loveada (6)": ["loveada_6_79_1.ipynb"]},
        ),
        (
            ["Ada_12_assignsubmission_file_99_assignsubmission_file_/1.ipynb"],
            {"Ada_12_assignsubmission_file (99)": ["1.ipynb"]},
        ),
        (["ada/1.ipynb", "ada.ipynb"], {"ada": ["1.ipynb"], "ada.ipynb": ["ada.ipynb"]}),
        (["ada/.ipynb_checkpoints/1.ipynb", "ada/__MACOSX/._1.ipynb", "ada/.1.ipynb"], {"ada": []}),
        (["ada/adapter_model.safetensors", "ada/1.ipynb"], {"ada": ["1.ipynb", "adapter_model.safetensors"]}),
    ],
)
def test_files_belong_to_whom_the_export_says(found, names, due):
    assert found(*names) == due


@pytest.mark.parametrize("other", ["ada ", "Jos\u00e9", "a\u202eb", "a?b"])
def test_names_that_look_alike_in_a_table_are_told_apart(tmp_path, other):
    for name in {"ada", "Jose\u0301", "a\u200bb", other}:
        (tmp_path / name).mkdir()
    seen = [printable(unicodedata.normalize("NFC", one.learner)).strip() for one in hand_ins(tmp_path)[0]]
    assert len(set(seen)) == len(seen) == 4


def test_folder_of_submissions_is_not_taken_for_all_there_is_without_a_word(tmp_path):
    for name in ("submitted/eve/1.ipynb", "ada/1.ipynb", "bob.ipynb", "source/1.ipynb", "gradebook.db"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    learners, skipped = hand_ins(tmp_path)
    assert [one.learner for one in learners] == ["eve"]
    assert skipped == {"beside the folder submitted, which alone is read": ["ada", "bob.ipynb"]}


def test_canvas_says_who_was_late(tmp_path):
    (tmp_path / "loveada_LATE_5_77_1.ipynb").write_text("{}")
    assert hand_ins(tmp_path)[0][0].late


def test_name_and_number_are_told_apart_again():
    assert name_and_number("Ada (Countess) (12)") == ("Ada (Countess)", "12") and name_and_number("ada") == ("ada", "")


def test_links_hidden_files_and_other_files_are_nobodys(tmp_path):
    (tmp_path / "link").symlink_to("/")
    (tmp_path / ".git").mkdir()
    (tmp_path / "notes.txt").touch()
    assert hand_ins(tmp_path) == (
        [],
        {"links are not followed": ["link"], "hidden": [".git"], "no notebook": ["notes.txt"]},
    )


def test_other_files_of_a_learner_are_named_by_how_many_there_are(tmp_path):
    for name in ("ada/1.ipynb", "ada/report.pdf", "ada/in/plot.png", "ada/in/.hidden", "bob/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert hand_ins(tmp_path)[1] == {"no notebook": ["ada/in/plot.png and 1 more", "bob/notes.txt"]}


def test_of_other_files_in_a_zip_the_names_alone_are_unpacked(tmp_path):
    others = ("in/readme.txt", "in/ada/report.pdf", "in/ada/plot.png", "in/ada/.hidden", "notes.txt")
    path = zipped(tmp_path / "in.zip", ("in/ada/1.ipynb", b"{}"), *((name, b"x") for name in others))
    folder, refused = unzipped(path, tmp_path / "out")
    found, skipped = hand_ins(folder / "in")
    assert [one.learner for one in found] == ["ada"] and not refused
    assert skipped == {"no notebook": ["ada/plot.png and 1 more", "readme.txt"]}
    assert not any(file.stat().st_size for file in folder.rglob("*.*") if file.suffix != ".ipynb" and file.is_file())


@pytest.mark.parametrize("says_how", [True, False])
def test_name_in_a_zip_keeps_its_umlaut_whether_or_not_a_flag_says_how_it_is_written(tmp_path, says_how):
    path, name = zipped(tmp_path / "in.zip", ("Ada M\u00fcller/1.ipynb", b"{}")), "Ada M\u00fcller/1.ipynb"
    if not says_how:  # as zip writes it on Linux
        path.write_bytes(path.read_bytes().replace(b"\x00\x08", b"\x00\x00"))
        flags = [entry.flag_bits for entry in zipfile.ZipFile(path).infolist()]
        assert flags == [0] and zipfile.ZipFile(path).namelist() != [name]
    assert [one.learner for one in hand_ins(unzipped(path, tmp_path / "out")[0])[0]] == ["Ada M\u00fcller"]


def test_what_a_learner_handed_in_twice_is_named_once(tmp_path):
    (tmp_path / "Ada_12_assignsubmission_file_").mkdir()
    (tmp_path / "Ada_12_assignsubmission_file_" / "r.pdf").touch()
    (tmp_path / "Ada_12_assignsubmission_file_x.ipynb").write_text("{}")
    assert hand_ins(tmp_path)[1] == {"no notebook": ["Ada_12_assignsubmission_file_/r.pdf"]}


def zipped(path, *entries: tuple[str, bytes], mode: int = 0):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            entry = zipfile.ZipInfo(name, (2026, 3, 4, 5, 6, 8))
            entry.external_attr, entry.compress_type = mode << 16, zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return path


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../x.ipynb", "leaves the folder"),
        ("ada/../../x.ipynb", "leaves the folder"),
        ("/x.ipynb", "not a relative path"),
        ("C:x.ipynb", "not a relative path"),
        ("ada\\..\\x.ipynb", "not a relative path"),
        ("ada/\x1b[2J.ipynb", "a name with control characters, or too long"),
        ("a" * 201 + "/x.ipynb", "a name with control characters, or too long"),
        ("bob/x.ipynb", "File exists"),
    ],
)
def test_unsafe_entry_of_a_zip_is_refused_by_name_and_the_rest_is_taken(tmp_path, name, why):
    path = zipped(tmp_path / "in.zip", ("bob/x.ipynb", b"{}"), (name, b"evil"), ("cyd/y.ipynb", b"{}"))
    (tmp_path / "out").mkdir()
    folder, refused = unzipped(path, tmp_path / "out")
    assert [(one.name, one.why) for one in refused] == [(name, why)]
    assert sorted(str(place.relative_to(folder)) for place in folder.rglob("*.ipynb")) == ["bob/x.ipynb", "cyd/y.ipynb"]
    assert sorted(place.name for place in tmp_path.iterdir()) == ["in.zip", "out"]
    assert (folder / "bob" / "x.ipynb").read_text() == "{}"


def test_link_in_a_zip_is_refused(tmp_path):
    folder, refused = unzipped(zipped(tmp_path / "in.zip", ("ada/x.ipynb", b"/etc/passwd"), mode=0o120777), tmp_path)
    assert [one.why for one in refused] == ["a link or a device"] and not list(folder.rglob("*.ipynb"))


def test_bomb_in_a_zip_is_cut_off(tmp_path):
    path = zipped(tmp_path / "in.zip", ("ada/x.ipynb", bytes(65 * 2**20)))
    assert path.stat().st_size < 2**20
    folder, refused = unzipped(path, tmp_path)
    assert [one.why for one in refused] == ["larger than 64 MiB"] and not list(folder.rglob("*.ipynb"))


@pytest.mark.parametrize("name", ["ada/{}.ipynb", "ada_{}_12_x.ipynb", "Ada_12_assignsubmission_file_{}.ipynb"])
@pytest.mark.parametrize("inside", ["", "in/", "submitted/"])
def test_learner_who_fills_a_zip_takes_nothing_from_others(tmp_path, monkeypatch, name, inside):
    monkeypatch.setattr(unzip, "_MOST_BYTES_OF_ONE", 2**20)
    monkeypatch.setattr(unzip, "_MOST_ENTRIES_OF_ONE", 4)
    own = [(inside + name.format(number if "_x" not in name else 7), bytes(2**19)) for number in range(3)]
    others = [(f"{inside}{learner}/x.ipynb", bytes(2**19)) for learner in ("bob", "cyd", "dan")]
    path = zipped(tmp_path / "in.zip", *dict([*own, *others]).items())
    (tmp_path / "out").mkdir()
    _, refused = unzipped(path, tmp_path / "out")
    assert [one.name for one in refused] == [name for name, _ in dict(own).items()][2:]


def test_learner_of_too_many_entries_leaves_the_others_theirs(tmp_path, monkeypatch):
    monkeypatch.setattr(unzip, "_MOST_ENTRIES_OF_ONE", 2)
    own = [(f"ada/{number}.ipynb", b"{}") for number in range(4)]
    folder, refused = unzipped(zipped(tmp_path / "in.zip", *own, ("bob/x.ipynb", b"{}")), tmp_path)
    assert [one.name for one in refused] == ["ada/2.ipynb", "ada/3.ipynb"] and (folder / "bob" / "x.ipynb").exists()


@pytest.mark.parametrize("inside", ["", "in/", "submitted/"])
def test_what_was_refused_in_a_zip_is_a_fault_of_its_learner_and_of_nobody_else(tmp_path, inside):
    link = zipfile.ZipInfo(f"{inside}ada/x.ipynb")
    link.external_attr = 0o120777 << 16
    path = zipped(tmp_path / "in.zip", (f"{inside}bob/y.ipynb", b"{}"), (f"{inside}../z.ipynb", b"{}"))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, b"/etc/passwd")
    (tmp_path / "out").mkdir()
    folder, refused = unzipped(path, tmp_path / "out")
    found, _ = hand_ins(folder, [(one.place, one.why) for one in refused if one.place])
    assert {one.learner: one.faults for one in found} == {"ada": ["x.ipynb: a link or a device"], "bob": []}


def test_zip_keeps_the_dates_and_forgets_the_folder_of_its_own_name(tmp_path):
    (tmp_path / "out").mkdir()
    folder, *_ = unzipped(zipped(tmp_path / "in.zip", ("in/ada/x.ipynb", b"{}")), tmp_path / "out")
    assert [path.name for path in folder.iterdir()] == ["ada"]
    assert time.localtime(os.stat(folder / "ada" / "x.ipynb").st_mtime)[:6] == (2026, 3, 4, 5, 6, 8)


def test_file_that_is_no_zip_says_so(tmp_path):
    (tmp_path / "in.zip").write_text("no zip")
    with pytest.raises(ValueError, match="is no zip that can be read"):
        unzipped(tmp_path / "in.zip", tmp_path)
