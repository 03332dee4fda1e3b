"""`WWW-Authenticate`: what a registry wants before it answers.

Source: RFC 9110, section 11.6.1, and the distribution project's token authentication.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from smolctl.errors import AccessDenied
from smolctl.model.reference import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

_SCHEME = re.compile(r"(?:^|,)\s*(?P<scheme>Bearer|Basic)\b\s*", re.IGNORECASE)
_PARAMETER = re.compile(r'([A-Za-z]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')


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

        Raises `AccessDenied` for a realm that is not HTTPS (unless the registry itself is spoken
        to in plain HTTP), that carries a user name, or that points a registry's visitors back at
        their own machine.
        """
        realm = self.parameters.get("realm", "")
        if not _is_safe(realm, registry, plain_http=plain_http):
            raise AccessDenied(
                f"{registry} sends its visitors to {realm[:200]!r} for a token, which is not safe"
            )
        return realm


def _is_safe(realm: str, registry: str, *, plain_http: bool) -> bool:
    try:
        parts = urlsplit(realm)
    except ValueError:  # a bracket without its partner, say
        return False
    schemes = ("https", "http") if plain_http else ("https",)
    host = parts.hostname or ""
    inward = is_loopback(f"[{host}]" if ":" in host else host) and not is_loopback(registry)
    return parts.scheme in schemes and bool(host) and "@" not in parts.netloc and not inward
