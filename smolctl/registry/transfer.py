"""The parallel transfer: blobs of one repository, over several connections, into the cache.

Four kinds of threads share the work, and one lock guards what they share:

- each *connection* takes the next part, asks for it, and writes what arrives where it belongs;
- the *verifier* hashes each blob from its beginning, close behind the writing, and puts it under
  its digest when it is whole and right;
- the *syncer* makes what was written durable, 64 MiB at a time, so that a crash costs no more and
  the last sync takes no time;
- the caller's thread supervises: it tells the progress, drops connections that lag far behind,
  waits for blobs that another process is fetching and takes them over when it dies, and is the
  only one in which an error or a Ctrl-C ends the transfer.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from smolctl.errors import (
    AccessDenied,
    IntegrityError,
    ModelNotFound,
    RegistryUnavailable,
    StorageError,
)
from smolctl.model.units import format_size
from smolctl.registry.blob_stream import RangeIgnored
from smolctl.registry.download import Download
from smolctl.registry.pace import Connection, Pace
from smolctl.registry.priority import give_way
from smolctl.registry.progress import Announcements
from smolctl.registry.retry import Budget, TransientFailure
from smolctl.registry.source import telling

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from smolctl.errors import SmolctlError
    from smolctl.model.descriptor import Descriptor
    from smolctl.registry.download import Part
    from smolctl.registry.progress import Progress
    from smolctl.registry.source import Source
    from smolctl.registry.transfer_options import TransferOptions
    from smolctl.store.blobs import Blobs

_READ = 1024 * 1024
"""Bytes read from a connection at once, at most."""

_PROGRESS = 16 * 1024
"""Bytes that an attempt must bring for the next failure to count as the first."""

_TICK_SECONDS = 0.1
_ELSEWHERE_SECONDS = 1.0
_IDLE_SECONDS = 0.5
_LEAVE_SECONDS = 1.0
_TOLD_SECONDS = 1.0
"""Waits shorter than this are not worth telling."""


class Transfer:
    """Brings blobs into `blobs` from `sources`, each where those before it fail. Used once."""

    def __init__(
        self,
        sources: Sequence[Source],
        blobs: Blobs,
        progress: Progress,
        options: TransferOptions,
    ) -> None:
        self._sources = sources
        self._blobs = blobs
        self._progress = progress
        self._options = options
        self._stopping = threading.Event()
        self._more_to_hash = threading.Event()
        self._more_to_sync = threading.Event()
        self._threads: list[threading.Thread] = []
        self._connections: list[Connection] = []
        # `with` takes a lock in one step, and a condition in several: a Ctrl-C between them would
        # leave it taken. The caller's thread waits for news with a queue, for the same reason.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._news: SimpleQueue[None] = SimpleQueue()
        # The lock guards what follows, and the state of the downloads.
        self._unopened: deque[Descriptor] = deque()
        self._elsewhere: list[Descriptor] = []
        self._open: list[Download] = []
        self._left = 0
        self._fetched = 0
        self._unsynced = 0
        self._failure: BaseException | None = None
        self._announcements = Announcements(progress)
        self._looked_at = 0.0

    def fetch(self, wanted: Sequence[Descriptor]) -> int:
        """Bring the blobs `wanted`, none of which is here, and return the bytes fetched for them.

        Raises `ModelNotFound`, `AccessDenied`, `RegistryUnavailable` after the retries, and
        `IntegrityError` for bytes that are not the blob (these are dropped); `StorageError` when
        the disk is full. Whatever else was fetched is kept for the next time.
        """
        # Small ones first: they are done at once, and a broken template is found early.
        self._unopened.extend(sorted(wanted, key=lambda blob: blob.size))
        self._left = len(wanted)
        # Each has a file open, and a process may have no more than 256.
        self._most_open = 2 * self._options.connections
        parts = sum(1 + blob.size // self._options.part_size for blob in wanted)
        count = min(self._options.connections, parts)
        self._connections = [Connection() for _ in range(count)]
        try:
            for connection in self._connections:
                self._start(partial(self._receive_parts, connection))
            self._start(self._verify)
            self._start(self._sync)
            self._supervise()
        finally:
            self._stop()
        return self._fetched

    def _start(self, work: Callable[[], None]) -> None:
        # Daemons: nothing must keep a process alive that was told to leave, least of all a
        # connection that is still being made.
        thread = threading.Thread(target=self._guarded, args=(work,), daemon=True)
        thread.start()
        self._threads.append(thread)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            self._failure = self._failure or error
            self._stopping.set()
            self._changed.notify_all()
        self._news.put(None)

    def _stop(self) -> None:
        """End the threads; what is in the partial files is noted for the next time."""
        self._stopping.set()
        with self._lock:
            self._changed.notify_all()
        self._more_to_hash.set()
        self._more_to_sync.set()
        for connection in self._connections:
            connection.abort()
        deadline = time.monotonic() + _LEAVE_SECONDS
        try:
            for thread in self._threads:
                thread.join(max(0.0, deadline - time.monotonic()))
        finally:
            self._let_go()

    def _let_go(self) -> None:
        with self._lock:
            downloads = [(download, bool(download.active)) for download in self._open]
        for download, is_active in downloads:
            if not is_active:  # else its last thread does, unless the process ends before
                download.partial.close()
            with suppress(StorageError):
                download.partial.note()

    # The supervision, in the caller's thread.

    def _supervise(self) -> None:
        pace = Pace(self._options.slow_after)
        while True:
            with suppress(Empty):
                self._news.get(timeout=_TICK_SECONDS)
            with self._lock:
                failure, left = self._failure, self._left
            elsewhere = self._tell()
            if failure is not None:
                raise failure
            if not left:
                return
            self._look_elsewhere(elsewhere)
            for connection in pace.laggards(self._connections):
                connection.replace()

    def _tell(self) -> list[Descriptor]:
        """Tell what is new; returns the blobs elsewhere that the progress has heard of."""
        with self._lock:
            announcements = self._announcements.take()
            downloads = list(self._open)
            elsewhere = list(self._elsewhere)
        for announce in announcements:
            announce()
        for download in downloads:
            self._progress.update(download.blob, download.partial.written)
        return elsewhere

    def _look_elsewhere(self, blobs: Sequence[Descriptor]) -> None:
        """Look after the blobs that another process is fetching, and take over what it left."""
        for blob in blobs:
            if self._try_open(blob):
                with self._lock:
                    self._elsewhere.remove(blob)
                    self._changed.notify_all()
        # Reading a long journal takes a while, and people do not look so often.
        if time.monotonic() - self._looked_at < _ELSEWHERE_SECONDS:
            return
        self._looked_at = time.monotonic()
        with self._lock:
            blobs = [blob for blob in blobs if blob in self._elsewhere]
        for blob in blobs:
            self._progress.update(blob, self._blobs.partial_size(blob))

    # Opening and ending blobs, in whichever thread.

    def _try_open(self, blob: Descriptor) -> bool:
        """Begin with `blob`, unless another process is at it; True also when it is here now."""
        opened = self._blobs.open_partial(blob, wait=False)
        if opened is None:
            return False
        if self._blobs.has(blob):
            opened.discard()
            self._finished(blob)
            return True
        with self._lock:
            if self._stopping.is_set():
                opened.close()
                return True
            if blob in self._elsewhere:
                self._notice(f"going on with {blob.digest.short}, which another smolctl left")
            else:
                self._announcements.begin(blob, opened.resumed)
                if opened.resumed:
                    had = f"{format_size(opened.resumed)} of {format_size(blob.size)}"
                    self._notice(f"going on with {blob.digest.short}: {had} are here already")
            self._open.append(Download(opened, self._options.part_size))
        self._more_to_hash.set()
        return True

    def _finished(self, blob: Descriptor) -> None:
        with self._lock:
            self._announcements.end(blob)
            self._left -= 1
            self._changed.notify_all()
        self._news.put(None)

    def _notice(self, text: str) -> None:
        with self._lock:
            self._announcements.notice(text)

    # The connections, each in a thread of its own.

    def _receive_parts(self, connection: Connection) -> None:
        give_way()
        while (part := self._next_part()) is not None:
            try:
                self._receive_part(part, connection)
            except BaseException as error:
                self._fail(error)  # before the part is free for the others to fail at
                raise
            finally:
                with self._lock:
                    part.download.ended(part)
                    is_last = self._stopping.is_set() and not part.download.active
                    self._changed.notify_all()
                if is_last:
                    part.download.partial.close()
                self._more_to_hash.set()

    def _next_part(self) -> Part | None:
        """Return the next part to fetch, as soon as there is one; None when it is time to leave."""
        with self._lock:
            while not self._stopping.is_set():
                part = self._first(Download.next_part)
                if part is None and self._unopened and len(self._open) < self._most_open:
                    self._open_next()
                    continue
                part = part or self._first(Download.half_of_a_slow_part)
                if part is not None:
                    return part
                self._changed.wait(_IDLE_SECONDS)
        return None

    def _first(self, take: Callable[[Download], Part | None]) -> Part | None:
        return next((part for part in map(take, self._open) if part is not None), None)

    def _open_next(self) -> None:
        blob = self._unopened.popleft()
        if not self._try_open(blob):
            self._elsewhere.append(blob)
            self._announcements.begin(blob, self._blobs.partial_size(blob))
            self._notice(f"another smolctl is fetching {blob.digest.short}: waiting for it")

    def _receive_part(self, part: Part, connection: Connection) -> None:
        """Fetch `part`, trying again and elsewhere while that may help."""
        client = self._sources[part.source].client
        budget = Budget(client.retries)
        connection.take_part()
        while part.left > 0 and not self._stopping.is_set():
            gained = part.gained
            error: SmolctlError
            try:
                self._receive(part, connection)
                continue  # its end may have moved while its last bytes came
            except RangeIgnored:
                with self._lock:
                    if part.source == part.download.source:
                        part.download.serves_ranges = False
                return
            except TransientFailure as failure:
                if self._stopping.is_set():
                    return
                client.forget_location(part.download.blob)
                if connection.replaced:
                    connection.replaced = False
                    continue
                if part.gained - gained >= _PROGRESS:
                    budget.progressed()
                try:
                    self._wait(budget.spend(failure), failure)
                    continue
                except RegistryUnavailable as spent:
                    error = spent
            except (ModelNotFound, AccessDenied, RegistryUnavailable, IntegrityError) as failure:
                error = failure
            if not self._go_to_next_source(part, error):
                raise error
            client = self._sources[part.source].client
            budget = Budget(client.retries)

    def _receive(self, part: Part, connection: Connection) -> None:
        source = self._sources[part.source]
        blob = part.download.blob
        with self._lock:
            if not part.download.serves_ranges:
                if not part.is_whole:
                    # Another part found out meanwhile: to ask for ranges is of no use any more.
                    raise RangeIgnored(f"blob {blob.digest} is served as a whole")
                part.position = 0  # the whole comes again; what is there is not written again
            start = part.position
        with source.client.open_blob(source.repository, blob, start, part.end) as stream:
            connection.begin(stream)
            try:
                part.began()
                while part.left > 0 and not self._stopping.is_set():
                    self._keep(part, stream.read(_READ), connection)
            finally:
                connection.end()

    def _keep(self, part: Part, chunk: bytes, connection: Connection) -> None:
        with self._lock:
            # Claimed before it is written: the end may move, when an idle connection takes over
            # the later half, and no byte may be written by two.
            offset = part.position
            claimed = chunk[: part.left]
            part.position += len(claimed)
        new = part.download.partial.write(offset, claimed)
        connection.received += len(chunk)
        with self._lock:
            part.gained += new
            self._fetched += new
            self._unsynced += new
            is_due = self._unsynced >= self._options.sync_every
            if is_due:
                self._unsynced = 0
        self._more_to_hash.set()
        if is_due:
            self._more_to_sync.set()

    def _wait(self, seconds: float, failure: TransientFailure) -> None:
        if seconds >= _TOLD_SECONDS:
            self._notice(f"{failure.message}; trying again in {seconds:.0f} s")
        self._stopping.wait(seconds)

    def _go_to_next_source(self, part: Part, error: SmolctlError) -> bool:
        """Have `part` fetched from where the others are, or from the next source; False if none."""
        with self._lock:
            download = part.download
            if part.source == download.source and not self._change_source(download, error):
                return False
            part.source = download.source
            return True

    def _change_source(self, download: Download, error: SmolctlError) -> bool:
        if download.source + 1 == len(self._sources):
            return False
        telling(self._notice)(self._sources[download.source], error)
        download.next_source()
        return True

    # The verifier and the syncer.

    def _verify(self) -> None:
        while not self._stopping.is_set():
            self._more_to_hash.wait()
            self._more_to_hash.clear()
            with self._lock:
                downloads = list(self._open)
            for download in downloads:
                while not self._stopping.is_set() and download.partial.hash_some():
                    pass
                with self._lock:
                    is_fetched = download.is_fetched
                if is_fetched and not self._stopping.is_set():
                    self._conclude(download)

    def _conclude(self, download: Download) -> None:
        """Give the whole blob its name, or, when its bytes are wrong, begin anew if that may help.

        It may when some of them are from an earlier try or from a source that was passed over,
        and when there is another source.
        """
        try:
            download.partial.commit()
        except IntegrityError as error:
            if not self._may_begin_anew(download, error):
                download.partial.discard()
                raise
            download.partial.restart()
            with self._lock:
                download.begin_anew()
                self._changed.notify_all()
            return
        download.partial.close()
        with self._lock:
            self._open.remove(download)
        self._finished(download.blob)

    def _may_begin_anew(self, download: Download, error: IntegrityError) -> bool:
        with self._lock:
            if download.partial.resumed or download.is_mixed:
                self._notice(f"what was here of {download.blob.digest.short} is damaged: once more")
                return True
            return self._change_source(download, error)

    def _sync(self) -> None:
        while True:
            self._more_to_sync.wait()
            self._more_to_sync.clear()
            if self._stopping.is_set():
                return
            with self._lock:
                downloads = list(self._open)
            for download in downloads:
                download.partial.sync()
