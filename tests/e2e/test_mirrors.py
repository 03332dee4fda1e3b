"""Getting out of a company, as a person would: `config.toml`, `--ca-file`, proxies."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from tests.support.certificates import make_certificate
from tests.support.faulty_registry import FaultyRegistry, error, instead, pack
from tests.support.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.processes import Finished, Smolctl

HOST = "registry.test"


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[FaultyRegistry]:
    """An HTTPS registry with a certificate in `server.pem` that nobody trusts."""
    with FaultyRegistry(make_certificate(tmp_path, HOST, "127.0.0.1")) as running:
        running.publish("team/model", "v1", pack())
        yield running


@pytest.fixture
def mirror(elsewhere: FaultyRegistry) -> FaultyRegistry:
    elsewhere.publish("team/model", "v1", pack())
    return elsewhere


@pytest.fixture
def name(registry: FaultyRegistry) -> str:
    registry.publish("team/model", "v1", pack())
    return f"{registry.host}/team/model:v1"


def assert_refused(done: Finished, code: int, *words: str) -> None:
    assert (done.code, done.stdout) == (code, "")
    assert len(done.stderr_lines) <= 2
    for word in words:
        assert word in done.stderr


class TestMirrors:
    def test_one_that_works_spares_the_origin(
        self, smolctl: Smolctl, registry: FaultyRegistry, mirror: FaultyRegistry, name: str
    ) -> None:
        smolctl.configure(f"[registry.'{registry.host}']\nmirrors = ['http://{mirror.host}']")

        smolctl("model", "pull", name, expect=0)

        assert registry.requests == []
        listed = json.loads(smolctl("model", "ls", "--json", expect=0).stdout)
        assert [model["tags"] for model in listed] == [[name]]

    def test_one_that_does_not_is_told_of_and_the_origin_asked(
        self, smolctl: Smolctl, registry: FaultyRegistry, mirror: FaultyRegistry, name: str
    ) -> None:
        smolctl.configure(f"[registry.'{registry.host}']\nmirrors = ['{mirror.host}']")
        mirror.spoil("/v2/", instead(error(500, "UNKNOWN")))

        done = smolctl("model", "pull", name, expect=0)

        assert f"Passing over {mirror.host}: {mirror.host} answered 500" in done.stderr
        assert registry.requests

    def test_with_quiet_only_the_digest_is_printed(
        self, smolctl: Smolctl, registry: FaultyRegistry, mirror: FaultyRegistry, name: str
    ) -> None:
        smolctl.configure(f"[registry.'{registry.host}']\nmirrors = ['{mirror.host}']")
        mirror.spoil("/v2/", instead(error(500, "UNKNOWN")))

        done = smolctl("model", "pull", "-q", name, expect=0)

        assert (len(done.stdout.splitlines()), done.stderr) == (1, "")

    def test_are_asked_whether_there_is_a_newer_one(
        self, smolctl: Smolctl, registry: FaultyRegistry, mirror: FaultyRegistry, name: str
    ) -> None:
        smolctl("model", "pull", name, expect=0)
        seen = len(registry.requests)
        smolctl.configure(f"[registry.'{registry.host}']\nmirrors = ['{mirror.host}']")

        smolctl("model", "resolve", name, "--pull", "newer", expect=0)

        assert len(registry.requests) == seen
        assert [request.method for request in mirror.requests] == ["HEAD"]

    def test_never_see_the_origins_credentials(
        self, smolctl: Smolctl, registry: FaultyRegistry, mirror: FaultyRegistry, name: str
    ) -> None:
        smolctl.configure(f"[registry.'{registry.host}']\nmirrors = ['{mirror.host}']")
        smolctl.log_in(registry.host, "me", "s3cret")
        for each in (mirror, registry):
            each.want_basic("me", "s3cret")

        done = smolctl("model", "pull", name, expect=0)

        assert f"{mirror.host} wants credentials" in done.stderr
        assert all(request.authorization is None for request in mirror.requests)


class TestConfiguration:
    def test_a_mistake_ends_what_needs_it(self, smolctl: Smolctl, name: str) -> None:
        smolctl.configure("[registry.'docker.io']\nmirror = ['m.example']")

        done = smolctl("model", "pull", name)

        assert_refused(
            done, 2, 'config.toml: registry."docker.io".mirror means', "Did you mean mirrors?"
        )

    def test_a_mistake_stops_nothing_else(self, smolctl: Smolctl, name: str) -> None:
        smolctl("model", "pull", name, expect=0)
        smolctl.configure("nonsense")

        for verb in (["ls"], ["inspect", name], ["resolve", name], ["pull", "--offline", name]):
            smolctl("model", *verb, expect=0)

    def test_smolctl_config_names_another_file(
        self, smolctl: Smolctl, tmp_path: Path, name: str
    ) -> None:
        (tmp_path / "mine.toml").write_text("max-connections = 'many'")
        smolctl.environment["SMOLCTL_CONFIG"] = str(tmp_path / "mine.toml")

        assert_refused(smolctl("model", "pull", name), 2, "mine.toml: max-connections is a string")


class TestCertificates:
    def test_that_nobody_vouches_for(self, smolctl: Smolctl, secure: FaultyRegistry) -> None:
        smolctl.configure(f"[registry.'{secure.host}']\nplain-http = false")

        done = smolctl("model", "pull", f"{secure.host}/team/model:v1")

        assert_refused(done, 5, "no trusted TLS connection", "--ca-file")

    @pytest.mark.parametrize("verb", ["pull", "resolve"])
    def test_by_the_flag(
        self, smolctl: Smolctl, secure: FaultyRegistry, tmp_path: Path, verb: str
    ) -> None:
        always = ["--pull", "always"] if verb == "resolve" else []
        name = f"{secure.host}/team/model:v1"

        smolctl("model", verb, name, *always, "--ca-file", tmp_path / "ca.pem", expect=0)

    def test_by_the_file(self, smolctl: Smolctl, secure: FaultyRegistry, tmp_path: Path) -> None:
        smolctl.configure(f"[registry.'{secure.host}']\nca-file = '{tmp_path}/ca.pem'")

        smolctl("model", "pull", f"{secure.host}/team/model:v1", expect=0)

    def test_the_flag_comes_before_the_file(
        self, smolctl: Smolctl, secure: FaultyRegistry, tmp_path: Path
    ) -> None:
        smolctl.configure(f"[registry.'{secure.host}']\nca-file = '/nowhere.pem'")
        name = f"{secure.host}/team/model:v1"

        assert_refused(smolctl("model", "pull", name), 2, "/nowhere.pem", "--ca-file")
        smolctl("model", "pull", name, "--ca-file", tmp_path / "ca.pem", expect=0)

    @pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
    def test_by_the_environment(
        self, smolctl: Smolctl, secure: FaultyRegistry, tmp_path: Path, variable: str
    ) -> None:
        smolctl.configure(f"[registry.'{secure.host}']\nplain-http = false")
        smolctl.environment[variable] = str(tmp_path / "ca.pem")

        smolctl("model", "pull", f"{secure.host}/team/model:v1", expect=0)

    def test_that_are_none(self, smolctl: Smolctl, secure: FaultyRegistry, tmp_path: Path) -> None:
        (tmp_path / "empty.pem").touch()
        name = f"{secure.host}/team/model:v1"

        done = smolctl("model", "pull", name, "--ca-file", tmp_path / "empty.pem")

        assert_refused(done, 2, "no certificates in", "empty.pem")


class TestProxies:
    def test_lead_out_and_keep_their_password(
        self, smolctl: Smolctl, secure: FaultyRegistry, tmp_path: Path
    ) -> None:
        name = f"{HOST}/team/model:v1"
        right = "Basic " + base64.b64encode(b"me:s3cret").decode()
        pull = ("model", "pull", name, "--ca-file", tmp_path / "ca.pem")
        with Proxy({f"{HOST}:443": secure.port}, wanted=right) as proxy:
            smolctl.environment["HTTPS_PROXY"] = f"http://me:wrong-s3cret@{proxy.host}"
            refused = smolctl(*pull)
            debugged = smolctl(*pull, "--debug")
            smolctl.environment["HTTPS_PROXY"] = f"http://me:s3cret@{proxy.host}"
            smolctl(*pull, expect=0)

        assert_refused(refused, 5, "the proxy wants credentials", "HTTPS_PROXY=")
        assert "s3cret" not in refused.stderr + debugged.stderr
