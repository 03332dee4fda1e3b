"""Listening on a TCP port: what `serve` and `share` have in common."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from dataclasses import dataclass

from smolctl.errors import UsageError

_BACKLOG = 1024
"""Connections that may wait: a whole class begins to pull in the same second."""

_OF_THIS_MACHINE = "--host is an address of this machine."


@dataclass(frozen=True)
class Address:
    """An address to listen on: what was asked for, and what that is on this machine."""

    host: str
    port: int
    family: socket.AddressFamily
    ip: str

    @classmethod
    def of(cls, host: str, port: int) -> Address:
        """Return the address that `host` is here. Raises `UsageError` for one that nobody knows."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        except (OSError, UnicodeError):
            raise UsageError(f"--host is {host!r}", hint=_OF_THIS_MACHINE) from None
        # localhost is ::1 too, where programs that were told 127.0.0.1 do not look.
        family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
        return cls(host, port, family, str(address[0]))

    @property
    def is_loopback(self) -> bool:
        """Whether nobody but this machine gets there."""
        return ipaddress.ip_address(self.ip).is_loopback

    def listen(self) -> socket.socket:
        """Return a socket that listens there. Raises `UsageError` when it cannot be."""
        try:
            return socket.create_server((self.ip, self.port), family=self.family, backlog=_BACKLOG)
        except OSError as error:
            hint = "--port 0 takes a free one." if self.port else None
            if error.errno == errno.EADDRNOTAVAIL:
                hint = _OF_THIS_MACHINE
            # Not `strerror`, to which Python adds what it did, and with which arguments.
            reason = os.strerror(error.errno) if error.errno is not None else str(error)
            raise UsageError(
                f"cannot listen on {self.host}:{self.port}: {reason}", hint=hint
            ) from error


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens at `host` and `port`; port 0 takes a free one.

    Raises `UsageError` for a host that nobody knows, and when the address cannot be had.
    """
    return Address.of(host, port).listen()


def reachable_addresses(listener: socket.socket) -> list[str]:
    """Return the IP addresses at which other machines may find `listener`; nothing is sent.

    Of one that listens on all addresses, those from which this machine would speak to others,
    the likeliest first; none where it has no network.
    """
    ip = str(listener.getsockname()[0])
    if not ipaddress.ip_address(ip).is_unspecified:
        return [ip]
    found: dict[str, None] = {}
    for target in _ELSEWHERE[listener.family]:
        with socket.socket(listener.family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((target, 9))  # of a datagram socket: it chooses a route, no more
            except OSError:
                continue
            found[str(probe.getsockname()[0])] = None
    return [ip for ip in found if not ipaddress.ip_address(ip).is_loopback]


_ELSEWHERE = {
    # Where the default route leads, and then the private networks, which may have one alone.
    socket.AF_INET: ("192.0.2.1", "192.168.0.1", "10.0.0.1", "172.16.0.1"),
    socket.AF_INET6: ("2001:db8::1", "fd00::1"),
}
