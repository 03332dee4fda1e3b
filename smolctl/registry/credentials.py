"""Who we are to a registry, and the order in which the places that know it are asked.

Sources: Docker's documentation of `docker login` ("Credential stores", "Credential helpers"), and
containers-auth.json(5), whose keys may be repositories and namespaces too.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from smolctl.errors import AccessDenied
from smolctl.model.reference import DOCKER_HUB
from smolctl.registry.credential_file import entries, paths_of, program_for, read, spellings
from smolctl.registry.credential_program import CredentialProgram

if TYPE_CHECKING:
    from pathlib import Path

    from smolctl.registry.credential_file import ConfiguredProgram

_IDENTITY_TOKEN_USERNAME = "<token>"  # noqa: S105 - a marker of the protocol, no secret


class Kind(Enum):
    """What a secret is, and so what it is good for."""

    PASSWORD = "password"  # noqa: S105 - a name
    """For the Basic scheme, with the user name; an access token in a password's place is one."""

    IDENTITY_TOKEN = "identity token"  # noqa: S105 - a name
    """An OAuth2 refresh token: the token server changes it into access tokens."""

    REGISTRY_TOKEN = "registry token"  # noqa: S105 - a name
    """An access token: goes to the registry as it is."""


@dataclass(frozen=True)
class Credentials:
    """A user name and a secret for one registry. Printing one does not show the secret."""

    username: str
    secret: str = field(repr=False)
    kind: Kind = Kind.PASSWORD

    @property
    def basic(self) -> str:
        """The value of an `Authorization` header for the Basic scheme (RFC 7617)."""
        pair = f"{self.username}:{self.secret}".encode()
        return f"Basic {base64.b64encode(pair).decode('ascii')}"


def find_credentials(
    file: Path,
    registry: str,
    repository: str | None = None,
    *,
    docker_hub: Credentials | None = None,
) -> Credentials | None:
    """Return what there is for `registry`, or for `repository` in it, or None.

    `docker_hub` goes before everything else, and to Docker Hub alone. Then `file`, which is
    Docker's `config.json` or podman's `auth.json`: the program in `credHelpers` for this
    registry; entries in `auths` for the repository or a namespace of it, the longest first; the
    program in `credsStore`; the registry's own entry.

    A program that fails raises `AccessDenied`, and so does a broken entry: going on without the
    credentials a person configured would turn their mistake into a puzzling "not found". A file
    that cannot be read is a `StorageError`.
    """
    if docker_hub is not None and registry == DOCKER_HUB:
        return docker_hub
    document = read(file)
    program = program_for(document, registry)
    if program is not None and program.is_own:
        return _from_program(program)
    auths = entries(document)
    for key in paths_of(registry, repository):
        found = _from_entry(auths.get(key), file, key)
        if found is not None:
            return found
    if program is not None:
        found = _from_program(program)
        if found is not None:
            return found
    for key in spellings(auths, registry):
        found = _from_entry(auths[key], file, key)
        if found is not None:
            return found
    return None


def _from_program(configured: ConfiguredProgram) -> Credentials | None:
    program = CredentialProgram(configured.name)
    for key in configured.keys:
        found = program.get(key)
        if found is not None:
            username, secret = found
            is_token = username == _IDENTITY_TOKEN_USERNAME
            return Credentials(username, secret, Kind.IDENTITY_TOKEN if is_token else Kind.PASSWORD)
    return None


def _from_entry(entry: Any, file: Path, key: str) -> Credentials | None:
    if not isinstance(entry, dict):
        return None
    username, password = entry.get("username"), entry.get("password")
    # Docker's own order: a token that is there wins over the password beside it.
    for name, kind in (
        ("registrytoken", Kind.REGISTRY_TOKEN),
        ("identitytoken", Kind.IDENTITY_TOKEN),
    ):
        token = entry.get(name)
        if isinstance(token, str) and token:
            return Credentials(username if isinstance(username, str) else "", token, kind)
    if isinstance(username, str) and isinstance(password, str) and username:
        return Credentials(username, password)
    auth = entry.get("auth")
    if not isinstance(auth, str) or not auth:
        return None
    try:
        decoded = base64.b64decode(auth, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise AccessDenied(f"{file}: the entry for {key} is not base64") from None
    username, colon, password = decoded.partition(":")
    if not colon:
        raise AccessDenied(f"{file}: the entry for {key} has no password")
    return Credentials(username, password.rstrip("\0"))
