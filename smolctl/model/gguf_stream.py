"""Reading a GGUF header's bytes from a stream that may be hostile, short or far away.

A header is full of lengths, and each is a claim. `HeaderStream` checks every claim against what
the file can hold before it reads, allocates or loops on it, so that no caller has to: a count of
2**62 is refused from its eight bytes alone. It needs nothing but `read(n)`, takes short reads, and
never reads more than 64 KiB beyond the bytes it was asked for.
"""

from __future__ import annotations

import struct
from typing import Any, BinaryIO, Literal

from smolctl.errors import InvalidGGUF

READ_AHEAD = 64 * 1024
"""Bytes asked of the stream at a time."""

MAX_HEADER_BYTES = 256 * 1024 * 1024
"""The longest header that is read. A vocabulary of 256,000 tokens takes about 15 MB."""

MAX_KEPT_BYTES = 32 * 1024 * 1024
"""How much of a header is kept in memory, in bytes of text and of numbers, all values together."""

ByteOrder = Literal["little", "big"]


class TruncatedHeader(InvalidGGUF):
    """The stream ended inside the header, of which nothing is wrong so far.

    `needed` is the least number of bytes, from the start of the file, that would get further.
    """

    def __init__(self, needed: int) -> None:
        super().__init__(f"the GGUF header goes on after the bytes read; it needs {needed} or more")
        self.needed = needed


class HeaderStream:
    """The bytes of a header, from the first on, in one byte order.

    `size` is the size of the whole file in bytes when it is known. Every method that reads raises
    `TruncatedHeader` when the stream ends too early, and `InvalidGGUF` as soon as it is certain
    that the header cannot fit the file or the limits above.
    """

    def __init__(self, stream: BinaryIO, size: int | None) -> None:
        self._stream = stream
        self._size = size
        self._buffer = b""
        self._at = 0  # the next unread byte's index in the buffer
        self._buffer_start = 0  # the buffer's first byte's offset in the file
        self._kept = 0
        self._order = "<"
        self._uint64 = struct.Struct("<Q")

    @property
    def position(self) -> int:
        """The offset of the next byte, from the start of the file."""
        return self._buffer_start + self._at

    def set_byte_order(self, byte_order: ByteOrder) -> None:
        """Read every number from here on in `byte_order`."""
        self._order = "<" if byte_order == "little" else ">"
        self._uint64 = struct.Struct(f"{self._order}Q")

    def expect(self, least: int) -> None:
        """Refuse the header if it cannot go on for `least` more bytes.

        Raises `InvalidGGUF` when the file is too small for that, or the header would be too long.
        """
        needed = self.position + least
        if self._size is not None and needed > self._size:
            raise InvalidGGUF(
                f"the file has {self._size} bytes and ends inside its GGUF header, "
                f"which needs {needed} or more",
                hint="It was cut short or is damaged: pull or download it again.",
            )
        if needed > MAX_HEADER_BYTES:
            raise InvalidGGUF(
                f"the GGUF header claims {needed} bytes or more; "
                f"the longest one accepted is {MAX_HEADER_BYTES}"
            )

    def keep(self, count: int) -> None:
        """Count `count` more bytes as kept in memory; raises `InvalidGGUF` beyond the limit."""
        self._kept += count
        if self._kept > MAX_KEPT_BYTES:
            raise InvalidGGUF(f"the GGUF header's values are longer than {MAX_KEPT_BYTES} bytes")

    def peek(self, count: int) -> bytes:
        """Return up to `count` bytes without consuming them; fewer if the stream has no more."""
        self._read_ahead(count)
        return self._buffer[self._at : self._at + count]

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        self._fill(count)
        start = self._at
        self._at += count
        return self._buffer[start : self._at]

    def number(self, code: str) -> Any:
        """Return the next number, of the `struct` format character `code`."""
        return self.numbers(code, 1)[0]

    def numbers(self, code: str, count: int) -> tuple[Any, ...]:
        """Return the next `count` numbers, of the `struct` format character `code`."""
        layout = f"{self._order}{count}{code}"
        return struct.unpack(layout, self.take(struct.calcsize(layout)))

    def uint32(self) -> int:
        """Return the next 32-bit unsigned number."""
        return int(self.number("I"))

    def uint64(self) -> int:
        """Return the next 64-bit unsigned number."""
        return int(self.number("Q"))

    def string(self, limit: int, what: str) -> bytes:
        """Return the next length-prefixed string, whose bytes are kept.

        Raises `InvalidGGUF`, naming `what`, when it is longer than `limit` bytes.
        """
        length = self.uint64()
        if length > limit:
            raise InvalidGGUF(f"{what} is {length} bytes long; at most {limit} are allowed")
        self.expect(length)
        self.keep(length)
        return self.take(length)

    def skip(self, count: int) -> None:
        """Pass over `count` bytes without keeping them."""
        self.expect(count)
        while (missing := count - (len(self._buffer) - self._at)) > 0:
            count = missing
            self._at = len(self._buffer)
            self._fill(1)
        self._at += count

    def skip_strings(self, count: int) -> None:
        """Pass over `count` length-prefixed strings, checking that each ends inside the header."""
        self.expect(8 * count)
        length_at = self._uint64.unpack_from
        while count:
            self._fill(8)
            # Local names: a vocabulary has a few hundred thousand strings, and this loop is most
            # of the time that reading a header takes.
            buffer, at = self._buffer, self._at
            last = len(buffer) - 8
            while count and at <= last:
                at += 8 + length_at(buffer, at)[0]
                count -= 1
            self._at = min(at, len(buffer))
            self.skip(at - self._at)
            self.expect(8 * count)

    def bools(self, count: int) -> tuple[bool, ...]:
        """Return `count` one-byte truth values; raises `InvalidGGUF` for one not 0 or 1."""
        return tuple(map(bool, _checked_bools(self.take(count))))

    def skip_bools(self, count: int) -> None:
        """Pass over `count` one-byte truth values; raises `InvalidGGUF` for one not 0 or 1."""
        self.expect(count)
        while count:
            self._fill(1)
            piece = _checked_bools(self._buffer[self._at : self._at + count])
            self._at += len(piece)
            count -= len(piece)

    def _fill(self, count: int) -> None:
        """Have `count` unread bytes in the buffer."""
        self.expect(count)
        if not self._read_ahead(count):
            raise TruncatedHeader(self.position + count)

    def _read_ahead(self, count: int) -> bool:
        """Read until the buffer holds `count` unread bytes; return whether the stream had them."""
        missing = count - (len(self._buffer) - self._at)
        if missing <= 0:
            return True
        pieces = [self._buffer[self._at :]]
        # A stream may allocate what it is asked for, so it is never asked for a claimed length.
        while missing > 0 and (piece := self._stream.read(READ_AHEAD)):
            pieces.append(piece)
            missing -= len(piece)
        self._buffer_start += self._at
        self._at = 0
        self._buffer = b"".join(pieces)
        return missing <= 0


def _checked_bools(raw: bytes) -> bytes:
    # The specification: "Anything else is invalid, and should be treated as either the model
    # being invalid or the reader being buggy."
    if raw.translate(None, b"\0\1"):
        raise InvalidGGUF("the GGUF header has a truth value that is neither 0 nor 1")
    return raw
