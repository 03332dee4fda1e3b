from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.model.units import (
    format_age,
    format_count,
    format_size,
    format_time,
    normalize_quantity,
    parse_time,
)

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0 B"), (999, "999 B"), (1000, "1.00 kB"), (7_133_280, "7.13 MB"),
        (270_590_880, "271 MB"), (725_000_000, "725 MB"), (999_600_000, "1.00 GB"),
        (12_340_000_000, "12.3 GB"), (10**16, "10000 TB"),
    ],
)  # fmt: skip
def test_sizes_are_decimal_with_three_digits(size, shown):
    assert format_size(size) == shown


@pytest.mark.parametrize(("count", "shown"), [(12, "12"), (3_541_248, "3.54M"), (361_821_120, "362M"), (8_000_000_000, "8.00B")])  # fmt: skip  # noqa: E501
def test_counts_have_no_space(count, shown):
    assert format_count(count) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "just now"), (1, "1 second ago"), (3599, "59 minutes ago"), (86400, "1 day ago"),
        (3 * 7 * 86400, "3 weeks ago"), (800 * 86400, "2 years ago"), (-5, "in the future"),
    ],
)  # fmt: skip
def test_ages_are_in_the_largest_unit(seconds, shown):
    assert format_age(NOW - timedelta(seconds=seconds), NOW) == shown


def test_a_quantity_loses_its_space():
    assert normalize_quantity(" 361.82 M ") == "361.82M"


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1)))
def test_times_survive_writing_and_reading(when):
    whole = when.replace(microsecond=0, tzinfo=timezone.utc)
    assert parse_time(format_time(whole)) == whole


@pytest.mark.parametrize(
    "text",
    ["2025-03-24T11:33:01Z", "2025-03-24T11:33:01.5Z", "2025-03-24T11:33:01.123456789Z",
     "2025-03-24T12:33:01+01:00", "2025-03-24T11:33:01"],
)  # fmt: skip
def test_the_times_that_other_tools_write(text):
    parsed = parse_time(text)
    assert parsed is not None
    assert format_time(parsed) == "2025-03-24T11:33:01Z"


def test_a_time_outside_the_calendar_or_never_set_is_no_time():
    assert parse_time("0001-01-01T00:00:00Z") is None
    assert parse_time("0001-01-01T00:00:00+12:00") is None
    assert parse_time("9999-12-31T23:59:59-12:00") is None


def test_a_year_has_four_digits():
    assert format_time(datetime(987, 1, 2, tzinfo=timezone.utc)) == "0987-01-02T00:00:00Z"


@given(st.text())
def test_any_other_text_is_no_time(text):
    parsed = parse_time(text)
    assert parsed is None or parsed.tzinfo is not None
