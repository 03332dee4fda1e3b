"""Sets of ranges, against plain sets of numbers."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.store.extents import Extent, Extents

extents = st.builds(Extent, st.integers(0, 40), st.integers(0, 40))
"""Empty and backward ones too: they hold no bytes."""


def offsets(ranges):
    """The bytes of `ranges`, one by one; each is in one range alone."""
    every = [offset for extent in ranges for offset in range(*extent)]
    assert len(every) == len(set(every))
    return set(every)


@given(st.lists(extents, max_size=12), extents)
def test_it_is_the_set_of_what_was_added(added, within):
    plain = set()
    there = Extents()
    for extent in added:
        there.add(extent)
        plain |= set(range(*extent))

        assert offsets(there) == plain
        assert there.total == len(plain)
        assert there.prefix == next(n for n in range(len(plain) + 1) if n not in plain)
        missing = there.gaps(within)
        assert offsets(missing) == set(range(*within)) - plain
        for ranges in (list(there), missing):
            assert all(extent.size > 0 for extent in ranges)
            # In order, and never so that two could be one.
            assert all(one.end < other.start for one, other in pairwise(ranges))


@given(st.lists(extents, max_size=8), st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_matters(added, random):
    there = Extents(added)
    shuffled = added + added[:3]
    random.shuffle(shuffled)

    assert Extents(shuffled) == there
    assert Extents(there) == there


def test_what_differs_is_not_equal():
    assert Extents([Extent(0, 3)]) != Extents([Extent(0, 4)])
    assert Extents() != []
    with pytest.raises(TypeError):
        hash(Extents())


def test_an_iteration_does_not_see_what_is_added_meanwhile():
    there = Extents([Extent(0, 1), Extent(2, 3)])
    seen = []
    for extent in there:
        there.add(Extent(1, 2))
        seen.append(extent)
    assert seen == [(0, 1), (2, 3)]
    assert list(there) == [(0, 3)]


def test_it_shows_what_is_in_it():
    assert "start=2, end=5" in repr(Extents([Extent(2, 5)]))
