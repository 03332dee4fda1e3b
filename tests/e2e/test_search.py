"""`smolctl model search`: Docker Hub behind a proxy that alone knows it, and a registry."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.support.certificates import make_certificate
from tests.support.faulty_registry import Answer, FaultyRegistry, error, instead, pack
from tests.support.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.processes import Smolctl

HUB = "hub.docker.com"
LISTED = {
    "next": None,
    "results": [
        {
            "name": "smollm2",
            "description": "Tiny\x1b[2J LLM, " + "fast " * 30,
            "pull_count": 1234567,
        },
        {"name": "qwen3", "description": "Large", "pull_count": 12, "star_count": 7},
    ],
}


@contextmanager
def docker_hub(smolctl: Smolctl, folder: Path, answer: Answer) -> Iterator[FaultyRegistry]:
    with (
        FaultyRegistry(make_certificate(folder, HUB)) as hub,
        Proxy({f"{HUB}:443": hub.port}) as proxy,
    ):
        hub.spoil("/v2/namespaces/ai/repositories", instead(answer))
        smolctl.environment["HTTPS_PROXY"] = f"http://{proxy.host}"
        smolctl.environment["SSL_CERT_FILE"] = str(folder / "ca.pem")
        yield hub


def catalog(registry: FaultyRegistry, *paths: str) -> None:
    registry.spoil("/_catalog", instead(Answer.of(json.dumps({"repositories": paths}).encode())))


class TestDockerHub:
    def test_is_searched_by_words(self, smolctl: Smolctl, tmp_path: Path) -> None:
        with docker_hub(smolctl, tmp_path, Answer.of(json.dumps(LISTED).encode())) as hub:
            table = smolctl("model", "search", "TINY", expect=0)
            names = smolctl("model", "search", "-q", "-n", "1", expect=0)
            found = smolctl("model", "search", "--json", expect=0)
            none = smolctl("model", "search", "tiny", "qwen", expect=0)
            code, drawn = smolctl.on_a_terminal("model", "search")

        header, row = table.stdout.splitlines()
        assert header.split() == ["NAME", "DESCRIPTION", "DOWNLOADS", "STARS", "HERE"]
        assert row.split()[:3] == ["ai/smollm2", "Tiny[2J", "LLM,"]
        assert row.split()[-3:] == ["1.23M", "-", "-"]
        assert (names.stdout, names.stderr.count("\n")) == ("ai/smollm2\n", 1)
        assert "1 more" in names.stderr
        qwen = json.loads(found.stdout)[1]
        assert (qwen["name"], qwen["downloads"], qwen["stars"], qwen["here"]) == (
            "ai/qwen3",
            12,
            7,
            False,
        )
        assert none.stdout == ""
        assert none.stderr == "No models with tiny and qwen were found in docker.io.\n"
        assert code == 0
        assert b"\x1b" not in drawn
        assert all(request.authorization is None for request in hub.requests)

    def test_that_is_busy_is_an_error(self, smolctl: Smolctl, tmp_path: Path) -> None:
        with docker_hub(smolctl, tmp_path, error(429, "TOOMANYREQUESTS")):
            done = smolctl("model", "search", "qwen", expect=5)
        assert (done.stdout, f"{HUB} answered 429" in done.stderr) == ("", True)

    def test_that_nobody_vouches_for_is_an_error(self, smolctl: Smolctl, tmp_path: Path) -> None:
        with docker_hub(smolctl, tmp_path, Answer.of(json.dumps(LISTED).encode())):
            del smolctl.environment["SSL_CERT_FILE"]
            done = smolctl("model", "search", expect=5)
            smolctl("model", "search", "--ca-file", tmp_path / "ca.pem", expect=0)
        assert f"no trusted TLS connection to {HUB}" in done.stderr_lines[0]
        assert "--ca-file" in done.stderr_lines[1]

    def test_that_cannot_be_reached_is_an_error(self, smolctl: Smolctl) -> None:
        with Proxy({}) as proxy:
            smolctl.environment["HTTPS_PROXY"] = f"http://{proxy.host}"
            done = smolctl("model", "search", "qwen", expect=5)
            smolctl.configure(
                '[registry."docker.io"]\nmirrors = ["http://cache.lan:5000/docker.io", "m.example"]'
            )
            mirrored = smolctl("model", "search", "qwen", expect=5)
        assert done.stdout == ""
        assert f"cannot reach {HUB} through the proxy" in done.stderr_lines[0]
        assert mirrored.stderr_lines[-1].endswith(
            "--registry cache.lan:5000 --plain-http or --registry m.example"
        )

    @pytest.mark.parametrize("flags", [[], ["--registry", "registry.example"]])
    def test_is_not_asked_offline(self, smolctl: Smolctl, flags: list[str]) -> None:
        done = smolctl("model", "search", "--offline", *flags, "qwen", expect=2)
        assert "--offline keeps smolctl away from" in done.stderr
        smolctl.environment["SMOLCTL_OFFLINE"] = "1"
        done = smolctl("model", "search", *flags, "qwen", expect=2)
        assert "SMOLCTL_OFFLINE keeps smolctl away from" in done.stderr


class TestARegistry:
    def test_gives_names_that_can_be_pulled(
        self, smolctl: Smolctl, registry: FaultyRegistry
    ) -> None:
        registry.publish("team/small", "latest", pack())
        catalog(registry, "team/small", "team/large")

        name = smolctl("model", "search", "-q", "--registry", registry.host, "small").stdout
        smolctl("model", "pull", name.strip(), expect=0)
        done = smolctl("model", "search", "--registry", f"https://{registry.host}/", expect=0)

        assert name == f"{registry.host}/team/small\n"
        assert [line.split() for line in done.stdout.splitlines()] == [
            ["NAME", "HERE"],
            [f"{registry.host}/team/large", "-"],
            [f"{registry.host}/team/small", "here"],
        ]

    def test_that_is_the_default_is_searched_without_being_named(
        self, smolctl: Smolctl, registry: FaultyRegistry
    ) -> None:
        smolctl.environment["SMOLCTL_DEFAULT_REGISTRY"] = registry.host
        catalog(registry, "ai/small", "bare")

        done = smolctl("model", "search", "-q", expect=0)

        assert done.stdout == f"ai/small\n{registry.host}/bare\n"

    def test_that_lists_nothing_says_what_can_be_asked(
        self, smolctl: Smolctl, registry: FaultyRegistry
    ) -> None:
        registry.spoil("/_catalog", instead(error(404, "NOT_FOUND")))

        done = smolctl("model", "search", "--registry", registry.host, expect=5)

        assert done.stderr_lines[0] == f"smolctl: {registry.host} does not list its models"
        assert f"smolctl model variants {registry.host}/NAME" in done.stderr_lines[1]

    def test_that_is_none_is_a_mistake(self, smolctl: Smolctl) -> None:
        assert "not a registry" in smolctl("model", "search", "--registry", "a b", expect=2).stderr
