"""How this machine gets to registries: the environment, `config.toml` and flags, put together."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
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
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from smolctl.configuration import Mirror
    from smolctl.model.reference import Reference
    from smolctl.registry.progress import Progress
    from smolctl.registry.pull import Pull
    from smolctl.registry.push import Push
    from smolctl.registry.source import Source
    from smolctl.registry.upload_client import UploadClient
    from smolctl.settings import Settings
    from smolctl.store.store import Store, StoredModel


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

    def known_client(self, registry: str, tell: Callable[[str], None]) -> RegistryClient:
        """Return a client of `registry` with what is kept for all of it; `UsageError` offline."""
        return self.client(registry, lambda: self._find_credentials(registry, None), tell)

    def mirrors(self, registry: str) -> tuple[Mirror, ...]:
        """Return the mirrors that `config.toml` has for `registry`. Raises `UsageError`."""
        return Configuration.read(self.settings.configuration).of(registry).mirrors

    def pull(self, store: Store, reference: Reference, progress: Progress) -> Pull:
        """Pull `reference` into `store`, from a mirror or its registry, as `pull` does.

        Raises `UsageError` when offline.
        """
        with self.sources(reference, progress.notice) as (sources, options):
            return pull(store, sources, reference, progress, options)

    def copy(
        self, there: RegistryAccess, origin: Reference, target: Reference, progress: Progress
    ) -> Push:
        """Copy `origin`, which `there` is the way to, to `target`, as `copy` does.

        Raises `UsageError` when offline.
        """
        from smolctl.registry.copying import copy

        options = _transfer_options(self._configuration(target.registry))
        mounts = [origin.repository] if origin.registry == target.registry else []
        with (
            there.sources(origin, progress.notice) as (sources, _),
            self.upload_client(target, mounts, progress.notice) as client,
        ):
            return copy(sources, origin, client, target, progress, options)

    def push(
        self, store: Store, model: StoredModel, reference: Reference, progress: Progress
    ) -> Push:
        """Push `model`, which is in `store`, to the registry of `reference`, as `push` does.

        Raises `UsageError` when offline.
        """
        from smolctl.registry.next_step import own_name
        from smolctl.registry.push import mountable, push

        options = _transfer_options(self._configuration(reference.registry))
        mounts = mountable(store, model, reference)
        with self.upload_client(reference, mounts, progress.notice) as client, own_name(reference):
            return push(store, model, client, reference, progress, options)

    def upload_client(
        self, reference: Reference, mounts: Sequence[str], tell: Callable[[str], None]
    ) -> UploadClient:
        """Return a client that writes to the repository of `reference`, and mounts from `mounts`.

        No mirror is written to. Raises `UsageError` when offline.
        """
        from smolctl.registry.upload_client import UploadClient

        configuration = self._configuration(reference.registry)
        reached = configuration.of(reference.registry)
        return UploadClient(
            reference.registry,
            reference.repository,
            mounts=mounts,
            plain_http=reached.plain_http,
            ca_file=reached.ca_file,
            ca_bundle=self.settings.ca_bundle,
            find_credentials=lambda: self._find_credentials(
                reference.registry, reference.repository
            ),
            retries=_retry_policy(configuration),
            connections=_transfer_options(configuration).connections,
            tell=tell,
        )

    @contextmanager
    def sources(
        self, reference: Reference, tell: Callable[[str], None]
    ) -> Iterator[tuple[tuple[Source, ...], TransferOptions]]:
        """Give the sources of the model, and how many connections each may have open.

        `tell` hears of retries. Raises `UsageError` when offline.
        """
        configuration = self._configuration(reference.registry)
        options = _transfer_options(configuration)
        with open_sources(
            reference,
            configuration,
            connections=options.connections,
            retries=_retry_policy(configuration),
            ca_bundle=self.settings.ca_bundle,
            find_credentials=self._find_credentials,
            tell=tell,
        ) as sources:
            yield sources, options

    def _configuration(self, registry: str) -> Configuration:
        """Return what `config.toml` says, with the flags that are about `registry` on top."""
        if self.offline:
            raise UsageError(f"{self.settings.offline_by} keeps smolctl away from {registry}")
        flags_apply = self.flagged in (None, registry)
        return Configuration.read(self.settings.configuration).overridden(
            registry,
            plain_http=(flags_apply and self.plain_http) or None,
            ca_file=self.ca_file if flags_apply else None,
            max_connections=self.max_connections,
            retries=self.retries,
        )

    def _find_credentials(self, registry: str, repository: str | None) -> Credentials | None:
        account = self.settings.docker_hub_account
        return find_credentials(
            self.settings.credential_file,
            registry,
            repository,
            docker_hub=Credentials(*account) if account is not None else None,
        )


def _transfer_options(configuration: Configuration) -> TransferOptions:
    if configuration.max_connections is None:
        return TransferOptions()
    return TransferOptions(connections=configuration.max_connections)


def _retry_policy(configuration: Configuration) -> RetryPolicy:
    if configuration.retries is None:
        return RetryPolicy()
    return RetryPolicy(retries=configuration.retries)
