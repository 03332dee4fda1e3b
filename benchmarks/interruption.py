"""What a pull moves after it was killed, and what it does not move at all; counted at the server.

The server holds connections to a rate, so that a moment of the pull can be met.
"""

from __future__ import annotations

import random
import signal
import time
from typing import TYPE_CHECKING

from benchmarks import goals
from benchmarks.published import SECOND_TAG

if TYPE_CHECKING:
    from benchmarks.published import Published
    from benchmarks.puller import Puller
    from benchmarks.throttle import Throttled

_KILLS = 20
_SEED = 20
_POLL_SECONDS = 0.002


def kill_at_half(published: Published, server: Throttled, puller: Puller) -> None:
    """Kill a pull when half of the weights were sent, and pull again."""
    puller.clear()
    size = published.weights.size
    began = server.settled()
    first = _kill_at(server, puller, began + size // 2) - began
    puller.pull()
    second = server.settled() - began - first
    puller.check(published.weights)
    print("\nKilled at half, and pulled again")
    _moved("the first pull", first, size)
    _moved("the second", second, size)
    _moved("both", first + second, size)
    goals.RESUMED.judge(100 * second / size)


def share_weights(published: Published, server: Throttled, puller: Puller) -> None:
    """Pull a second tag with the same weights into the cache that has the first."""
    if not puller.holds(published.weights):
        puller.pull()
    began = server.settled()
    puller.pull(SECOND_TAG)
    moved = server.settled() - began
    print("\nA second tag with the same weights")
    _moved("its pull", moved, published.weights.size)
    goals.SHARED.judge(moved / 1e6)


def kill_often(published: Published, server: Throttled, puller: Puller) -> None:
    """Kill one pull again and again at random moments, let it finish, and remove the model."""
    puller.clear()
    size = published.weights.size
    draw = random.Random(_SEED)
    # As bytes sent in all, and well below the size: the pull cannot end before its last kill.
    moments = sorted(draw.randrange(size * 9 // 10) for _ in range(_KILLS))
    began, started = server.settled(), time.perf_counter()
    for moment in moments:
        _kill_at(server, puller, began + moment)
    killed = server.settled() - began
    puller.pull()
    moved, seconds = server.settled() - began, time.perf_counter() - started
    whole = puller.holds(published.weights)
    puller.remove()
    left = puller.leftovers()
    print(f"\nOne pull, killed at {_KILLS} random moments (seed {_SEED})")
    _moved("until the last kill", killed, size)
    _moved("in all", moved, size)
    print(f"  {'time, starts included':<34} {seconds:8.1f} s")
    goals.KILLED.judge(_KILLS if whole else 0)
    goals.REMOVED.judge(len(left))
    for name in left:
        print(f"    left: {name}")


def _kill_at(server: Throttled, puller: Puller, moment: int) -> int:
    """Start a pull, kill it when the server has sent `moment` bytes; returns what it sent."""
    process = puller.start()
    try:
        while server.sent < moment and process.poll() is None:
            time.sleep(_POLL_SECONDS)
    finally:
        process.kill()
        process.wait()
    if process.returncode != -signal.SIGKILL:
        raise RuntimeError(f"the pull ended with {process.returncode} before its kill")
    return server.settled()


def _moved(what: str, count: int, size: int) -> None:
    print(f"  {what:<34} {count / 1e6:8.1f} MB  {count / size:6.2f} x the model")
