"""The distribution client: tokens, credentials, redirects, tags, and what errors say."""

from __future__ import annotations

import hashlib
import io
import traceback
from typing import TYPE_CHECKING

import pytest
import requests

from smolctl.errors import AccessDenied, IntegrityError, ModelNotFound, RegistryUnavailable
from smolctl.model.reference import Reference
from smolctl.registry.client import RegistryClient
from smolctl.registry.credentials import Credentials
from smolctl.registry.redaction import redacted
from tests.support.faulty_registry import (
    Answer,
    Endless,
    FaultyRegistry,
    Pause,
    basic,
    digest,
    error,
    instead,
    pack,
    redirect,
    short_of_its_length,
    unauthorized,
)
from tests.support.pulling import HASTY

if TYPE_CHECKING:
    from pathlib import Path

ME = Credentials("me", "s3cret-of-mine")


def named(registry: FaultyRegistry, name: str = "team/model:v1") -> Reference:
    return Reference.parse(f"{registry.host}/{name}")


def client_of(registry: FaultyRegistry, credentials: Credentials | None = None) -> RegistryClient:
    return RegistryClient(registry.host, retries=HASTY, find_credentials=lambda: credentials)


def empty_response(status: int) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response.raw = io.BytesIO()
    return response


class TestTokens:
    def test_are_asked_for_by_repository_and_used_again(self, registry: FaultyRegistry) -> None:
        registry.publish("team/model", "v1", pack())
        access = registry.want_token()

        with client_of(registry) as client:
            client.fetch_manifest(named(registry))
            client.fetch_manifest(named(registry))

        (asked,) = [request for request in registry.requests if request.path == "/token"]
        assert asked.query == {"service": ["test"], "scope": ["repository:team/model:pull"]}
        assert asked.authorization is None
        assert access.granted == ["token-0"]

    def test_are_got_with_the_credentials(self, registry: FaultyRegistry) -> None:
        registry.publish("team/model", "v1", pack())
        registry.want_token({ME.username: ME.secret})

        with client_of(registry, ME) as client:
            client.fetch_manifest(named(registry))

        sent = {request.path: request.authorization for request in registry.requests}
        assert sent["/token"] == basic(ME.username, ME.secret)
        assert sent["/v2/team/model/manifests/v1"] == "Bearer token-0"

    @pytest.mark.parametrize("credentials", [None, Credentials("me", "wrong")])
    def test_that_are_refused_are_an_error(
        self, registry: FaultyRegistry, credentials: Credentials | None
    ) -> None:
        registry.publish("team/model", "v1", pack())
        registry.want_token({ME.username: ME.secret})
        words = "refused the credentials" if credentials else "wants credentials"

        with client_of(registry, credentials) as client, pytest.raises(AccessDenied, match=words):
            client.fetch_manifest(named(registry))

        assert registry.paths().count("/token") == 1

    def test_that_expired_are_renewed_once_for_a_request(self, registry: FaultyRegistry) -> None:
        registry.publish("team/model", "v1", pack())
        access = registry.want_token()

        with client_of(registry) as client:
            client.fetch_manifest(named(registry))
            access.expire()
            client.fetch_manifest(named(registry))

        manifests = [r.authorization for r in registry.requests if "/manifests/" in r.path]
        assert manifests == [None, "Bearer token-0", "Bearer token-0", "Bearer token-1"]

    def test_that_are_never_accepted_are_not_asked_for_without_end(
        self, registry: FaultyRegistry
    ) -> None:
        access = registry.want_token()
        registry.spoil(
            "/manifests/",
            instead(unauthorized(f'Bearer realm="http://{registry.host}/token",scope="x"')),
        )

        with client_of(registry) as client, pytest.raises(AccessDenied):
            client.fetch_manifest(named(registry))

        assert len(access.granted) == 1

    def test_for_one_repository_are_not_the_other_repositorys(
        self, registry: FaultyRegistry
    ) -> None:
        for repository in ("team/model", "team/other"):
            registry.publish(repository, "v1", pack())
        access = registry.want_token()

        with client_of(registry) as client:
            client.fetch_manifest(named(registry))
            client.fetch_manifest(named(registry, "team/other:v1"))

        assert len(access.granted) == 2

    @pytest.mark.parametrize(
        "answer",
        [
            b"{}",
            b'{"token": ""}',
            b'{"token": "a\\r\\nX-Evil: 1"}',
            b'{"token": "\xc3\xa9"}',
        ],
    )
    def test_that_are_no_tokens_are_refused(self, registry: FaultyRegistry, answer: bytes) -> None:
        registry.want_token()
        registry.spoil("/token", instead(Answer.of(answer)))

        with client_of(registry) as client, pytest.raises(AccessDenied, match="no usable token"):
            client.fetch_manifest(named(registry))

    @pytest.mark.parametrize("answer", [b"[]", b"<html>", b'{"token": 1}', b"x" * 2_000_000])
    def test_in_an_answer_that_is_none_are_refused(
        self, registry: FaultyRegistry, answer: bytes
    ) -> None:
        registry.want_token()
        registry.spoil("/token", instead(Answer.of(answer)))

        with client_of(registry) as client, pytest.raises(IntegrityError, match="token"):
            client.fetch_manifest(named(registry))

    def test_are_not_fetched_from_where_the_realm_redirects_to(
        self, registry: FaultyRegistry, elsewhere: FaultyRegistry
    ) -> None:
        registry.want_token({ME.username: ME.secret})
        registry.spoil("/token", redirect(lambda _: f"http://{elsewhere.host}/token"))

        with client_of(registry, ME) as client, pytest.raises(RegistryUnavailable):
            client.fetch_manifest(named(registry))

        assert elsewhere.requests == []


class TestCredentials:
    def test_are_looked_up_only_when_wanted(self, registry: FaultyRegistry) -> None:
        registry.publish("team/model", "v1", pack())
        asked: list[None] = []
        client = RegistryClient(
            registry.host, retries=HASTY, find_credentials=lambda: asked.append(None)
        )

        with client:
            client.fetch_manifest(named(registry))

        assert asked == []

    def test_are_looked_up_once(self, registry: FaultyRegistry) -> None:
        registry.publish("team/model", "v1", pack())
        access = registry.want_token()
        asked: list[None] = []
        client = RegistryClient(
            registry.host, retries=HASTY, find_credentials=lambda: asked.append(None)
        )

        with client:
            client.fetch_manifest(named(registry))
            access.expire()
            client.fetch_manifest(named(registry))

        assert len(asked) == 1

    def test_go_along_where_the_registry_takes_basic(self, registry: FaultyRegistry) -> None:
        registry.publish("team/model", "v1", pack())
        registry.want_basic(ME.username, ME.secret)

        with client_of(registry, ME) as client:
            client.fetch_manifest(named(registry))
            client.fetch_manifest(named(registry))

        sent = [request.authorization for request in registry.requests]
        assert sent == [None, ME.basic, ME.basic]

    def test_in_netrc_are_never_used(
        self, registry: FaultyRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        netrc = tmp_path / ".netrc"
        netrc.write_text("machine 127.0.0.1 login me password s3cret\n")
        netrc.chmod(0o600)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("NETRC", str(netrc))
        # Without this the test would pass for a file that nobody can read.
        assert requests.utils.get_netrc_auth(f"http://{registry.host}/") == ("me", "s3cret")
        registry.publish("team/model", "v1", pack())
        registry.want_token()

        with client_of(registry) as client:
            client.fetch_manifest(named(registry))

        values = [request.authorization or "" for request in registry.requests]
        assert not any(value.startswith("Basic") for value in values)

    @pytest.mark.parametrize("status", [401, 403, 404, 429, 500])
    def test_are_in_no_error_and_no_traceback(self, registry: FaultyRegistry, status: int) -> None:
        registry.want_token({ME.username: ME.secret})
        registry.spoil(
            "/manifests/v1",
            lambda request, answer: error(status, "X") if request.authorization else answer,
        )

        with client_of(registry, ME) as client, pytest.raises(Exception) as caught:  # noqa: PT011
            client.fetch_manifest(named(registry))

        shown = "".join(traceback.format_exception(caught.value))
        for secret in (ME.secret, ME.basic.removeprefix("Basic "), "token-0"):
            assert secret not in shown


def test_an_address_signed_for_us_is_in_no_traceback(
    registry: FaultyRegistry, unused_tcp_port: int
) -> None:
    signed = f"http://127.0.0.1:{unused_tcp_port}/blob?X-Amz-Signature=s3cret"
    registry.publish("team/model", "v1", pack())
    registry.spoil("/manifests/", redirect(lambda _: signed))

    with client_of(registry) as client, pytest.raises(RegistryUnavailable) as caught:
        client.fetch_manifest(named(registry))

    assert "refused" in caught.value.message
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "signed",
    [
        "http://me:s3cret@127.0.0.1:99999/blob?sig=s3cret",
        "http://me:s3cret@[::1/blob?sig=s3cret",
        "http://127.0.0.1:x/blob?sig=s3cret",
        "http://%zz/blob?sig=s3cret",
        "http://.example/blob?sig=s3cret",
    ],
)
def test_an_address_signed_for_us_that_is_none_is_in_no_message(
    registry: FaultyRegistry, signed: str
) -> None:
    registry.publish("team/model", "v1", pack())
    registry.spoil("/manifests/", redirect(lambda _: signed))

    with client_of(registry) as client, pytest.raises(RegistryUnavailable) as caught:
        client.fetch_manifest(named(registry))

    assert "s3cret" not in caught.value.message
    # The boundary prints tracebacks through this.
    assert "s3cret" not in redacted("".join(traceback.format_exception(caught.value)))


def test_the_body_of_a_redirect_is_not_read(
    registry: FaultyRegistry, elsewhere: FaultyRegistry
) -> None:
    model = pack()
    elsewhere.publish("team/model", "v1", model)
    endless = Endless(64 * 1024 * 1024)
    address = f"http://{elsewhere.host}/v2/team/model/manifests/v1"

    whole = Answer(307, {"Location": address}, endless.pieces(), endless.size)
    registry.spoil("/manifests/", instead(whole))

    with client_of(registry) as client:
        assert client.fetch_manifest(named(registry)).content == model.manifest

    assert endless.sent < 24 * 1024 * 1024


def test_a_redirect_from_https_to_http_is_refused() -> None:
    client = RegistryClient("registry.example.com")
    asked: list[str] = []

    def answered(method: str, url: str, **_: object) -> requests.Response:
        asked.append(f"{method} {url}")
        response = empty_response(307)
        response.url = url
        response.headers["Location"] = "http://registry.example.com/elsewhere"
        return response

    client.session.request = answered

    with client, pytest.raises(RegistryUnavailable, match="from https to http"):
        client.resolve(Reference.parse("registry.example.com/team/model:v1"))

    assert asked == ["HEAD https://registry.example.com/v2/team/model/manifests/v1"]


@pytest.mark.parametrize(
    ("registry_name", "plain_http", "address"),
    [
        ("docker.io", None, "https://registry-1.docker.io"),
        ("registry.example.com", None, "https://registry.example.com"),
        ("registry.example.com", True, "http://registry.example.com"),
        ("localhost:5000", None, "http://localhost:5000"),
        ("localhost:5000", False, "https://localhost:5000"),
        ("127.9.9.9", None, "http://127.9.9.9"),
        ("[::1]:5000", None, "http://[::1]:5000"),
        ("localhost.example.com", None, "https://localhost.example.com"),
    ],
)
def test_only_loopback_is_spoken_to_in_plain_http_unasked(
    registry_name: str, plain_http: bool | None, address: str
) -> None:
    with RegistryClient(registry_name, plain_http=plain_http) as client:
        assert f"{client.prefix}://{client.hostname}" == address


class TestResolve:
    def test_fetches_no_manifest(self, registry: FaultyRegistry) -> None:
        model = registry.publish("team/model", "v1", pack())

        with client_of(registry) as client:
            assert str(client.resolve(named(registry))) == model.id

        assert registry.paths("GET") == []

    def test_hashes_the_manifest_where_no_digest_is_announced(
        self, registry: FaultyRegistry
    ) -> None:
        model = registry.publish("team/model", "v1", pack())

        def silent(_: object, answer: Answer) -> Answer:
            headers = {"Content-Type": answer.headers["Content-Type"]}
            return Answer(200, headers, answer.body, answer.length)

        registry.spoil("/manifests/", silent)

        with client_of(registry) as client:
            assert str(client.resolve(named(registry))) == model.id


class TestTags:
    def test_are_those_of_all_pages_in_the_registrys_order(self, registry: FaultyRegistry) -> None:
        first = Answer.of(b'{"tags": ["b", "a"]}', Link='</v2/t/m/tags/list?last=a>; rel="next"')
        registry.spoil("/tags/list", instead(first), times=1)
        registry.spoil("/tags/list", instead(Answer.of(b'{"tags": ["c"]}')))

        with client_of(registry) as client:
            assert client.tags("t/m") == ["b", "a", "c"]

        asked = [request.query for request in registry.requests]
        assert asked == [{"n": ["1000"]}, {"last": ["a"]}]

    def test_are_only_as_many_as_were_asked_for(self, registry: FaultyRegistry) -> None:
        model = pack()
        for number in range(25):
            registry.publish("t/m", f"v{number:02}", model)

        with client_of(registry) as client:
            assert client.tags("t/m", limit=10) == [f"v{number:02}" for number in range(10)]
            assert len(client.tags("t/m")) == 25

    @pytest.mark.parametrize("link", ["/v2/t/m/tags/list?last=a", "http://127.0.0.1:9/v2/"])
    def test_of_a_next_page_that_leads_nowhere_end(
        self, registry: FaultyRegistry, link: str
    ) -> None:
        page = Answer.of(b'{"tags": ["a"]}', Link=f'<{link}>; rel="next"')
        registry.spoil("/tags/list", instead(page))

        with client_of(registry) as client:
            assert client.tags("t/m") == ["a"]

        assert len(registry.requests) <= 2

    def test_that_no_tag_can_be_are_left_out(self, registry: FaultyRegistry) -> None:
        page = Answer.of(b'{"tags": ["a", "../b", "c d", "%s"]}' % (b"e" * 129))
        registry.spoil("/tags/list", instead(page))

        with client_of(registry) as client:
            assert client.tags("t/m") == ["a"]

    def test_without_end_are_not_read_to_it(self, registry: FaultyRegistry) -> None:
        endless = Endless(1024 * 1024 * 1024)
        registry.spoil("/tags/list", instead(Answer(200, {}, endless.pieces(), endless.size)))

        with client_of(registry) as client, pytest.raises(IntegrityError, match="more than"):
            client.tags("t/m")

        assert endless.sent < 24 * 1024 * 1024

    @pytest.mark.parametrize("body", [b"[]", b"<html>", b'{"tags": 1}', b"[" * 9999, b"null"])
    def test_that_are_none_are_an_error(self, registry: FaultyRegistry, body: bytes) -> None:
        registry.spoil("/tags/list", instead(Answer.of(body)))

        with client_of(registry) as client, pytest.raises(IntegrityError, match="tags"):
            client.tags("t/m")

    def test_of_no_repository_are_not_found(self, registry: FaultyRegistry) -> None:
        with client_of(registry) as client, pytest.raises(ModelNotFound):
            client.tags("t/m")


def test_nothing_listening_is_said_in_one_line(unused_tcp_port: int) -> None:
    reference = Reference.parse(f"127.0.0.1:{unused_tcp_port}/team/model")

    with (
        RegistryClient(reference.registry, retries=HASTY) as client,
        pytest.raises(RegistryUnavailable, match="Connection refused") as caught,
    ):
        client.fetch_manifest(reference)

    assert "\n" not in caught.value.message
    assert "urllib3" not in caught.value.message


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_registry_that_knows_no_head_is_asked_for_the_manifest(
    registry: FaultyRegistry, status: int
) -> None:
    model = registry.publish("team/model", "v1", pack())
    registry.spoil(
        "/manifests/", lambda asked, good: error(status, "X") if asked.method == "HEAD" else good
    )

    with client_of(registry) as client:
        assert str(client.resolve(named(registry))) == model.id


@pytest.mark.parametrize("trick", ["http://{evil}\\@{good}/v2/x", "http://me:x@{evil}/"])
def test_an_address_that_programs_read_differently_is_not_followed(
    registry: FaultyRegistry, elsewhere: FaultyRegistry, trick: str
) -> None:
    registry.want_basic(ME.username, ME.secret)
    target = trick.format(evil=elsewhere.host, good=registry.host)
    registry.spoil(
        "/manifests/",
        lambda asked, good: Answer(307, {"Location": target}) if asked.authorization else good,
    )

    with client_of(registry, ME) as client, pytest.raises(RegistryUnavailable, match="no address"):
        client.fetch_manifest(named(registry))

    assert elsewhere.requests == []


def test_a_first_connection_that_breaks_is_tried_again(registry: FaultyRegistry) -> None:
    model = registry.publish("team/model", "v1", pack())
    registry.spoil("/manifests/", short_of_its_length, times=1)

    with client_of(registry) as client:
        assert str(client.fetch_manifest(named(registry)).descriptor.digest) == model.id


def test_a_silent_registry_is_given_up_on(
    registry: FaultyRegistry,
) -> None:
    registry.publish("team/model", "v1", pack())
    pause = Pause()
    registry.spoil("/manifests/", pause)
    client = RegistryClient(registry.host, retries=HASTY, timeouts=(5.0, 0.05))

    with client, pytest.raises(RegistryUnavailable, match="sent nothing"):
        client.fetch_manifest(named(registry))

    pause.go_on.set()


def test_the_reason_a_registry_gives_is_passed_on(registry: FaultyRegistry) -> None:
    registry.spoil("/manifests/", instead(error(500, "DISK_FULL")))

    with client_of(registry) as client, pytest.raises(RegistryUnavailable, match="DISK_FULL"):
        client.fetch_manifest(named(registry))


def test_docker_hubs_401_means_not_found_or_private(monkeypatch: pytest.MonkeyPatch) -> None:
    client = RegistryClient("docker.io")
    response = empty_response(401)
    monkeypatch.setattr(client, "do_request", lambda *_, **__: response)

    with client, pytest.raises(ModelNotFound, match="or it is private"):
        client.fetch_manifest(Reference.parse("ai/nothing"))
    with client, pytest.raises(ModelNotFound, match="ai/nothing was not found"):
        client.tags("ai/nothing")


def test_bytes_are_asked_for_as_they_are(registry: FaultyRegistry) -> None:
    registry.publish("team/model", "v1", pack())

    with client_of(registry) as client:
        client.fetch_manifest(named(registry))

    (request,) = registry.requests
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["user-agent"].startswith("smolctl/")
    assert "application/vnd.oci.image.index.v1+json" in request.headers["accept"]


def test_a_manifest_in_sha512_is_checked_in_sha512(registry: FaultyRegistry) -> None:
    model = registry.publish("team/model", "v1", pack())
    announced = f"sha512:{hashlib.sha512(model.manifest).hexdigest()}"
    registry.spoil(
        "/manifests/",
        lambda _, a: Answer.of(a.content, Docker_Content_Digest=announced),
    )

    with client_of(registry) as client:
        fetched = client.fetch_manifest(named(registry))

    assert str(fetched.descriptor.digest) == digest(model.manifest)
