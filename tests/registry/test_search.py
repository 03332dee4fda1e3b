"""Searching Docker Hub, as its API answers, and a registry's catalog."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from smolctl.errors import AccessDenied, IntegrityError, RegistryUnavailable
from smolctl.registry.client import RegistryClient
from smolctl.registry.search import FoundModel, search_docker_hub, search_registry
from tests.support.faulty_registry import Answer, error, instead, unauthorized
from tests.support.pulling import HASTY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.faulty_registry import FaultyRegistry

Json = dict[str, Any]


def entry(name: str, **more: object) -> Json:
    return {"name": name, "namespace": "ai", "is_private": False, **more}


SMOLLM2 = entry(
    "smollm2",
    description="Tiny LLM built for speed",
    pull_count=1_234_567,
    star_count=26,
    last_updated="2025-04-22T08:31:12.123456Z",
)
QWEN = entry("qwen2.5", description="Versatile, for Code", pull_count=999, star_count=3)
CODER = entry("qwen3-coder", pull_count=5000)


class Hub:
    """Docker Hub, with these pages; what was asked for is in `asked`."""

    def __init__(self, *pages: Sequence[object]) -> None:
        self.pages = [list(page) for page in pages]
        self.asked: list[str] = []

    def __call__(self, url: str) -> bytes:
        self.asked.append(url)
        number = len(self.asked)
        following = "https://evil.example/page" if number < len(self.pages) else None
        page = self.pages[number - 1] if number <= len(self.pages) else []
        return json.dumps({"count": 1, "next": following, "results": page}).encode()

    def search(self, *words: str) -> list[str]:
        return [model.repository for model in search_docker_hub(words, self)]


class TestDockerHub:
    def test_what_it_says_of_a_model(self) -> None:
        (found,) = search_docker_hub(["SMOL"], Hub([SMOLLM2]))

        assert (found.registry, found.repository) == ("docker.io", "ai/smollm2")
        assert (found.description, found.downloads) == ("Tiny LLM built for speed", 1_234_567)
        assert found.stars == 26
        assert found.updated is not None
        assert found.updated.year == 2025

    @pytest.mark.parametrize(
        ("words", "names"),
        [
            ([], ["ai/smollm2", "ai/qwen3-coder", "ai/qwen2.5"]),
            (["qwen"], ["ai/qwen3-coder", "ai/qwen2.5"]),
            (["code", "QWEN"], ["ai/qwen3-coder", "ai/qwen2.5"]),
            (["versatile"], ["ai/qwen2.5"]),
            (["qwen", "tiny"], []),
        ],
    )
    def test_all_words_are_looked_for_and_the_most_pulled_come_first(
        self, words: list[str], names: list[str]
    ) -> None:
        assert Hub([QWEN, SMOLLM2, CODER]).search(*words) == names

    def test_pages_are_counted_and_no_address_is_followed(self) -> None:
        hub = Hub([SMOLLM2], [QWEN])
        assert len(hub.search()) == 2
        where = "https://hub.docker.com/v2/namespaces/ai/repositories?page_size=100&page="
        assert hub.asked == [f"{where}1", f"{where}2"]

    def test_pages_without_an_end_are_not_read_to_it(self) -> None:
        hub = Hub(*([entry(f"m{number}")] for number in range(1000)))
        assert len(hub.search()) == 30
        same = Hub(*([SMOLLM2] for _ in range(1000)))
        assert len(same.search()) == 1
        assert len(same.asked) == 2

    @pytest.mark.parametrize(
        "spoiled",
        [
            {"name": 1},
            {"name": None},
            {"name": "../../etc"},
            {"name": "UPPER"},
            {"name": "a\x1b[2J"},
            {"name": "a" * 300},
            {"is_private": True},
            {"description": ["a"]},
            {"pull_count": "many"},
            {"pull_count": -1},
            {"star_count": 2**70},
            {"last_updated": {}},
        ],
    )
    def test_an_entry_that_makes_no_sense_hides_no_other(self, spoiled: Json) -> None:
        assert Hub([{**QWEN, **spoiled}, SMOLLM2]).search() == ["ai/smollm2"]

    def test_a_description_is_cut(self) -> None:
        (found,) = search_docker_hub([], Hub([{**QWEN, "description": "a" * 10_000}]))
        assert len(found.description or "") == 500

    @pytest.mark.parametrize(
        "content", [b"<html>", b"[]", b'{"results": 1}', b'{"results": [1]}', b"[" * 99_999]
    )
    def test_what_is_no_list_is_an_error(self, content: bytes) -> None:
        with pytest.raises(IntegrityError, match="Docker Hub"):
            search_docker_hub([], lambda _: content)


def search(registry: FaultyRegistry, *words: str) -> list[FoundModel]:
    with RegistryClient(registry.host, retries=HASTY) as client:
        return search_registry(words, client)


class TestARegistry:
    def test_lists_its_names_in_pages(self, registry: FaultyRegistry) -> None:
        link = '</v2/_catalog?last=team%2Fa&n=1000>; rel="next"'
        first = Answer.of(b'{"repositories": ["team/small", "team/a", "BAD", "../x"]}', Link=link)
        registry.spoil("/_catalog", instead(first), times=1)
        registry.spoil("/_catalog", instead(Answer.of(b'{"repositories": ["other/small"]}')))

        found = search(registry, "SMALL")

        assert [(m.registry, m.repository) for m in found] == [
            (registry.host, "other/small"),
            (registry.host, "team/small"),
        ]

    @pytest.mark.parametrize("status", [403, 405, 501])
    def test_that_lists_none_says_so(self, registry: FaultyRegistry, status: int) -> None:
        registry.spoil("/_catalog", instead(error(status, "UNSUPPORTED")))
        kind = AccessDenied if status == 403 else RegistryUnavailable

        with pytest.raises(kind) as caught:
            search(registry)

        assert registry.host in caught.value.message
        assert f"smolctl model variants {registry.host}/NAME" in (caught.value.hint or "")
        assert len(registry.requests) == 1

    def test_that_does_not_know_the_address_lists_none(self, registry: FaultyRegistry) -> None:
        registry.spoil("/_catalog", instead(error(404, "NAME_UNKNOWN")))
        with pytest.raises(RegistryUnavailable, match="does not list its models"):
            search(registry)

    def test_that_wants_a_login_says_so(self, registry: FaultyRegistry) -> None:
        registry.spoil("/_catalog", instead(unauthorized('Basic realm="r"')))
        with pytest.raises(AccessDenied, match="wants credentials") as caught:
            search(registry)
        assert f"smolctl login {registry.host}" in (caught.value.hint or "")

    def test_that_refuses_without_a_way_out_still_has_ours(self, registry: FaultyRegistry) -> None:
        challenge = f'Bearer realm="http://{registry.host}/token",service="r"'
        registry.spoil("/_catalog", instead(unauthorized(challenge)))
        registry.spoil("/token", instead(Answer.of(b'{"token": "no token"}')))
        with pytest.raises(AccessDenied, match="granted no usable token") as caught:
            search(registry)
        assert (caught.value.hint or "").startswith("Many registries list nothing.")

    @pytest.mark.parametrize("body", [b"[]", b"<html>", b'{"repositories": 1}'])
    def test_that_answers_nonsense_is_an_error(self, registry: FaultyRegistry, body: bytes) -> None:
        registry.spoil("/_catalog", instead(Answer.of(body)))
        with pytest.raises(IntegrityError, match="list of repositories"):
            search(registry)
