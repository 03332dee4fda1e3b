"""Challenges met: by password, by tokens of each kind, and once for all threads."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from smolctl.errors import AccessDenied, RegistryUnavailable
from smolctl.model.reference import Reference
from smolctl.registry.authorization import Authorizer, TokenAnswer
from smolctl.registry.challenge import Challenge
from smolctl.registry.client import RegistryClient
from smolctl.registry.credentials import Credentials, Kind
from tests.support.faulty_registry import FaultyRegistry, pack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

REGISTRY = "registry.example.com"
REALM = "https://auth.example.com/token"
ME = Credentials("me", "s3cret")
IDENTITY = Credentials("", "refresh-s3cret", Kind.IDENTITY_TOKEN)
READY = Credentials("", "ready-s3cret", Kind.REGISTRY_TOKEN)
BASIC = Challenge("basic", {"realm": "test"})
THREADS = 8


def bearer(**parameters: str) -> Challenge:
    return Challenge("bearer", {"realm": REALM, **parameters})


@dataclass
class TokenServer:
    """Notes what it is asked, and grants token after token, or gives the answer it is told."""

    answer: TokenAnswer | None = None
    asked: list[dict[str, object]] = field(default_factory=list)

    def __call__(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        params: Sequence[tuple[str, str]] = (),
        data: Mapping[str, str] | None = None,
    ) -> TokenAnswer:
        asked = {"method": method, "url": url, "headers": dict(headers), "params": list(params)}
        self.asked.append({**asked, "data": data})
        granted = json.dumps({"token": f"token-{len(self.asked)}"}).encode()
        return self.answer or TokenAnswer(200, granted)


@pytest.fixture
def server() -> TokenServer:
    return TokenServer()


def authorizer(
    server: TokenServer, credentials: Credentials | None = None, **options: bool
) -> Authorizer:
    return Authorizer(REGISTRY, server, lambda: credentials, **options)


def test_nothing_is_sent_before_it_is_asked_for(server: TokenServer) -> None:
    assert authorizer(server, ME).header is None
    assert not authorizer(server, ME).has_credentials
    assert server.asked == []


class TestAPassword:
    def test_is_sent_to_a_registry_that_takes_basic(self, server: TokenServer) -> None:
        made = authorizer(server, ME)

        assert made.renew(BASIC, None) == made.header == ME.basic
        assert server.asked == []

    def test_gets_a_token_by_get(self, server: TokenServer) -> None:
        made = authorizer(server, ME)

        assert made.renew(bearer(service="s", scope="repository:a:pull"), None) == "Bearer token-1"
        assert server.asked == [
            {
                "method": "GET",
                "url": REALM,
                "headers": {"Authorization": ME.basic},
                "params": [("service", "s"), ("scope", "repository:a:pull")],
                "data": None,
            }
        ]

    def test_asks_for_each_scope_by_itself(self, server: TokenServer) -> None:
        authorizer(server).renew(bearer(scope="repository:a:pull repository:b:pull"), None)

        assert server.asked[0]["params"] == [
            ("scope", "repository:a:pull"),
            ("scope", "repository:b:pull"),
        ]

    def test_that_was_refused_is_not_sent_again(self, server: TokenServer) -> None:
        made = authorizer(server, ME)
        made.renew(BASIC, None)

        with pytest.raises(AccessDenied, match="refused the credentials") as caught:
            made.renew(BASIC, ME.basic)

        assert f"smolctl login {REGISTRY}" in (caught.value.hint or "")

    @pytest.mark.parametrize("status", [401, 403])
    def test_that_the_token_server_refused_is_not_sent_again(
        self, server: TokenServer, status: int
    ) -> None:
        server.answer = TokenAnswer(status, b"")
        made = authorizer(server, ME)

        for _ in range(3):
            with pytest.raises(AccessDenied, match="refused the credentials"):
                made.renew(bearer(), None)

        assert len(server.asked) == 1

    def test_that_nobody_has_is_asked_for(self, server: TokenServer) -> None:
        with pytest.raises(AccessDenied, match="wants credentials"):
            authorizer(server).renew(BASIC, None)


class TestAnIdentityToken:
    def test_gets_a_token_by_post(self, server: TokenServer) -> None:
        made = authorizer(server, IDENTITY)

        assert made.renew(bearer(service="s", scope="a b"), None) == "Bearer token-1"
        assert server.asked == [
            {
                "method": "POST",
                "url": REALM,
                "headers": {},
                "params": [],
                "data": {
                    "grant_type": "refresh_token",
                    "client_id": "smolctl",
                    "service": "s",
                    "scope": "a b",
                    "refresh_token": "refresh-s3cret",
                },
            }
        ]

    @pytest.mark.parametrize("status", [400, 401, 403])
    def test_that_is_not_taken_is_an_error(self, server: TokenServer, status: int) -> None:
        server.answer = TokenAnswer(status, b'{"error": "invalid_grant"}')

        with pytest.raises(AccessDenied, match="refused the credentials"):
            authorizer(server, IDENTITY).renew(bearer(), None)

    def test_is_never_sent_in_a_passwords_place(self, server: TokenServer) -> None:
        with pytest.raises(AccessDenied, match="a user name and a password"):
            authorizer(server, IDENTITY).renew(BASIC, None)

    def test_is_not_sent_to_a_realm_that_is_not_safe(self, server: TokenServer) -> None:
        with pytest.raises(AccessDenied, match="not safe"):
            authorizer(server, IDENTITY).renew(
                Challenge("bearer", {"realm": "http://auth.example.com/token"}), None
            )

        assert server.asked == []


class TestARegistryToken:
    def test_is_sent_as_it_is(self, server: TokenServer) -> None:
        assert authorizer(server, READY).renew(bearer(), None) == "Bearer ready-s3cret"
        assert server.asked == []

    def test_that_expired_is_an_error(self, server: TokenServer) -> None:
        made = authorizer(server, READY)

        with pytest.raises(AccessDenied, match="refused the credentials"):
            made.renew(bearer(), made.renew(bearer(), None))

    @pytest.mark.parametrize("token", ["a\nX-Evil: 1", "a b", "\u00e9"])
    def test_that_cannot_stand_in_a_header_is_an_error(
        self, server: TokenServer, token: str
    ) -> None:
        broken = Credentials("", token, Kind.REGISTRY_TOKEN)

        with pytest.raises(AccessDenied) as caught:
            authorizer(server, broken).renew(bearer(), None)

        assert token not in caught.value.message


@pytest.mark.parametrize("status", [200 + 4, 307, 400, 404])
def test_a_token_server_that_does_something_else_has_failed(
    server: TokenServer, status: int
) -> None:
    server.answer = TokenAnswer(status, b"")

    with pytest.raises(RegistryUnavailable, match=f"answered {status}"):
        authorizer(server, ME).renew(bearer(), None)


def test_a_failure_is_no_refusal_and_may_be_tried_again(server: TokenServer) -> None:
    made = authorizer(server, ME)
    server.answer = TokenAnswer(404, b"")
    with pytest.raises(RegistryUnavailable):
        made.renew(bearer(), None)
    server.answer = None

    assert made.renew(bearer(), None) == "Bearer token-2"


def test_printing_an_answer_shows_no_token() -> None:
    assert "s3cret" not in repr(TokenAnswer(200, b'{"token": "s3cret"}'))


def test_what_another_thread_renewed_is_taken(server: TokenServer) -> None:
    made = authorizer(server, ME)
    first = made.renew(bearer(), None)
    second = made.renew(bearer(), first)

    assert made.renew(bearer(), first) == second
    assert made.renew(bearer(), None) == second
    assert len(server.asked) == 2


def at_once(work: Callable[[], object]) -> list[object]:
    """Do `work` in as many threads, none of which begins before all are there."""
    barrier = threading.Barrier(THREADS)

    def begin(_: int) -> object:
        barrier.wait(60)
        return work()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(begin, range(THREADS)))


def test_threads_with_one_expired_token_renew_it_once(server: TokenServer) -> None:
    made = authorizer(server, ME)
    expired = made.renew(bearer(), None)

    headers = at_once(lambda: made.renew(bearer(), expired))

    assert headers == ["Bearer token-2"] * THREADS
    assert len(server.asked) == 2


def test_threads_with_a_wrong_password_try_it_once(server: TokenServer) -> None:
    made = authorizer(server, ME)
    server.answer = TokenAnswer(401, b"")

    def fail() -> str:
        with pytest.raises(AccessDenied) as caught:
            made.renew(bearer(), None)
        return caught.value.message

    assert len(set(at_once(fail))) == 1
    assert len(server.asked) == 1


class TestAgainstARegistry:
    def test_connections_whose_token_expired_share_one_renewal(
        self, registry: FaultyRegistry
    ) -> None:
        registry.publish("team/model", "v1", pack())
        access = registry.want_token({ME.username: ME.secret})
        reference = Reference.parse(f"{registry.host}/team/model:v1")
        all_refused = threading.Barrier(THREADS)

        with RegistryClient(registry.host, find_credentials=lambda: ME) as client:
            client.fetch_manifest(reference)
            access.expire()
            renew = client._authorizer.renew

            def together(challenge: Challenge, rejected: str | None) -> str:
                all_refused.wait(60)  # every thread has its 401 before the first renews
                return renew(challenge, rejected)

            client._authorizer.renew = together  # type: ignore[method-assign]
            at_once(lambda: client.fetch_manifest(reference))

        assert access.granted == ["token-0", "token-1"]

    def test_a_refresh_token_opens_and_renews(self, registry: FaultyRegistry) -> None:
        registry.publish("team/model", "v1", pack())
        access = registry.want_token({})
        access.refresh_tokens.add(IDENTITY.secret)
        reference = Reference.parse(f"{registry.host}/team/model:v1")

        with RegistryClient(registry.host, find_credentials=lambda: IDENTITY) as client:
            client.fetch_manifest(reference)
            access.expire()
            client.fetch_manifest(reference)

        assert access.granted == ["token-0", "token-1"]
        asked = [request for request in registry.requests if request.path == "/token"]
        assert {request.method for request in asked} == {"POST"}
        # In the body alone: addresses end up in the logs of servers and proxies.
        assert [request.query for request in asked] == [{}, {}]

    def test_a_refresh_token_that_was_revoked_is_refused(self, registry: FaultyRegistry) -> None:
        registry.publish("team/model", "v1", pack())
        registry.want_token({})
        reference = Reference.parse(f"{registry.host}/team/model:v1")

        with (
            RegistryClient(registry.host, find_credentials=lambda: IDENTITY) as client,
            pytest.raises(AccessDenied, match="refused the credentials"),
        ):
            client.fetch_manifest(reference)

        assert registry.paths("POST") == ["/token"]
