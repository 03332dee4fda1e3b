"""The file with credentials that we share with other tools: how it is laid out, and reading it.

It is Docker's `config.json` or podman's `auth.json`: one JSON object, in which `auths` has an
entry a registry, and `credsStore` and `credHelpers` name programs that keep the secrets instead.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from smolctl.errors import StorageError
from smolctl.model.reference import DOCKER_HUB

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_DOCKER_HUB_KEY = "https://index.docker.io/v1/"
_DOCKER_HUB_HOSTS = (DOCKER_HUB, "index.docker.io", "registry-1.docker.io")
_URL = re.compile(r"https?://([^/]*)(?:/.*)?")
HINT = "Mend the file, or set DOCKER_CONFIG or REGISTRY_AUTH_FILE to another."


@dataclass(frozen=True)
class ConfiguredProgram:
    """The program that keeps the secrets of one registry, and the keys it may have them under.

    `is_own` tells a registry's own program (`credHelpers`) from the one for all (`credsStore`).
    """

    name: str
    keys: tuple[str, ...]
    is_own: bool


def key_of(registry: str) -> str:
    """Return the name under which Docker and podman look for `registry`: Docker Hub's is a URL."""
    return _DOCKER_HUB_KEY if registry == DOCKER_HUB else registry


def spellings(keys: Mapping[str, Any], registry: str) -> list[str]:
    """Return those of `keys` that mean the whole of `registry`, the usual spelling first.

    Older versions of the tools wrote URLs, with a path or without.
    """
    found = [key for key in keys if _registry_of(key) == registry]
    return sorted(found, key=lambda key: (key != key_of(registry), key != registry))


def paths_of(registry: str, repository: str | None) -> Iterator[str]:
    """Yield the keys of `repository` and of the namespaces around it, the longest first."""
    path = repository or ""
    while path:
        yield f"{registry}/{path}"
        path = path.rpartition("/")[0]


def entries(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries by key; none where `auths` is missing or is no object."""
    return _object(document, "auths")


def program_for(document: Mapping[str, Any], registry: str) -> ConfiguredProgram | None:
    """Return the program for `registry`; None when the file itself keeps its secrets.

    An empty name in `credHelpers` exempts a registry from `credsStore`.
    """
    helpers = _object(document, "credHelpers")
    for key in spellings(helpers, registry):
        name = helpers[key]
        if isinstance(name, str):
            keys = tuple(dict.fromkeys((key_of(registry), key)))
            return ConfiguredProgram(name, keys, is_own=True) if name else None
    store = document.get("credsStore")
    if not isinstance(store, str) or not store:
        return None
    if registry == DOCKER_HUB:
        return ConfiguredProgram(store, (_DOCKER_HUB_KEY, *_DOCKER_HUB_HOSTS), is_own=False)
    urls = (f"https://{registry}", f"https://{registry}/")
    return ConfiguredProgram(store, (registry, *urls), is_own=False)


def read(file: Path) -> dict[str, Any]:
    """Return the object that `file` holds; an empty one when it is missing or holds no object.

    Raises `StorageError` when it cannot be read or is not valid JSON.
    """
    document = read_json(file)
    return document if isinstance(document, dict) else {}


def read_json(file: Path) -> Any:
    """Return what `file` holds, as `read` does, but of whatever type it is."""
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StorageError(f"cannot read {file}: {error.strerror}", hint=HINT) from error
    if not content.strip():
        return {}  # as `mktemp` leaves one; Docker takes it so, too
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        # Not chained: the cause holds the whole text.
        raise StorageError(f"{file} is not valid JSON", hint=HINT) from None


def _object(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def _registry_of(key: str) -> str:
    url = _URL.fullmatch(key)
    host = url[1] if url else key
    return DOCKER_HUB if host in _DOCKER_HUB_HOSTS else host
