"""One blob on its way out: hashed as it is read, in chunks, and gone on with where it broke off.

The last bytes of a blob leave only when its hash is right: a registry never gets a damaged one
under a name, whatever it checks itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolctl.errors import IntegrityError, RegistryUnavailable
from smolctl.registry.retry import Budget, TransientFailure
from smolctl.registry.upload_client import (
    ChunksRefused,
    Session,
    SessionLost,
    TooLarge,
    WrongBytesArrived,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from smolctl.model.descriptor import Descriptor
    from smolctl.registry.upload_client import UploadClient

    ReadRange = Callable[[int, int], Iterable[bytes]]
    """Gives the bytes of a blob from an offset up to another, in pieces."""

_LEAST_CHUNK = 1024 * 1024
_NOT_PUSHED = (
    "The registry was given no name for it. `smolctl model verify --repair` mends what is here."
)
_SESSIONS = 4
"""How many uploads of one blob may be lost, or arrive wrong, before it is given up."""


class Upload:
    """The upload of `blob`, whose bytes `read` gives. Used once.

    `mount` is a repository to mount it from, if there is one. `wait` is told of a failure, and
    waits before the next attempt; `is_stopped` says whether to end early. `position` and `sent`
    may be read from any thread.
    """

    def __init__(
        self,
        client: UploadClient,
        blob: Descriptor,
        read: ReadRange,
        *,
        chunk_size: int,
        mount: str | None = None,
        wait: Callable[[float, TransientFailure], None],
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self.blob = blob
        self.mounted_from: str | None = None
        self.sent = 0
        """Bytes that went out, also those that went out again."""
        self.position = 0
        self._client = client
        self._read = read
        self._chunk_size = chunk_size
        self._mount = mount
        self._wait = wait
        self._is_stopped = is_stopped
        self._hasher = blob.digest.hasher()
        self._hashed = 0
        self._session: Session | None = None
        self._is_unsure = False
        self._takes_chunks = True

    def send(self, began: Callable[[], None] = lambda: None) -> bool:
        """Bring the blob to the registry; False, without a byte sent, when it has it already.

        `began` is called before the first byte. Raises `IntegrityError` when the bytes here are
        not the blob, `AccessDenied`, and `RegistryUnavailable` after the retries.
        """
        budget = Budget(self._client.retries)
        lost_sessions = 0
        while True:
            reached = self.position
            try:
                return self._attempt(began)
            except ChunksRefused:
                self._takes_chunks = False
                self._forget_session()
                continue
            except TooLarge:
                if not self._can_send_less:
                    raise
                self._chunk_size = max(_LEAST_CHUNK, self._request_size // 4)
                self._is_unsure = True
                continue
            except (SessionLost, WrongBytesArrived) as lost:
                failure: TransientFailure = lost
                self._forget_session()
                lost_sessions += 1
                if lost_sessions == _SESSIONS:
                    kind = RegistryUnavailable if isinstance(lost, SessionLost) else IntegrityError
                    raise kind(lost.message) from lost
            except TransientFailure as passing:
                failure = passing
                if self._is_stopped():
                    raise
                if self._is_chunked:
                    self._is_unsure = self._session is not None
                else:
                    self._forget_session()  # the whole is sent again
                if self.position > reached:
                    budget.progressed()
            self._wait(budget.spend(failure), failure)

    def pieces(self, start: int, end: int) -> Iterator[bytes]:
        """Give the bytes from `start` up to `end`, each hashed before it is given.

        Raises `IntegrityError` before the blob's last piece when its hash is wrong, and when
        there are too few bytes.
        """
        position = start
        for piece in self._read(start, end):
            if self._is_stopped():
                raise TransientFailure("the push was ended")
            self._hash(position, piece)
            position += len(piece)
            self.sent += len(piece)
            yield piece
            self.position = position
        if position != end:
            raise IntegrityError(
                f"blob {self.blob.digest} has less than the {self.blob.size} bytes that its"
                " descriptor says",
                hint=_NOT_PUSHED,
            )

    @property
    def _is_chunked(self) -> bool:
        return self._takes_chunks and self.blob.size > self._chunk_size

    @property
    def _request_size(self) -> int:
        return min(self._chunk_size, self.blob.size)

    @property
    def _can_send_less(self) -> bool:
        """Whether less in one request may help: a proxy may take less than the registry does."""
        return self._takes_chunks and self._request_size > max(_LEAST_CHUNK, self._least_chunk)

    @property
    def _least_chunk(self) -> int:
        return self._session.least_chunk if self._session is not None else 0

    def _attempt(self, began: Callable[[], None]) -> bool:
        if self._session is None:
            # Also when an upload was lost: its end may have arrived, and only the answer was lost.
            if self._client.has_blob(self.blob):
                return self.sent > 0
            self._session = self._begin()
            if self._session is None:
                return False
            began()
        if self._is_unsure:
            self._session = self._client.ask_position(self._session)
            self._is_unsure = False
        self.position = self._session.position
        if self._is_chunked:
            self._send_chunks()
        session = self._session
        rest = self.blob.size - session.position
        body = _Body(self, session.position, self.blob.size) if rest else b""
        self._client.finish(session, self.blob, body)
        return True

    def _send_chunks(self) -> None:
        """Send chunks until the registry has all bytes."""
        assert self._session is not None  # noqa: S101 - an attempt has one
        size = max(self._chunk_size, self._least_chunk)
        while (start := self._session.position) < self.blob.size:
            end = min(start + size, self.blob.size)
            chunk = _Body(self, start, end)
            session = self._client.send_chunk(self._session, chunk, end - start)
            if not start < session.position <= end:
                raise SessionLost(
                    f"{self._client.registry} has {session.position} bytes of a blob of which"
                    f" {end} were sent"
                )
            self._session = session
            self.position = session.position

    def _begin(self) -> Session | None:
        """Begin a session; None when the blob was mounted instead."""
        source, self._mount = self._mount, None
        if source is None:
            return self._client.begin()
        session = self._client.mount(self.blob, source)
        self.mounted_from = source if session is None else None
        return session

    def _hash(self, position: int, piece: bytes) -> None:
        """Hash what is new of `piece`, the bytes from `position` on."""
        self._hasher.update(piece[max(0, self._hashed - position) :])
        self._hashed = max(self._hashed, position + len(piece))
        if self._hashed == self.blob.size and self._hasher.hexdigest() != self.blob.digest.hex:
            raise IntegrityError(
                f"blob {self.blob.digest} is damaged: its bytes are others", hint=_NOT_PUSHED
            )

    def _forget_session(self) -> None:
        self._session = None
        self._is_unsure = False
        self.position = 0


class _Body:
    """The bytes of a request: each time it is sent, they are read anew."""

    def __init__(self, upload: Upload, start: int, end: int) -> None:
        self._upload = upload
        self._start = start
        self._end = end

    def __len__(self) -> int:
        return self._end - self._start

    def __iter__(self) -> Iterator[bytes]:
        return self._upload.pieces(self._start, self._end)
