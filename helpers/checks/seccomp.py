"""The system calls that an answer has no use for, as the filter that bubblewrap hands to the kernel.

They make memory that no limit of a process counts (memfd, System V), look into other processes or change how those
run, open sockets (some reach out of every namespace) or send what outlives a process through one, set the times of the
machine's devices, make namespaces of their own, use up what all users of the machine share or make them wait for a
file, or are where kernels were most often broken. All fail with "not permitted".
"""

import platform
import struct

_CALLS = {  # name: number on x86-64, on arm64
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "pidfd_getfd": (438, 438),
    "move_pages": (279, 239),
    "migrate_pages": (256, 238),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    "sched_setaffinity": (203, 122),
    "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118),
    "sched_setattr": (314, 274),
    "socket": (41, 198),
    "socketpair": (53, 199),
    "sendmsg": (46, 211),
    "sendmmsg": (307, 269),
    "utimensat": (280, 88),
    "futimesat": (261, 88),
    "utimes": (235, 88),
    "utime": (132, 88),
    "userfaultfd": (323, 282),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "io_uring_setup": (425, 425),
    "io_setup": (206, 0),
    "inotify_init": (253, 26),
    "inotify_init1": (294, 26),
    "inotify_add_watch": (254, 27),
    "fanotify_init": (300, 262),
    "landlock_create_ruleset": (444, 444),
    "landlock_add_rule": (445, 445),
    "landlock_restrict_self": (446, 446),
    "sync": (162, 81),
    "syncfs": (306, 267),
    "syslog": (103, 116),
}
_CLONE, _CLONE3, _PRLIMIT, _FCNTL = (56, 220), (435, 435), (302, 261), (72, 25)
_NAMESPACES = 0x7E020000  # the flags of clone that make one
_MACHINES = {"x86_64": (0, 0xC000003E), "amd64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7), "arm64": (1, 0xC00000B7)}
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # as linux/filter.h names them
_ALLOW, _KILL, _NOT_PERMITTED, _UNKNOWN_CALL = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026
_NUMBER_AT, _MACHINE_AT, _FIRST_AT, _SECOND_AT = 0, 4, 16, 24  # of what the filter sees: arguments' lower halves
_LEASES, _AFTER_LEASES = 1024, 1027  # of fcntl: set a lease, get one, be told of changes in a folder
_OTHER_ABI = 0x40000000  # from here on the same calls have other numbers on x86-64 (x32)


def program() -> bytes:
    """The filter for this machine, empty for a machine whose numbers are not known here."""
    column, machine = _MACHINES.get(platform.machine().lower(), (0, 0))
    if not machine:
        return b""
    lines = [(_LOAD, _MACHINE_AT, ""), (_EQUAL, machine, "known"), (_RETURN, _KILL, "")]
    lines += [("label", 0, "known"), (_LOAD, _NUMBER_AT, ""), (_AT_LEAST, _OTHER_ABI, "refuse")]
    lines += [(_EQUAL, numbers[column], "refuse") for numbers in _CALLS.values()]
    lines += [(_EQUAL, _CLONE3[column], "unknown"), (_EQUAL, _CLONE[column], "clone")]
    lines += [(_EQUAL, _PRLIMIT[column], "limits"), (_EQUAL, _FCNTL[column], "fcntl"), (_RETURN, _ALLOW, "")]
    lines += [("label", 0, "fcntl"), (_LOAD, _SECOND_AT, ""), (_AT_LEAST, _AFTER_LEASES, "no lease")]
    lines += [(_AT_LEAST, _LEASES, "refuse"), ("label", 0, "no lease"), (_RETURN, _ALLOW, "")]
    lines += [("label", 0, "clone"), (_LOAD, _FIRST_AT, ""), (_ANY_BIT, _NAMESPACES, "refuse"), (_RETURN, _ALLOW, "")]
    lines += [("label", 0, "limits"), (_LOAD, _FIRST_AT, ""), (_EQUAL, 0, "own"), (_RETURN, _NOT_PERMITTED, "")]
    lines += [("label", 0, "own"), (_RETURN, _ALLOW, "")]  # of this process, not of one that is named
    lines += [("label", 0, "unknown"), (_RETURN, _UNKNOWN_CALL, "")]  # glibc then falls back to clone
    lines += [("label", 0, "refuse"), (_RETURN, _NOT_PERMITTED, "")]
    return _assembled(lines)


def _assembled(lines: list[tuple]) -> bytes:
    """Jumps go forward to a label where the test holds, else to the next line."""
    places, code = {}, []
    for kind, value, label in lines:
        if kind == "label":
            places[label] = len(code)
        else:
            code.append((kind, value, label))
    return b"".join(
        struct.pack("=HBBI", kind, places[label] - here - 1 if label else 0, 0, value)
        for here, (kind, value, label) in enumerate(code)
    )
