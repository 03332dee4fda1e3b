"""Run the command on the command line and print its time and its peak memory as JSON.

A small process of its own, without imports to speak of: until it executes the command, a child
counts its parent's memory as its own, and the benchmarks' is large.
"""

from __future__ import annotations

import os
import sys
import time

_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024


def main() -> None:
    """Exit as the command does; its standard output is dropped."""
    quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    began = time.perf_counter()
    process = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=quiet)
    _, status, usage = os.wait4(process, 0)
    seconds = time.perf_counter() - began
    print(f'{{"seconds": {seconds}, "memory": {usage.ru_maxrss * _MAXRSS_UNIT}}}')
    sys.exit(os.waitstatus_to_exitcode(status))


main()
