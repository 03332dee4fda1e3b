"""Until when a worker stays, in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from smolctl.cli.ps import short_id, shown_name, until
from smolctl.runner.worker_status import Worker

NOW = 1_000_000.0


def worker(**fields: object) -> Worker:
    return Worker(Path("/s"), "sha256:" + "ab" * 32, "asked", 1, "0", **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "Expiring"), (-5, "Expiring"), (0.2, "1 second from now"), (1, "1 second from now"),
     (59, "59 seconds from now"), (61, "1 minute from now"), (290, "5 minutes from now"),
     (3600, "1 hour from now"), (10_000, "3 hours from now")],
)  # fmt: skip
def test_until_is_said_in_the_largest_unit(seconds: float, said: str) -> None:
    assert until(worker(expires_at=NOW + seconds), NOW) == said


def test_what_is_busy_or_stays_for_ever_has_no_end() -> None:
    assert until(worker(busy=1), NOW) == "In use"
    assert until(worker(keep_alive=-1), NOW) == "Forever"


def test_a_name_in_the_cache_is_shown_before_what_was_asked_for() -> None:
    assert shown_name(worker(names=("ai/x:v1", "ai/x:latest", "ai/x:v2"))) == "ai/x:latest"
    assert shown_name(worker(names=("ai/x:v1", "ai/x:v2"))) == "ai/x:v1"
    assert shown_name(worker()) == "asked"
    assert short_id(worker().id) == "ab" * 6
