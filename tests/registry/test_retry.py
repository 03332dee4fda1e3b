"""When to try again, how long to wait before it, and what a registry may ask for."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from smolctl.errors import IntegrityError, RegistryUnavailable
from smolctl.registry.retry import (
    Budget,
    RetryPolicy,
    TransientFailure,
    parse_retry_after,
    retrying,
)

POLICY = RetryPolicy(retries=3, first=1.0, longest=10.0, patience=60.0)
FAILURE = TransientFailure("it is down", hint="Wait.")
NOW = 1_445_412_480.0
"""Wed, 21 Oct 2015 07:28:00 GMT."""


class TestPolicy:
    @pytest.mark.parametrize(("failures", "full"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 10)])
    def test_waits_twice_as_long_each_time_up_to_a_limit(self, failures: int, full: float) -> None:
        waits = [POLICY.wait(failures) for _ in range(300)]

        assert all(full / 2 <= wait <= full for wait in waits)
        assert max(waits) - min(waits) > full / 4  # part of it is chance

    def test_never_overflows(self) -> None:
        assert POLICY.wait(1_000_000) <= 10

    def test_as_it_comes_gives_a_network_minutes(self) -> None:
        policy = RetryPolicy()

        least = sum(policy.wait(failures) for failures in range(1, policy.retries + 1))

        assert 30 < least < 300


class TestBudget:
    def test_is_spent_after_its_retries(self) -> None:
        budget = Budget(POLICY)
        for _ in range(3):
            budget.spend(FAILURE)

        with pytest.raises(RegistryUnavailable) as caught:
            budget.spend(FAILURE)

        assert not isinstance(caught.value, TransientFailure)
        assert caught.value.message == "it is down (tried 4 times)"
        assert caught.value.hint == "Wait."

    def test_begins_anew_with_progress(self) -> None:
        budget = Budget(POLICY)
        for _ in range(50):
            assert budget.spend(FAILURE) <= 1
            budget.progressed()

    def test_of_no_retries_does_not_count_attempts(self) -> None:
        with pytest.raises(RegistryUnavailable, match=r"^it is down$"):
            Budget(RetryPolicy(retries=0)).spend(FAILURE)

    def test_waits_as_long_as_the_registry_asks(self) -> None:
        assert Budget(POLICY).spend(TransientFailure("busy", retry_after=42)) == 42

    def test_waits_its_own_time_where_that_is_longer(self) -> None:
        assert Budget(POLICY).spend(TransientFailure("busy", retry_after=0)) >= 0.5

    @pytest.mark.parametrize("asked", [61, 1e9, float("inf")])
    def test_does_not_wait_longer_than_its_patience(self, asked: float) -> None:
        with pytest.raises(RegistryUnavailable, match="asks to be left alone for") as caught:
            Budget(POLICY).spend(TransientFailure("busy", retry_after=asked))

        assert not isinstance(caught.value, TransientFailure)


class TestRetrying:
    def attempt(self, *outcomes: object) -> tuple[object, list[float], list[str]]:
        left = list(outcomes)
        slept: list[float] = []
        told: list[str] = []

        def ask() -> object:
            outcome = left.pop(0)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        value = retrying(
            ask, POLICY, tell=lambda failure, _: told.append(failure.message), sleep=slept.append
        )
        assert left == []
        return value, slept, told

    def test_returns_what_came_at_last(self) -> None:
        value, slept, told = self.attempt(FAILURE, TransientFailure("b", retry_after=7), "here")

        assert value == "here"
        assert told == ["it is down", "b"]
        assert slept[0] <= 1
        assert slept[1] == 7

    def test_waits_for_nothing_when_it_comes_at_once(self) -> None:
        assert self.attempt("here") == ("here", [], [])

    def test_gives_up(self) -> None:
        with pytest.raises(RegistryUnavailable, match="tried 4 times"):
            self.attempt(*[FAILURE] * 4)

    @pytest.mark.parametrize("error", [RegistryUnavailable("no"), IntegrityError("no")])
    def test_leaves_what_will_not_pass(self, error: Exception) -> None:
        with pytest.raises(type(error)):
            self.attempt(error)


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("0", 0),
            ("120", 120),
            (" 120 ", 120),
            ("Wed, 21 Oct 2015 07:28:30 GMT", 30),
            ("Wednesday, 21-Oct-15 07:28:30 GMT", 30),
            ("Wed, 21 Oct 2015 09:28:30 +0200", 30),
            ("Wed, 21 Oct 2015 07:27:00 GMT", 0),
            ("Mon, 01 Jan 1900 00:00:00 GMT", 0),
        ],
    )
    def test_is_seconds_or_a_date(self, value: str, seconds: float) -> None:
        assert parse_retry_after(value, NOW) == seconds

    @pytest.mark.parametrize(
        "value",
        [
            None,
            "",
            " ",
            "-1",
            "1.5",
            "soon",
            "1e3",
            "Wed, 21 Oct 2015 99:28:00 GMT",
            "Wed, 21 Oct 99999999999999999999 07:28:00 GMT",
            "Wed, 21 Oct 2015 07:28:00 +99999999999999",
            "(" * 10_000,
        ],
    )
    def test_of_anything_else_is_nothing(self, value: str | None) -> None:
        assert parse_retry_after(value, NOW) is None

    def test_too_long_to_count_is_too_long(self) -> None:
        assert parse_retry_after("9" * 400) == float("inf")

    def test_is_from_now_on(self) -> None:
        import time

        soon = parse_retry_after(formatdate(time.time() + 50, usegmt=True))

        assert soon is not None
        assert 40 < soon <= 50
