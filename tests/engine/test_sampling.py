import dataclasses

import pytest

from smolctl.engine.sampling import Sampling
from smolctl.errors import UsageError


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("temperature", -0.1),
        ("temperature", float("nan")),
        ("temperature", float("inf")),
        ("top_k", -1),
        ("top_p", 1.1),
        ("min_p", -0.5),
        ("repeat_penalty", 0),
        ("seed", -1),
        ("seed", 2**32),
        ("max_tokens", 0),
    ],
)
def test_a_value_out_of_range_names_its_flag(flag, value):
    with pytest.raises(UsageError, match=f"--{flag.replace('_', '-')} is"):
        dataclasses.replace(Sampling(), **{flag: value})


def test_the_bounds_themselves_are_allowed():
    Sampling(temperature=0, top_k=0, top_p=0, min_p=1, seed=0, max_tokens=1)
