"""What breaks with the newest of everything: python tests/drift.py

Only what pyproject.toml pins with == stays: TRL, whose PPOTrainer lesson 3 needs, and the ratings' package. The newest
TRL is read, not run: `python -m helpers signatures` compares how its trainers are called with what lesson 6 shows. Runs
the quick tests. Ends with 1 if anything broke.
"""

import subprocess
import sys
from pathlib import Path

import environments
from environments import QUICK, Outcome
from packaging.utils import canonicalize_name

from helpers.download import CourseError


def made() -> Path:
    """The Python of an environment that is made anew each time: what is newest changes from day to day."""
    fixed = {canonicalize_name(name): version for name, version in fixed_versions().items()}
    requirements = [
        f"{name}=={fixed[canonicalize_name(name)]}" if canonicalize_name(name) in fixed else name
        for name in environments.pinned()
    ]
    (environments.ROOT / ".venv-drift" / environments.FINISHED).unlink(missing_ok=True)
    return environments.made("drift", sys.executable, requirements)


def fixed_versions() -> dict[str, str]:
    """What pyproject.toml allows in one version only."""
    parts = [(requirement.name, part) for requirement in environments.declared() for part in requirement.specifier]
    return {name: part.version for name, part in parts if part.operator == "=="}


def moved(newest: dict[str, str]) -> list[dict[str, str]]:
    """A row for each package whose newest version is not the pinned one."""
    ranges = {canonicalize_name(requirement.name): requirement.specifier for requirement in environments.declared()}
    rows = []
    for name, pinned in environments.pinned().items():
        found = newest[name]
        if found.partition("+")[0] != pinned:
            allowed = ranges.get(canonicalize_name(name))
            inside = "" if allowed is None or allowed.contains(found, prereleases=True) else f"outside {allowed}"
            rows.append({"package": name, "pinned": pinned, "newest": found, "pyproject.toml": inside})
    return rows


def report(rows: list[dict[str, str]], outcome: Outcome, signatures: subprocess.CompletedProcess) -> int:
    """Print what moved and what broke; 1 if anything broke."""
    print("\n== newest versions\n" + (environments.table(rows) if rows else "All pinned versions are the newest."))
    print("\n== how TRL's trainers are called\n" + (signatures.stdout + signatures.stderr).strip())
    print(f"\n== quick tests: {outcome.passed} passed, {len(outcome.failed)} failed, {outcome.skipped} skipped")
    for name, reason in outcome.failed.items():
        print(f"BROKE  {name}\n       {reason[:200]}")
    broke = bool(outcome.failed) or signatures.returncode != 0
    print("\nSomething broke: see above." if broke else "\nNothing broke.")
    return int(broke)


def main() -> int:
    try:
        python = made()
        newest = environments.versions_in(python, list(environments.pinned()))
        outcome = environments.run_tests(python, QUICK)
    except CourseError as error:
        print(error, file=sys.stderr)
        return 1
    command = [str(python), "-m", "helpers", "signatures"]
    signatures = subprocess.run(command, cwd=environments.ROOT, capture_output=True, text=True)
    return report(moved(newest), outcome, signatures)


if __name__ == "__main__":
    sys.exit(main())
