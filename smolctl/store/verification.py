"""Hashing the blobs of the cache again, to find those that are no longer what they were.

No lock is held. What a pull, a removal or a repair changes meanwhile is no damage: a blob that is
missing is looked for once more in the index as it is then, and one whose file was replaced while it
was read is read again.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from smolctl.errors import IntegrityError
from smolctl.model.descriptor import Descriptor
from smolctl.model.layer import Layer, Role
from smolctl.store.blobs import Blobs
from smolctl.store.contents import Contents, contents_of
from smolctl.store.leftovers import blob_files

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from smolctl.model.digest import Digest
    from smolctl.store.store import Store, StoredModel

_PIECE = 1024 * 1024
_TICK_SECONDS = 0.1
_MOST_THREADS = 8


class Fault(str, Enum):
    """What is wrong with a blob."""

    missing = "missing"
    size = "wrong size"
    digest = "wrong digest"
    unreadable = "cannot be read"


class FileState(NamedTuple):
    """Which file is at a path, and since when it is as it is."""

    device: int
    inode: int
    size: int
    modified: int


@dataclass(frozen=True)
class Damage:
    """A blob that is not what its digest says; `detail` says more than `fault` does.

    `part` is what it is of `models`: the manifest, the config, the weights. A blob that no model
    names has none. `state` is the file that was found.
    """

    blob: Descriptor
    part: str
    fault: Fault
    detail: str
    models: tuple[StoredModel, ...]
    state: FileState | None


@dataclass(frozen=True)
class Verification:
    """What was found: `count` blobs of `size` bytes in all were looked at.

    Of `unknown` models the manifest is whole and cannot be followed: their blobs were looked at
    only as those that no model names.
    """

    count: int
    size: int
    damages: tuple[Damage, ...]
    unknown: tuple[Contents, ...] = ()


class DistrustingBlobs(Blobs):
    """The blobs, of which files that were found damaged do not count as here until replaced."""

    def __init__(self, root: Path, damaged: Mapping[Digest, FileState | None]) -> None:
        super().__init__(root)
        self.damaged = damaged

    def has(self, descriptor: Descriptor) -> bool:
        """Whether the blob is here, and is not the file that was found damaged."""
        if descriptor.digest in self.damaged:
            state = file_state(self.path(descriptor.digest))
            if state == self.damaged[descriptor.digest]:
                return False
        return super().has(descriptor)


def verify(
    store: Store,
    models: Collection[StoredModel] | None = None,
    tell: Callable[[int, int], None] = lambda *_: None,
) -> Verification:
    """Hash every blob of the cache, or those of `models`.

    `tell` hears, in this thread, how many bytes of how many are done. Raises `IntegrityError` when
    the index is damaged.
    """
    everything = contents_of(store, store.models())
    wanted = everything
    if models is not None:
        ids = {model.id for model in models}
        wanted = [each for each in everything if each.model.id in ids]
    blobs = {(blob.digest, blob.size): blob for each in wanted for blob in each.blobs}
    if models is None:
        named = {digest for digest, _ in blobs}
        for digest, path in blob_files(store.blobs):
            if digest not in named and (state := file_state(path)) is not None:
                blobs[digest, state.size] = Descriptor("", digest, state.size)
    found = _inspect_all(store.blobs, list(blobs.values()), tell)
    damages = [_damage(everything, blob, fault) for blob, fault in found]
    if any(damage.fault is Fault.missing for damage in damages):
        here = {model.id for model in store.models()}
        damages = [each for each in damages if _is_still_so(store, each, here)]
    damaged = {damage.blob.digest for damage in damages}
    return Verification(
        len(blobs),
        sum(blob.size for blob in blobs.values()),
        tuple(sorted(damages, key=lambda damage: str(damage.blob.digest))),
        tuple(e for e in wanted if e.problem is not None and e.model.id not in damaged),
    )


def inspect(
    blobs: Blobs, blob: Descriptor, tell: Callable[[int], bool] = lambda _: True
) -> tuple[Fault, str, FileState | None] | None:
    """Hash one blob; returns what is wrong with it, in words as well, and which file that was.

    `tell` hears of bytes that were read, in pieces; it ends the reading when it says False.
    """
    path = blobs.path(blob.digest)
    while True:
        try:
            with path.open("rb", buffering=0) as file:
                state = _state(os.fstat(file.fileno()))
                wrong = _compare(file.fileno(), blob, state.size, tell)
        except FileNotFoundError:
            return Fault.missing, "it is missing", None
        except OSError as error:
            reason = error.strerror or str(error)
            return Fault.unreadable, f"it cannot be read: {reason}", file_state(path)
        # A repair puts another file in its place, and a removal takes it away.
        if wrong is None or file_state(path) == state:
            return None if wrong is None else (*wrong, state)


def file_state(path: Path) -> FileState | None:
    """Return which file is at `path`; None when there is none."""
    try:
        return _state(path.stat())
    except OSError:
        return None


def _state(status: os.stat_result) -> FileState:
    return FileState(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def _compare(
    handle: int, blob: Descriptor, size: int, tell: Callable[[int], bool]
) -> tuple[Fault, str] | None:
    if size != blob.size:
        return Fault.size, f"it has {size} bytes, not {blob.size}"
    hasher = blob.digest.hasher()
    buffer = memoryview(bytearray(_PIECE))
    while count := os.readv(handle, [buffer]):
        hasher.update(buffer[:count])  # without Python's lock, so that others hash meanwhile
        if not tell(count):
            return None
    if hasher.hexdigest() != blob.digest.hex:
        return Fault.digest, f"its bytes are {blob.digest.algorithm}:{hasher.hexdigest()}"
    return None


def _inspect_all(
    blobs: Blobs, wanted: list[Descriptor], tell: Callable[[int, int], None]
) -> list[tuple[Descriptor, tuple[Fault, str, FileState | None]]]:
    """Inspect the blobs side by side, the largest first; returns the damaged ones."""
    total = sum(blob.size for blob in wanted)
    counting = threading.Lock()
    done = 0
    stopping = False

    def count(size: int) -> bool:
        nonlocal done
        with counting:
            done += size
        return not stopping

    wanted.sort(key=lambda blob: blob.size, reverse=True)
    with ThreadPoolExecutor(_threads()) as pool:
        futures = [pool.submit(partial(inspect, blobs, blob, count)) for blob in wanted]
        try:
            while wait(futures, _TICK_SECONDS).not_done:
                tell(done, total)
        finally:
            stopping = True
            pool.shutdown(wait=False, cancel_futures=True)
    tell(total, total)
    results = [(blob, future.result()) for blob, future in zip(wanted, futures, strict=True)]
    return [(blob, result) for blob, result in results if result is not None]


def _threads() -> int:
    """Return how many threads hash at once: one a core, within reason for a disk."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(cores or 1, _MOST_THREADS)


def _damage(
    everything: list[Contents],
    blob: Descriptor,
    fault: tuple[Fault, str, FileState | None],
) -> Damage:
    kind, detail, state = fault
    concerned = [each for each in everything if blob.digest in each.digests]
    part = _part(concerned[0], blob) if concerned else "unused blob"
    return Damage(blob, part, kind, detail, tuple(each.model for each in concerned), state)


def _part(contents: Contents, blob: Descriptor) -> str:
    """Return what a blob is in a model, in words."""
    position = [each.digest for each in contents.blobs].index(blob.digest)
    if position < len(("manifest", "config")):
        return ("manifest", "config")[position]
    try:
        role = Layer.classify(contents.blobs[position]).role
    except IntegrityError:
        role = Role.OTHER
    return "layer" if role in (Role.OTHER, Role.FOREIGN_WEIGHTS) else role.value


def _is_still_so(store: Store, damage: Damage, here: Collection[Digest]) -> bool:
    """Whether a blob that was missing still is, and a model that is here still names it."""
    if damage.fault is not Fault.missing:
        return True
    is_named = any(model.id in here for model in damage.models)
    return is_named and not store.blobs.path(damage.blob.digest).exists()
