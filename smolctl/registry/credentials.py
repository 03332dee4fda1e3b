"""Who we are to a registry: Docker's `config.json` and the credential programs it names.

Source: Docker's `config.json` as `docker login` writes it, and the docker-credential-helpers
protocol (`docker-credential-NAME get`, the server's address on its stdin, JSON on its stdout).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from smolctl.errors import AccessDenied, StorageError
from smolctl.model.reference import DOCKER_HUB

if TYPE_CHECKING:
    from pathlib import Path

_DOCKER_HUB_KEY = "https://index.docker.io/v1/"
_HELPER_NAME = re.compile(r"[A-Za-z0-9._-]+")
_HELPER_SECONDS = 30
_NOT_STORED = "credentials not found"


@dataclass(frozen=True)
class Credentials:
    """A user name and a secret for one registry. Printing one shows neither secret nor token."""

    username: str
    secret: str = field(repr=False)

    @property
    def basic(self) -> str:
        """The value of an `Authorization` header for the Basic scheme (RFC 7617)."""
        pair = f"{self.username}:{self.secret}".encode()
        return f"Basic {base64.b64encode(pair).decode('ascii')}"


def find_credentials(config: Path, registry: str) -> Credentials | None:
    """Return what Docker's configuration at `config` has for `registry`, or None.

    The order is Docker's: `credHelpers` for this registry, `credsStore`, then `auths`. A program
    that fails raises `AccessDenied`: going on without the credentials a person configured would
    turn their mistake into a puzzling "not found". A file that cannot be read is a
    `StorageError`.
    """
    document = _read(config)
    keys = _keys(registry)
    helpers = document.get("credHelpers")
    store = document.get("credsStore")
    for key in keys:
        if isinstance(helpers, dict) and isinstance(helpers.get(key), str):
            return _from_program(helpers[key], key)
    if isinstance(store, str) and store:
        for key in keys:
            found = _from_program(store, key)
            if found is not None:
                return found
    auths = document.get("auths")
    for key in keys:
        entry = auths.get(key) if isinstance(auths, dict) else None
        if isinstance(entry, dict):
            found = _from_entry(entry, config, key)
            if found is not None:
                return found
    return None


def _keys(registry: str) -> tuple[str, ...]:
    """Return the names under which `registry` may stand: Docker Hub's is a URL of old."""
    if registry == DOCKER_HUB:
        return (_DOCKER_HUB_KEY, DOCKER_HUB, "index.docker.io", "registry-1.docker.io")
    return (registry, f"https://{registry}", f"https://{registry}/")


def _read(config: Path) -> dict[str, Any]:
    try:
        document = json.loads(config.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StorageError(f"cannot read {config}: {error.strerror}") from error
    except ValueError:
        raise StorageError(
            f"{config} is not valid JSON", hint="Mend the file, or set DOCKER_CONFIG to another."
        ) from None
    return document if isinstance(document, dict) else {}


def _from_entry(entry: dict[str, Any], config: Path, key: str) -> Credentials | None:
    username, password = entry.get("username"), entry.get("password")
    if isinstance(username, str) and isinstance(password, str) and username:
        return Credentials(username, password)
    auth = entry.get("auth")
    if not isinstance(auth, str) or not auth:
        return None
    try:
        decoded = base64.b64decode(auth, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise AccessDenied(f"{config}: the entry for {key} is not base64") from None
    username, colon, password = decoded.partition(":")
    if not colon:
        raise AccessDenied(f"{config}: the entry for {key} has no password")
    return Credentials(username, password.rstrip("\0"))


def _from_program(name: str, key: str) -> Credentials | None:
    program = f"docker-credential-{name}"
    if _HELPER_NAME.fullmatch(name) is None:
        raise AccessDenied(f"not the name of a credential program: {name!r}")
    hint = f"Mend {program}, or take it out of Docker's config.json."
    try:
        done = subprocess.run(
            [program, "get"], input=key.encode(), capture_output=True, timeout=_HELPER_SECONDS
        )
    except FileNotFoundError:
        raise AccessDenied(f"{program} is not installed", hint=hint) from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AccessDenied(f"{program} failed: {type(error).__name__}", hint=hint) from None
    if done.returncode:
        # The protocol has no code for "nothing stored"; all programs share this sentence.
        if _NOT_STORED in done.stdout.decode(errors="replace"):
            return None
        raise AccessDenied(f"{program} failed with exit code {done.returncode}", hint=hint)
    try:
        answer = json.loads(done.stdout)
        return Credentials(str(answer["Username"]), str(answer["Secret"]))
    except (ValueError, KeyError, TypeError):
        raise AccessDenied(f"{program} gave no credentials", hint=hint) from None
