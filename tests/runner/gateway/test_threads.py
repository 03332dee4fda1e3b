"""Work that blocks, beside the event loop."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from smolctl.runner.gateway.threads import in_thread

WAIT_SECONDS = 30


def test_its_result_comes_back() -> None:
    assert asyncio.run(in_thread(threading.get_ident)) != threading.get_ident()


def test_its_error_is_raised() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(in_thread(fail))


def test_it_goes_on_when_nobody_waits() -> None:
    go_on, done = threading.Event(), threading.Event()
    complaints: list[Any] = []

    def work() -> None:
        assert go_on.wait(WAIT_SECONDS)

    async def give_up() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context))
        waiting = asyncio.create_task(in_thread(work, "given up"))
        await asyncio.sleep(0)  # it has started
        waiting.cancel()
        go_on.set()
        await in_thread(lambda: join("given up"))
        await asyncio.sleep(0)  # what it left for the loop is done
        done.set()

    asyncio.run(give_up())
    assert done.is_set()
    assert complaints == []


def test_it_keeps_nobody_from_leaving() -> None:
    never = threading.Event()

    async def give_up() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(in_thread(never.wait, "stuck"), 0.01)

    asyncio.run(give_up())
    (stuck,) = (each for each in threading.enumerate() if each.name == "stuck")
    assert stuck.daemon
    never.set()
    stuck.join(WAIT_SECONDS)


def join(name: str) -> None:
    for thread in threading.enumerate():
        if thread.name == name:
            thread.join(WAIT_SECONDS)
