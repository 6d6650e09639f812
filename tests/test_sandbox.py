"""What stands around an answer: its process, its limits, and the state that it cannot hand on."""

import os
import struct
import subprocess
import sys
import time

import psutil
import pytest
import torch
from handed_in import BODY, RIGHT, needs_sandbox

from helpers.checks import child, frames, isolation, limits, plain, sandbox, seccomp
from helpers.checks.registry import exercise

pytestmark = needs_sandbox
ASKED = exercise("2.1")


def run(shut_in: sandbox.Sandbox, source: str, seconds: float = 60):
    return shut_in.run(ASKED, source, ASKED.inputs(0), seconds)


@pytest.fixture(scope="module")
def shut_in():
    with sandbox.Sandbox([ASKED]) as shut_in:
        yield shut_in


def test_right_answer_comes_back_as_it_was_computed(shut_in):
    outputs = run(shut_in, RIGHT).outputs
    assert ASKED.verdict(ASKED.inputs(0), outputs).passed


def test_answers_share_a_process_that_none_of_them_changes(shut_in):
    run(shut_in, RIGHT)
    before = shut_in._process.pid
    run(shut_in, "import builtins\nbuiltins.left = torch.left = True\ntorch.manual_seed(5)\n" + RIGHT)
    seen = run(
        shut_in,
        "import builtins\n" + BODY + "    return torch.tensor([hasattr(builtins, 'left'), hasattr(torch, 'left')])",
    )
    assert seen.outputs["output"].tolist() == [False, False] and shut_in._process.pid == before


def test_random_numbers_of_an_answer_depend_on_nothing_that_ran_before(shut_in):
    source = BODY + "    import random\n    return torch.tensor([random.random(), torch.rand(()).item()])"
    first = run(shut_in, source).outputs["output"]
    run(shut_in, "torch.rand(10)\n" + RIGHT)
    with sandbox.Sandbox([exercise("1.1"), ASKED]) as other:
        assert torch.equal(run(other, source).outputs["output"], first)
    assert torch.equal(run(shut_in, source).outputs["output"], first)


def test_file_that_an_answer_left_is_not_seen_by_the_next(shut_in):
    run(shut_in, "open('note', 'w').write('1.1 is easy')\nopen('/dev/shm/note', 'w').write('x')\n" + RIGHT)
    seen = run(
        shut_in, "import os\n" + BODY + "    return torch.tensor(['note' in os.listdir(f) for f in ('.', '/dev/shm')])"
    )
    assert seen.outputs["output"].tolist() == [False, False]


CHANGES = {
    "limits": "import resource as r\nr.prlimit(os.getppid(), r.RLIMIT_AS, (2**34, 2**34))",
    "nice": "os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)",
    "scheduler": "os.sched_setscheduler(os.getppid(), os.SCHED_IDLE, os.sched_param(0))",
    "affinity": "os.sched_setaffinity(os.getppid(), {min(os.sched_getaffinity(0))})",
    "mode": "os.chmod('.', 0o1776)",
    "trace": "os.close(os.open('note', os.O_CREAT))\nos.unlink('note')",
}


def changed(shut_in: sandbox.Sandbox, what: str) -> tuple[bool, bool]:
    """Whether an answer could change what the next one meets, and whether the next one gets another process."""
    run(shut_in, RIGHT)
    before = shut_in._process.pid
    tried = CHANGES[what].replace("\n", "\n    ")
    source = f"import os\ntry:\n    {tried}\n    done = True\nexcept OSError:\n    done = False\n{BODY}"
    done = run(shut_in, source + "    return torch.tensor(done)").outputs["output"].item()
    assert run(shut_in, RIGHT).status == "ok"
    return done, shut_in._process.pid != before


@pytest.mark.parametrize("what", ["limits", "nice", "scheduler", "affinity"])
def test_answer_cannot_change_how_the_process_runs_that_the_next_answers_come_from(shut_in, what):
    assert changed(shut_in, what) == (False, False)


@pytest.mark.parametrize("what", [name for name in CHANGES if name != "affinity" or os.cpu_count() > 1])
def test_process_in_which_an_answer_changed_anything_serves_no_other(what, monkeypatch):
    monkeypatch.setattr(seccomp, "program", lambda: b"")  # as on a machine whose calls the filter does not know
    with sandbox.Sandbox([ASKED]) as unfiltered:
        done, ended = changed(unfiltered, what)
        assert ended == done and (done or what == "mode")  # whoever is not root's user may own the folder


def test_answer_shares_no_memory_that_it_can_write_to_with_the_next(shut_in):
    source = "shared = [line for line in open('/proc/self/maps') if line.split()[1] == 'rw-s']\n"
    assert run(shut_in, source + BODY + "    return torch.tensor(len(shared))").outputs["output"].item() == 0


def test_answer_runs_as_an_unprivileged_user_without_capabilities_and_network(shut_in):
    source = f"""import os, socket
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
facts = [os.getuid() == 0, int(status["CapEff"], 16), int(status["CapPrm"], 16), int(status["NoNewPrivs"])]
facts += [len([name for name in os.listdir("/proc") if name.isdigit()]), len(socket.if_nameindex())]
{BODY}    return torch.tensor(facts)
"""
    privileged, effective, permitted, no_new, processes, interfaces = run(shut_in, source).outputs["output"].tolist()
    assert (privileged, effective, permitted, no_new) == (0, 0, 0, 1)
    assert processes <= 4 and interfaces <= 1


def test_answer_knows_nothing_of_the_environment(shut_in, monkeypatch):
    source = "import os\n" + BODY + "    return torch.tensor(sorted(os.environ) == NAMES)"
    names = sorted([*isolation.environment("/tmp"), "PWD"])
    assert run(shut_in, source.replace("NAMES", repr(names))).outputs["output"].item()


@pytest.mark.parametrize(
    ("kind", "most"),
    [("NPROC", limits.PROCESSES), ("FSIZE", limits.FILE_BYTES), ("NOFILE", limits.FILES), ("CORE", 0)],
)
def test_answer_has_limits_that_it_cannot_raise(shut_in, kind, most):
    body = "import resource\n" + BODY + f"    return torch.tensor(resource.getrlimit(resource.RLIMIT_{kind}))\n"
    assert run(shut_in, body).outputs["output"].tolist() == [most, most]


def test_answer_that_ends_its_process_costs_the_next_one_nothing(shut_in):
    assert run(shut_in, "import os\nos.kill(os.getppid(), 9)\n").status == "crash"
    assert run(shut_in, RIGHT).status == "ok"


def test_stopped_sandbox_starts_no_process_any_more():
    with sandbox.Sandbox([ASKED]) as stopped:
        stopped.stop()
        with pytest.raises(sandbox.Stopped):
            run(stopped, RIGHT)


@pytest.mark.parametrize("isolated", [True, False])
def test_sandbox_that_is_left_leaves_no_process(isolated):
    with sandbox.Sandbox([ASKED], isolated) as shut_in:
        run(shut_in, RIGHT)
        below = [psutil.Process(shut_in._process.pid), *psutil.Process(shut_in._process.pid).children(recursive=True)]
    assert not psutil.wait_procs(below, timeout=30)[1]


def test_process_that_is_not_alone_kills_none_but_its_copies():
    """Without isolation, `kill(-1)` would reach whatever the user runs."""
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        with sandbox.Sandbox([ASKED], isolated=False) as unsafe:
            assert run(unsafe, "while True:\n    pass\n", seconds=1).status == "timeout"
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_hidden_folder_below_a_shown_one_is_not_seen(tmp_path, monkeypatch):
    (tmp_path / "shown" / "secret").mkdir(parents=True)
    (tmp_path / "shown" / "secret" / "grades.csv").touch()
    monkeypatch.setattr(isolation, "_shown", lambda shown=isolation._shown: shown() | {tmp_path / "shown"})
    with sandbox.Sandbox([ASKED], hidden=[tmp_path / "shown" / "secret"]) as shut_in:
        source = (
            f"import os\nseen = [len(os.listdir({str(tmp_path / 'shown')!r} + name)) for name in ('', '/secret')]\n"
        )
        assert run(shut_in, source + BODY + "    return torch.tensor(seen)").outputs["output"].tolist() == [1, 0]


def test_message_that_announces_too_much_is_refused_before_it_is_read():
    reading, writing = os.pipe()
    os.write(writing, struct.pack("<Q", frames.MOST_BYTES + 1) + b"x")
    with pytest.raises(frames.Broken):
        frames.receive_within(reading, 5)


def test_message_that_does_not_come_in_time_is_given_up():
    reading, writing = os.pipe()
    os.write(writing, struct.pack("<Q", 10) + b"half")
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        frames.receive_within(reading, 0.2)
    assert time.monotonic() - started < 5
    os.close(writing)


@pytest.mark.parametrize(
    "content", [b"", b"\xff" * 100, plain.packed({"a": 1})[:-3], (9).to_bytes(8, "little") + b"[1, 2, 3]"]
)
def test_bytes_that_are_no_plain_data_are_refused(content):
    with pytest.raises(plain.Refused):
        plain.unpacked(content)


def test_filter_jumps_only_forward_to_where_it_decides():
    program = seccomp.program()
    lines = [struct.unpack_from("=HBBI", program, place) for place in range(0, len(program), 8)]
    jumps = [(place, true) for place, (kind, true, _, _) in enumerate(lines) if kind in (0x15, 0x35, 0x45)]
    assert all(true >= 0 and place + 1 + true < len(lines) for place, true in jumps)
    assert not lines or lines[-1][0] == 0x06


def test_namespace_of_the_grader_is_known():
    assert child.namespace().startswith("pid:[")
