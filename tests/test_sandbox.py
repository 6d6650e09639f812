"""What stands around an answer: its process, its limits, and the state that it cannot hand on."""

import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
from handed_in import BODY, RIGHT, needs_sandbox

import helpers
from helpers.checks import child, frames, isolation, limits, plain, sandbox, seccomp
from helpers.checks.ending import run_of
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
    "limits": "import resource as r\nr.prlimit(1, r.RLIMIT_AS, (2**34, 2**34))",
    "nice": "os.setpriority(os.PRIO_PROCESS, 1, 19)",
    "scheduler": "os.sched_setscheduler(1, os.SCHED_IDLE, os.sched_param(0))",
    "affinity": "os.sched_setaffinity(1, {min(os.sched_getaffinity(0))})",
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


SEARCH = """import ctypes, re
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
memory, found = open("/proc/self/mem", "rb", buffering=0), set()
for line in open("/proc/self/maps").readlines():
    where, rights = line.split()[:2]
    start, end = (int(word, 16) for word in where.split("-"))
    if rights[:2] == "rw":
        memory.seek(start)
        found.update(re.findall(b"mark" + b"-[0-9a-z]+-", memory.read(end - start)))
"""


def test_answer_finds_nothing_in_memory_of_the_answers_before_it(shut_in):
    count = SEARCH + BODY + "    return torch.tensor(len(found))"
    assert run(shut_in, "kept = 'mark-of-its-own-'.replace('-of-its-own', '-1')\n" + count).outputs["output"].item() > 0
    before = shut_in._process.pid
    for bytes_long in (30, 100, 200, 300, 400, 600, 1_000, 2_000, 5_000, 20_000, 100_000):
        mark = f"mark-{'0123456789' * (bytes_long // 10)}-"
        returned = f"    return torch.frombuffer(bytearray(b{mark!r}), dtype=torch.uint8)"
        assert run(shut_in, f"# {mark}\n{BODY}{returned}").status == "ok"
    assert run(shut_in, count).outputs["output"].item() == 0 and shut_in._process.pid == before


LEFT = """import mmap, os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        room = mmap.mmap(-1, 2**29, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        for place in range(0, 2**29, 4096):
            room[place] = 1
        open("/dev/shm/filled", "w")
        time.sleep(1000)
    time.sleep(1000)
while not os.path.exists("/dev/shm/filled"):
    time.sleep(0.01)
os.unlink("/dev/shm/filled")
"""


def test_nothing_that_an_answer_started_is_even_dying_when_its_reply_is_there(shut_in, monkeypatch):
    alive = []
    monkeypatch.setattr(
        sandbox.Sandbox,
        "_is_ready",
        lambda self: alive.append(len(psutil.Process(self._process.pid).children(recursive=True))),
    )
    assert run(shut_in, LEFT + RIGHT).status == "ok"
    assert alive[0] <= 2  # the first process of the namespace, and the one that has just sent the reply


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP, signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_answer_cannot_signal_the_process_that_the_next_answers_come_from(shut_in, number):
    run(shut_in, RIGHT)
    before = shut_in._process.pid
    assert run(shut_in, f"import os\nos.kill(1, {int(number)})\n" + RIGHT).status == "ok"
    assert run(shut_in, RIGHT, seconds=5).status == "ok" and shut_in._process.pid == before


@pytest.mark.parametrize("file", ["fd/0", "fd/1", "mem", "maps", "environ", "oom_score_adj"])
def test_answer_can_open_no_file_of_the_processes_around_it(shut_in, file):
    source = f"""import os
opened = 0
for process in (1, os.getppid()):
    for flags in (os.O_RDONLY, os.O_WRONLY):
        try:
            opened += os.open(f"/proc/{{process}}/{file}", flags) > 0
        except OSError:
            pass
{BODY}    return torch.tensor(opened)
"""
    expected = 2 if file == "oom_score_adj" else 0  # which anybody may read
    assert run(shut_in, source).outputs["output"].item() == expected


def test_answer_cannot_set_what_the_kernel_does(shut_in):
    source = "import os\n" + BODY + "    return torch.tensor(len(os.listdir('/proc/sys')))"
    assert run(shut_in, source).outputs["output"].item() == 0


def test_flags_of_files_that_an_answer_has_open_are_its_own(shut_in):
    start = "import fcntl, os\n"
    run(shut_in, start + "fcntl.fcntl(0, fcntl.F_SETFL, os.O_APPEND | os.O_NONBLOCK)\n" + RIGHT)
    seen = run(shut_in, start + BODY + "    return torch.tensor(fcntl.fcntl(0, fcntl.F_GETFL) & ~0o100000)")
    assert seen.outputs["output"].item() == os.O_RDWR


REFUSED = {
    "a socket": "import socket\nsocket.socket(40, socket.SOCK_STREAM)",  # of virtual machines: no namespace has its own
    "a pair of sockets": "import socket\nsocket.socketpair()",  # which send to any socket in a file that can be seen
    "a lease": "import fcntl, tempfile\nwith tempfile.NamedTemporaryFile() as own:\n"
    "    fcntl.fcntl(os.open(own.name, os.O_RDONLY), fcntl.F_GETLEASE)",  # anybody's right, if no filter refuses it
    "to watch a folder": "import ctypes\nif ctypes.CDLL(None, use_errno=True).inotify_init1(0) < 0:\n"
    "    raise OSError(ctypes.get_errno(), '')",
    "the times of a device": "os.utime('/dev/full')",
}


@pytest.mark.parametrize("what", REFUSED)
def test_answer_is_refused(shut_in, what):
    tried = REFUSED[what].replace("\n", "\n    ")
    source = f"import os\ndone = True\ntry:\n    {tried}\nexcept PermissionError:\n    done = False\n{BODY}"
    assert not run(shut_in, source + "    return torch.tensor(done)").outputs["output"].item()


def test_each_answer_is_kept_by_a_process_in_a_group_of_its_own(shut_in):
    source = "import os\n" + BODY + "    return torch.tensor([os.getpgid(1), os.getpgid(os.getppid()), os.getpgid(0)])"
    assert len(set(run(shut_in, source).outputs["output"].tolist())) == 3


def test_process_made_in_the_place_of_a_brother_of_the_answer_is_gone_with_it(shut_in):
    run(shut_in, RIGHT)
    before = shut_in._process.pid
    call = f"ctypes.CDLL(None).syscall({56 if os.uname().machine == 'x86_64' else 220}, 0x8000 | 17, 0, 0, 0, 0)"
    source = f"import ctypes, os\nif {call} == 0:\n    os._exit(0)\n"
    assert run(shut_in, source + RIGHT, seconds=5).status == "ok"
    assert run(shut_in, RIGHT).status == "ok" and shut_in._process.pid == before


def descendants(process: int) -> list[psutil.Process]:
    return [psutil.Process(process), *psutil.Process(process).children(recursive=True)]


STOPPED = "import os\nos.kill(os.getppid(), 19)\nwhile True:\n    pass\n"


@pytest.mark.parametrize("isolated", [True, False])
@pytest.mark.parametrize("source", [STOPPED, "while True:\n    pass\n"], ids=["stopped", "endless"])
def test_nothing_is_left_of_a_grader_that_was_killed(source, isolated):
    started = f"""from helpers.checks.sandbox import Sandbox
from helpers.checks.registry import exercise
asked = exercise("2.1")
Sandbox([asked], {isolated}).run(asked, {source!r}, asked.inputs(0), 600)
"""
    grader = subprocess.Popen([sys.executable, "-c", started])
    try:
        wanted = 4 + isolated  # the grader, bubblewrap, the process, the keeper, the answer
        end = time.monotonic() + 120
        while len(below := descendants(grader.pid)) < wanted and time.monotonic() < end:
            time.sleep(0.1)
        assert len(below) == wanted
    finally:
        grader.kill()
        grader.wait()
    assert not psutil.wait_procs(below, timeout=30)[1]


TWICE_FORKED = """import os
reading, writing = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.write(writing, str(os.getpid()).encode())
        os.closerange(0, 1000)
        while True:
            pass
    os._exit(0)
left = int(os.read(reading, 20))
"""


def test_without_isolation_too_nothing_that_an_answer_started_outlives_it():
    with sandbox.Sandbox([ASKED], isolated=False) as unsafe:
        left = run(unsafe, TWICE_FORKED + BODY + "    return torch.tensor(left)").outputs["output"].item()
        assert not psutil.pid_exists(left)


def test_copies_of_the_course_are_hidden_where_its_folder_is_the_environment(monkeypatch):
    course = Path(helpers.__file__).parents[1]
    names = [name for name in ("solutions", "tests", ".git") if (course / name).is_dir()]
    source = f"import os\nfound = [len(os.listdir({str(course)!r} + '/' + name)) for name in {names}]\n{BODY}"
    monkeypatch.setattr(sys, "prefix", str(course))
    with sandbox.Sandbox([ASKED]) as around:
        found = run(around, source + "    return torch.tensor(found)").outputs["output"].tolist()
    assert found == [0] * len(names) and "tests" in names


LOOK_AT_INPUTS = """import sys

def given():
    frame = sys._getframe()
    while frame:
        for value in list(frame.f_locals.values()):
            if isinstance(value, dict) and "draw 0/names" in value:
                return value
        frame = frame.f_back
    raise LookupError

def in_order(runs):
    names = [key.split("/")[1].partition(":")[0] for key in given() if "/run " in key]
    return list(dict.fromkeys(name for name in names if name in runs))

"""


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("1.5", "def eight_bit_in_eval(original, runs):\n    return in_order(runs)[2]\n"),
        ("2.5", "def lost_reference(runs):\n    return in_order(runs)[-1]\n"),
    ],
    ids=["1.5", "2.5"],
)
def test_order_in_which_an_answer_is_sent_its_inputs_says_nothing(name, body, monkeypatch):
    asked, passed = exercise(name), []
    with sandbox.Sandbox([asked]) as box:
        for sent in (lambda inputs: inputs, sandbox._sent):
            monkeypatch.setattr(sandbox, "_sent", sent)
            done = box.run(asked, LOOK_AT_INPUTS + body, asked.inputs(0), 60)
            passed.append(asked.verdict(asked.inputs(0), done.outputs).passed)
    assert passed == [True, False]


def test_answer_that_stopped_its_keeper_is_gone_when_it_has_timed_out(monkeypatch):
    monkeypatch.setattr(sandbox, "_GRACE_SECONDS", 1)
    with sandbox.Sandbox([ASKED]) as stopped:
        run(stopped, RIGHT)
        below, kill = [], sandbox._kill
        monkeypatch.setattr(sandbox, "_kill", lambda given: (below.extend(descendants(given.pid)), kill(given)))
        assert run(stopped, STOPPED, seconds=1).status == "timeout"
    assert len(below) == 4 and not psutil.wait_procs(below, timeout=1)[1]


def test_room_that_an_answer_still_takes_is_a_change(monkeypatch):
    room = list(os.statvfs("/dev/shm"))
    seen = []
    for taken in (0, 1):
        room[3] -= taken  # free blocks
        monkeypatch.setattr(os, "statvfs", lambda folder: os.statvfs_result(room))
        files, *_ = child._surroundings(alone=True)
        seen.append(files[-1])
    assert seen[0] != seen[1]


def test_folder_that_an_answer_locked_is_a_change(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = child._surroundings(alone=False)
    assert before == child._surroundings(alone=False)
    monkeypatch.setattr(os, "listdir", lambda folder: (_ for _ in ()).throw(PermissionError(13, "locked")))
    assert child._surroundings(alone=False) != before


def test_answer_runs_as_an_unprivileged_user_without_capabilities_and_network(shut_in):
    source = f"""import os, socket
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
facts = [os.getuid() == 0, int(status["CapEff"], 16), int(status["CapPrm"], 16), int(status["NoNewPrivs"])]
facts += [len([name for name in os.listdir("/proc") if name.isdigit()])]
try:
    facts += [socket.socket(socket.AF_UNIX).fileno()]
except PermissionError:
    facts += [-1]
{BODY}    return torch.tensor(facts)
"""
    privileged, effective, permitted, no_new, processes, connected = run(shut_in, source).outputs["output"].tolist()
    assert (privileged, effective, permitted, no_new) == (0, 0, 0, 1)
    assert processes <= 3 and connected == -1


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


_HEADER = b'{"a":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}}'
OF_UNKNOWN_TYPE = plain.packed({"a": None})[:-16] + len(_HEADER).to_bytes(8, "little") + _HEADER + b"x"


def test_text_that_would_take_long_to_read_is_refused_before_it_is_read(monkeypatch):
    content = plain.packed({"a": "x" * 70_000})
    monkeypatch.setattr(plain.json, "loads", lambda text: pytest.fail("it was read"))
    with pytest.raises(plain.Refused, match="larger than 64 KiB"):
        plain.unpacked(content)
    assert run_of(ASKED, child.FAILURE + b"[" * 2000, 1).status == "refused"


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff" * 100, plain.packed({"a": 1})[:-3], (9).to_bytes(8, "little") + b"[1, 2, 3]", OF_UNKNOWN_TYPE],
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
