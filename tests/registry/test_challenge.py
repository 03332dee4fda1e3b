"""`WWW-Authenticate`: reading it, and refusing to be sent where nobody should go."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.errors import AccessDenied
from smolctl.registry.challenge import Challenge


def realm(url: str, registry: str = "registry.example.com", *, plain_http: bool = False) -> str:
    return Challenge("bearer", {"realm": url}).realm(registry, plain_http=plain_http)


def test_docker_hubs_challenge() -> None:
    challenge = Challenge.parse(
        'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",'
        'scope="repository:ai/smollm2:pull"'
    )

    assert challenge == Challenge(
        "bearer",
        {
            "realm": "https://auth.docker.io/token",
            "service": "registry.docker.io",
            "scope": "repository:ai/smollm2:pull",
        },
    )


@pytest.mark.parametrize(
    ("header", "scheme", "parameters"),
    [
        ("Basic", "basic", {}),
        ('basic realm="r"', "basic", {"realm": "r"}),
        ("BEARER realm=r", "bearer", {"realm": "r"}),
        ('Basic realm="a", Bearer realm="b"', "bearer", {"realm": "b"}),
        ('Bearer realm="b", Basic realm="a"', "bearer", {"realm": "b"}),
        ('Negotiate, Basic realm="a"', "basic", {"realm": "a"}),
        (
            'Bearer realm="r" , scope="repository:a:pull,push"',
            "bearer",
            {"realm": "r", "scope": "repository:a:pull,push"},
        ),
        (r'Bearer realm="a\"b\\c"', "bearer", {"realm": r"a\"b\c".replace(r"\"", '"')}),
        ('Bearer Realm="r"', "bearer", {"realm": "r"}),
        ('Bearer realm=""', "bearer", {"realm": ""}),
    ],
)
def test_challenges_that_are_met(header: str, scheme: str, parameters: dict[str, str]) -> None:
    assert Challenge.parse(header) == Challenge(scheme, parameters)


@pytest.mark.parametrize("header", ["", "Negotiate", 'Digest realm="x"', "BearerX y", "xBasic"])
def test_challenges_that_are_not(header: str) -> None:
    assert Challenge.parse(header) is None


@given(st.text(alphabet='BbearSsic mlt="\\,:/x\u00e9\n', max_size=200))
def test_any_header_is_read_or_passed_over(header: str) -> None:
    challenge = Challenge.parse(header)

    assert challenge is None or challenge.scheme in ("bearer", "basic")


@given(st.text(alphabet="htps:/[]@.%#?x1\u00e9 \\", max_size=60))
def test_any_realm_is_an_address_or_refused(text: str) -> None:
    with contextlib.suppress(AccessDenied):
        assert realm(f"https:{text}").startswith("https:")


@pytest.mark.parametrize(
    "url", ["https://auth.example.com/token", "https://auth.example.com:8443/t?a=b"]
)
def test_an_https_realm_is_used_as_it_is(url: str) -> None:
    assert realm(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://auth.example.com/token",
        "ftp://auth.example.com/token",
        "file:///etc/passwd",
        "//auth.example.com/token",
        "/token",
        "",
        "https://",
        "https://user@auth.example.com/token",
        "https://user:secret@auth.example.com/token",
        "https://localhost/token",
        "https://127.0.0.1/token",
        "https://127.8.8.8:2375/token",
        "https://[::1]/token",
        "https://[::1",
        "https://[x]/token",
        "https://localhost./token",
        "https://api.localhost/token",
        "https://127.1/token",
        "https://0x7f.0.0.1/token",
        "https://2130706433/token",
        "https://0.0.0.0/token",
        "https://[::]/token",
        "https://[::ffff:127.0.0.1]/token",
        "https://auth.example.com:x/token",
        "https://127.0.0.1\\.example.com/token",
        "https://auth.example.com\n.evil.example/token",
        "https://auth.example.com/to ken",
        "https://\u0430uth.example.com/token",
    ],
)
def test_a_realm_that_leads_astray_is_refused(url: str) -> None:
    with pytest.raises(AccessDenied, match="not safe"):
        realm(url)


def test_a_plain_http_realm_needs_a_registry_that_is_spoken_to_in_plain_http() -> None:
    assert realm("http://auth.example.com/t", plain_http=True) == "http://auth.example.com/t"
    with pytest.raises(AccessDenied):
        realm("http://127.0.0.1/t", plain_http=True)


def test_a_registry_on_this_machine_may_have_its_realm_there() -> None:
    url = "http://127.0.0.1:5001/token"

    assert realm(url, "localhost:5000") == url


def test_a_registry_on_this_machine_sends_nobody_elsewhere_in_plain_http() -> None:
    with pytest.raises(AccessDenied):
        realm("http://auth.example.com/token", "localhost:5000")


def test_a_refused_realm_is_shown_without_its_secrets() -> None:
    with pytest.raises(AccessDenied) as caught:
        realm("http://user:s3cret@auth.example.com/token?key=s3cret&service=x")

    assert "http://auth.example.com/token?key=REDACTED&service=x" in caught.value.message
    assert "s3cret" not in caught.value.message
