"""What a command works with: the settings, the cache, and the way to a registry."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from smolctl.cli.hugging_face import refuse_hugging_face
from smolctl.cli.layout import is_layout, load_layout
from smolctl.cli.options import NetworkFlags, PullPolicy
from smolctl.errors import (
    AccessDenied,
    InvalidReference,
    ModelNotFound,
    RegistryUnavailable,
    SmolctlError,
    UsageError,
)
from smolctl.model.reference import ModelId, parse_registry
from smolctl.settings import Settings
from smolctl.store.store import Store, StoredModel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import typer

    from smolctl.cli.output import Output
    from smolctl.model.reference import Reference
    from smolctl.registry.access import RegistryAccess
    from smolctl.registry.pull import Pull
    from smolctl.registry.push import Push

_NEAR = 0.9
"""How alike a mistyped name is: one letter of ten."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class Invocation:
    """One command being run."""

    output: Output
    settings: Settings
    offline: bool = False
    network: NetworkFlags = field(default_factory=NetworkFlags)

    @classmethod
    def of(
        cls, ctx: typer.Context, *, offline: bool = False, network: NetworkFlags | None = None
    ) -> Invocation:
        """Return the invocation behind `ctx`, with the environment read and its flags on top."""
        settings = Settings.from_environment(os.environ)
        network = network or NetworkFlags()
        return cls(ctx.find_root().obj, settings, offline or settings.offline, network)

    @cached_property
    def store(self) -> Store:
        """The cache. Nothing is read or made before it is used."""
        return Store(self.settings.home, default_registry=self._default_registry)

    @property
    def _default_registry(self) -> str:
        try:
            return parse_registry(self.settings.default_registry)
        except InvalidReference as error:
            raise UsageError(
                f"SMOLCTL_DEFAULT_REGISTRY is {self.settings.default_registry!r}",
                hint=error.hint or error.message,
            ) from None

    def find(self, name: str) -> StoredModel | None:
        """Return the model here that `name` means, or None.

        Raises `InvalidReference`, and `UsageError` for a name on Hugging Face that is not here.
        """
        if "://" in name:
            refuse_hugging_face(name)
        found = self.store.find(name)
        if found is None:
            refuse_hugging_face(name)
        return found

    def each(
        self, names: Sequence[str], act: Callable[[str], _T]
    ) -> tuple[list[_T], SmolctlError | None]:
        """Return what `act` gives for each of `names`, and the last failure, to be raised.

        One that fails does not keep the others from it, as with rm(1); the failures before the
        last are printed.
        """
        results: list[_T] = []
        failure: SmolctlError | None = None
        for name in names:
            try:
                results.append(act(name))
            except SmolctlError as error:
                if failure is not None:
                    self.output.error(failure.message, failure.hint)
                failure = error
        return results, failure

    @property
    def registries(self) -> RegistryAccess:
        """The way to registries, as the flags say."""
        from smolctl.registry.access import RegistryAccess

        flags = self.network
        return RegistryAccess(
            self.settings,
            self.offline,
            flags.plain_http,
            flags.ca_file,
            flags.max_connections,
            flags.retries,
        )

    def pull(self, reference: Reference, *, quiet: bool = False) -> Pull:
        """Pull `reference` with progress on stderr. Raises `UsageError` when offline.

        Where the registry has it not, and a model here has nearly that name, or has it in another
        namespace or registry, the hint asks whether that was meant.
        """
        from smolctl.cli.progress import transfer_progress

        name = self.store.familiar(reference)
        self.output.on_interrupt(
            f"Interrupted. What was fetched is kept; `smolctl model pull {name}` fetches the rest."
        )
        with transfer_progress(self.output, name, quiet=quiet) as progress:
            try:
                pulled = self.registries.pull(self.store, reference, progress)
            except (ModelNotFound, AccessDenied) as error:
                elsewhere = self._namesake(reference, elsewhere=True)
                error.hint = elsewhere or self._nearly(reference, error) or error.hint
                raise
        self.output.on_interrupt(None)
        return pulled

    def push(self, model: StoredModel, reference: Reference, *, quiet: bool = False) -> Push:
        """Push `model` under `reference` with progress on stderr. `UsageError` when offline."""
        from smolctl.cli.progress import PUSHING, transfer_progress

        name = self.store.familiar(reference)
        self.output.on_interrupt(
            f"Interrupted. The registry keeps the blobs that are whole; `smolctl model push {name}`"
            " sends the rest."
        )
        with transfer_progress(self.output, name, quiet=quiet, words=PUSHING) as progress:
            pushed = self.registries.push(self.store, model, reference, progress)
        self.output.on_interrupt(None)
        return pushed

    def obtain(self, name: str, policy: PullPolicy) -> StoredModel:
        """Return the model that `name` means, pulled first where `policy` says so.

        Raises `ModelNotFound` when it is not here and may not be pulled, `UsageError` where the
        policy needs the network and that is off, and what pulling raises.
        """
        if is_layout(name):
            return load_layout(self, name)[0]
        found = self.find(name)
        if self.offline and policy in (PullPolicy.always, PullPolicy.newer):
            by = self.settings.offline_by
            raise UsageError(f"{by} and --pull {policy.value} contradict each other")
        if found is not None and (policy in (PullPolicy.missing, PullPolicy.never)):
            return found
        reference = self.reference_of(name, found)
        if reference is None:
            if found is not None:  # an ID: its bytes are what they are, nothing can be newer
                return found
            raise ModelNotFound(f"no model here has the ID {name}")
        if policy is PullPolicy.never or self.offline:
            raise self._not_here(name, reference)
        if policy is PullPolicy.newer and found is not None:
            return self._newer(reference, found)
        if found is None:
            self.output.notice(f"{self.store.familiar(reference)} is not here yet: pulling it.")
        try:
            return self.pull(reference).model
        except (ModelNotFound, AccessDenied, RegistryUnavailable) as error:
            error.hint = _file_called(name) or error.hint
            raise

    def _not_here(self, name: str, reference: Reference) -> ModelNotFound:
        """Return what to raise for a model that is not here and may not be pulled."""
        message = f"no such model here: {name}"
        hint = f"`smolctl model pull {self.store.familiar(reference)}` fetches it. "
        if self.offline:
            message = f"{message}, and {self.settings.offline_by} keeps smolctl off the network"
            hint = ""
        listed = "`smolctl model ls` lists what is here."
        found = _file_called(name) or self._namesake(reference) or listed
        return ModelNotFound(message, hint=hint + found)

    def _namesake(self, reference: Reference, *, elsewhere: bool = False) -> str | None:
        """Ask whether a model here was meant that has the name elsewhere: `team/m`, for `m`.

        Or under another tag, unless it is to be `elsewhere`.
        """
        _, _, wanted = reference.repository.rpartition("/")
        named = [tag for model in self.store.models() for tag in model.tags]
        same = [tag for tag in named if tag.repository.rpartition("/")[2] == wanted]
        if elsewhere:
            same = [tag for tag in same if tag.name != reference.name]
        if not same:
            return None
        nearest = min(same, key=lambda tag: tag.tag != reference.tag)
        return f"Did you mean {self.store.familiar(nearest)}, which is here?"

    def _nearly(self, reference: Reference, error: SmolctlError) -> str | None:
        """Ask whether a model here was meant whose name is nearly that, before the error's hint."""
        if isinstance(error, AccessDenied):
            return None
        import difflib

        named = {tag.repository: tag for model in self.store.models() for tag in model.tags}
        named.pop(reference.repository, None)
        near = difflib.get_close_matches(reference.repository, named, n=1, cutoff=_NEAR)
        if not near:
            return None
        meant = f"Did you mean {self.store.familiar(named[near[0]])}, which is here?"
        return f"{meant} {error.hint or ''}".rstrip()

    def reference_of(self, name: str, found: StoredModel | None) -> Reference | None:
        """Return what to pull for `name`; None when it is an ID, which no registry knows."""
        model_id = ModelId.parse(name)
        if model_id is not None and (found is not None or len(name) > len(model_id.hex[:12])):
            return None
        return self.store.parse(name)

    def remote_reference(self, name: str) -> Reference:
        """Return what to ask a registry for; an ID stands for where its model came from.

        Raises `ModelNotFound` for an ID of no model here.
        """
        found = self.store.find(name)
        reference = self.reference_of(name, found)
        if reference is not None:
            return reference
        if found is None or not found.names:
            raise ModelNotFound(
                f"no model here has the ID {name}", hint="A registry knows models by their names."
            )
        return found.names[0].pinned(found.id)

    def _newer(self, reference: Reference, found: StoredModel) -> StoredModel:
        try:
            return self.pull(reference).model
        except RegistryUnavailable as error:
            self.output.notice(f"Going on with the model that is here: {error.message}.")
            return found


def _file_called(name: str) -> str | None:
    """Say how a file is named, where `name` is what one is called: `words.txt`."""
    if not os.path.isfile(name):  # noqa: PTH113 - Path's raises where it cannot be told
        return None
    return f"A file is named by its path: ./{name}"
