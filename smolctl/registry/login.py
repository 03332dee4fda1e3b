"""Logging in to a registry: trying credentials out, keeping them, and forgetting them.

Sources: OCI distribution specification, "Determining Support" (`GET /v2/`); what `docker login`
writes into `config.json`.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from smolctl.errors import AccessDenied, RegistryUnavailable
from smolctl.registry.credential_file import entries, key_of, program_for, read, spellings
from smolctl.registry.credential_program import CredentialProgram
from smolctl.registry.credential_update import changing

if TYPE_CHECKING:
    from pathlib import Path

    from smolctl.registry.client import RegistryClient
    from smolctl.registry.credentials import Credentials

_HINT = "Check the user name and the password; many registries want an access token in its place."


def verify(client: RegistryClient) -> bool:
    """Show the credentials of `client` to its registry; whether it wanted to see any.

    A registry that is open to everybody does not look at them. Raises `AccessDenied` when they
    are refused, and `RegistryUnavailable` when there is no registry, or none that answers.
    """
    url = f"{client.prefix}://{client.hostname}/v2/"
    try:
        with client.do_request(url, stream=True) as response:
            status = response.status_code
    except AccessDenied as error:
        # The usual hint is to do what failed just now.
        raise AccessDenied(error.message, hint=_HINT if error.hint else None) from None
    wanted = client.used_credentials
    if status in (401, 403):
        did = "refused the credentials" if wanted else "does not say how to log in"
        raise AccessDenied(f"{client.registry} {did}", hint=_HINT)
    if status != 200:
        raise RegistryUnavailable(
            f"{client.registry} answered {status} to the question whether it is a registry",
            hint="Check the name: a registry is HOST or HOST:PORT.",
        )
    return wanted


def keep(file: Path, registry: str, credentials: Credentials) -> CredentialProgram | None:
    """Keep `credentials` for `registry`, in place of any that were there.

    They go to the program that `file` names for the registry, which is returned, or else into
    the file itself. Raises `AccessDenied` when the program fails, `StorageError` when the file
    cannot be changed.
    """
    key = key_of(registry)
    with changing(file) as document:
        configured = program_for(document, registry)
        if configured is None:
            pair = f"{credentials.username}:{credentials.secret}".encode()
            entry = {"auth": base64.b64encode(pair).decode("ascii")}
        else:
            program = CredentialProgram(configured.name)
            program.store(key, credentials.username, credentials.secret)
            entry = {}  # Docker's mark for what the program has
        auths = document["auths"] = entries(document)
        for other in spellings(auths, registry):
            if other != key:  # what it says is not true any more, and some tools would prefer it
                del auths[other]
        auths[key] = entry
    return program if configured is not None else None


def forget(file: Path, registry: str) -> bool:
    """Forget the credentials for `registry`, from the program and from `file`; whether any were.

    What is there for single repositories or namespaces stays. Raises as `keep` does.
    """
    if not read(file):  # nothing to lock, nothing to write
        return False
    found = False
    with changing(file) as document:
        configured = program_for(document, registry)
        if configured is not None:
            program = CredentialProgram(configured.name)
            for key in configured.keys:
                if program.get(key) is not None:
                    program.erase(key)
                    found = True
        auths = entries(document)
        for key in spellings(auths, registry):
            found = found or bool(auths[key])
            del auths[key]
    return found
