"""Starting a worker's process: what its specification carries, and how it fails."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from smolctl.engine.options import EngineOptions
from smolctl.errors import InvalidGGUF, NotRunnable, SmolctlError, UsageError
from smolctl.runner import start
from smolctl.runner.address import WorkerFolder
from smolctl.runner.source import ModelSource
from smolctl.runner.specification import WorkerSpecification
from smolctl.runner.start import start_worker
from smolctl.runner.worker_log import crash_in
from smolctl.settings import Settings
from smolctl.store.storage import is_locked, locked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SOURCE = ModelSource(
    "sha256:" + "ab" * 32,
    "a model",
    ("one", "two"),
    (Path("/weights"), Path(os.fsdecode(b"/\xff"))),
    template="{{ é }}" * 100_000,
)


@pytest.fixture
def specification(tmp_path: Path) -> Iterator[WorkerSpecification]:
    # The path of a socket must be short, which those of tests are not.
    with tempfile.TemporaryDirectory(prefix="smolctl-") as short:
        settings = replace(
            Settings.from_environment({}), runtime=Path(short), state=tmp_path / "state"
        )
        folder = WorkerFolder.of(settings)
        folder.make()
        options = EngineOptions(context_size=5, cache_type_k="q8_0")
        yield WorkerSpecification(SOURCE, options, folder, keep_alive=-1)


def test_a_specification_arrives_as_it_was(specification: WorkerSpecification) -> None:
    assert WorkerSpecification.parse(specification.to_json()) == specification


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.pop("source"),
        lambda document: document["source"].pop("id"),
        lambda document: document["options"].update(nonsense=1),
        lambda document: document.update(keep_alive="soon"),
        lambda document: document["folder"].pop("base"),
    ],
)
def test_what_is_no_specification_is_refused(
    specification: WorkerSpecification, change: Callable[[dict[str, object]], object]
) -> None:
    document = json.loads(specification.to_json())
    change(document)
    with pytest.raises(UsageError):
        WorkerSpecification.parse(json.dumps(document).encode())
    with pytest.raises(UsageError):
        WorkerSpecification.parse(b"[]")


def started(
    specification: WorkerSpecification, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    monkeypatch.setattr(start, "_PROGRAM", _format(program))
    with locked(specification.address.lock) as lock:
        start_worker(specification, lock)


def _format(program: str) -> str:
    return f"import os, sys, signal, json; {program}".replace("{", "{{").replace("}", "}}")


READ = "document = json.load(sys.stdin)"
"""What a worker does first; without it, its parent finds nobody to tell."""


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (f"{READ}; os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "killed by SIGSEGV"),
        (f"{READ}; sys.exit('out of luck')", "exit code 1: out of luck"),
        (f"{READ}; os.write(3, b'nonsense')", "exit code 0"),
    ],
)
def test_a_process_that_just_ends_is_an_error_with_its_last_words(
    specification: WorkerSpecification, monkeypatch: pytest.MonkeyPatch, program: str, said: str
) -> None:
    specification.address.log.write_text("--- an older worker\nits last words\n--- a new one\n")
    with pytest.raises(NotRunnable) as caught:
        started(specification, monkeypatch, program)
    assert said in caught.value.message
    assert "a model" in caught.value.message
    assert str(specification.address.log) in (caught.value.hint or "")


def test_a_crash_of_llama_cpp_is_told_in_a_sentence(
    specification: WorkerSpecification, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(start.__file__).parents[2]
    program = (
        f"{READ}; sys.path.insert(0, {str(root)!r}); from smolctl.runner import worker;"
        " worker._crashed('ggml.c:1: GGML_ASSERT(a > 0) failed')"
    )
    with pytest.raises(NotRunnable, match=r"llama\.cpp crashed: ggml\.c:1: GGML_ASSERT"):
        started(specification, monkeypatch, program)
    assert crash_in(specification.address.log) is not None


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("InvalidGGUF", InvalidGGUF), ("UsageError", UsageError), ("Exception", NotRunnable),
     ("EXIT_CODES", NotRunnable)],
)  # fmt: skip
def test_the_error_that_a_worker_reports_is_raised(
    specification: WorkerSpecification,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    expected: type[SmolctlError],
) -> None:
    report = json.dumps({"error": kind, "message": "no", "hint": "Do this."})
    with pytest.raises(expected, match="no") as caught:
        started(specification, monkeypatch, f"{READ}; os.write(3, {report.encode()!r})")
    assert caught.value.hint == "Do this."


def test_the_lock_goes_over_to_the_worker_and_nothing_else_does(
    specification: WorkerSpecification, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    ready = json.dumps({"ready": {"id": "x", "name": "y", "pid": 1, "version": "z"}})
    program = (
        f"{READ}; os.closerange(5, 100); os.write(3, {ready.encode()!r}); os.close(3);"
        " signal.pause()"
    )
    monkeypatch.setattr(start, "_PROGRAM", _format(program))
    pids: list[int] = []
    spawn = os.posix_spawn
    monkeypatch.setattr(os, "posix_spawn", lambda *a, **k: pids.append(spawn(*a, **k)) or pids[0])
    with locked(specification.address.lock) as lock:
        start_worker(specification, lock)
    os.close(writing)
    try:
        assert is_locked(specification.address.lock)
        assert os.read(reading, 1) == b""
    finally:
        os.kill(pids[0], 9)
        os.close(reading)
    # Its parent takes in what is left of it, and then nobody has the lock.
    for thread in threading.enumerate():
        if thread.daemon and "_reap" in thread.name:
            thread.join()
    assert not is_locked(specification.address.lock)


def test_loading_that_takes_long_is_told_of_once(
    specification: WorkerSpecification, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start, "_LONG_SECONDS", 0.01)
    told: list[int] = []
    reading, writing = os.pipe()
    os.set_inheritable(reading, True)

    def tell() -> None:
        told.append(1)
        os.write(writing, b"go on")

    # It ends, without a report, when it is told that it takes long.
    program = f"{READ}; os.read({reading}, 1)"
    monkeypatch.setattr(start, "_PROGRAM", _format(program))
    with locked(specification.address.lock) as lock, pytest.raises(NotRunnable):
        start_worker(specification, lock, on_long=tell)
    assert told == [1]
    os.close(reading)
    os.close(writing)
