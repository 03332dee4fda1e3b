"""Who may speak to the gateway: hosts, pages, keys."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.responses import Response

from smolctl.errors import UsageError
from smolctl.runner.gateway.guard import Guard
from smolctl.runner.gateway.policy import Policy

PAGE = "https://app.example"
PREFLIGHT = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    code: str | None


def ask(
    policy: Policy, method: str = "POST", path: str = "/v1/chat/completions", **headers: str
) -> Answer:
    """What the guard answers; 200 is the application behind it. `_` stands for a dash."""
    given = {"Host": "localhost", **headers}
    raw = [
        (name.replace("_", "-").lower().encode(), value.encode("latin-1"))
        for name, value in given.items()
    ]
    return ask_raw(policy, method, path, raw)


def ask_raw(policy: Policy, method: str, path: str, headers: list[tuple[bytes, bytes]]) -> Answer:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": headers}
    asyncio.run(Guard(Response("{}"), policy)(scope, None, send))  # type: ignore[arg-type]
    start, body = sent[0], b"".join(part.get("body", b"") for part in sent[1:])
    error = json.loads(body).get("error") if body else None
    if error is not None:
        assert set(error) == {"message", "type", "param", "code"}
    return Answer(
        start["status"],
        {name.decode(): value.decode() for name, value in start["headers"]},
        error["code"] if error else None,
    )


class TestHosts:
    @pytest.mark.parametrize(
        "host",
        ["localhost", "LOCALHOST:12434", "localhost.", "127.0.0.1:1", "127.8.8.8", "[::1]:80"],
    )
    def test_of_loopback_are_known(self, host: str) -> None:
        assert ask(Policy(), Host=host).status == 200

    @pytest.mark.parametrize(
        "host",
        [
            *("evil.example", "localhost.evil.example", "evil.example:12434", "10.0.0.1", ""),
            *("127.0.0.1.evil.example", "localhost:x", "localhost/", "a@localhost", "127.1"),
            *("[::1", "[fe80::1]", "localhost:80:80", "local host", "é"),
        ],
    )
    def test_that_are_not_are_refused(self, host: str) -> None:
        answer = ask(Policy(), Host=host)
        assert (answer.status, answer.code) == (403, "host_not_allowed")

    def test_two_of_them_are_refused(self) -> None:
        headers = [(b"host", b"localhost"), (b"host", b"localhost")]
        assert ask_raw(Policy(), "GET", "/", headers).status == 403

    def test_that_were_named_are_known(self) -> None:
        policy = Policy(frozenset({"box.lan"})).listening("models.lan", "10.0.0.1")
        assert ask(policy, Host="box.lan:12434").status == 200
        assert ask(policy, Host="models.lan").status == 200
        assert ask(policy, Host="10.0.0.2").status == 403

    @pytest.mark.parametrize("address", ["0.0.0.0", "::"])
    def test_addresses_are_known_where_it_listens_on_all(self, address: str) -> None:
        policy = Policy(api_key="k").listening(address, address)
        assert ask(policy, Host="192.168.1.7:12434", Authorization="Bearer k").status == 200
        assert ask(policy, Host="evil.example", Authorization="Bearer k").status == 403

    def test_an_address_that_it_listens_on_is_known(self) -> None:
        policy = Policy().listening("fd00::1", "fd00::1")
        assert ask(policy, Host="[fd00::1]:12434").status == 200

    @pytest.mark.parametrize("name", ["a:1", "a/b", "", "A", "http://a"])
    def test_names_have_to_be_names(self, name: str) -> None:
        with pytest.raises(UsageError, match="--allow-host"):
            Policy(frozenset({name}))


class TestPages:
    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": PAGE},
            {"Origin": "null"},
            {"Origin": "http://localhost:3000"},
            {"Origin": "http://localhost.evil.example"},
            {"Origin": ""},
            {"Sec_Fetch_Site": "cross-site"},
            {"Sec_Fetch_Site": "same-site"},
            {"Origin": PAGE, "Access_Control_Request_Method": "POST"},
        ],
    )
    @pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
    def test_of_other_origins_are_refused(self, method: str, headers: dict[str, str]) -> None:
        answer = ask(Policy(), method, **headers)
        assert (answer.status, answer.code) == (403, "origin_not_allowed")
        assert "access-control-allow-origin" not in answer.headers

    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "http://localhost:12434"},
            {"Origin": "http://localhost:12434", "Sec_Fetch_Site": "same-origin"},
            {"Sec_Fetch_Site": "none"},
        ],
    )
    def test_of_its_own_may_ask(self, headers: dict[str, str]) -> None:
        assert ask(Policy(), Host="localhost:12434", **headers).status == 200

    def test_that_are_allowed_may_ask_and_read(self) -> None:
        policy = Policy(origins=frozenset({PAGE}))
        answer = ask(policy, Origin=PAGE, Sec_Fetch_Site="cross-site")
        assert answer.status == 200
        assert answer.headers["vary"] == "Origin"
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert ask(policy, Origin="https://other.example").status == 403

    def test_get_an_answer_before_they_ask(self) -> None:
        policy = Policy(origins=frozenset({PAGE}), api_key="k")
        answer = ask(
            policy,
            "OPTIONS",
            Origin=PAGE,
            Access_Control_Request_Method="POST",
            Access_Control_Request_Headers="authorization,content-type, x-stainless-os",
            Access_Control_Request_Private_Network="true",
        )
        assert answer.status == 204
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert "POST" in answer.headers["access-control-allow-methods"]
        named = answer.headers["access-control-allow-headers"]
        assert named == "authorization,content-type, x-stainless-os"
        assert answer.headers["access-control-allow-private-network"] == "true"
        assert answer.headers["vary"] == "Origin"

    def test_get_no_headers_that_are_none(self) -> None:
        answer = ask(
            Policy(origins=frozenset({PAGE})),
            "OPTIONS",
            Origin=PAGE,
            Access_Control_Request_Method="POST",
            Access_Control_Request_Headers="a: b\r\nc",
        )
        assert answer.status == 204
        assert "access-control-allow-headers" not in answer.headers

    def test_all_of_them_may_with_a_key(self) -> None:
        policy = Policy(origins=frozenset({"*"}), api_key="k")
        assert ask(policy, Origin=PAGE).status == 401
        assert ask(policy, Origin="null", Authorization="Bearer k").status == 200

    def test_all_of_them_may_not_without(self) -> None:
        with pytest.raises(UsageError, match="every page"):
            Policy(origins=frozenset({"*"}))

    @pytest.mark.parametrize("origin", ["app.example", "https://app.example/", "https://a b", ""])
    def test_origins_have_to_be_origins(self, origin: str) -> None:
        with pytest.raises(UsageError, match="--allow-origin"):
            Policy(origins=frozenset({origin}))

    def test_may_read_why_their_key_is_refused(self) -> None:
        answer = ask(Policy(origins=frozenset({PAGE}), api_key="k"), Origin=PAGE)
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (401, PAGE)


class TestTheKey:
    POLICY = Policy(api_key="s3cret")

    @pytest.mark.parametrize("given", ["Bearer s3cret", "bearer s3cret", "Bearer  s3cret "])
    def test_opens(self, given: str) -> None:
        assert ask(self.POLICY, Authorization=given).status == 200

    @pytest.mark.parametrize(
        "given",
        ["Bearer s3cre", "Bearer s3cret2", "Basic s3cret", "s3cret", "Bearer", "", "Bearer é"],
    )
    def test_has_to_be_the_key(self, given: str) -> None:
        answer = ask(self.POLICY, Authorization=given)
        assert (answer.status, answer.code) == (401, "invalid_api_key")
        assert answer.headers["www-authenticate"] == "Bearer"

    @pytest.mark.parametrize("path", ["/", "/models", "/metrics", "/health/", "/v1/models"])
    def test_is_wanted_everywhere(self, path: str) -> None:
        assert ask(self.POLICY, "GET", path).status == 401

    def test_is_not_wanted_for_health(self) -> None:
        assert ask(self.POLICY, "GET", "/health").status == 200

    def test_is_wanted_for_what_only_looks_like_a_preflight(self) -> None:
        answer = ask(self.POLICY, "OPTIONS", Access_Control_Request_Method="POST")
        assert answer.status == 401

    @pytest.mark.parametrize("key", ["", " ", "a b", "é", "a\n"])
    def test_has_to_be_one_that_can_be_sent(self, key: str) -> None:
        with pytest.raises(UsageError, match="API key"):
            Policy(api_key=key)
