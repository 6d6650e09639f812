"""`python -m helpers release LESSON --out DIR`: the zip to hand out: a lesson, its exercises, the package."""

import argparse
import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

from helpers.download import CourseError, written_aside

ROOT = Path(__file__).parents[2]
ALWAYS = ("README.md", "LICENSE", "Makefile", ".setup.sh", "environment.yml", "requirements.txt", "pyproject.toml")
_LINK = re.compile(r"(?<!!)\[([^\[\]]+)\]\(([^()#:\s]+)(#[^()\s]*)?\)")  # to a file, in Markdown; not of a picture
_NOT_FOR_LEARNERS = re.compile(r"^## For (?:instructors|contributors)\n.*?(?=^## )", re.MULTILINE | re.DOTALL)
# What is not true of a release: targets of make whose tests it has not (a line, a paragraph, a sentence, an aside).
_CUT = (
    *(r"^make (?!lab).*\n", r"^`make (?!lab)(?:.+\n)+\n", r"\s`make test-model`[^.]*\.", r"\s\(`make (?!lab)[^`]*`\)"),
    *(r"\s`make` alone lists all targets\.", r", \d+ in all(?=;)", r"\sThe solved exercises are in\ssolutions/\."),
    r"\sYou teach it\? See \[For instructors\]\(#for-instructors\)\.",
)
_DATE = (2026, 1, 1, 0, 0, 0)  # the same files make the same zip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("lesson", type=int, help="its number")
    parser.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="where lesson_N.zip is written")
    parser.add_argument("--course", type=Path, default=ROOT, metavar="FOLDER", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    if not list((args.course / "notebooks").glob(f"{args.lesson}_*.ipynb")):
        raise CourseError(f"There is no lesson {args.lesson} in {args.course / 'notebooks'}.")
    args.out.mkdir(parents=True, exist_ok=True)
    target, files = args.out / f"lesson_{args.lesson}.zip", sorted(handed_out(args.course, args.lesson))
    held = {path for file in files for path in (file, *file.parents)}
    with written_aside(target) as aside, zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            entry = zipfile.ZipInfo(f"lesson_{args.lesson}/{path.relative_to(args.course).as_posix()}", _DATE)
            entry.external_attr = 0o644 << 16
            content = _content(path, args.course, held)
            if path == args.course / "README.md":
                content = _readme(content.decode(), args.course, args.lesson).encode()
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    size = target.stat().st_size / 2**20
    print(f"{target}: {len(files)} files, {size:.1f} MiB, no solutions. The checks are in it, and can be read.")
    return 0


def _content(path: Path, course: Path, held: set[Path]) -> bytes:
    """Of a file; links to what the course has and the zip has not are plain text."""
    if path.suffix not in (".md", ".ipynb"):
        return path.read_bytes()

    def linked(match: re.Match) -> str:
        to = Path(os.path.normpath(path.parent / match[2]))
        return match[0] if to in held or not to.is_relative_to(course) or not to.exists() else match[1]

    return _LINK.sub(linked, path.read_text(encoding="utf-8")).encode()


def _readme(text: str, course: Path, lesson: int) -> str:
    """The README for who has this lesson alone, without what is for instructors and contributors."""
    notebook = next((course / "notebooks").glob(f"{lesson}_*.ipynb")).name
    text = _NOT_FOR_LEARNERS.sub("", text)
    text = re.sub("|".join(_CUT), "", text, flags=re.MULTILINE)
    text = text.replace("## Two commands", "## One command").replace(
        "JupyterLab with lesson 0", f"JupyterLab with lesson {lesson}"
    )
    text = text.replace("jupyter lab notebooks/0_the_memory_bill.ipynb", f"jupyter lab notebooks/{notebook}")
    said = f"**This is lesson {lesson} alone.** Set it up as below, read [{notebook}](notebooks/{notebook})"
    if (course / "exercises" / notebook).exists():
        said += f", fill in [its exercises](exercises/{notebook}), and hand in that one file"
    title, _, rest = text.partition("\n\n")
    return f"{title}\n\n{said}.\n\n{rest}"


def handed_out(course: Path, lesson: int) -> Iterator[Path]:
    """What a learner needs for one lesson: no solutions, no tests, no other lesson."""
    yield from (course / name for name in ALWAYS)
    yield from (path for path in (course / "helpers").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    yield from (course / "notebooks").glob("*.json")
    yield from (course / "notebooks" / "images").glob("*")
    for folder in ("notebooks", "exercises"):
        yield from (course / folder).glob(f"{lesson}_*.ipynb")
