"""Pushing a model: its blobs that the registry has not, several at once, and its manifest last."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from smolctl.errors import IntegrityError, ModelNotFound
from smolctl.model.manifest import Manifest
from smolctl.registry.progress import Announcements, NoProgress
from smolctl.registry.transfer_options import TransferOptions
from smolctl.registry.upload import Upload
from smolctl.store.storage import storage_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from smolctl.model.descriptor import Descriptor
    from smolctl.model.digest import Digest
    from smolctl.model.reference import Reference
    from smolctl.registry.progress import Progress
    from smolctl.registry.retry import TransientFailure
    from smolctl.registry.upload import ReadRange
    from smolctl.registry.upload_client import UploadClient
    from smolctl.store.store import Store, StoredModel

_PIECE = 64 * 1024
"""Bytes handed to a connection at once. It has ten seconds for each, so that a slow one may do."""

_TICK_SECONDS = 0.1
_TOLD_SECONDS = 1.0
"""Waits shorter than this are not worth telling."""


@dataclass(frozen=True)
class Push:
    """What a push did. Sizes are in bytes.

    `sent` went out; `mounted` the registry took from another of its repositories. `changed` says
    whether anything is there now that was not: bytes, or what the tag names.
    """

    reference: Reference
    digest: Digest
    size: int
    sent: int
    mounted: int
    changed: bool


def push(
    store: Store,
    model: StoredModel,
    client: UploadClient,
    reference: Reference,
    progress: Progress | None = None,
    options: TransferOptions = TransferOptions(),  # noqa: B008 - it is frozen
) -> Push:
    """Bring `model`, which is in `store`, to the registry of `client` under `reference`.

    When the tag names it there already, one request is all. Raises `AccessDenied`,
    `RegistryUnavailable`, `StorageError`, and `IntegrityError` when a blob here is missing or
    damaged; then the registry has no manifest that names it.
    """
    content = store.blobs.read(model.manifest, "manifest")
    manifest = Manifest.parse(content)
    size = sum(blob.size for blob in manifest.blobs)
    store.blobs.check(manifest.blobs)  # before anything is sent
    if is_there(client, reference, model.id):
        return Push(reference, model.id, size, 0, 0, changed=False)
    mounts = _elsewhere(store, reference)
    uploads = send_blobs(
        client,
        manifest.blobs,
        lambda blob: partial(_read, store, blob),
        progress or NoProgress(),
        options,
        {digest: repositories[0] for digest, repositories in mounts.items()},
    )
    client.put_manifest(reference, model.manifest, content)
    sent = sum(upload.sent for upload in uploads)
    mounted = sum(upload.blob.size for upload in uploads if upload.mounted_from)
    return Push(reference, model.id, size, sent, mounted, changed=True)


def mountable(store: Store, model: StoredModel, reference: Reference) -> tuple[str, ...]:
    """Return the repositories of the registry that blobs of `model` may be mounted from."""
    manifest = Manifest.parse(store.blobs.read(model.manifest, "manifest"))
    mounts = _elsewhere(store, reference)
    found = [mounts[blob.digest][0] for blob in manifest.blobs if blob.digest in mounts]
    return tuple(dict.fromkeys(found))


def is_there(client: UploadClient, reference: Reference, digest: Digest) -> bool:
    """Whether `reference` names the manifest `digest` in the registry already."""
    try:
        return client.resolve(reference) == digest
    except (ModelNotFound, IntegrityError):
        return False


def send_blobs(
    client: UploadClient,
    blobs: Sequence[Descriptor],
    reader: Callable[[Descriptor], ReadRange],
    progress: Progress,
    options: TransferOptions,
    mounts: Mapping[Digest, str],
) -> list[Upload]:
    """Bring `blobs`, whose bytes `reader` gives, to the registry; returns their uploads, ended."""
    return _Sending(client, blobs, reader, progress, options, mounts).run()


class _Sending:
    """Uploads over several connections, and a supervisor in the caller's thread. Used once.

    Only the supervisor tells the progress and raises: an error of any upload ends them all.
    """

    def __init__(
        self,
        client: UploadClient,
        blobs: Sequence[Descriptor],
        reader: Callable[[Descriptor], ReadRange],
        progress: Progress,
        options: TransferOptions,
        mounts: Mapping[Digest, str],
    ) -> None:
        self._client = client
        self._progress = progress
        self._connections = min(options.connections, len(blobs))
        self._stopping = threading.Event()
        self._news: SimpleQueue[None] = SimpleQueue()
        # In one step, unlike a condition's: a Ctrl-C may come at any time.
        self._lock = threading.RLock()
        # The lock guards what follows.
        self._announcements = Announcements(progress)
        self._failure: BaseException | None = None
        self._uploads = [
            Upload(
                client,
                blob,
                reader(blob),
                chunk_size=options.chunk_size,
                mount=mounts.get(blob.digest),
                wait=self._wait,
                is_stopped=self._stopping.is_set,
            )
            # Small ones first: what the registry refuses, it refuses before the weights.
            for blob in sorted(blobs, key=lambda blob: blob.size)
        ]
        self._waiting = deque(self._uploads)
        self._active: list[Upload] = []
        self._left = len(self._uploads)

    def run(self) -> list[Upload]:
        self._progress.expect(sum(upload.blob.size for upload in self._uploads))
        try:
            for _ in range(self._connections):
                # Daemons: nothing must keep a process alive that was told to leave.
                threading.Thread(target=self._work, daemon=True).start()
            self._supervise()
        finally:
            self._stopping.set()
        return self._uploads

    def _supervise(self) -> None:
        while True:
            with suppress(Empty):
                self._news.get(timeout=_TICK_SECONDS)
            with self._lock:
                failure, left = self._failure, self._left
                announcements = self._announcements.take()
                active = list(self._active)
            for announce in announcements:
                announce()
            for upload in active:
                self._progress.update(upload.blob, upload.position)
            if failure is not None:
                raise failure
            if not left:
                return

    def _work(self) -> None:
        try:
            while not self._stopping.is_set() and (upload := self._next()) is not None:
                was_sent = upload.send(partial(self._began, upload))
                with self._lock:
                    if upload in self._active:
                        self._active.remove(upload)
                        self._announcements.end(upload.blob)
                    elif not was_sent and upload.mounted_from:
                        self._announcements.notice(
                            f"{upload.blob.digest.short} is mounted from {upload.mounted_from}"
                        )
                    self._left -= 1
                self._news.put(None)
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            with self._lock:
                self._failure = self._failure or error
            self._stopping.set()
            self._news.put(None)

    def _next(self) -> Upload | None:
        with self._lock:
            return self._waiting.popleft() if self._waiting else None

    def _began(self, upload: Upload) -> None:
        with self._lock:
            if upload not in self._active:
                self._active.append(upload)
                self._announcements.begin(upload.blob, 0)

    def _wait(self, seconds: float, failure: TransientFailure) -> None:
        if seconds >= _TOLD_SECONDS:
            with self._lock:
                self._announcements.notice(f"{failure.message}; trying again in {seconds:.0f} s")
        self._stopping.wait(seconds)


def _elsewhere(store: Store, reference: Reference) -> dict[Digest, list[str]]:
    """Return, by digest, the other repositories of the registry that may have a blob."""
    found: dict[Digest, list[str]] = {}
    for model in store.models():
        repositories = [
            name.repository
            for name in model.names
            if name.registry == reference.registry and name.repository != reference.repository
        ]
        if not repositories:
            continue
        try:
            blobs = Manifest.parse(store.blobs.read(model.manifest, "manifest")).blobs
        except IntegrityError:
            continue  # another model's damage is not this one's matter
        for blob in blobs:
            found.setdefault(blob.digest, []).extend(repositories)
    return found


def _read(store: Store, blob: Descriptor, start: int, end: int) -> Iterator[bytes]:
    path = store.blobs.path(blob.digest)
    with storage_errors(path), path.open("rb") as file:
        file.seek(start)
        while start < end and (piece := file.read(min(_PIECE, end - start))):
            start += len(piece)
            yield piece
