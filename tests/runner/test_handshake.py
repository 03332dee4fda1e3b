"""What a worker reports to whoever started it, and what it does not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from smolctl.errors import NotRunnable
from smolctl.runner import handshake

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The side of whoever started this process, which has the other descriptors of a worker."""
    reading, writing = os.pipe()
    monkeypatch.setattr(handshake, "READY", writing)
    monkeypatch.setattr(handshake, "LOCK", os.open(os.devnull, os.O_RDONLY))
    monkeypatch.setattr(handshake, "_reported", [])
    yield reading
    os.close(reading)


def test_a_crash_while_it_loads_is_reported(report: int) -> None:
    handshake.report_crash("out of luck")
    os.close(handshake.LOCK)
    with pytest.raises(NotRunnable, match=r"llama\.cpp crashed: out of luck"):
        handshake.read_report(report)


def test_a_crash_later_writes_into_nobodys_connection(report: int) -> None:
    client, ours = os.pipe()
    handshake.report_ready({"pid": 7})
    assert handshake.read_report(report) == {"pid": 7}
    # A client's connection gets the number that is free now.
    os.dup2(ours, handshake.READY)
    os.close(ours)
    handshake.report_crash("out of luck")
    os.close(handshake.READY)
    assert os.read(client, 100) == b""
    os.close(client)
