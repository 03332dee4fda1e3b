"""Mending a damaged cache: what is damaged comes again from the registries of its models.

A damaged file stays where it is until its replacement is whole and checked, and is then replaced by
a rename: a process that has it open keeps what it has.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smolctl.errors import (
    AccessDenied,
    IntegrityError,
    ModelNotFound,
    RegistryUnavailable,
    SmolctlError,
)
from smolctl.registry.source import first
from smolctl.registry.transfer import Transfer
from smolctl.store.verification import DistrustingBlobs, inspect, verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from smolctl.model.reference import Reference
    from smolctl.registry.progress import Progress
    from smolctl.registry.source import Source
    from smolctl.registry.transfer_options import TransferOptions
    from smolctl.store.store import Store, StoredModel
    from smolctl.store.verification import Damage

    OpenSources = Callable[
        [Reference, Callable[[str], None]],
        AbstractContextManager[tuple[tuple[Source, ...], TransferOptions]],
    ]
    """Gives the sources of a model; `RegistryAccess.sources` is one."""

_ELSEWHERE = (ModelNotFound, AccessDenied, RegistryUnavailable, IntegrityError)
"""What one registry has to say; another may have the blob."""


@dataclass(frozen=True)
class Outcome:
    """What became of a damaged blob: mended, unless `failures` say why not."""

    damage: Damage
    failures: tuple[SmolctlError, ...] = ()

    @property
    def is_mended(self) -> bool:
        """Whether the blob is whole now, or gone where no model needs it."""
        return not self.failures


class Repair:
    """Repairs in `store`; a registry that could not be reached is not asked again."""

    def __init__(self, store: Store, sources: OpenSources, progress: Progress) -> None:
        self._store = store
        self._sources = sources
        self._progress = progress
        self._given_up: dict[tuple[str, str], SmolctlError] = {}

    def mend(self, damages: Sequence[Damage]) -> Iterator[Outcome]:
        """Mend each of `damages`, and yield what became of it.

        Manifests come first, and what they name is looked at then, and mended as well. What no
        model names is deleted. Raises `StorageError` when the disk is full.
        """
        rest = {each.blob.digest: each for each in damages if each.part != "manifest"}
        for damage in damages:
            if damage.part == "manifest":
                outcome = self._mend(damage)
                yield outcome
                if outcome.is_mended:
                    more = verify(self._store, damage.models).damages
                    rest.update({each.blob.digest: each for each in more})
        for damage in rest.values():
            yield self._mend(damage) if damage.models else self._drop(damage)

    def _mend(self, damage: Damage) -> Outcome:
        failures: list[SmolctlError] = []
        for reference in _places(damage.models):
            place = (reference.registry, reference.repository)
            if place in self._given_up:
                failures.append(self._given_up[place])
                continue
            try:
                with self._sources(reference, self._progress.notice) as (sources, options):
                    self._fetch(damage, reference, sources, options)
            except _ELSEWHERE as error:
                failures.append(error)
                if isinstance(error, (AccessDenied, RegistryUnavailable)):
                    self._given_up[place] = error
                continue
            if (wrong := inspect(self._store.blobs, damage.blob)) is None:
                # It may have been made of the damaged bytes; it is made anew when it is needed.
                folder = self._store.blobs.unpacked_path(damage.blob.digest)
                shutil.rmtree(folder, ignore_errors=True)
                return Outcome(damage)
            failures.append(IntegrityError(f"it is still damaged: {wrong[1]}"))
        return Outcome(damage, (*failures,) or (ModelNotFound("no registry is known for it"),))

    def _fetch(
        self,
        damage: Damage,
        reference: Reference,
        sources: Sequence[Source],
        options: TransferOptions,
    ) -> None:
        blobs = DistrustingBlobs(self._store.root, {damage.blob.digest: damage.state})
        if blobs.has(damage.blob):
            return  # somebody else has mended it meanwhile
        if damage.part != "manifest":
            blobs.check_space([damage.blob])
            Transfer(sources, blobs, self._progress, options).fetch([damage.blob])
            return

        def ask(source: Source) -> bytes:
            pinned = source.reference(reference.pinned(damage.blob.digest))
            return source.client.fetch_manifest(pinned).content

        blobs.write_bytes(damage.blob, first(sources, ask))

    def _drop(self, damage: Damage) -> Outcome:
        """Delete a blob that no model names: the next pull would take it for whole."""
        with self._store.nobody_writing() as is_quiet:
            if is_quiet and self._store.drop_unreferenced([damage.blob.digest]):
                return Outcome(damage)
        return Outcome(damage, (IntegrityError(_NOT_NOW),))


_NOT_NOW = (
    "no model names it; it can be deleted when nothing is being pulled and every manifest is whole"
)


def _places(models: Sequence[StoredModel]) -> list[Reference]:
    """Return a name in each repository that the models have one in, tags first."""
    places: dict[tuple[str, str], Reference] = {}
    for model in models:
        for name in (*model.tags, *model.names):
            places.setdefault((name.registry, name.repository), name)
    return list(places.values())
