"""Lesson 5 and the checks of a GPU on a device that is not the CPU, as far as that can be known without a GPU.

    python tests/other_device.py [--family qwen2 | qwen3]

torch's simulated device (tests/simulated.py) stands for the GPU. With `--family`, another model is put in the place of
the default one, as `COURSE_MODEL` does (tests/other_model.py). What is left on the CPU stops a check or the lesson.
Ends with 1 if something failed. Takes a quarter of an hour on two cores, with another model half an hour.

What is not simulated, and is printed at the end:
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import environments
import other_model

from helpers.model import prepare

NOT_SIMULATED = (
    "A GPU's kernels: their rounding, speed, memory and its end (make test-gpu).",
    "Lessons 0, 2 and 4: they count bytes, and attention keeps other tensors on a GPU than here.",
    "Rounding a model to 8-bit on the GPU, which lesson 1 does: here only on the CPU, before.",
    "Lessons 3 and 6: TRL moves the model to CUDA by that name.",
)
__doc__ += "\n".join(f"- {sentence}" for sentence in NOT_SIMULATED)

CHECKS = "import sys; import gpu; sys.exit(gpu.run(gpu.checks_of_any_device('simulated')))"
AT_START = """import sys
if {{"ipykernel_launcher", "SIMULATED"}} & {{*sys.orig_argv}}:
    sys.path.insert(1, {tests!r})
    import simulated
    simulated.install()
    simulated.answer_as_a_gpu()
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--family", choices=other_model.FAMILIES, help="of another model (default: the course's own)")
    family = parser.parse_args().family
    with tempfile.TemporaryDirectory(prefix="other-device-") as folder:
        room = Path(folder)
        if family:
            other_model.put_there(family, room)
        prepare()  # rounded on the CPU: torch moves what is being rounded to its own devices alone
        (room / "sitecustomize.py").write_text(AT_START.format(tests=str(Path(__file__).parent)))
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [folder, os.environ.get("PYTHONPATH")]))
        checks = subprocess.run([sys.executable, "-c", CHECKS, "SIMULATED"], cwd=environments.ROOT)
        lesson = other_model.run_lesson(environments.ROOT / "notebooks" / "5_practice.ipynb")
    print("\n" + environments.table([lesson]) + "\n\nNot simulated:")
    print("\n".join(f"- {sentence}" for sentence in NOT_SIMULATED))
    return int(checks.returncode != 0 or lesson[""] != "ran")


if __name__ == "__main__":
    sys.exit(main())
