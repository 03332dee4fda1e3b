"""What to do next when a registry has not what was asked for, or does not take what is sent."""

from __future__ import annotations

import difflib
from contextlib import contextmanager
from typing import TYPE_CHECKING

from smolctl.errors import AccessDenied, ModelNotFound, SmolctlError
from smolctl.model.reference import DOCKER_HUB

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from smolctl.model.reference import Reference
    from smolctl.registry.source import Source

_SHOWN_TAGS = 8
_DOCKERS_NAMESPACE = "ai/"


@contextmanager
def next_step(sources: Sequence[Source], reference: Reference) -> Iterator[None]:
    """Have a `ModelNotFound` of the block say which tags there are, or where else to look.

    The registry, the last of `sources`, is asked for them, once; what keeps it from answering
    changes nothing.
    """
    try:
        yield
    except ModelNotFound as error:
        if error.hint is not None:
            raise
        hint = _tags_there(sources[-1], reference)
        if hint is None:
            raise
        raise ModelNotFound(error.message, hint=hint) from None


def _tags_there(source: Source, reference: Reference) -> str | None:
    try:
        tags = source.client.tags(reference.repository, once=True)
    except ModelNotFound as error:
        return error.hint or search_hint(reference)
    except SmolctlError:
        return None  # what failed is the command, not the attempt to help
    listing = f"`smolctl model variants {reference.name}`"
    if reference.tag is None or not tags:
        return f"{listing} lists what is there."
    near = difflib.get_close_matches(reference.tag, tags, n=_SHOWN_TAGS, cutoff=0)
    more = f" and {len(tags) - len(near)} more" if len(tags) > len(near) else ""
    return f"Tags there: {', '.join(near)}{more}. {listing} says what they are."


@contextmanager
def searching(reference: Reference) -> Iterator[None]:
    """Have a `ModelNotFound` of the block, about a whole repository, say where else to look."""
    try:
        yield
    except ModelNotFound as error:
        raise ModelNotFound(error.message, hint=error.hint or search_hint(reference)) from None


@contextmanager
def own_name(reference: Reference) -> Iterator[None]:
    """Have a refusal of Docker Hub, which was sent `reference`, say whose its namespace is.

    A name without a namespace is one of `ai`, where only Docker may write.
    """
    try:
        yield
    except (AccessDenied, ModelNotFound) as error:
        is_theirs = reference.registry == DOCKER_HUB and reference.repository.startswith(
            _DOCKERS_NAMESPACE
        )
        if not is_theirs:
            raise
        here = reference.familiar()
        raise AccessDenied(
            f"Docker Hub does not let you write to {here}: `ai` is Docker's own namespace",
            hint=f"Name it after yours: smolctl model tag {here} docker.io/YOU/"
            f"{here.removeprefix(_DOCKERS_NAMESPACE)}; or after another registry.",
        ) from error


def search_hint(reference: Reference) -> str:
    """Return how to look for what is not under the name `reference`."""
    if reference.registry == DOCKER_HUB:
        return (
            "Check the spelling (`smolctl model search` looks for models);"
            " for a private one, log in with `smolctl login`."
        )
    return f"`smolctl model search --registry {reference.registry}` lists what is there."
