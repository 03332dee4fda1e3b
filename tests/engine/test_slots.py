from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from smolctl.engine.slots import Slot, choose, common_prefix


@dataclass
class _Reply:
    prompt: list[int]


SYSTEM = list(range(1000, 1200))
TOKENS = st.lists(st.integers(0, 2), max_size=20)


def _chosen(slots, prompt, *, can_copy=True):
    place = choose(slots, prompt, can_copy=can_copy)
    return place and (place.slot.number, place.source.number, place.shared)


@given(TOKENS, TOKENS)
def test_the_common_prefix_is_the_longest_one(one, other):
    length = common_prefix(one, other)
    assert one[:length] == other[:length]
    assert one[length : length + 1] != other[length : length + 1] or length == len(one) == len(
        other
    )


def test_the_first_prompts_take_the_lowest_numbers():
    slots = [Slot(0, [1, 2, 3], _Reply([1, 2, 3])), Slot(1), Slot(2)]
    assert _chosen(slots, [7, 8, 9]) == (1, 1, 0)


def test_all_in_use_means_to_wait():
    assert _chosen([Slot(0, [1], _Reply([1]))], [1, 2]) is None


def test_a_continued_conversation_goes_on_in_its_place():
    slots = [Slot(0), Slot(1, SYSTEM, last_used=5), Slot(2, [4, 5], last_used=9)]
    assert _chosen(slots, [*SYSTEM, 1, 2, 3]) == (1, 1, 200)


def test_the_last_token_is_always_decoded():
    assert _chosen([Slot(0, SYSTEM, last_used=1)], SYSTEM) == (0, 0, 199)


def test_a_long_conversation_with_the_same_beginning_is_copied_and_kept():
    conversation = [*SYSTEM, *range(500)]
    slots = [
        Slot(0, conversation, last_used=8),
        Slot(1, [3] * 100, last_used=5),
        Slot(2, [4], last_used=7),
    ]
    assert _chosen(slots, [*SYSTEM, 900, 901]) == (1, 0, 200)


def test_a_prefix_of_one_in_use_is_copied():
    slots = [Slot(0, [*SYSTEM, 1, 2], _Reply([*SYSTEM, 1])), Slot(1)]
    assert _chosen(slots, [*SYSTEM, 7, 8]) == (1, 0, 200)


def test_a_short_prefix_is_not_worth_a_copy():
    slots = [Slot(0, [1, 2, 3, 4], _Reply([1, 2, 3])), Slot(1)]
    assert _chosen(slots, [1, 2, 3, 9]) == (1, 1, 0)


def test_a_prefix_that_is_being_decoded_is_waited_for():
    slots = [Slot(0, SYSTEM[:50], _Reply([*SYSTEM, 1, 2])), Slot(1)]
    assert _chosen(slots, [*SYSTEM, 7, 8]) is None
    slots[0].tokens = [*SYSTEM, 1]
    assert _chosen(slots, [*SYSTEM, 7, 8]) == (1, 0, 200)


def test_the_least_recently_used_is_given_up():
    slots = [
        Slot(0, [1] * 90, last_used=7),
        Slot(1, [2] * 90, last_used=3),
        Slot(2, [3] * 90, last_used=9),
    ]
    assert _chosen(slots, [8, 9]) == (1, 1, 0)


def test_a_short_tail_is_given_up_rather_than_a_long_prefix():
    slots = [Slot(0, SYSTEM, last_used=3), Slot(1, [1, 2, 3, 4, 5, 6], last_used=7)]
    assert _chosen(slots, [1, 2, 9, 9]) == (1, 1, 2)


def test_where_nothing_can_be_copied_the_longest_match_is_used_in_place():
    slots = [Slot(0, [*SYSTEM, *range(500)], last_used=9), Slot(1)]
    assert _chosen(slots, [*SYSTEM, 900], can_copy=False) == (0, 0, 200)
    slots[0].reply = _Reply([*SYSTEM, 1])
    assert _chosen(slots, [*SYSTEM, 900], can_copy=False) == (1, 1, 0)
