"""The commands of the course: `python -m helpers COMMAND`."""

import argparse
import importlib
import sys

from helpers.download import CourseError

COMMANDS = {
    "fetch": "fetch and verify model and ratings, convert the model once",
    "doctor": "check Python, packages, device, model, ratings and memory",
    "plan": "say whether a model fits a GPU, and where the memory goes",
    "reward": "train the reward adapter from people's ratings",
    "train": "run PPO on the course's model, from start to a saved adapter",
    "exercises": "write exercises/ from solutions/",
    "lessons": "execute lessons and solutions and store their outputs",
    "signatures": "compare the recorded calls of TRL's trainers with the newest TRL",
    "grade": "grade a folder of submissions",
    "badges": "let every notebook be opened on Colab from your fork",
    "release": "write the zip of one lesson to hand out",
}


def main(argv: list[str] | None = None) -> int:
    """Run one command: a module `helpers.course.COMMAND` with `add_arguments(parser)` and `run(args) -> exit code`."""
    argv = sys.argv[1:] if argv is None else argv
    try:
        return _run(argv)
    except CourseError as error:  # what the reader can put right needs a sentence, not a traceback
        print(error, file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        if (error.name or "helpers").startswith("helpers"):
            raise
        print(f"{sys.executable} has no {error.name}. Run `pip install -r requirements.txt`, or make.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Nothing half-written is left; the same command starts again.", file=sys.stderr)
        return 130


def _run(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m helpers", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, purpose in COMMANDS.items():
        command = commands.add_parser(name, help=purpose, description=purpose)
        if argv[:1] == [name]:  # import only what runs: some commands need torch, the others start at once
            importlib.import_module(f"helpers.course.{name}").add_arguments(command)
    args, unknown = parser.parse_known_args(argv)
    if unknown:  # said by the command, whose options are asked for, not by the whole program
        commands.choices[args.command].error(f"unrecognized arguments: {' '.join(unknown)}")
    return importlib.import_module(f"helpers.course.{args.command}").run(args)


if __name__ == "__main__":
    sys.exit(main())
