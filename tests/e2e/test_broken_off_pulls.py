"""Pulls that end before their end: by a signal, by a full disk, by the machine. What is kept."""

from __future__ import annotations

import random
import signal
import time
from typing import TYPE_CHECKING

import pytest

from smolctl.model.descriptor import Descriptor
from smolctl.model.digest import Digest
from smolctl.registry.transfer_options import TransferOptions
from smolctl.store.store import Store
from tests.support.blob_faults import Silence, asks_from
from tests.support.faulty_registry import Answer, FaultyRegistry, Packed, Pause, Request
from tests.support.processes import Finished, Smolctl
from tests.support.pulling import assert_sound, unfinished, weights
from tests.support.small_disk import small_disk

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

MEBIBYTE = 1024 * 1024
PART = TransferOptions().part_size
CONTENT = weights(2 * PART + 12345)
MODEL = Packed.of_layers(CONTENT)
(LAYER,) = MODEL.layers
BLOB = Descriptor(digest=Digest.parse(LAYER), size=len(CONTENT), media_type="")


@pytest.fixture
def name(registry: FaultyRegistry) -> str:
    """The name of a model of three parts."""
    registry.publish("team/model", "v1", MODEL)
    return f"{registry.host}/team/model:v1"


def finish(process: subprocess.Popen[bytes], seconds: float = 30) -> Finished:
    stdout, stderr = process.communicate(timeout=seconds)
    return Finished(process.returncode, stdout.decode(), stderr.decode())


def wait_until(happened: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def written(store: Store) -> int:
    """How many bytes of the partial file, which has holes, are there."""
    return store.blobs.partial_path(BLOB.digest).stat().st_blocks * 512


def assert_moves(smolctl: Smolctl, registry: FaultyRegistry, name: str, *, exactly: int) -> None:
    """Pull once more: it completes, and moves so many bytes."""
    sent = registry.sent_of(LAYER)
    smolctl("model", "pull", "-q", name, expect=0)
    assert registry.sent_of(LAYER) - sent == exactly
    store = Store(smolctl.home)
    assert store.blobs.has(BLOB)
    assert_sound(store)
    assert unfinished(store) == []


@pytest.mark.parametrize("stall", [Pause, Silence], ids=["in the answer", "before the answer"])
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
)
def test_a_signal_ends_it_at_once_also_when_a_connection_is_stalled(
    smolctl: Smolctl,
    registry: FaultyRegistry,
    name: str,
    number: signal.Signals,
    code: int,
    stall: type[Pause | Silence],
) -> None:
    stalled = stall()
    registry.spoil(LAYER, stalled, when=asks_from(PART), times=1)
    process = smolctl.start("model", "pull", name)
    store = Store(smolctl.home)
    there = len(CONTENT) - (PART // 2 if stall is Pause else PART)
    try:
        assert stalled.reached.wait(30)
        wait_until(lambda: written(store) >= there, "all is written but what is stalled")
        began = time.monotonic()
        process.send_signal(number)
        done = finish(process)
        seconds = time.monotonic() - began
    finally:
        process.kill()
        stalled.go_on.set()

    assert done.code == code, done
    assert done.stdout == ""
    assert seconds < 2
    assert done.stderr_lines[-1] == (
        f"Interrupted. What was fetched is kept; `smolctl model pull {name}` fetches the rest."
    )
    assert store.models() == []
    kept = store.blobs.partial_size(BLOB)
    assert kept >= there
    assert_moves(smolctl, registry, name, exactly=len(CONTENT) - kept)


def test_a_kill_costs_the_last_mebibyte_of_each_part_at_most(
    smolctl: Smolctl, registry: FaultyRegistry, name: str
) -> None:
    pause = Pause()
    registry.spoil(LAYER, pause, when=asks_from(PART), times=1)
    process = smolctl.start("model", "pull", "-q", name)
    store = Store(smolctl.home)
    try:
        assert pause.reached.wait(30)
        wait_until(
            lambda: written(store) >= len(CONTENT) - PART // 2, "all is written but what is stalled"
        )
    finally:
        process.kill()
        process.communicate()
        pause.go_on.set()

    assert store.models() == []
    kept = store.blobs.partial_size(BLOB)
    assert kept > len(CONTENT) - PART // 2 - 3 * MEBIBYTE
    assert_moves(smolctl, registry, name, exactly=len(CONTENT) - kept)


@pytest.mark.slow
def test_twenty_kills_at_random_moments_end_in_a_complete_model(
    smolctl: Smolctl, registry: FaultyRegistry
) -> None:
    content = weights(64 * MEBIBYTE, 9)
    model = registry.publish("team/model", "v1", Packed.of_layers(content, b"terms"))
    name = f"{registry.host}/team/model:v1"
    chance = random.Random(20)
    layer = model.layers[0]
    throttled = Throttled(chance.randrange(1 << 30))
    registry.spoil(layer, throttled)
    store = Store(smolctl.home)
    for _ in range(20):
        goal = registry.sent_of(layer) + chance.randrange(1, 6 * MEBIBYTE)
        process = smolctl.start("model", "pull", "-q", name)
        try:
            while registry.sent_of(layer) < goal and process.poll() is None:
                time.sleep(0.001)
        finally:
            process.kill()
            process.communicate()
        assert_sound(store)
    throttled.off = True

    smolctl("model", "pull", "-q", name, expect=0)

    assert store.blobs.read(store.get(name).manifest, "manifest") == model.manifest
    assert_sound(store)
    assert unfinished(store) == []
    assert registry.sent_of(layer) < 3 * len(content)
    smolctl("model", "rm", name, expect=0)
    assert list((store.root / "blobs" / "sha256").iterdir()) == []
    assert list((store.root / "partial").iterdir()) == []


class Throttled:
    """Answers that are sent in small pieces, with a moment between them, until `off`."""

    def __init__(self, seed: int) -> None:
        self.off = False
        self._random = random.Random(seed)

    def __call__(self, _: Request, answer: Answer) -> Answer:
        return Answer(answer.status, answer.headers, self._pieces(answer.content), answer.length)

    def _pieces(self, content: bytes) -> Iterator[bytes]:
        for start in range(0, len(content), 65_536):
            if not self.off:
                time.sleep(self._random.uniform(0, 0.004))
            yield content[start : start + 65_536]


class TestSpace:
    def test_that_ends_in_the_middle_keeps_what_is_there(
        self, smolctl: Smolctl, registry: FaultyRegistry, name: str, tmp_path: Path
    ) -> None:
        with small_disk(tmp_path / "disk", "40m") as disk:
            store = Store(disk.folder / "models")
            smolctl.environment["SMOLCTL_HOME"] = str(store.root)
            pause = Pause(0)
            registry.spoil(LAYER, pause)
            process = smolctl.start("model", "pull", "-q", name)
            try:
                assert pause.reached.wait(30)
                # Somebody else takes the space that was there at the beginning.
                others = disk.folder / "others"
                others.write_bytes(bytes(27 * MEBIBYTE))
                pause.go_on.set()
                done = finish(process)
            finally:
                process.kill()
                process.wait()
                pause.go_on.set()
            registry.heal()

            assert done.code == 8, done
            assert "the disk is full" in done.stderr
            assert len(done.stderr_lines) == 2
            assert unfinished(store) == [LAYER]
            assert_sound(store)
            kept = store.blobs.partial_size(BLOB)
            assert kept > 0
            others.unlink()
            sent = registry.sent_of(LAYER)
            smolctl("model", "pull", "-q", name, expect=0)
            assert registry.sent_of(LAYER) - sent == len(CONTENT) - kept
            assert_sound(store)

    def test_too_little_from_the_start_asks_for_no_blob(
        self, smolctl: Smolctl, registry: FaultyRegistry, name: str, tmp_path: Path
    ) -> None:
        with small_disk(tmp_path / "disk", "16m") as disk:
            smolctl.environment["SMOLCTL_HOME"] = str(disk.folder / "models")

            done = smolctl("model", "pull", "-q", name)

            assert done.code == 8, done
            assert "too small" in done.stderr
            assert not any("/blobs/" in path for path in registry.paths())


def test_nothing_to_do_takes_one_request_and_is_said(
    smolctl: Smolctl, registry: FaultyRegistry, name: str
) -> None:
    smolctl("model", "pull", "-q", name, expect=0)
    seen = len(registry.requests)

    done = smolctl("model", "pull", name, expect=0)

    assert [request.method for request in registry.requests[seen:]] == ["HEAD"]
    assert done.stdout.startswith("Already here: ")
    assert done.stderr == ""


def test_going_on_says_how_much_was_here(
    smolctl: Smolctl, registry: FaultyRegistry, name: str
) -> None:
    store = Store(smolctl.home)
    store.prepare()
    partial = store.blobs.open_partial(BLOB)
    assert partial is not None
    with partial:
        partial.write(0, CONTENT[:PART])

    done = smolctl("model", "pull", name, expect=0)

    assert "16.8 MB of 33.6 MB are here already" in done.stderr
    assert registry.sent_of(LAYER) == len(CONTENT) - PART
