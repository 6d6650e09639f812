"""What is handed out holds one lesson and all it needs, and no solution."""

import os
import re
import zipfile

import pytest

from helpers.__main__ import main
from helpers.course.release import ROOT, _content


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    assert main(["release", "2", "--out", str(folder)]) == 0
    with zipfile.ZipFile(folder / "lesson_2.zip") as archive:
        yield {name.removeprefix("lesson_2/"): archive.read(name) for name in archive.namelist()}


def test_release_holds_the_lesson_its_exercises_and_the_package(released):
    assert {"notebooks/2_add_lora_adapters.ipynb", "exercises/2_add_lora_adapters.ipynb"} <= released.keys()
    assert {"README.md", "Makefile", ".setup.sh", "requirements.txt", "helpers/__init__.py"} <= released.keys()
    assert "helpers/reward_adapter/adapter_model.safetensors" in released


def test_release_holds_no_solution_no_test_and_no_other_lesson(released):
    notebooks = [name for name in released if name.endswith(".ipynb")]
    assert len(notebooks) == 2 and not [n for n in released if n.startswith(("solutions/", "tests/")) or ".pyc" in n]
    assert not [name for name, text in released.items() if b"### BEGIN SOLUTION" in text and name.endswith(".ipynb")]


def test_readme_of_a_release_is_for_who_has_that_lesson_alone(released):
    text = released["README.md"].decode()
    assert "**This is lesson 2 alone.**" in text and "jupyter lab notebooks/2_add_lora_adapters.ipynb" in text
    assert not [
        said for said in ("## For instructors", "## For contributors", "make test ", "solutions/") if said in text
    ]
    assert "opens JupyterLab with lesson 2\n" in text and "29 in all" not in text and "You teach it" not in text
    assert set(re.findall(r"(?:^|`)make ([\w-]+)", text, re.MULTILINE)) == {"lab"}  # others need what is not held
    assert "(exercises); ●○○" in text
    assert "## Metrics" in text and "## Glossary" in text


def test_no_link_in_a_release_leads_to_what_it_does_not_hold(released):
    texts = {name: text.decode() for name, text in released.items() if name.endswith((".md", ".ipynb"))}
    found = [(name, to) for name, text in texts.items() for to in re.findall(r"\]\(([\w./-]+)[)#]", text)]
    links = {os.path.normpath(os.path.join(os.path.dirname(name), to)) for name, to in found}
    held = {"/".join(name.split("/")[:parts]) for name in released for parts in range(1, 5)}
    assert len(links & held) > 5 and not {to for to in links - held if (ROOT / to).exists()}
    assert "[exercises/](exercises)" in texts["README.md"] and "made by lesson 3." in texts["README.md"]


def test_what_only_looks_like_a_link_stays_in_a_release(tmp_path):
    code = "`hooks[name](value)` and [the model](https://example.org/a) and [here](#part)"
    (tmp_path / "a.md").write_text(f"{code} and [gone](b.md)")
    (tmp_path / "b.md").write_text("")
    assert _content(tmp_path / "a.md", tmp_path, {tmp_path / "a.md"}).decode() == f"{code} and gone"


def test_release_made_twice_is_the_same_file(tmp_path):
    for name in ("a", "b"):
        main(["release", "1", "--out", str(tmp_path / name)])
    assert (tmp_path / "a" / "lesson_1.zip").read_bytes() == (tmp_path / "b" / "lesson_1.zip").read_bytes()


def test_release_of_a_lesson_that_is_none_says_so(tmp_path, capsys):
    assert main(["release", "99", "--out", str(tmp_path)]) == 1
    assert "There is no lesson 99" in capsys.readouterr().err and not list(tmp_path.iterdir())
