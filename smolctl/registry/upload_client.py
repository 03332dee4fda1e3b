"""The requests of an upload, each once: what a registry is asked and what it answers.

Source: OCI distribution specification 1.1, "Push". Where an upload goes on is wherever the last
answer's `Location` says, relative or absolute, with a query of its own; on another host it gets no
credentials, as with every request that leaves the registry's origin.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from smolctl.errors import AccessDenied, IntegrityError, RegistryUnavailable
from smolctl.model.units import format_size
from smolctl.registry.client import RegistryClient
from smolctl.registry.failures import stated_reason
from smolctl.registry.retry import TransientFailure

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import requests

    from smolctl.model.descriptor import Descriptor
    from smolctl.model.digest import Digest
    from smolctl.model.reference import Reference

_TIMEOUTS = (10.0, 120.0)
"""Seconds to wait for a connection, and for an answer: a registry moves a blob before it answers,
and in some kinds of storage that is a copy."""

_RANGE = re.compile(r"(?:bytes[= ])?0-(?P<last>\d{1,19})")
_NO_CHUNKS = (400, 404, 405, 411, 415, 416, 501)
_TOO_LARGE = 413
_NO_ROOM = (_TOO_LARGE, 412, 507)
"""Too large, or beyond a quota: 412 is what Harbor says of the latter."""

_DIGEST_INVALID = 400
_OCTETS = {"Content-Type": "application/octet-stream"}


class ChunksRefused(RegistryUnavailable):
    """The registry takes no part of a blob, only the whole."""


class TooLarge(RegistryUnavailable):
    """The registry, or a proxy before it, takes no request of that size."""


class SessionLost(TransientFailure):
    """The registry does not know the upload any more: begin another."""


class WrongBytesArrived(TransientFailure):
    """The registry hashed what arrived, and it is not the blob."""


@dataclass(frozen=True)
class Session:
    """An upload under way: where it goes on, and how many bytes the registry has.

    `least_chunk` is the size in bytes below which only the last chunk may be.
    """

    location: str
    position: int = 0
    least_chunk: int = 0


class UploadClient(RegistryClient):
    """A client that writes to one repository; tokens are asked for with that scope.

    `mounts` are repositories of the same registry that blobs may be mounted from. The other
    arguments are those of `RegistryClient`.
    """

    def __init__(
        self, registry: str, repository: str, *, mounts: Sequence[str] = (), **client: Any
    ) -> None:
        scopes = [f"repository:{repository}:pull,push"]
        scopes += [f"repository:{mount}:pull" for mount in mounts]
        super().__init__(registry, **{"timeouts": _TIMEOUTS, "scope": " ".join(scopes), **client})
        self.repository = repository

    def has_blob(self, blob: Descriptor) -> bool:
        """Whether the registry has `blob` in the repository.

        Raises `AccessDenied` and `TransientFailure`; what else goes wrong counts as no.
        """
        with self._ask("HEAD", self._url(f"blobs/{blob.digest}")) as response:
            if response.status_code != 200:
                if response.status_code == 429 or response.status_code >= 500:
                    self._check_answer(response, f"blob {blob.digest}", ())
                return False
            length = response.headers.get("Content-Length", "")
        if length.isdecimal() and int(length) != blob.size:
            raise IntegrityError(
                f"blob {blob.digest} has {length[:20]} bytes in {self.registry}, and"
                f" {blob.size} here"
            )
        return True

    def mount(self, blob: Descriptor, repository: str) -> Session | None:
        """Have the registry take `blob` from its other `repository`; None when it did.

        Otherwise an upload has begun, as the specification has it.
        """
        query = urlencode({"mount": str(blob.digest), "from": repository}, safe=":/")
        with self._ask("POST", self._url(f"blobs/uploads/?{query}")) as response:
            if response.status_code == 201:
                self._check_digest(response, blob.digest)
                return None
            if response.status_code == 202:
                return self._session(response, 0)
        return self.begin()  # it knows no mounting, or not from there

    def begin(self) -> Session:
        """Begin an upload. Raises `AccessDenied` and `RegistryUnavailable`."""
        with self._ask("POST", self._url("blobs/uploads/")) as response:
            self._check_answer(response, f"an upload to {self.repository}", (202,))
            return self._session(response, 0)

    def send_chunk(self, session: Session, chunk: Iterable[bytes], size: int) -> Session:
        """Send the next `size` bytes of a blob; returns the session after them.

        Raises `ChunksRefused` when it is the first and the registry takes none, `TooLarge`,
        `SessionLost`, and `TransientFailure` when it must be asked how far it came.
        """
        end = session.position + size
        headers = {"Content-Range": f"{session.position}-{end - 1}", **_OCTETS}
        with self._ask("PATCH", session.location, chunk, headers) as response:
            status = response.status_code
            if not session.position and status in _NO_CHUNKS:
                raise ChunksRefused(f"{self.registry} takes blobs only as a whole")
            if status == 416:
                raise TransientFailure(f"{self.registry} has not got all of what was sent")
            self._check_session(response)
            self._check_answer(response, f"a chunk of {format_size(size)}", (202, 201, 204))
            return self._session(response, end)

    def ask_position(self, session: Session) -> Session:
        """Return the session with the position that the registry knows of.

        Raises `SessionLost` when it cannot say.
        """
        with self._ask("GET", session.location) as response:
            if response.status_code != 204 or "Range" not in response.headers:
                self._check_answer(response, "an upload", (200, 204, 400, 404, 405, 410))
                raise SessionLost(f"{self.registry} does not know the upload any more")
            return self._session(response, session.position)

    def finish(
        self, session: Session, blob: Descriptor, rest: Iterable[bytes] | bytes = b""
    ) -> None:
        """End the upload of `blob` with the `rest` of its bytes; the digest announced is checked.

        Raises `WrongBytesArrived`, `SessionLost`, `TooLarge`, and what a request raises.
        """
        parts = urlsplit(session.location)
        named = f"digest={quote(str(blob.digest), safe=':')}"
        query = f"{parts.query}&{named}" if parts.query else named
        url = urlunsplit(parts._replace(query=query))
        with self._ask("PUT", url, rest, _OCTETS) as response:
            self._check_session(response)
            if response.status_code == _DIGEST_INVALID:
                raise WrongBytesArrived(
                    f"{self.registry} does not take blob {blob.digest}{stated_reason(response)}"
                )
            what = f"blob {blob.digest.short} ({format_size(blob.size)})"
            self._check_answer(response, what, (201, 204))
            self._check_digest(response, blob.digest)

    def put_manifest(self, reference: Reference, manifest: Descriptor, content: bytes) -> None:
        """Store the manifest under the name's tag, or under its digest when it has no tag.

        Its bytes go out as they are. Retried as the client retries. Raises `AccessDenied`,
        `RegistryUnavailable`, and `IntegrityError` when the registry announces another digest.
        """
        url = self._url(f"manifests/{reference.tag or manifest.digest}")

        def put() -> None:
            with self._ask("PUT", url, content, {"Content-Type": manifest.media_type}) as response:
                self._check_answer(response, f"the manifest of {reference.familiar()}", (201, 200))
                self._check_digest(response, manifest.digest)

        self._retrying(put)

    def _url(self, path: str) -> str:
        return f"{self.prefix}://{self.hostname}/v2/{self.repository}/{path}"

    def _ask(
        self,
        method: str,
        url: str,
        data: Iterable[bytes] | bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> requests.Response:
        return self.do_request(url, method, data=data, headers=headers, stream=True)

    def _check_session(self, response: requests.Response) -> None:
        if response.status_code in (404, 410):
            raise SessionLost(f"{self.registry} does not know the upload any more")

    def _check_answer(
        self, response: requests.Response, what: str, expected: tuple[int, ...]
    ) -> None:
        status = response.status_code
        if status in expected:
            return
        if status in _NO_ROOM:
            failure = TooLarge if status == _TOO_LARGE else RegistryUnavailable
            raise failure(
                f"{self.registry} has no room for {what}: it answered {status}"
                f"{stated_reason(response)}",
                hint="Its limit for one upload, or a quota, is reached: ask who runs it.",
            )
        if status == 403 and (reason := stated_reason(response)):
            denied = self._authorizer.denied(what)
            raise AccessDenied(f"{denied.message}{reason}", hint=denied.hint)
        self._check(response, what, expected=expected)

    def _check_digest(self, response: requests.Response, expected: Digest) -> None:
        announced = self._announced_digest(response)
        if announced is not None and announced != expected:
            raise IntegrityError(f"{self.registry} stored {announced}, where {expected} was sent")

    def _session(self, response: requests.Response, position: int) -> Session:
        """Return the session that `response` leads to; `position` holds if it names none."""
        location = response.headers.get("Location")
        if not location:
            if response.request.method == "POST":
                raise RegistryUnavailable(f"{self.registry} does not say where an upload goes")
            location = response.url
        said = _RANGE.fullmatch(response.headers.get("Range", "").strip())
        if said is not None and position:
            # Docker's registry says 0-0 of an upload without a byte.
            position = int(said["last"]) + 1 if int(said["last"]) else 0
        least = response.headers.get("OCI-Chunk-Min-Length", "")
        return Session(
            self._upload_location(response.url, location),
            position,
            int(least) if least.isdecimal() and len(least) < 12 else 0,
        )

    def _upload_location(self, url: str, location: str) -> str:
        """Return where `location`, in an answer from `url`, leads.

        A registry behind a proxy that speaks TLS for it may not know that it should say https.
        """
        host = urlsplit(url).netloc
        if url.startswith("https://") and location.startswith(f"http://{host}/"):
            location = f"https{location.removeprefix('http')}"
        return self._redirected(url, location)
