"""Docker Hub's description of a repository, as its API has it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from smolctl.errors import IntegrityError, RegistryUnavailable
from smolctl.registry.hub_description import fetch_page, hub_description
from tests.support.faulty_registry import Answer, Endless, instead

if TYPE_CHECKING:
    from tests.support.faulty_registry import FaultyRegistry


def test_the_whole_one_is_wanted() -> None:
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return json.dumps({"full_description": "# Long", "description": "short"}).encode()

    assert hub_description("ai/smollm2", fetch) == "# Long"
    assert asked == ["https://hub.docker.com/v2/repositories/ai/smollm2/"]


@pytest.mark.parametrize(
    ("content", "said"), [(b"{}", None), (b'{"description": "short"}', "short")]
)
def test_without_it_the_short_one_will_do(content: bytes, said: str | None) -> None:
    assert hub_description("ai/smollm2", lambda _: content) == said


@pytest.mark.parametrize("content", [b"<html>", b'{"full_description": 1}'])
def test_what_is_none_is_an_error(content: bytes) -> None:
    with pytest.raises(IntegrityError, match="description on Docker Hub"):
        hub_description("ai/smollm2", lambda _: content)


def test_a_page_is_fetched(registry: FaultyRegistry) -> None:
    registry.spoil("/page", instead(Answer.of(b"text")), times=1)
    url = f"http://{registry.host}/page"
    assert fetch_page(url) == b"text"
    with pytest.raises(RegistryUnavailable, match="404"):
        fetch_page(url)


def test_no_more_of_it_than_a_page_has(registry: FaultyRegistry) -> None:
    endless = Endless(10**12)
    registry.spoil("/page", instead(Answer(200, {}, endless.pieces(), endless.size)))
    with pytest.raises(IntegrityError, match="more than"):
        fetch_page(f"http://{registry.host}/page")
