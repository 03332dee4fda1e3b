"""Looking for models by words: those of Docker Hub's `ai` namespace, and those of any registry.

Docker Hub says more of its repositories than a registry can, on another host and without
credentials. Source: Docker Hub's API, `GET /v2/namespaces/{namespace}/repositories`. It is read
whole, a few pages, and searched here, as `docker model search` does: it looks into names alone.
A registry has nothing but names. Source: OCI distribution specification 1.1, and for `_catalog`,
which it leaves to implementations, that of Docker's registry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from smolctl.errors import AccessDenied, IntegrityError, ModelNotFound, RegistryUnavailable
from smolctl.model import document
from smolctl.model.reference import DEFAULT_NAMESPACE, DOCKER_HUB, is_repository
from smolctl.model.units import parse_time
from smolctl.registry.retry import TransientFailure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from smolctl.registry.client import RegistryClient

HUB_HOST = "hub.docker.com"
MAXIMUM_REPOSITORIES = 10_000
"""Of a registry, so many names are looked at."""

_ADDRESS = f"https://{HUB_HOST}/v2/namespaces/{DEFAULT_NAMESPACE}/repositories"
_PAGE = 100
_MAXIMUM_PAGES = 30
_MAXIMUM_DESCRIPTION = 500


@dataclass(frozen=True)
class FoundModel:
    """A repository that was found. What is None its registry does not say."""

    registry: str
    repository: str
    description: str | None = None
    downloads: int | None = None
    stars: int | None = None
    updated: datetime | None = None

    def has(self, words: Sequence[str]) -> bool:
        """Whether each of `words` is in the name or the description, in whichever case."""
        text = f"{self.repository} {self.description or ''}".casefold()
        return all(word.casefold() in text for word in words)


def search_docker_hub(words: Sequence[str], fetch: Callable[[str], bytes]) -> list[FoundModel]:
    """Return the models of Docker Hub's `ai` namespace that have all `words`, most pulled first.

    `fetch` returns what is at an address (`fetch_page`). Raises what it does, and `IntegrityError`
    when that is no list. An entry that makes no sense is left out.
    """
    what = "list of models on Docker Hub"
    found: dict[str, FoundModel] = {}
    for number in range(1, _MAXIMUM_PAGES + 1):
        # Pages are counted, and the address of the next one is not followed: it is a stranger's.
        page = document.parse_object(fetch(f"{_ADDRESS}?page_size={_PAGE}&page={number}"), what)
        entries = document.children(page, "results", what)
        before = len(found)
        for entry in entries:
            model = _hub_model(entry)
            if model is not None:
                found.setdefault(model.repository, model)
        if not page.get("next") or len(found) == before:
            break
    matching = [model for model in found.values() if model.has(words)]
    return sorted(matching, key=lambda model: (-(model.downloads or 0), model.repository))


def search_registry(words: Sequence[str], client: RegistryClient) -> list[FoundModel]:
    """Return the repositories of a registry that have all `words` in their names, by name.

    Raises `AccessDenied` and `RegistryUnavailable`, also of a registry that lists none, and
    `IntegrityError` for what is no list.
    """
    registry = client.registry
    hint = (
        f"Many registries list nothing. `smolctl model variants {registry}/NAME` shows the tags of"
        " a model that you know."
    )
    try:
        paths = client.repositories(MAXIMUM_REPOSITORIES)
    except AccessDenied as error:
        login = f"{error.hint} " if error.hint else ""
        raise AccessDenied(error.message, hint=f"{login}{hint}") from error
    except ModelNotFound as error:
        raise RegistryUnavailable(f"{registry} does not list its models", hint=hint) from error
    except TransientFailure:
        raise
    except RegistryUnavailable as error:
        raise RegistryUnavailable(error.message, hint=error.hint or hint) from error
    found = [FoundModel(registry, path) for path in paths]
    return sorted((m for m in found if m.has(words)), key=lambda model: model.repository)


def _hub_model(entry: document.JsonObject) -> FoundModel | None:
    what = "entry"
    try:
        name = document.text(entry, "name", what)
        repository = f"{DEFAULT_NAMESPACE}/{name}"
        if name is None or entry.get("is_private") or not is_repository(repository):
            return None
        description = document.text(entry, "description", what)
        updated = document.text(entry, "last_updated", what)
        return FoundModel(
            DOCKER_HUB,
            repository,
            description[:_MAXIMUM_DESCRIPTION] if description is not None else None,
            document.integer(entry, "pull_count", what),
            document.integer(entry, "star_count", what),
            parse_time(updated) if updated is not None else None,
        )
    except IntegrityError:
        return None
