"""What Docker Hub says of a repository, on its pages: a Markdown text.

Source: Docker Hub's API, `GET /v2/repositories/{namespace}/{name}`. It is another host than the
registry, gets no credentials, and nothing depends on it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import requests

from smolctl.errors import IntegrityError, RegistryUnavailable
from smolctl.model import document
from smolctl.registry.failures import network_errors
from smolctl.registry.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_ADDRESS = "https://hub.docker.com/v2/repositories"
_TIMEOUTS = (5.0, 10.0)
_SECONDS = 15.0
_MAXIMUM_BYTES = 1024 * 1024


def hub_description(repository: str, fetch: Callable[[str], bytes]) -> str | None:
    """Return the description of `repository` (`ai/smollm2`), or None where there is none.

    `fetch` returns what is at an address (`fetch_page`). Raises what it does, and
    `IntegrityError` when that is no description.
    """
    what = "description on Docker Hub"
    value = document.parse_object(fetch(f"{_ADDRESS}/{repository}/"), what)
    return document.text(value, "full_description", what) or document.text(
        value, "description", what
    )


def fetch_page(url: str, ca_bundle: Path | None = None, ca_file: Path | None = None) -> bytes:
    """Return what is at `url`, at most 1 MiB, within 15 seconds.

    The certificates are those that `Transport` trusts.

    Raises `RegistryUnavailable`, and `IntegrityError` for more than that.
    """
    host = url.split("/")[2]
    with requests.Session() as session:
        session.mount("https://", Transport(ca_bundle=ca_bundle, ca_file=ca_file))
        session.auth = lambda request: request  # or requests looks into ~/.netrc
        deadline = time.monotonic() + _SECONDS
        content = bytearray()
        with (
            network_errors(host, _TIMEOUTS, has_answered=False),
            session.get(url, timeout=_TIMEOUTS, allow_redirects=False, stream=True) as response,
        ):
            if response.status_code != 200:
                raise RegistryUnavailable(f"{host} answered {response.status_code}")
            for chunk in response.iter_content(64 * 1024):
                content += chunk
                if time.monotonic() > deadline:
                    raise RegistryUnavailable(f"{host} took more than {_SECONDS:.0f} s")
                if len(content) > _MAXIMUM_BYTES:
                    raise IntegrityError(f"{host} served more than {_MAXIMUM_BYTES} bytes")
    return bytes(content)
