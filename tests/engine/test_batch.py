from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from smolctl.engine.batch import compose, shared_out
from smolctl.engine.slots import Slot


@dataclass
class _Reply:
    number: int
    tokens: list[int]
    completion: int = 0


def _prompt(slot, size, *, age=0, done=0):
    tokens = list(range(size))
    return Slot(slot, tokens[:done], _Reply(age or slot, tokens))


def _writing(slot, size=10):
    tokens = list(range(size))
    return Slot(slot, tokens[:-1], _Reply(0, tokens, completion=3))


def _sizes(slots, budget):
    return [
        (chunk.sequence, chunk.position, len(chunk.tokens), chunk.wants_logits)
        for _, chunk in compose(slots, budget)
    ]


def test_one_prompt_fills_the_batch_and_asks_for_logits_at_its_end_only():
    assert _sizes([_prompt(0, 700)], 512) == [(0, 0, 512, False)]
    assert _sizes([_prompt(0, 700, done=512)], 512) == [(0, 512, 188, True)]


def test_every_reply_has_its_token_and_the_prompt_what_is_left():
    slots = [_writing(0), _prompt(1, 700), Slot(2), _writing(3)]
    assert _sizes(slots, 64) == [(0, 9, 1, True), (1, 0, 62, False), (3, 9, 1, True)]


def test_beside_replies_a_long_prompt_comes_in_smaller_chunks():
    assert _sizes([_writing(0), _prompt(1, 700)], 512) == [(0, 9, 1, True), (1, 0, 256, False)]


def test_the_oldest_prompt_gets_half_and_the_shortest_others_the_rest():
    slots = [_prompt(0, 900, age=3), _prompt(1, 900, age=1), _prompt(2, 200, age=4)]
    assert _sizes(slots, 512) == [(0, 0, 56, False), (1, 0, 256, False), (2, 0, 200, True)]


def test_a_short_prompt_is_done_at_once_beside_a_long_one():
    slots = [_prompt(0, 5000, age=1), _prompt(1, 20, age=2)]
    assert _sizes(slots, 512) == [(0, 0, 492, False), (1, 0, 20, True)]


def test_a_reply_that_had_to_give_way_has_all_of_it_done_once_more():
    slot = Slot(0, list(range(4)), _Reply(0, list(range(300)), completion=3))
    assert _sizes([slot, _prompt(1, 700, age=1)], 1024) == [(0, 4, 296, True), (1, 0, 700, True)]


def test_nothing_to_do_is_an_empty_step():
    assert compose([Slot(0), Slot(1)], 512) == []


@given(st.lists(st.integers(1, 600), max_size=12), st.integers(1, 600))
def test_what_is_shared_out_fits_and_nothing_is_wasted(wanted, budget):
    given_out = shared_out(wanted, budget)
    assert all(0 <= got <= want for got, want in zip(given_out, wanted, strict=True))
    assert sum(given_out) == min(budget, sum(wanted))
