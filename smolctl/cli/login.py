"""`smolctl login`."""

from __future__ import annotations

import re
import sys
from typing import Annotated

import typer

from smolctl.cli.invocation import Invocation
from smolctl.cli.options import (
    CaFileFlag,
    NetworkFlags,
    PlainHttpFlag,
    RegistryArgument,
    named_registry,
)
from smolctl.cli.secret import ask, ask_secret
from smolctl.errors import UsageError
from smolctl.model.reference import DOCKER_HUB

EXAMPLES = (
    ("Docker Hub; asks for the user name and the password", "smolctl login"),
    ("Another registry", "smolctl login registry.example.com"),
    ("In a script", "cat token.txt | smolctl login -u me --password-stdin ghcr.io"),
)
_LONGEST_SECRET = 64 * 1024
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def command(
    ctx: typer.Context,
    registry: RegistryArgument = DOCKER_HUB,
    username: Annotated[
        str | None, typer.Option("--username", "-u", help="Who you are to the registry.")
    ] = None,
    password_stdin: Annotated[
        bool,
        typer.Option("--password-stdin", help="Read the password (or token) from standard input."),
    ] = False,
    plain_http: PlainHttpFlag = False,
    ca_file: CaFileFlag = None,
) -> None:
    """Log in to a registry, so that pulls may use what it has for you.

    The credentials are tried out first. They are kept where Docker keeps them (config.json, or
    the credential helper named in it), or in the file that REGISTRY_AUTH_FILE names: docker,
    podman and skopeo find them there, and smolctl uses theirs.
    """
    from smolctl.registry.credential_file import read
    from smolctl.registry.credentials import Credentials
    from smolctl.registry.login import keep, verify

    invocation = Invocation.of(ctx, network=NetworkFlags(plain_http, ca_file))
    name = named_registry(registry)
    file = invocation.settings.credential_file
    read(file)  # a file that is broken is better known before a password was typed
    credentials = Credentials(*_account(invocation, username, from_stdin=password_stdin))
    output = invocation.output
    with invocation.registries.client(name, lambda: credentials, output.notice) as client:
        wanted = verify(client)
    program = keep(file, name, credentials)
    if not wanted:
        output.notice(f"{name} is open to everybody: it did not check the credentials.")
    if program is None:
        output.notice(
            f"WARNING: the password is stored unencrypted in {file}."
            " A credential helper (`credsStore` in Docker's config.json) would keep it safer."
        )
    if name == DOCKER_HUB and invocation.settings.docker_hub_account is not None:
        output.notice("DOCKER_USERNAME and DOCKER_PASSWORD are set, and are used instead.")
    output.line(f"Logged in to {name} as {credentials.username}")


def _account(invocation: Invocation, username: str | None, *, from_stdin: bool) -> tuple[str, str]:
    is_terminal = sys.stdin.isatty()
    missing = [
        flag
        for flag, given in (("--username", username is not None), ("--password-stdin", from_stdin))
        if not given
    ]
    if missing and not is_terminal:
        raise UsageError(
            f"there is no terminal to ask on, and {' and '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing",
            hint="In a script: smolctl login --username NAME --password-stdin REGISTRY < FILE",
        )
    if username is None:
        username = ask("Username: ", invocation.output)
    _check("user name", username)
    if ":" in username:
        raise UsageError("a user name cannot have a colon in it")
    secret = ask_secret("Password: ", invocation.output) if is_terminal else _piped_secret()
    _check("password", secret)
    return username, secret


def _piped_secret() -> str:
    """Read standard input to its end; a newline there is the text editor's, not the password's."""
    content = sys.stdin.buffer.read(_LONGEST_SECRET + 1)
    if len(content) > _LONGEST_SECRET:
        raise UsageError("standard input is too long to be a password")
    return content.decode(errors="surrogateescape").removesuffix("\n").removesuffix("\r")


def _check(what: str, text: str) -> None:
    """Raise `UsageError` for what cannot be sent (RFC 7617, section 2)."""
    if not text:
        raise UsageError(f"the {what} is empty")
    if _CONTROL.search(text):
        raise UsageError(
            f"the {what} has a line break, a control character or what is not UTF-8 in it"
        )
