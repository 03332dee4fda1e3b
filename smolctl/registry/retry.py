"""When to try again, and how long to wait before it.

A failure that may pass (a cut connection, a stall, 429, 5xx) is a `TransientFailure`; everything
else is final at once. A budget counts the failures in a row: whatever makes progress begins it
anew, so that a large blob on a bad network is limited by the network and not by a count.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from smolctl.errors import RegistryUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")


class TransientFailure(RegistryUnavailable):
    """A failure that may pass. `retry_after` is how many seconds the registry asks to wait."""

    def __init__(
        self, message: str, *, hint: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how patiently to try again. Times are in seconds.

    `retries` is how many times in a row; the first wait is about `first`, each further one twice
    as long, up to `longest`. A registry that asks for more than `patience` is not waited for.
    """

    retries: int = 7
    first: float = 0.5
    longest: float = 30.0
    patience: float = 120.0

    def wait(self, failures: int) -> float:
        """Return the seconds to wait after that many failures in a row.

        Up to half of it is chance, so that clients that failed together do not return together.
        """
        full = min(self.longest, self.first * 2.0 ** min(failures - 1, 30))
        return full * random.uniform(0.5, 1)  # noqa: S311 - spreads load, hides nothing


class Budget:
    """The retries that one request, or one part of a blob, has left."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self._failures = 0

    def progressed(self) -> None:
        """Begin anew: something came of the last attempt."""
        self._failures = 0

    def spend(self, failure: TransientFailure) -> float:
        """Return the seconds to wait before the next attempt.

        Raises `RegistryUnavailable` for good when there is none left, or when the registry asks
        for too long a wait.
        """
        self._failures += 1
        asked = failure.retry_after or 0.0
        if asked > self._policy.patience:
            raise RegistryUnavailable(
                f"{failure.message}; it asks to be left alone for {asked:.0f} s", hint=failure.hint
            ) from failure
        if self._failures > self._policy.retries:
            tried = f" (tried {self._failures} times)" if self._failures > 1 else ""
            raise RegistryUnavailable(f"{failure.message}{tried}", hint=failure.hint) from failure
        return max(asked, self._policy.wait(self._failures))


def retrying(
    ask: Callable[[], _T],
    policy: RetryPolicy,
    *,
    tell: Callable[[TransientFailure, float], None] = lambda *_: None,
    sleep: Callable[[float], None] = time.sleep,
) -> _T:
    """Return what `ask` returns, asking again after a `TransientFailure` while the budget lasts.

    `tell` hears of each failure and of the wait before the next attempt.
    """
    budget = Budget(policy)
    while True:
        try:
            return ask()
        except TransientFailure as failure:
            seconds = budget.spend(failure)
            tell(failure, seconds)
            sleep(seconds)


def parse_retry_after(value: str | None, now: float | None = None) -> float | None:
    """Return the seconds that a `Retry-After` header asks for (RFC 9110, section 10.2.3).

    It is a number of seconds or a date; anything else counts as nothing said.
    """
    if not value:
        return None
    if value.strip().isdecimal():
        return float(value)
    from email.utils import parsedate_to_datetime

    try:
        when = parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return None
    return max(0.0, when - (time.time() if now is None else now))
