"""Who may speak to the gateway: the names it goes by, the origins it trusts, and the key."""

from __future__ import annotations

import hmac
import ipaddress
import re
from dataclasses import dataclass, field, replace

from smolctl.errors import UsageError

ANY_ORIGIN = "*"

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::\d{1,5})?")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(?:\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::\d{1,5})?")


@dataclass(frozen=True)
class Policy:
    """Who may. `hosts` are names that the gateway goes by beside those of loopback.

    With `any_address` it goes by every IP address too: a page that has its name resolve to here
    still sends the name. `origins` may ask across origins, `*` is all of them. Raises
    `UsageError` for what is malformed, or would leave the gateway open to every page.
    """

    hosts: frozenset[str] = frozenset()
    any_address: bool = False
    origins: frozenset[str] = frozenset()
    api_key: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for host in self.hosts:
            if _name_of(host) != host:
                raise UsageError(f"--allow-host is {host!r}", hint="It is a name without a port.")
        for origin in self.origins - {ANY_ORIGIN}:
            if _ORIGIN.fullmatch(origin) is None:
                raise UsageError(
                    f"--allow-origin is {origin!r}",
                    hint="An origin is SCHEME://HOST or SCHEME://HOST:PORT, or * for all.",
                )
        key = self.api_key
        if key is not None and (
            not key or not key.isascii() or not key.isprintable() or " " in key
        ):
            raise UsageError("the API key is empty, or has other than printable ASCII in it")
        if ANY_ORIGIN in self.origins and key is None:
            raise UsageError(
                "--allow-origin '*' lets every page use the models",
                hint="Set an API key as well (--api-key-file or SMOLCTL_API_KEY), or name origins.",
            )

    def listening(self, host: str, address: str) -> Policy:
        """Return this for a gateway that was told to listen on `host`, and does on `address`."""
        name = f"[{host}]" if ":" in host else host
        any_address = ipaddress.ip_address(address).is_unspecified
        return replace(self, hosts=self.hosts | {name.lower()}, any_address=any_address)

    def knows_host(self, header: str) -> bool:
        """Whether `header` is a name of this server; its port does not matter (tunnels)."""
        name = _name_of(header)
        if name is None:
            return False
        if name == "localhost" or name in self.hosts:
            return True
        try:
            address = ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return address.is_loopback or self.any_address

    def knows_origin(self, origin: str, host: str) -> bool:
        """Whether a page of `origin` may ask `host`, which is this server."""
        if origin in self.origins or ANY_ORIGIN in self.origins:
            return True
        return origin in (f"http://{host}", f"https://{host}")

    def accepts(self, authorization: str) -> bool:
        """Whether the `Authorization` header has the key; no time tells how much was right."""
        if self.api_key is None:
            return True
        scheme, _, key = authorization.partition(" ")
        given = key.strip().encode("latin-1")  # what the bytes of headers are decoded as
        return scheme.lower() == "bearer" and hmac.compare_digest(given, self.api_key.encode())


def _name_of(host: str) -> str | None:
    match = _HOST.fullmatch(host.lower())
    return match["name"].removesuffix(".") if match else None
