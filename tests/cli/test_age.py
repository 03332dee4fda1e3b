"""Ages as a person writes them."""

import pytest

from smolctl.cli.age import age_seconds
from smolctl.errors import UsageError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("90s", 90), ("5m", 300), ("12h", 43_200), ("7d", 604_800), ("2w", 1_209_600)],
)
def test_an_age_is_a_number_and_a_unit(text, seconds):
    assert age_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "7", "-1d", "1.5h", "1y", "7 d", "d", "9999999d", "\u0667d"])
def test_anything_else_is_refused(text):
    with pytest.raises(UsageError, match="--older-than"):
        age_seconds(text)
