"""The way out: proxies of the environment, and which certificates are trusted."""

from __future__ import annotations

import base64
import os
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from smolctl.errors import RegistryUnavailable, StorageError, UsageError
from smolctl.model.reference import Reference
from smolctl.registry.client import RegistryClient
from smolctl.registry.credentials import Credentials
from tests.support.certificates import make_certificate
from tests.support.faulty_registry import FaultyRegistry, basic, pack
from tests.support.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

MODEL = "team/model:v1"
HOST = "registry.test"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.endswith(("_CA_BUNDLE", "SSL_CERT_FILE")):
            monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"), HOST, "127.0.0.1")


@pytest.fixture
def secure(certificate: Path) -> Iterator[FaultyRegistry]:
    """A registry that speaks HTTPS, for `registry.test` and for 127.0.0.1."""
    with FaultyRegistry(certificate) as running:
        running.publish("team/model", "v1", pack())
        yield running


@pytest.fixture
def plain(registry: FaultyRegistry) -> FaultyRegistry:
    registry.publish("team/model", "v1", pack())
    return registry


@contextmanager
def proxy_to(registry: FaultyRegistry, **more: Any) -> Iterator[Proxy]:
    with Proxy({f"{HOST}:{port}": registry.port for port in (80, 443)}, **more) as running:
        yield running


def ask(client: RegistryClient) -> None:
    with client:
        client.fetch_manifest(Reference.parse(f"{client.registry}/{MODEL}"))


def failure(client: RegistryClient) -> str:
    """Everything that a person may see of the failure, with --debug too."""
    with pytest.raises(RegistryUnavailable) as caught:
        ask(client)
    error: BaseException | None = caught.value
    seen = f"{caught.value.hint}"
    while error is not None:
        seen += f" {error}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return seen


class TestProxies:
    @pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
    def test_for_plain_http(
        self, plain: FaultyRegistry, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        with proxy_to(plain) as proxy:
            monkeypatch.setenv(name, f"http://{proxy.host}")
            ask(RegistryClient(HOST, plain_http=True))

        assert [passage.target for passage in proxy.passages] == [
            f"http://{HOST}/v2/team/model/manifests/v1"
        ]

    @pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy"])
    def test_for_https_see_nothing_of_what_goes_through(
        self,
        secure: FaultyRegistry,
        certificate: Path,
        monkeypatch: pytest.MonkeyPatch,
        name: str,
    ) -> None:
        secure.want_basic("me", "s3cret")
        with proxy_to(secure) as proxy:
            monkeypatch.setenv(name, f"http://{proxy.host}")
            known = Credentials("me", "s3cret")
            ask(RegistryClient(HOST, ca_file=certificate, find_credentials=lambda: known))

        assert secure.requests[-1].authorization == basic("me", "s3cret")
        assert {(p.method, p.target) for p in proxy.passages} == {("CONNECT", f"{HOST}:443")}
        assert all(p.authorization is None for p in proxy.passages)

    @pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
    def test_are_left_out_where_the_environment_says_so(
        self, plain: FaultyRegistry, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        look_up = socket.getaddrinfo
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda _, __, *more: look_up("127.0.0.1", plain.port, *more)
        )
        with proxy_to(plain) as proxy:
            monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.host}")
            monkeypatch.setenv(name, "example.com,.test")
            ask(RegistryClient(HOST, plain_http=True))

        assert proxy.passages == []
        assert len(plain.requests) == 1

    def test_are_never_used_for_loopback(
        self, plain: FaultyRegistry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with proxy_to(plain) as proxy:
            for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
                monkeypatch.setenv(name, f"http://{proxy.host}")
            ask(RegistryClient(plain.host))
            ask(RegistryClient(f"localhost:{plain.port}"))

        assert proxy.passages == []

    @pytest.mark.parametrize("https", [False, True])
    def test_get_the_credentials_of_their_own_address_and_the_registry_does_not(
        self,
        plain: FaultyRegistry,
        secure: FaultyRegistry,
        certificate: Path,
        monkeypatch: pytest.MonkeyPatch,
        https: bool,
    ) -> None:
        wanted = "Basic " + base64.b64encode(b"me:s3cret").decode()
        registry = secure if https else plain
        with proxy_to(registry, wanted=wanted) as proxy:
            for name in ("HTTP_PROXY", "HTTPS_PROXY"):
                monkeypatch.setenv(name, f"http://me:s3cret@{proxy.host}")
            ask(RegistryClient(HOST, plain_http=not https, ca_file=certificate))

        assert len(proxy.passages) == 1
        (request,) = registry.requests
        assert "proxy-authorization" not in request.headers
        assert request.authorization is None

    @pytest.mark.parametrize("https", [False, True])
    def test_that_refuse_are_said_to_and_no_password_is_told(
        self, plain: FaultyRegistry, monkeypatch: pytest.MonkeyPatch, https: bool
    ) -> None:
        with proxy_to(plain, wanted="Basic something-else") as proxy:
            for name in ("HTTP_PROXY", "HTTPS_PROXY"):
                monkeypatch.setenv(name, f"http://me:s3cret@{proxy.host}")
            seen = failure(RegistryClient(HOST, plain_http=not https))

        assert "the proxy wants credentials" in seen
        assert "s3cret" not in seen

    @pytest.mark.parametrize("https", [False, True])
    @pytest.mark.parametrize(
        ("address", "reason"),
        [
            ("http://me:s3cret@127.0.0.1:{port}", "refused"),
            ("http://me:s3cret@:1", "malformed"),
            ("http://me:s3cret@x:y", "malformed"),
        ],
    )
    def test_that_are_not_there_do_not_give_their_password_away(
        self,
        unused_tcp_port: int,
        monkeypatch: pytest.MonkeyPatch,
        address: str,
        reason: str,
        https: bool,
    ) -> None:
        for name in ("HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, address.format(port=unused_tcp_port))

        seen = failure(RegistryClient(HOST, plain_http=not https))

        assert reason in seen
        assert "s3cret" not in seen


class TestCertificates:
    def test_nobody_vouches_for_are_refused(self, secure: FaultyRegistry) -> None:
        assert "no trusted TLS" in failure(RegistryClient(secure.host, plain_http=False))
        assert secure.requests == []

    def test_of_the_registrys_own_file_are_trusted(
        self, secure: FaultyRegistry, certificate: Path
    ) -> None:
        ask(RegistryClient(secure.host, ca_file=certificate))

        assert len(secure.requests) == 1

    def test_of_another_file_are_not(self, secure: FaultyRegistry, tmp_path: Path) -> None:
        other = make_certificate(tmp_path, "127.0.0.1")

        assert "no trusted TLS" in failure(RegistryClient(secure.host, ca_file=other))

    def test_for_another_host_are_refused(self, tmp_path: Path) -> None:
        other = make_certificate(tmp_path, HOST)
        with FaultyRegistry(other) as registry:
            assert "no trusted TLS" in failure(RegistryClient(registry.host, ca_file=other))

    def test_of_the_bundle_and_of_the_file_are_both_trusted(
        self, secure: FaultyRegistry, certificate: Path, tmp_path: Path
    ) -> None:
        other = make_certificate(tmp_path, "127.0.0.1")
        for bundle, file in ((certificate, other), (other, certificate), (certificate, None)):
            ask(RegistryClient(secure.host, plain_http=False, ca_bundle=bundle, ca_file=file))

        assert len(secure.requests) == 3

    def test_of_the_bundle_alone_are_trusted_where_there_is_one(self, certificate: Path) -> None:
        with RegistryClient("registry.example.com", ca_bundle=certificate) as client:
            context = client.session.get_adapter("https://x")._context

        assert len(context.get_ca_certs()) == 1

    def test_what_requests_finds_in_the_environment_does_not_get_in_the_way(
        self, secure: FaultyRegistry, certificate: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/at/all.pem")

        ask(RegistryClient(secure.host, ca_file=certificate))

        assert len(secure.requests) == 1

    @pytest.mark.parametrize("which", ["ca_file", "ca_bundle"])
    def test_that_are_not_there_are_a_usage_error(self, tmp_path: Path, which: str) -> None:
        path = tmp_path / "company.pem"
        with pytest.raises(UsageError, match=r"no such file of certificates: .*company\.pem"):
            ask(RegistryClient(HOST, **{which: path}))

    @pytest.mark.parametrize("which", ["ca_file", "ca_bundle"])
    @pytest.mark.parametrize("content", ["", "a certificate\n", "-----BEGIN CERTIFICATE-----\nx"])
    def test_that_are_none_are_a_usage_error(
        self, tmp_path: Path, which: str, content: str
    ) -> None:
        path = tmp_path / "company.pem"
        path.write_text(content)
        with pytest.raises(UsageError, match=r"no certificates in .*company\.pem"):
            ask(RegistryClient(HOST, **{which: path}))

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_that_may_not_be_read_are_a_storage_error(
        self, certificate: Path, tmp_path: Path
    ) -> None:
        path = tmp_path / "company.pem"
        path.write_bytes(certificate.read_bytes())
        path.chmod(0)
        with pytest.raises(StorageError, match="cannot read the certificates"):
            ask(RegistryClient(HOST, ca_file=path))
