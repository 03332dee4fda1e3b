"""`smolctl logout`."""

from __future__ import annotations

import typer

from smolctl.cli.invocation import Invocation
from smolctl.cli.options import RegistryArgument, named_registry
from smolctl.model.reference import DOCKER_HUB

EXAMPLES = (
    ("Docker Hub", "smolctl logout"),
    ("Another registry", "smolctl logout registry.example.com"),
)


def command(ctx: typer.Context, registry: RegistryArgument = DOCKER_HUB) -> None:
    """Forget the credentials for a registry, also those that docker or podman stored.

    They are taken out of the file and the credential helper that `smolctl login` writes to.
    """
    from smolctl.registry.login import forget

    invocation = Invocation.of(ctx)
    name = named_registry(registry)
    if forget(invocation.settings.credential_file, name):
        invocation.output.line(f"Logged out of {name}")
    else:
        invocation.output.notice(f"There was nothing to forget: not logged in to {name}.")
    if name == DOCKER_HUB and invocation.settings.docker_hub_account is not None:
        invocation.output.notice("DOCKER_USERNAME and DOCKER_PASSWORD are still set.")
