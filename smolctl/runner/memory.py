"""How much memory is free: the machine's, or what the process's control groups leave of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_USABLE_PERCENT = 80
"""Share of the free memory that a model may take: what else runs goes on needing some."""

_UNLIMITED = 1 << 60
"""A limit of version 1 that is none is a number close to 2 to the 63rd."""


def usable_memory(root: Path = Path("/")) -> int:
    """Return the bytes that a model may take, which is most of `free_memory`."""
    return free_memory(root) * _USABLE_PERCENT // 100


def free_memory(root: Path = Path("/")) -> int:
    """Return the bytes of memory that can be had without pushing anything out, or a guess.

    It is what Linux says is available, or less where a control group of this process (a
    container, a systemd slice) has a limit: then what is left below it, its cached file pages
    counted as free. Elsewhere it is half of all memory. `root` is where `/proc` and `/sys` are.
    """
    return max(0, min([_available(root), *_left_in_groups(root)]))


def _available(root: Path) -> int:
    """Return the machine's free memory (proc(5), `MemAvailable`)."""
    for line in _lines(root / "proc/meminfo"):
        name, _, amount = line.partition(":")
        if name == "MemAvailable":
            return int(amount.split()[0]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def _left_in_groups(root: Path) -> Iterator[int]:
    """Yield what is left below each limit of memory that holds for this process (cgroups(7))."""
    for line in _lines(root / "proc/self/cgroup"):
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0":
            for mount in ("sys/fs/cgroup", "sys/fs/cgroup/unified"):
                for group in _upwards(root / mount, path):
                    yield from _left(
                        group, ("memory.max", "memory.high"), "memory.current", prefix=""
                    )
        elif "memory" in controllers.split(","):
            for group in _upwards(root / "sys/fs/cgroup/memory", path):
                limits = ("memory.limit_in_bytes",)
                yield from _left(group, limits, "memory.usage_in_bytes", prefix="total_")


def _upwards(mount: Path, path: str) -> Iterator[Path]:
    """Yield the group at `path` and those it is in: each one's limit holds for all in it.

    In a container, the path is often that outside of it, and only `mount` itself is there.
    """
    parts = [part for part in path.split("/") if part not in ("", "..")]
    for length in range(len(parts), -1, -1):
        yield mount.joinpath(*parts[:length])


def _left(group: Path, limits: tuple[str, ...], usage: str, *, prefix: str) -> Iterator[int]:
    used = _number(group / usage)
    found = [_number(group / name) for name in limits]
    known = [limit for limit in found if limit is not None and limit < _UNLIMITED]
    if used is None or not known:
        return
    files = 0
    for line in _lines(group / "memory.stat"):
        name, _, amount = line.partition(" ")
        if name in (f"{prefix}inactive_file", f"{prefix}active_file") and amount.isdecimal():
            files += int(amount)
    yield min(known) - used + files


def _number(path: Path) -> int | None:
    text = "".join(_lines(path))
    return int(text) if text.isdecimal() else None  # "max" is no limit


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []  # another system, or a group that is gone
