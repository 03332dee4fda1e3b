"""The way out of this machine: proxies, and which certificates are trusted.

Proxies are those of the environment (`HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`, in
either case), which requests reads. Loopback is never proxied, as in Go's and Docker's HTTP
clients: a proxy's loopback is another machine's.

Certificates are those that the system trusts, so that what a company installed on its machines
holds here as it does for curl; where a system has none, those that requests brings. A bundle
named in the environment stands in their place. A registry's own `ca_file` is trusted beside
either, as with Docker's `certs.d`: a registry with a certificate of the company's redirects to
storage with one that the whole world trusts.
"""

from __future__ import annotations

import ssl
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidProxyURL, ProxyError
from requests.utils import DEFAULT_CA_BUNDLE_PATH, prepend_scheme_if_needed, select_proxy

from smolctl.errors import RegistryUnavailable, StorageError, UsageError
from smolctl.model.reference import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import requests

_HINT = "A PEM file is named by --ca-file, by ca-file in config.toml, or by REQUESTS_CA_BUNDLE."


class Transport(HTTPAdapter):
    """Connections that go through the right proxy and trust the right certificates.

    `ca_bundle` (a PEM file, or a folder of hashed ones) stands in the place of the system's
    certificates; those in `ca_file` are trusted beside them. The files are read with the first
    HTTPS request, which raises `UsageError` or `StorageError` when that fails.
    """

    def __init__(
        self, *, ca_bundle: Path | None = None, ca_file: Path | None = None, **pool: Any
    ) -> None:
        self._ca_bundle = ca_bundle
        self._ca_file = ca_file
        super().__init__(**pool)

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send `request`, through one of `proxies` unless it stays on this machine.

        Raises `RegistryUnavailable` when a proxy refuses; for the rest, what requests raises.
        """
        url = request.url or ""
        used = {} if is_loopback(urlsplit(url).netloc) else dict(proxies or {})
        proxy = select_proxy(url, used)
        # urllib3 would quote the address, password and all.
        if proxy and not _is_address(proxy):
            raise InvalidProxyURL("the proxy's address in the environment is malformed")
        try:
            response = super().send(request, stream, timeout, verify, cert, used)
        except ProxyError as error:
            # http.client has no error of its own for a CONNECT that was answered.
            if "Tunnel connection failed: 407" in str(error):
                raise _proxy_refusal() from None
            raise
        if response.status_code == 407 and proxy:
            response.close()
            raise _proxy_refusal()
        return response

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> tuple[Any, Any]:
        """Have connections checked by our own context, made once and not for each of them."""
        del verify, cert  # what requests read in the environment is `ca_bundle` here
        host, pool = super().build_connection_pool_key_attributes(request, True)
        if host["scheme"] == "https":
            pool["ssl_context"] = self._context
        return host, pool

    def proxy_manager_for(self, proxy: str, **more: Any) -> Any:
        """Trust the same certificates for a proxy that is spoken to over HTTPS."""
        if proxy.lower().startswith("https:"):
            more["proxy_ssl_context"] = self._context
        return super().proxy_manager_for(proxy, **more)

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Add nothing: requests would load its own bundle into the context, time and again."""

    @cached_property
    def _context(self) -> ssl.SSLContext:
        # With neither of urllib3's and Python 3.13's strict flags: curl has none, and many a
        # company's certificates would not pass.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self._ca_bundle is not None:
            _load(context, self._ca_bundle)
        else:
            context.load_default_certs()
            if not context.cert_store_stats()["x509_ca"]:
                context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
        if self._ca_file is not None:
            _load(context, self._ca_file)
        return context


def _load(context: ssl.SSLContext, path: Path) -> None:
    try:
        if path.is_dir():
            context.load_verify_locations(capath=path)
        else:
            context.load_verify_locations(cafile=path)
    except ssl.SSLError:
        raise UsageError(f"no certificates in {path}", hint=_HINT) from None
    except FileNotFoundError:
        raise UsageError(f"no such file of certificates: {path}", hint=_HINT) from None
    except OSError as error:
        raise StorageError(f"cannot read the certificates in {path}: {error.strerror}") from error


def _proxy_refusal() -> RegistryUnavailable:
    return RegistryUnavailable(
        "the proxy wants credentials, or refused those it got",
        hint="They are a part of its address: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT",
    )


def _is_address(proxy: str) -> bool:
    try:
        urlsplit(proxy)  # requests splits it before it has a scheme, too
        whole = prepend_scheme_if_needed(proxy, "http")  # type: ignore[no-untyped-call]
        return bool(urlsplit(whole).hostname)
    except ValueError:
        return False
