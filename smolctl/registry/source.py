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
from smolctl.registry.retry import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from smolctl.configuration import Configuration
    from smolctl.model.reference import Reference
    from smolctl.registry.credentials import Credentials

T = TypeVar("T")

_RETRIES_OF_A_MIRROR = 2
"""There is somewhere else to go: no need to be patient."""

_PASSED_OVER = (ModelNotFound, AccessDenied, RegistryUnavailable, IntegrityError)


@dataclass(frozen=True)
class Source:
    """Where a repository can be had: a registry's client, and the repository's path there."""

    client: RegistryClient
    repository: str

    def reference(self, reference: Reference) -> Reference:
        """Return the name that `reference`, of the registry that is mirrored, has here."""
        return reference._replace(registry=self.client.registry, repository=self.repository)


PassedOver = Callable[[Source, SmolctlError], None]
"""Told of a source that is passed over, and why."""


def say_nothing(source: Source, error: SmolctlError) -> None:
    """Be a `PassedOver` that keeps quiet."""
    del source, error


def telling(tell: Callable[[str], None]) -> PassedOver:
    """Return a `PassedOver` that says it to `tell`."""

    def passed_over(source: Source, error: SmolctlError) -> None:
        tell(f"Passing over {source.client.registry}: {error.message}")

    return passed_over


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
    *,
    connections: int = 1,
    retries: RetryPolicy = RetryPolicy(),  # noqa: B008 - it is frozen
    ca_bundle: Path | None = None,
    find_credentials: Callable[[str, str], Credentials | None] = lambda *_: None,
    tell: Callable[[str], None] = lambda _: None,
) -> Iterator[tuple[Source, ...]]:
    """Give the sources of the repository of `reference` in the order to ask them.

    Each keeps `connections` open, and asks again as `retries` says, a mirror only a few times.
    `find_credentials` gets a registry and a repository there, when it first wants some; `tell`
    hears of retries. Nothing is sent before a source is asked; all connections are closed at the
    end of the block.
    """
    with ExitStack() as clients:

        def source(
            registry: str, repository: str, plain_http: bool | None, retries: RetryPolicy
        ) -> Source:
            client = clients.enter_context(
                RegistryClient(
                    registry,
                    plain_http=plain_http,
                    ca_file=configuration.of(registry).ca_file,
                    ca_bundle=ca_bundle,
                    find_credentials=lambda: find_credentials(registry, repository),
                    retries=retries,
                    connections=connections,
                    tell=tell,
                )
            )
            return Source(client, repository)

        origin = configuration.of(reference.registry)
        of_a_mirror = replace(retries, retries=min(retries.retries, _RETRIES_OF_A_MIRROR))
        sources = []
        for mirror in origin.mirrors:
            plain_http = mirror.plain_http
            if plain_http is None:
                plain_http = configuration.of(mirror.registry).plain_http
            repository = mirror.repository(reference.repository)
            sources.append(source(mirror.registry, repository, plain_http, of_a_mirror))
        sources.append(source(reference.registry, reference.repository, origin.plain_http, retries))
        yield tuple(sources)
