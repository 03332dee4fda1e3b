"""Where a server listens, and where others find it."""

from __future__ import annotations

import ipaddress
import socket
from contextlib import closing

import pytest

from smolctl.errors import UsageError
from smolctl.listening import Address, listen, reachable_addresses


def test_an_address_that_was_named_is_where_it_is_found() -> None:
    with closing(listen("127.0.0.1", 0)) as listener:
        assert reachable_addresses(listener) == ["127.0.0.1"]


def test_on_all_addresses_it_is_found_at_those_that_others_can_reach() -> None:
    with closing(listen("0.0.0.0", 0)) as listener:
        for found in reachable_addresses(listener):
            ip = ipaddress.ip_address(found)
            assert not ip.is_loopback
            assert not ip.is_unspecified


def test_without_a_network_it_is_found_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoRoute(socket.socket):
        def connect(self, _: object) -> None:
            raise OSError(101, "Network is unreachable")

    with closing(listen("0.0.0.0", 0)) as listener:
        monkeypatch.setattr(socket, "socket", NoRoute)
        assert reachable_addresses(listener) == []


@pytest.mark.parametrize(
    ("host", "is_loopback"), [("127.0.0.1", True), ("127.9.9.9", True), ("0.0.0.0", False)]
)
def test_who_gets_there_is_known_before(host: str, is_loopback: bool) -> None:
    assert Address.of(host, 0).is_loopback is is_loopback


def test_localhost_is_where_programs_look_that_were_told_127_0_0_1() -> None:
    assert Address.of("localhost", 0).ip == "127.0.0.1"


def test_what_is_no_address_is_a_mistake() -> None:
    with pytest.raises(UsageError, match="--host"):
        Address.of("no such host", 0)


def test_a_port_that_is_taken_is_named(unused_tcp_port: int) -> None:
    with pytest.raises(UsageError, match=str(unused_tcp_port)) as caught:
        listen("127.0.0.1", unused_tcp_port)
    assert "--port 0" in (caught.value.hint or "")
    assert caught.value.message.endswith("in use")


def test_an_address_of_another_machine_is_not_a_matter_of_the_port(unused_tcp_port: int) -> None:
    with pytest.raises(UsageError, match=r"192\.0\.2\.1") as caught:
        listen("192.0.2.1", unused_tcp_port)
    assert caught.value.hint == "--host is an address of this machine."
