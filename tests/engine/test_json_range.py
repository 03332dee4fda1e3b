"""Numbers between bounds: the grammar reads those that are, and no other."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smolctl.engine.gbnf import Grammar
from smolctl.engine.json_range import Bound, integers, lower_bound, numbers, upper_bound
from smolctl.errors import InvalidGrammar
from tests.support.grammar_regex import regex_of

NUMBER = st.decimals(-400, 400, places=3) | st.integers(-400, 400).map(Decimal)
BOUND = st.none() | st.builds(Bound, NUMBER, st.booleans())


def between(number, low, high):
    above = low is None or (number > low.value if low.open else number >= low.value)
    below = high is None or (number < high.value if high.open else number <= high.value)
    return above and below


def reads(rule, low, high, text):
    try:
        body = rule(low, high)
    except InvalidGrammar:
        return False
    Grammar(f"root ::= {body}")
    return regex_of(body).fullmatch(text) is not None


@given(BOUND, BOUND, st.data())
@example(Bound(Decimal(0)), Bound(Decimal(1)), None)
@example(Bound(Decimal(0), open=True), Bound(Decimal("0.5"), open=True), None)
@example(Bound(Decimal("-0.5")), Bound(Decimal("-0.25"), open=True), None)
def test_a_number_is_read_when_it_is_between(low, high, data):
    near = [bound.value for bound in (low, high) if bound is not None]
    drawn = [data.draw(NUMBER) for _ in range(4)] if data else []
    steps = [Decimal(step) for step in ("-1", "-0.001", "0", "0.001", "1")]
    for number in [*drawn, *(value + step for value in near for step in steps)]:
        text = f"{number:f}"
        if number:  # zero has a sign in JSON, which is not read everywhere
            assert reads(numbers, low, high, text) == between(number, low, high), text
            assert reads(numbers, low, high, f"{number:.5f}") == between(number, low, high)
        whole = int(number)
        assert reads(integers, low, high, str(whole)) == between(whole, low, high), whole


@pytest.mark.parametrize(
    ("text", "is_read"),
    [("0", True), ("0.85", True), ("1", True), ("1.000", True), ("0.", False), ("1.0001", False),
     ("01", False), ("1e0", False), ("-0.1", False), ("2", False)],
)  # fmt: skip
def test_a_share(text, is_read):
    schema = {"minimum": 0, "maximum": 1}
    assert reads(numbers, lower_bound(schema), upper_bound(schema), text) == is_read


@pytest.mark.parametrize(
    ("schema", "low", "high"),
    [
        ({"minimum": 1, "exclusiveMinimum": 1}, Bound(Decimal(1), open=True), None),
        ({"minimum": 2, "exclusiveMinimum": 1}, Bound(Decimal(2)), None),
        ({"maximum": 2, "exclusiveMaximum": 2.5}, None, Bound(Decimal(2))),
        ({"maximum": 2.5, "exclusiveMaximum": 2.5}, None, Bound(Decimal("2.5"), open=True)),
        ({"maximum": 2, "exclusiveMaximum": True}, None, Bound(Decimal(2), open=True)),  # draft 4
        ({"minimum": 2, "exclusiveMinimum": False}, Bound(Decimal(2)), None),
        ({"maximum": float("inf")}, None, None),
    ],
)
def test_the_narrower_of_two_bounds_counts(schema, low, high):
    assert (lower_bound(schema), upper_bound(schema)) == (low, high)


@pytest.mark.parametrize("value", ["1", True, [1], float("nan")])
def test_a_bound_is_a_number(value):
    with pytest.raises(InvalidGrammar, match="minimum is a number"):
        lower_bound({"minimum": value})


@pytest.mark.parametrize("rule", [integers, numbers])
@pytest.mark.parametrize(
    ("low", "high"), [("2", "1"), ("1e16", None), ("1e400", "1e500"), (None, "-1e300")]
)
def test_where_there_is_no_number_that_is_said(rule, low, high):
    low, high = (None if each is None else Bound(Decimal(each)) for each in (low, high))
    with pytest.raises(InvalidGrammar, match="no number"):
        rule(low, high)


def test_bounds_out_of_reach_are_none():
    high = Bound(Decimal("1.7976931348623157e308"))  # what generators of schemas write
    assert reads(numbers, Bound(Decimal("-1e308")), high, "-12.5")
    assert reads(integers, None, high, "9999999999999999")


def test_a_fraction_of_nines_is_not_rounded_up():
    assert reads(numbers, Bound(Decimal(0)), Bound(Decimal("0.9999999999999999")), "0.5")
