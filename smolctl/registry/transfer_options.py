"""How a transfer goes about it."""

from __future__ import annotations

from dataclasses import dataclass

_MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class TransferOptions:
    """How to transfer. Sizes are in bytes, times in seconds.

    Eight connections keep a fast network busy where each is held to a fraction of it; more gain
    nothing on a local network and are unkind to a registry. `slow_after` is how long a connection
    must lag before it is replaced. `chunk_size` is what one request of an upload holds at most: a
    broken one costs no more, and it is less than the 100 MB that proxies often take.
    """

    connections: int = 8
    part_size: int = 16 * _MEBIBYTE
    sync_every: int = 64 * _MEBIBYTE
    slow_after: float = 5.0
    chunk_size: int = 64 * _MEBIBYTE
