"""The variants of a model: what each tag of its repository is, before any weights are pulled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from smolctl.errors import SmolctlError
from smolctl.model.gguf_header import ArrayFacts
from smolctl.model.layer import Role
from smolctl.model.reference import DEFAULT_TAG
from smolctl.model.units import format_count
from smolctl.registry.next_step import searching
from smolctl.registry.remote_model import RemoteModel, Served, read_model, serve_manifest
from smolctl.registry.side_by_side import side_by_side
from smolctl.registry.source import first

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from smolctl.model.config import ModelConfig
    from smolctl.model.digest import Digest
    from smolctl.model.gguf_header import GGUFHeader, Scalar
    from smolctl.model.reference import Reference
    from smolctl.registry.source import Source
    from smolctl.store.blobs import Blobs

_KEPT_LETTERS = 200


@dataclass(frozen=True)
class Variant:
    """A model, and the `tags` that name it; what could not be found out is None.

    `size` is what a pull fetches and `weights_bytes` is the part of it that is weights, both in
    bytes; `context` is in tokens. `header` is what the estimate of memory needs, no more. `problem`
    says what is wrong: with the model where `digest` is None or `size` is, else with its header.
    """

    tags: tuple[str, ...]
    digest: Digest | None = None
    size: int | None = None
    weights_bytes: int = 0
    architecture: str | None = None
    parameters: str | None = None
    quantization: str | None = None
    context: int | None = None
    header: GGUFHeader | None = None
    problem: str | None = None


@dataclass(frozen=True)
class Variants:
    """Those of a repository, in the order of their first tags. `more` says that it has more."""

    found: tuple[Variant, ...]
    more: bool


def read_variants(
    sources: Sequence[Source],
    repository: Reference,
    blobs: Blobs,
    *,
    limit: int,
    threads: int,
    tell: Callable[[int, int], None] = lambda done, total: None,  # noqa: ARG005
) -> Variants:
    """Return what the tags of `repository`, the first `limit` of them, are.

    Manifests, configs and headers are fetched over `threads` connections; what is in `blobs` is
    not. `tell` gets how many of how many requests are done. A tag that fails is a variant with a
    problem. Raises what `RegistryClient.tags` does.
    """
    with searching(repository):
        serving, tags = first(sources, lambda source: (source, _tags(source, limit)))
    sources = sources[sources.index(serving) :]
    shown = sorted(tags[:limit])  # a registry should list them so, and docker-registry does not
    done = 0

    def ask(tag: str) -> Served | Variant:
        try:
            return serve_manifest(sources, repository.with_tag(tag))
        except SmolctlError as error:
            return Variant((tag,), problem=error.message)

    answers: dict[str, Served | Variant] = {}
    for tag, answer in side_by_side(shown, ask, threads):
        answers[tag] = answer
        done += 1
        tell(done, 2 * len(shown))

    named: dict[Digest, tuple[Served, list[str]]] = {}
    for tag in shown:
        answer = answers[tag]
        if isinstance(answer, Served):
            named.setdefault(answer.descriptor.digest, (answer, []))[1].append(tag)
    models: dict[Digest, Variant] = {}
    tagged = list(named.values())
    for (served, _), variant in side_by_side(tagged, lambda one: _variant(*one, blobs), threads):
        models[served.descriptor.digest] = variant
        done += 1
        tell(done, len(shown) + len(tagged))

    found: dict[int, Variant] = {}
    for tag in shown:
        answer = answers[tag]
        variant = models[answer.descriptor.digest] if isinstance(answer, Served) else answer
        found.setdefault(id(variant), variant)
    return Variants(tuple(found.values()), len(tags) > limit)


def _tags(source: Source, limit: int) -> list[str]:
    return source.client.tags(source.repository, limit + 1)


def _variant(served: Served, tags: list[str], blobs: Blobs) -> Variant:
    tags = sorted(tags, key=lambda tag: tag != DEFAULT_TAG)
    known = Variant(tuple(tags), served.descriptor.digest)
    try:
        model = read_model(served, blobs, whole_header=False)
    except SmolctlError as error:
        return replace(known, problem=error.message)
    return described(known, model)


def described(known: Variant, model: RemoteModel) -> Variant:
    """Return `known` with what `model` says of itself."""
    artifact, header = model.artifact, model.header
    config = artifact.config
    return replace(
        known,
        size=artifact.size,
        weights_bytes=sum(layer.descriptor.size for layer in artifact.with_role(Role.WEIGHTS)),
        architecture=config.architecture or (header.architecture if header else None),
        parameters=config.parameters or _parameters(header),
        quantization=config.quantization or (header.quantization if header else None),
        context=_context(config, header),
        header=_slim(header) if header else None,
        problem=model.problem,
    )


def _parameters(header: GGUFHeader | None) -> str | None:
    """Return their number; the first of several files has some of them, and does not say more."""
    if header is None or (header.split_count or 1) > 1 or not header.parameters:
        return None
    return format_count(header.parameters)


def _context(config: ModelConfig, header: GGUFHeader | None) -> int | None:
    return config.context_size or (header.context_length if header else None)


def _slim(header: GGUFHeader) -> GGUFHeader:
    """Return `header` without tensors and long texts: of many variants each is kept."""
    kept = {key: _shortened(value) for key, value in header.metadata.items()}
    slim = {key: value for key, value in kept.items() if value is not None}
    return replace(header, metadata=MappingProxyType(slim), tensors=())


def _shortened(value: Scalar | ArrayFacts) -> Scalar | ArrayFacts | None:
    if isinstance(value, ArrayFacts) and value.element_type == "string":
        return replace(value, head=())
    return None if isinstance(value, str) and len(value) > _KEPT_LETTERS else value
