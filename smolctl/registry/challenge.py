"""`WWW-Authenticate`: what a registry wants before it answers.

Source: RFC 9110, section 11.6.1, and the distribution project's token authentication.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from smolctl.errors import AccessDenied
from smolctl.model.reference import is_loopback
from smolctl.registry.redaction import shown_url

if TYPE_CHECKING:
    from collections.abc import Mapping

_SCHEME = re.compile(r"(?:^|,)\s*(?P<scheme>Bearer|Basic)\b\s*", re.IGNORECASE)
_PARAMETER = re.compile(r'([A-Za-z]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')

_URL = re.compile(r"[!-\[\]-~]+")
"""Printable ASCII but spaces and backslashes, after which one program sees a path and another
still the host."""

_NUMBER = re.compile(r"\d+|0[xX][0-9a-fA-F]*")


@dataclass(frozen=True)
class Challenge:
    """One scheme the registry takes: `bearer` or `basic`, with its parameters."""

    scheme: str
    parameters: Mapping[str, str]

    @classmethod
    def parse(cls, header: str) -> Challenge | None:
        """Return the strongest challenge in `header` that we can meet, Bearer first, or None."""
        matches = list(_SCHEME.finditer(header))
        found = []
        for position, match in enumerate(matches):
            following = matches[position + 1 :]
            end = following[0].start() if following else len(header)
            parameters = {
                name.lower(): re.sub(r"\\(.)", r"\1", quoted) if quoted else plain
                for name, quoted, plain in _PARAMETER.findall(header[match.end() : end])
            }
            found.append(cls(match["scheme"].lower(), parameters))
        found.sort(key=lambda challenge: challenge.scheme != "bearer")
        return found[0] if found else None

    def realm(self, registry: str, *, plain_http: bool) -> str:
        """Return the URL to ask for a token, checked before anything is sent there.

        It is the registry that says where its token server is, so any host may be one. Raises
        `AccessDenied` for a realm that is not HTTPS (unless a person allowed `plain_http`, or
        registry and realm are both this machine), that carries a user name, that is written in a
        way that programs read differently, or that points a registry's visitors back at their own
        machine.
        """
        realm = self.parameters.get("realm", "")
        if not _is_safe(realm, registry, plain_http=plain_http):
            shown = shown_url(realm)[:200]
            raise AccessDenied(
                f"{registry} sends its visitors to {shown!r} for a token, which is not safe"
            )
        return realm


def _is_safe(realm: str, registry: str, *, plain_http: bool) -> bool:
    if _URL.fullmatch(realm) is None:
        return False
    try:
        parts = urlsplit(realm)
        host = (parts.hostname or "").rstrip(".")
        _ = parts.port
    except ValueError:  # a bracket without its partner, a port that is none
        return False
    if not host or "@" in parts.netloc:
        return False
    inward = _leads_here(host)
    if parts.scheme == "http":
        return plain_http if not inward else is_loopback(registry)
    return parts.scheme == "https" and (not inward or is_loopback(registry))


def _leads_here(host: str) -> bool:
    """Whether a connection to `host` ends, or may end, on this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        # 127.1, 0x7f.1 and 2130706433 are loopback, too, to those who take them for addresses.
        return _NUMBER.fullmatch(host.rpartition(".")[2]) is not None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_loopback or address.is_unspecified
