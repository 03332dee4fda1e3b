"""What is free: of the machine, and below the limits of control groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolctl.runner.memory import free_memory, usable_memory

if TYPE_CHECKING:
    from pathlib import Path

GB = 10**9


def write(root: Path, files: dict[str, object]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n")
    return root


def machine(root: Path, groups: str, files: dict[str, object]) -> Path:
    """Make a Linux at `root` with 8 GB free, in whose groups this process is."""
    free = "MemTotal: 16000000 kB\nMemAvailable: 7812500 kB"
    return write(root, {"proc/meminfo": free, "proc/self/cgroup": groups, **files})


def test_without_a_limit_it_is_what_the_machine_has(tmp_path: Path) -> None:
    root = machine(tmp_path, "0::/user.slice", {"sys/fs/cgroup/user.slice/memory.max": "max"})
    assert free_memory(root) == 8 * GB
    assert usable_memory(root) == 8 * GB * 8 // 10


def test_a_limit_counts_with_its_cached_files_given_back(tmp_path: Path) -> None:
    group = "sys/fs/cgroup/user.slice/one.service"
    files = {
        f"{group}/memory.max": 4 * GB,
        f"{group}/memory.high": "max",
        f"{group}/memory.current": 3 * GB,
        f"{group}/memory.stat": f"anon {GB}\ninactive_file {GB}\nactive_file {GB // 2}",
    }
    root = machine(tmp_path, "0::/user.slice/one.service", files)
    assert free_memory(root) == 4 * GB - 3 * GB + GB + GB // 2
    (root / group / "memory.high").write_text(str(3 * GB))
    assert free_memory(root) == GB + GB // 2


def test_the_limit_of_a_group_further_up_holds_too(tmp_path: Path) -> None:
    files = {
        "sys/fs/cgroup/a/memory.max": 2 * GB,
        "sys/fs/cgroup/a/memory.current": GB,
        "sys/fs/cgroup/a/b/memory.max": 9 * GB,
        "sys/fs/cgroup/a/b/memory.current": 0,
    }
    assert free_memory(machine(tmp_path, "0::/a/b", files)) == GB


def test_in_a_container_the_group_is_where_it_is_mounted(tmp_path: Path) -> None:
    files = {"sys/fs/cgroup/memory.max": 2 * GB, "sys/fs/cgroup/memory.current": GB // 2}
    root = machine(tmp_path, "0::/../../docker/0123", files)
    assert free_memory(root) == 2 * GB - GB // 2


def test_version_1(tmp_path: Path) -> None:
    group = "sys/fs/cgroup/memory/docker/0123"
    files = {
        f"{group}/memory.limit_in_bytes": 2 * GB,
        f"{group}/memory.usage_in_bytes": GB,
        f"{group}/memory.stat": f"inactive_file 0\ntotal_inactive_file {GB // 4}",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": 9_223_372_036_854_771_712,
        "sys/fs/cgroup/memory/memory.usage_in_bytes": 9 * GB,
    }
    root = machine(tmp_path, "5:cpu:/other\n4:memory,x:/docker/0123", files)
    assert free_memory(root) == GB + GB // 4


def test_a_group_that_is_full_has_nothing_left(tmp_path: Path) -> None:
    files = {"sys/fs/cgroup/memory.max": GB, "sys/fs/cgroup/memory.current": 2 * GB}
    assert free_memory(machine(tmp_path, "0::/", files)) == 0


def test_another_system_gives_a_guess(tmp_path: Path) -> None:
    assert free_memory(tmp_path) > 0
