"""The tests on each Python that the course admits, and with the oldest versions that pyproject.toml allows.

    python tests/versions.py [--real] [ENVIRONMENT …]

Environments are 3.11, 3.12, 3.13 (with the versions of requirements.txt) and oldest; all, if none is named. Each needs
its Python on the PATH and up to 6 GB of disk. Ends with a table, and with 1 if a test failed anywhere.
"""

import argparse
import sys
from pathlib import Path

import environments
from environments import QUICK, REAL

from helpers.course.doctor import PYTHONS
from helpers.download import CourseError

SHOWN = ["torch", "transformers", "peft", "trl", "bitsandbytes", "accelerate", "datasets", "numpy"]
ALL = [f"3.{minor}" for minor in range(PYTHONS[0][1], PYTHONS[1][1] + 1)] + ["oldest"]


def made(name: str) -> Path:
    """The Python of an environment, with the pins or, in the oldest, the lower bounds; tools of the tests as pinned.

    There TRL comes apart, as on Colab: it asks for datasets 4.7, and the course runs with 4.0.
    """
    base = environments.find_python(ALL[0] if name == "oldest" else name)
    versions = environments.pinned() | (lower_bounds() if name == "oldest" else {})
    apart = [f"trl=={versions.pop('trl')}"] if name == "oldest" else []
    requirements = [f"{package}=={version}" for package, version in versions.items()]
    return environments.made(name, base, requirements, (*apart, *environments.COURSE))


def lower_bounds() -> dict[str, str]:
    """The oldest version of each package that pyproject.toml allows, by its name."""
    return {
        requirement.name: part.version
        for requirement in environments.declared()
        for part in requirement.specifier
        if part.operator in (">=", "==")
    }


def row_of(name: str, marked: list[str]) -> dict[str, str]:
    """Make one environment, run the tests in it, and say how it went."""
    row = dict.fromkeys(["environment", "Python", *SHOWN, "passed", "failed", "skipped", "seconds"], "-")
    row["environment"] = name
    print(f"== {name}", flush=True)
    try:
        python = made(name)
        row |= environments.versions_in(python, SHOWN)
        outcomes = [environments.run_tests(python, mark) for mark in marked]
    except CourseError as error:
        print(error, flush=True)
        return row | {"failed": "not run"}
    return row | {
        "passed": str(sum(outcome.passed for outcome in outcomes)),
        "failed": str(sum(len(outcome.failed) for outcome in outcomes)),
        "skipped": str(sum(outcome.skipped for outcome in outcomes)),
        "seconds": f"{sum(outcome.seconds for outcome in outcomes):.0f}",
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="ENVIRONMENT", help=f"of {', '.join(ALL)}; default: all")
    parser.add_argument(
        "--real", action="store_true", help="also the tests that need the real model, half an hour each"
    )
    args = parser.parse_args()
    unknown = set(args.names) - set(ALL)
    if unknown:
        parser.error(f"there is no environment {', '.join(sorted(unknown))}; there are {', '.join(ALL)}")
    rows = [row_of(name, [QUICK, REAL] if args.real else [QUICK]) for name in args.names or ALL]
    print(environments.table(rows))
    return int(any(row["failed"] != "0" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
