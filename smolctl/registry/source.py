"""Where a model can be had: the mirrors of its registry first, the registry itself last.

A mirror is there to be faster or nearer, and nothing depends on it. One that is out of reach,
refuses, lacks what is asked for or serves something else is passed over; what the registry itself
answers is final. Each source has a client, and with it credentials, of its own: a mirror is shown
those that are stored for the mirror's host, and never the registry's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from smolctl.errors import (
    AccessDenied,
    IntegrityError,
    ModelNotFound,
    RegistryUnavailable,
    SmolctlError,
)
from smolctl.registry.client import RegistryClient

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from smolctl.configuration import Configuration
    from smolctl.model.reference import Reference
    from smolctl.registry.credentials import Credentials
    from smolctl.registry.transfer import TransferOptions

T = TypeVar("T")

_PASSED_OVER = (ModelNotFound, AccessDenied, RegistryUnavailable, IntegrityError)


@dataclass(frozen=True)
class Source:
    """Where a repository can be had: a registry's client, and the repository's path there."""

    client: RegistryClient
    repository: str

    def reference(self, reference: Reference) -> Reference:
        """Return the name that `reference`, of the registry that is mirrored, has here."""
        return replace(reference, registry=self.client.registry, repository=self.repository)


PassedOver = Callable[[Source, SmolctlError], None]
"""Told of a source that is passed over, and why."""


def say_nothing(source: Source, error: SmolctlError) -> None:
    """Be a `PassedOver` that keeps quiet."""
    del source, error


def first(
    sources: Sequence[Source], ask: Callable[[Source], T], passed_over: PassedOver = say_nothing
) -> T:
    """Return what `ask` gets from the first of `sources` that has it; the last is the origin.

    Whatever `ask` raises of the origin is raised here, and so is of any source what has nothing
    to do with that source, such as a full disk.
    """
    *mirrors, origin = sources
    for mirror in mirrors:
        try:
            return ask(mirror)
        except _PASSED_OVER as error:
            passed_over(mirror, error)
    return ask(origin)


@contextmanager
def open_sources(
    reference: Reference,
    configuration: Configuration,
    options: TransferOptions,
    *,
    ca_bundle: Path | None = None,
    find_credentials: Callable[[str], Credentials | None] = lambda _: None,
    tell: Callable[[str], None] = lambda _: None,
) -> Iterator[tuple[Source, ...]]:
    """Give the sources of the repository of `reference` in the order to ask them.

    `find_credentials` gets a registry's name, when that registry first wants some; `tell` hears
    of retries. Nothing is sent before a source is asked; all connections are closed at the end
    of the block.
    """
    with ExitStack() as clients:

        def client(registry: str, plain_http: bool | None) -> RegistryClient:
            return clients.enter_context(
                RegistryClient(
                    registry,
                    plain_http=plain_http,
                    ca_file=configuration.of(registry).ca_file,
                    ca_bundle=ca_bundle,
                    find_credentials=lambda: find_credentials(registry),
                    retries=options.retries,
                    connections=options.connections,
                    tell=tell,
                )
            )

        origin = configuration.of(reference.registry)
        sources = []
        for mirror in origin.mirrors:
            plain_http = mirror.plain_http
            if plain_http is None:
                plain_http = configuration.of(mirror.registry).plain_http
            repository = mirror.repository(reference.repository)
            sources.append(Source(client(mirror.registry, plain_http), repository))
        sources.append(Source(client(reference.registry, origin.plain_http), reference.repository))
        yield tuple(sources)
