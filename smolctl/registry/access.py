"""How this machine gets to registries: the environment, `config.toml` and flags, put together."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from smolctl.configuration import Configuration
from smolctl.errors import UsageError
from smolctl.registry.client import RegistryClient
from smolctl.registry.credentials import Credentials, find_credentials
from smolctl.registry.pull import pull
from smolctl.registry.retry import RetryPolicy
from smolctl.registry.source import open_sources
from smolctl.registry.transfer_options import TransferOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from smolctl.model.reference import Reference
    from smolctl.registry.progress import Progress
    from smolctl.registry.pull import Pull
    from smolctl.registry.source import Source
    from smolctl.settings import Settings
    from smolctl.store.store import Store


@dataclass(frozen=True)
class RegistryAccess:
    """The way to registries. Flags win over `config.toml`; those not given say nothing.

    `plain_http` and `ca_file` are about the registry `flagged`, or with None about whichever is
    asked for. `config.toml` is read each time, so that a mistake in it stops nothing else, and a
    process that goes on for long follows it.
    """

    settings: Settings
    offline: bool = False
    plain_http: bool = False
    ca_file: Path | None = None
    max_connections: int | None = None
    retries: int | None = None
    flagged: str | None = None

    def client(
        self,
        registry: str,
        find: Callable[[], Credentials | None],
        tell: Callable[[str], None],
    ) -> RegistryClient:
        """Return a client of `registry` with what `find` finds; `UsageError` when offline."""
        configuration = self._configuration(registry)
        reached = configuration.of(registry)
        return RegistryClient(
            registry,
            plain_http=reached.plain_http,
            ca_file=reached.ca_file,
            ca_bundle=self.settings.ca_bundle,
            find_credentials=find,
            retries=_retry_policy(configuration),
            tell=tell,
        )

    def pull(self, store: Store, reference: Reference, progress: Progress) -> Pull:
        """Pull `reference` into `store`, from a mirror or its registry, as `pull` does.

        Raises `UsageError` when offline.
        """
        with self.sources(reference, progress.notice) as (sources, connections):
            options = replace(TransferOptions(), connections=connections)
            return pull(store, sources, reference, progress, options)

    @contextmanager
    def sources(
        self, reference: Reference, tell: Callable[[str], None]
    ) -> Iterator[tuple[tuple[Source, ...], int]]:
        """Give the sources of the model, and how many connections each may have open.

        `tell` hears of retries. Raises `UsageError` when offline.
        """
        configuration = self._configuration(reference.registry)
        connections = configuration.max_connections or TransferOptions().connections
        with open_sources(
            reference,
            configuration,
            connections=connections,
            retries=_retry_policy(configuration),
            ca_bundle=self.settings.ca_bundle,
            find_credentials=self._find_credentials,
            tell=tell,
        ) as sources:
            yield sources, connections

    def _configuration(self, registry: str) -> Configuration:
        """Return what `config.toml` says, with the flags that are about `registry` on top."""
        if self.offline:
            raise UsageError(f"--offline keeps smolctl away from {registry}")
        flags_apply = self.flagged in (None, registry)
        return Configuration.read(self.settings.configuration).overridden(
            registry,
            plain_http=(flags_apply and self.plain_http) or None,
            ca_file=self.ca_file if flags_apply else None,
            max_connections=self.max_connections,
            retries=self.retries,
        )

    def _find_credentials(self, registry: str, repository: str) -> Credentials | None:
        account = self.settings.docker_hub_account
        return find_credentials(
            self.settings.credential_file,
            registry,
            repository,
            docker_hub=Credentials(*account) if account is not None else None,
        )


def _retry_policy(configuration: Configuration) -> RetryPolicy:
    if configuration.retries is None:
        return RetryPolicy()
    return RetryPolicy(retries=configuration.retries)
