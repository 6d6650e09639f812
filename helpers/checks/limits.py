"""What one answer may use. A watcher outside kills it as well; these hold even where nobody watches."""

import contextlib
import math
import os
import time
from pathlib import Path

MEMORY_BYTES = 2 * 2**30  # of one process, beyond what Python and its packages take
TOTAL_BYTES = 3 * 2**30  # of all processes in one sandbox together; watched from outside
FILE_BYTES = 32 * 2**20
MADE_FILES = 20_000  # in the folders that an answer may write to; links and empty files take memory, too
PROCESSES = 48  # threads count, too
FILES = 128


def impose(seconds: float, alone: bool) -> None:
    """Limit this process and all that it starts. Not on Windows; memory and processes on Linux only.

    Args:
        seconds: of wall time that the answer has. Several threads may use more processor time than that.
        alone: whether the user of this process has no other processes, which would be counted too.
    """
    try:
        import resource
    except ImportError:
        return
    most = {"CPU": math.ceil(time.process_time() + 2 * seconds) + 5, "FSIZE": FILE_BYTES, "CORE": 0, "NOFILE": FILES}
    with contextlib.suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most["AS"] = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY_BYTES
    if alone:
        most["NPROC"] = PROCESSES
    for name, limit in most.items():
        kind = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(kind)[1]
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(kind, (limit, limit))
