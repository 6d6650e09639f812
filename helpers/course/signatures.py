"""`python -m helpers signatures [--refresh]`: how TRL's trainers are called, as recorded, as pinned, and today."""

import argparse
import ast
import datetime
import json
import subprocess
import sys
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from helpers.course.notebook import write_text
from helpers.download import CourseError

RECORD = Path(__file__).with_name("trl_signatures.json")
TRAINERS = ("PPOTrainer", "DPOTrainer", "GRPOTrainer")
SETTINGS = {  # those that the lessons name
    "PPOConfig": ("kl_coef", "num_ppo_epochs", "num_mini_batches", "total_episodes", "response_length", "cliprange"),
    "DPOConfig": ("beta", "loss_type", "disable_dropout", "precompute_ref_log_probs", "sync_ref_model"),
    "GRPOConfig": ("beta", "num_generations", "max_completion_length", "scale_rewards", "loss_type", "disable_dropout"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--refresh", action="store_true", help="write the record anew, with today's date")


def run(args: argparse.Namespace) -> int:
    """Print what changed since the record; 1 if something did and it was not refreshed."""
    newest = newest_signatures()
    now = {"date": datetime.date.today().isoformat(), "pinned": installed_signatures(), "newest": newest}
    found = [line for part in ("pinned", "newest") for line in differences(record()[part], now[part])]
    print(f"Recorded on {record()['date']}. TRL on the package index: {newest['version']}.")
    print("\n".join(found) if found else "Nothing has changed since.")
    if args.refresh:
        write_text(json.dumps(now, indent=1) + "\n", RECORD)
        print(f"Written: {RECORD.name}")
    return 1 if found and not args.refresh else 0


@cache
def record() -> dict:
    """What was recorded: its `date`, and the signatures `pinned` (as installed) and `newest` (on the index then)."""
    return json.loads(RECORD.read_text(encoding="utf-8"))


def installed_signatures() -> dict:
    """Read the TRL that is installed, without importing it."""
    return read_signatures(Path(find_spec("trl").origin).parent)


def newest_signatures() -> dict:
    """Install the newest TRL in a folder of its own, without what it needs to run, and read it there.

    Raises:
        CourseError: pip could not install it.
    """
    with tempfile.TemporaryDirectory(prefix="trl-") as folder:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]
        done = subprocess.run([*command, "--target", folder, "trl"], capture_output=True, text=True)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise CourseError(f"pip could not fetch the newest TRL ({reason}); the record is as it was.")
        return read_signatures(Path(folder) / "trl")


def read_signatures(package: Path) -> dict:
    """What a TRL package says in its source, so that it need not run.

    Returns:
        `version`; for each trainer the names that its call takes; for each configuration the defaults of the settings
        that the course names, as Python source. None for a class that is not there, or for a setting.
    """
    (metadata,) = package.parent.glob("trl-*.dist-info")
    found: dict = {"version": metadata.name.removeprefix("trl-").removesuffix(".dist-info")}
    for name in TRAINERS:
        found[name] = (trainer := _class(package, name)) and _parameters(trainer)
    for name, settings in SETTINGS.items():
        config = _class(package, name)
        found[name] = config and {setting: _defaults(config).get(setting) for setting in settings}
    return found


def differences(before: dict, after: dict) -> list[str]:
    """One line for each name that came, went or got another default."""
    lines = []
    for name in (*TRAINERS, *SETTINGS):
        old, new = before[name], after[name]
        if old is None or new is None:
            lines += [] if old == new else [f"{name}: {'gone' if new is None else 'new'} in {after['version']}"]
        elif isinstance(old, list):
            lines += [f"{name}: {argument} is gone" for argument in old if argument not in new]
            lines += [f"{name}: {argument} is new" for argument in new if argument not in old]
        else:
            changed = [key for key in new if old.get(key) != new[key]]
            lines += [f"{name}.{key}: {old.get(key)} is now {new[key]}" for key in changed]
    return lines


def _class(package: Path, name: str) -> ast.ClassDef | None:
    """The definition of a class, outside `experimental` if there is one."""
    files = sorted(package.rglob("*.py"), key=lambda file: "experimental" in file.parts)
    sources = (file.read_text(encoding="utf-8") for file in files)
    nodes = (node for source in sources if f"class {name}(" in source for node in ast.parse(source).body)
    return next((node for node in nodes if isinstance(node, ast.ClassDef) and node.name == name), None)


def _parameters(trainer: ast.ClassDef) -> list[str]:
    (made,) = [node for node in trainer.body if isinstance(node, ast.FunctionDef) and node.name == "__init__"]
    return [argument.arg for argument in made.args.args[1:] + made.args.kwonlyargs]


def _defaults(config: ast.ClassDef) -> dict[str, str]:
    fields = [node for node in config.body if isinstance(node, ast.AnnAssign) and node.value is not None]
    return {node.target.id: ast.unparse(_default(node.value)) for node in fields}


def _default(value: ast.expr) -> ast.expr:
    """`x` of `field(default=x)` and of `field(default_factory=lambda: x)`."""
    given = {word.arg: word.value for word in value.keywords} if isinstance(value, ast.Call) else {}
    factory = given.get("default_factory")
    return given.get("default", factory.body if isinstance(factory, ast.Lambda) else factory or value)
