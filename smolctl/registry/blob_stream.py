"""The body of an answer to a blob request: bytes of a blob, from a known offset on.

Source: RFC 9110, section 14 ("Range Requests"): a 206 says which bytes it has, and a 200 is the
whole, whatever was asked for.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from smolctl.errors import IntegrityError, RegistryUnavailable
from smolctl.registry.retry import TransientFailure

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    import requests

    from smolctl.model.descriptor import Descriptor

_CONTENT_RANGE = re.compile(r"bytes (?P<start>\d{1,19})-(?P<last>\d{1,19})/(?P<size>\d{1,19}|\*)")

_UNSATISFIED_RANGE = re.compile(r"bytes \*/(?P<size>\d{1,19})")


class RangeIgnored(RegistryUnavailable):
    """A part of a blob was asked for, and something else came: ask for the whole instead."""


def refused_range(response: requests.Response, blob: Descriptor) -> IntegrityError | RangeIgnored:
    """Return what a 416 to a request for a part of `blob` means.

    Every part that is asked for lies inside of the blob. So either the blob has another size
    there, which a 416 should say, or the server is wrong about ranges.
    """
    said = _UNSATISFIED_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    if said is not None and int(said["size"]) != blob.size:
        return IntegrityError(
            f"blob {blob.digest} has {said['size']} bytes there, where its descriptor"
            f" says {blob.size}"
        )
    return RangeIgnored(f"a range of blob {blob.digest} was asked for; it was refused")


class BlobStream:
    """The bytes of `blob` from `start` up to `end` as they arrive. Close it, or use `with`.

    `network_errors` turns what reading raises into errors of our own tree.
    """

    def __init__(
        self,
        response: requests.Response,
        blob: Descriptor,
        start: int,
        end: int,
        network_errors: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """Check that `response` is the answer to a request for these bytes.

        Raises `IntegrityError` when the blob has another size there, `RangeIgnored` when the
        answer is not the range that was asked for, and `RegistryUnavailable` when it is a range
        and none was asked for; `response` is closed then.
        """
        self._response = response
        self._blob = blob
        self._left = end - start
        self._network_errors = network_errors
        self._is_aborted = False
        try:
            if response.status_code == 206:
                self._check_range(start, end)
            elif (start, end) != (0, blob.size):
                raise RangeIgnored(f"a range of blob {blob.digest} was asked for; the whole came")
            else:
                self._check_length()
        except (IntegrityError, RegistryUnavailable):
            response.close()
            raise

    def __enter__(self) -> BlobStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, limit: int) -> bytes:
        """Return what has arrived, one byte at least and `limit` at most; nothing at the end.

        Raises `TransientFailure` when the connection fails, is broken off, or ends before the
        last byte. What comes after the last byte is never read.
        """
        if not self._left:
            return b""
        try:
            with self._network_errors():
                chunk: bytes = self._response.raw.read1(
                    min(limit, self._left), decode_content=False
                )
        except (ValueError, AttributeError):
            # What `ssl` says when its socket is shut down while it begins to read from it.
            if not self._is_aborted:
                raise
            chunk = b""
        if self._is_aborted:
            # A TLS socket that was shut down is a plain one to Python: what it still gives is
            # not decrypted.
            raise TransientFailure(f"the answer with blob {self._blob.digest} was broken off")
        if not chunk:
            raise TransientFailure(
                f"the answer ended {self._left} bytes before the end of blob {self._blob.digest}"
            )
        self._left -= len(chunk)
        return chunk

    def abort(self) -> None:
        """Break the connection off, from another thread: a waiting `read` ends at once."""
        self._is_aborted = True
        # urllib3 says ValueError or RuntimeError when the answer is over already.
        with suppress(OSError, ValueError, RuntimeError):
            self._response.raw.shutdown()

    def close(self) -> None:
        """Let go of the connection; it is used again when the answer was read to its end."""
        self._response.close()

    def _check_range(self, start: int, end: int) -> None:
        header = self._response.headers.get("Content-Range", "")
        said = _CONTENT_RANGE.fullmatch(header.strip())
        if said is None or (int(said["start"]), int(said["last"])) != (start, end - 1):
            message = f"bytes {start}-{end - 1} were asked for; {header[:100]!r} came"
            is_whole = (start, end) == (0, self._blob.size)
            raise RegistryUnavailable(message) if is_whole else RangeIgnored(message)
        if said["size"] != "*" and int(said["size"]) != self._blob.size:
            raise IntegrityError(
                f"blob {self._blob.digest} has {said['size']} bytes there, where its descriptor"
                f" says {self._blob.size}"
            )

    def _check_length(self) -> None:
        length = self._response.headers.get("Content-Length", "").strip()
        if length.isdecimal() and int(length) != self._blob.size:
            longer = int(length) > self._blob.size
            raise IntegrityError(
                f"blob {self._blob.digest} is {'longer' if longer else 'shorter'} than the"
                f" {self._blob.size} bytes its descriptor says: it has {length[:20]} there"
            )
