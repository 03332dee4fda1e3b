"""Faults at random, many at once: a pull ends in the right model or in a clean error, always.

Each seed is a small world of its own: a few blobs, a registry that does several things wrong a few
times each, perhaps a partial blob from before, perhaps a Ctrl-C. When the registry is well again,
the next pull completes. `python -m tests.registry.test_random_faults 1 5000` tries many seeds.
"""

from __future__ import annotations

import contextlib
import gc
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from smolctl.errors import IntegrityError, ModelNotFound, RegistryUnavailable
from smolctl.registry.retry import RetryPolicy
from smolctl.registry.transfer_options import TransferOptions
from smolctl.store.store import Store
from tests.support import blob_faults
from tests.support.faulty_registry import (
    FaultyRegistry,
    Packed,
    Pause,
    short_without_length,
    too_long,
    wrong_bytes,
)
from tests.support.pulling import assert_sound, fetch, unfinished, weights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.faulty_registry import Change

KIBIBYTE = 1024
SIZES = (0, 1, 900, 16 * KIBIBYTE, 64 * KIBIBYTE + 1, 300 * KIBIBYTE, 700 * KIBIBYTE)
CLEAN = (IntegrityError, ModelNotFound, RegistryUnavailable)
LEAVING_SECONDS = 5.0
IN_A_HURRY = RetryPolicy(retries=4, first=0.0005, longest=0.001, patience=0.01)


@dataclass
class World:
    """What the seed `seed` stands for."""

    seed: int
    registry: FaultyRegistry
    storage: FaultyRegistry
    store: Store
    stalls: list[Pause | blob_faults.Silence | blob_faults.Trickle] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        sizes = self.random.choices(SIZES, k=self.random.randint(1, 4))
        self.layers = [weights(size, self.seed + size) for size in sizes]
        self.model = self.registry.publish("team/model", "v1", Packed.of_layers(*self.layers))
        self.storage.publish("team/model", "v1", self.model)
        self.options = TransferOptions(
            connections=self.random.randint(1, 6),
            part_size=self.random.choice((16, 64, 512)) * KIBIBYTE,
            sync_every=self.random.choice((32 * KIBIBYTE, 64 * KIBIBYTE * KIBIBYTE)),
            slow_after=self.random.choice((0.02, 5.0)),
        )

    def go_wrong(self) -> None:
        """Let a few things go wrong, each a few times."""
        if self.random.random() < 0.3:
            self.access = self.registry.want_token()
        if self.random.random() < 0.3:
            refusal = self.random.choice((400, 401, 403, 404, 410))
            signed = blob_faults.SignedAddresses(self.storage, self.random.randint(1, 4), refusal)
            signed.stand_before(self.registry)
        for _ in range(self.random.randint(0, 6)):
            layer = self.random.choice(self.layers)
            where = Packed.of_layers(layer).layers[0] if self.random.random() < 0.7 else "/blobs/"
            server = self.random.choice((self.registry, self.storage))
            times = self.random.choice((1, 1, 2, 3, None))
            server.spoil(where, self.fault(layer), times=times)

    def fault(self, content: bytes) -> Change:
        """Something that can go wrong."""
        after = self.random.randint(0, max(1, len(content)))
        made: list[Callable[[], Change]] = [
            lambda: blob_faults.cut_after(after),
            lambda: blob_faults.cut_after(after),
            lambda: blob_faults.no_body,
            lambda: blob_faults.the_whole(content),
            lambda: blob_faults.saying_range(f"bytes 7-{7 + after}/{len(content)}"),
            lambda: blob_faults.saying_range("bytes */*"),
            lambda: blob_faults.from_the_start(content),
            lambda: blob_faults.not_satisfiable(len(content)),
            lambda: blob_faults.not_satisfiable(after),
            lambda: blob_faults.busy(self.random.choice((408, 500, 502, 503))),
            lambda: blob_faults.busy(429, self.random.choice((None, "0", "1", "9999", "never"))),
            lambda: flipped,
            lambda: too_long,
            lambda: short_without_length,
            lambda: self.stalling(Pause(after)),
            lambda: self.stalling(blob_faults.Silence()),
            lambda: self.stalling(blob_faults.Trickle(drops=20)),
        ]
        return self.random.choice(made)()

    def stalling(self, stall: Pause | blob_faults.Silence | blob_faults.Trickle) -> Change:
        self.stalls.append(stall)
        return stall

    def be_well(self) -> None:
        for server in (self.registry, self.storage):
            server.heal()
        for stall in self.stalls:
            stall.go_on.set()

    def leave_something_behind(self) -> None:
        """Put a partial file there that no journal, or a broken one, speaks for."""
        layer = self.random.choice(self.layers)
        name = Packed.of_layers(layer).layers[0].replace(":", "-")
        folder = self.store.root / "partial"
        folder.mkdir(parents=True)
        shown = self.random.choice((layer, layer[:-3], bytes(len(layer)), layer + b"x"))
        (folder / name).write_bytes(shown)
        if self.random.random() < 0.3:
            (folder / f"{name}.journal").write_bytes(self.random.randbytes(100))

    def move(self) -> None:
        """Go on with a copy, as after the end of a process: an interrupted one may hold locks."""
        gc.collect()  # sockets that it was just making, which nobody will close
        if self.store.root.exists():
            copy = self.store.root.with_name(f"{self.store.root.name}x")
            with contextlib.suppress(shutil.Error):  # its last threads may still be leaving
                shutil.copytree(self.store.root, copy)
            self.store = Store(copy)

    def pull(self, seconds: float = 0.05) -> None:
        fetch(
            self.store,
            self.registry,
            options=self.options,
            retries=IN_A_HURRY,
            timeouts=(5.0, seconds),
        )


def flipped(request: object, answer: object) -> object:
    return wrong_bytes(request, answer) if answer.content else answer


@contextlib.contextmanager
def interrupted_after(seconds: float | None) -> Iterator[None]:
    """Raise `KeyboardInterrupt` in the block when `seconds` are over, wherever it is then."""
    armed = False
    main = threading.get_ident()

    def interrupt(*_: object) -> None:
        if armed:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, interrupt)
    # In a finalizer Python drops it, and says so.
    said, sys.unraisablehook = sys.unraisablehook, lambda _: None
    timer = threading.Timer(seconds or 0, lambda: signal.pthread_kill(main, signal.SIGUSR1))
    try:
        if seconds is not None:
            timer.start()
            armed = True
        yield
    except KeyboardInterrupt:
        pass
    finally:
        armed = False
        if timer.is_alive():
            timer.cancel()
            timer.join()
        signal.signal(signal.SIGUSR1, before)
        sys.unraisablehook = said


def survive(seed: int, folder: Path) -> None:
    """Live through the seed's world."""
    with FaultyRegistry() as registry, FaultyRegistry() as storage:
        world = World(seed, registry, storage, Store(folder / "models"))
        if world.random.random() < 0.2:
            world.leave_something_behind()
        world.go_wrong()
        for _ in range(2):
            patience = world.random.choice((None, world.random.random() * 0.2))
            with contextlib.suppress(*CLEAN), interrupted_after(patience):
                world.pull()
            if patience is not None:
                world.move()
            assert_sound(world.store)
        world.be_well()
        world.pull(seconds=30)
        assert_sound(world.store)
        assert unfinished(world.store) == []
        found = world.store.get(f"{registry.host}/team/model:v1")
        assert str(found.id) == world.model.id
        assert world.store.missing_blobs(world.store.artifact(found).manifest) == []
    assert_all_have_left()


def assert_all_have_left() -> None:
    """No thread of a transfer is left when its last answer has timed out."""
    deadline = time.monotonic() + LEAVING_SECONDS
    while left := [t for t in threading.enumerate() if "_guarded" in t.name]:
        assert time.monotonic() < deadline, left
        left[0].join(0.1)


@pytest.mark.timeout(60)
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize(
    "seed", [*range(8), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(8, 40))]
)
def test_a_pull_ends_in_the_right_model_or_in_a_clean_error(seed: int, tmp_path: Path) -> None:
    survive(seed, tmp_path)


def main(first: int, last: int) -> None:
    import faulthandler

    for seed in range(first, last):
        faulthandler.dump_traceback_later(30, exit=True)
        with tempfile.TemporaryDirectory() as folder:
            began = time.monotonic()
            try:
                survive(seed, Path(folder))
            except BaseException:
                print("seed", seed, flush=True)
                raise
        seconds = time.monotonic() - began
        if seconds > 3:
            print("seed", seed, f"took {seconds:.1f} s", flush=True)
        if seed % 100 == 0:
            print(seed, flush=True)
    faulthandler.cancel_dump_traceback_later()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
