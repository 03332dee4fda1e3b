"""How long a worker stays, on a clock of the test's own."""

from __future__ import annotations

import asyncio

import pytest

from smolctl.runner.activity import Activity
from smolctl.runner.lifetime import Lifetime

PLENTY = 30.0


def test_it_stays_for_its_keep_alive_after_the_last_request() -> None:
    lifetime = Lifetime(Activity(), 0.0)
    assert (lifetime.remaining() or 0) > 10  # whoever started it has not asked yet
    with lifetime.request(None):
        assert lifetime.busy == 1
        assert lifetime.remaining() is None
    assert lifetime.remaining() == 0


def test_a_request_sets_the_keep_alive() -> None:
    lifetime = Lifetime(Activity(), 300.0)
    with lifetime.request(0.0):
        pass
    with lifetime.request(None):
        pass
    assert lifetime.remaining() == 0
    with lifetime.request(-1.0):
        pass
    assert lifetime.remaining() is None


def test_what_the_api_still_does_counts() -> None:
    activity = Activity()
    lifetime = Lifetime(activity, 0.0)
    with activity.request():
        with lifetime.request(None):
            pass
        assert lifetime.remaining() is None
    assert lifetime.remaining() == 0


@pytest.mark.parametrize("how", ["end of a request", "order"])
def test_waiting_ends_when_it_is_time(how: str) -> None:
    async def scenario() -> bool:
        lifetime = Lifetime(Activity(), 0.0)
        waiting = asyncio.ensure_future(lifetime.wait(PLENTY))
        if how == "order":
            lifetime.leave()
        else:
            with lifetime.request(None):
                await asyncio.sleep(0)
                assert not waiting.done()
        await asyncio.wait_for(waiting, PLENTY / 2)
        return lifetime.leaving

    assert asyncio.run(scenario())


def test_waiting_ends_after_a_while_to_look_around() -> None:
    async def scenario() -> bool:
        lifetime = Lifetime(Activity(), -1.0)
        await asyncio.wait_for(lifetime.wait(0.01), PLENTY)
        return lifetime.leaving

    assert not asyncio.run(scenario())
