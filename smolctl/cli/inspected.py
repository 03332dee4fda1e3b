"""Everything about one model, of the cache or of a registry, before it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from smolctl.errors import IntegrityError, ModelNotFound, SmolctlError
from smolctl.model.gguf import GGUFHeader, read_file
from smolctl.model.layer import Packing, Role
from smolctl.store.files import model_files
from smolctl.store.store import Store, StoredModel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from smolctl.cli.invocation import Invocation
    from smolctl.model.artifact import Artifact
    from smolctl.model.layer import Layer
    from smolctl.model.reference import Reference

_SMALL = 64 * 1024
"""Bytes of a license from whose beginning its name is read, unless it is asked for itself."""


@dataclass(frozen=True)
class Inspected:
    """A model, wherever it is. `problem` says why `header` is None, where it is.

    `read` returns a small layer's content, checked. A model of a registry has the name that it
    was asked for by, and those that it has here.
    """

    model: StoredModel
    artifact: Artifact
    header: GGUFHeader | None
    problem: str | None
    read: Callable[[Layer, str], bytes]

    @property
    def weights_bytes(self) -> int:
        """The bytes of all layers that are weights."""
        return sum(layer.descriptor.size for layer in self.artifact.with_role(Role.WEIGHTS))

    @property
    def context_size(self) -> int | None:
        """The context to run it with, in tokens: the artifact's, else the file's."""
        stated = self.artifact.config.context_size
        return stated or (self.header.context_length if self.header else None)

    def template(self) -> str:
        """Return the chat template: the artifact's own, else the file's.

        Raises `ModelNotFound` when it has none, and what `read` does.
        """
        layers = self.artifact.with_role(Role.CHAT_TEMPLATE)
        if layers:
            return _text(self.read(layers[0], "chat template"))
        if self.header is not None and self.header.chat_template:
            return self.header.chat_template
        raise ModelNotFound(
            f"{self.model.id.short} has no chat template"
            + (f": {self.problem}" if self.problem else ""),
            hint="`run` gives it ChatML." if self.header is not None else None,
        )

    def licenses(self) -> Iterator[str]:
        """Yield the text of each license layer. Raises what `read` does."""
        for layer in self.artifact.with_role(Role.LICENSE):
            yield _text(self.read(layer, "license"))

    def license_name(self) -> str | None:
        """Return the license's name as the file says it, else the first line of its text."""
        if self.header is not None and self.header.license:
            return self.header.license
        for layer in self.artifact.with_role(Role.LICENSE):
            if layer.descriptor.size > _SMALL:
                return None
            try:
                text = _text(self.read(layer, "license"))
            except SmolctlError:
                return None  # it is there; what keeps us from it shows when it is asked for
            return next((line.strip() for line in text.splitlines() if line.strip()), None)
        return None


def inspect_here(store: Store, name: str) -> Inspected:
    """Return the model that `name` means here.

    Raises `ModelNotFound`, `IntegrityError`, `NotRunnable` when it is no model.
    """
    model = store.get(name)
    artifact = store.artifact(model)

    def read(layer: Layer, what: str) -> bytes:
        _check_plain(layer, what)
        return store.blobs.read(layer.descriptor, what)

    try:
        header = read_file(model_files(store, artifact).weights[0])
    except SmolctlError as error:
        return Inspected(model, artifact, None, error.message, read)
    return Inspected(model, artifact, header, None, read)


def inspect_remote(
    invocation: Invocation, reference: Reference, read_out: Callable[[Inspected], None]
) -> None:
    """Call `read_out` with the model that `reference` names in its registry, while it can be read.

    Raises `UsageError` when offline, and what fetching its documents does.
    """
    from smolctl.registry.next_step import next_step
    from smolctl.registry.remote_model import fetch_document, read_model, serve_manifest

    store = invocation.store
    with invocation.registries.sources(reference, invocation.output.notice) as (sources, _):
        with next_step(sources, reference):
            served = serve_manifest(sources, reference)
        remote = read_model(served, store.blobs)

        def read(layer: Layer, what: str) -> bytes:
            _check_plain(layer, what)
            return fetch_document(served, store.blobs, layer.descriptor, what)

        same = (model for model in store.models() if model.id == served.descriptor.digest)
        here = {name: None for model in same for name in model.names}
        model = StoredModel(served.descriptor, tuple({reference: None, **here}))
        read_out(Inspected(model, remote.artifact, remote.header, remote.problem, read))


def _check_plain(layer: Layer, what: str) -> None:
    if layer.packing is not Packing.RAW:
        raise IntegrityError(f"the {what} is in an archive ({layer.packing.value})")


def _text(content: bytes) -> str:
    return content.decode(errors="replace")
