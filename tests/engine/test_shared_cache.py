"""Sequences that share one KV cache: each may have all of it, and all get their replies."""

from __future__ import annotations

import pytest

from smolctl.engine import scheduler
from smolctl.engine.engine import Engine
from smolctl.engine.options import EngineOptions
from smolctl.engine.sampling import Sampling
from tests.engine.test_batching import LONG, QUESTIONS
from tests.support.generating import chat, reply, request

SIZE = 256
ENDLESS = Sampling(temperature=0, max_tokens=150, logit_bias=((0, -100.0), (2, -100.0)))


@pytest.fixture(scope="module")
def shared(demo):
    options = EngineOptions(context_size=SIZE, sequences=4, shared_cache=True)
    with Engine.open([demo], options) as engine:
        yield engine


@pytest.fixture(scope="module")
def alone(demo):
    """Answers at the end of conversations, each given where nobody else asks anything."""
    with Engine.open([demo], EngineOptions(context_size=SIZE)) as engine:
        return {
            prompt: reply(engine, prompt, LONG)
            for prompt in (_conversation(engine, number) for number in range(6))
        }


def _conversation(engine, number):
    """Return one of which two just fit, since they begin with the same system message."""
    turns = [QUESTIONS[number]]
    for turn in QUESTIONS:
        text = chat(*(each for pair in [turn, *turns] for each in pair))
        if len(engine.vocabulary.tokenize(text)) > SIZE // 2 + 10:
            break
        turns.insert(0, turn)
    *earlier, (last, _) = turns
    return chat(*(each for pair in earlier for each in pair), last)


def test_one_reply_may_have_all_of_it(shared):
    assert shared.context_size == SIZE
    assert shared.state.kv_capacity == SIZE
    generation = shared.submit(request(shared, chat("Hello"), Sampling(temperature=0)))
    assert "".join(generation.texts())
    biased = Sampling(temperature=0, logit_bias=ENDLESS.logit_bias)
    generation = shared.submit(request(shared, chat("Hello"), biased))
    list(generation)
    assert generation.finish_reason == "length"
    assert generation.usage.prompt + generation.usage.completion == SIZE


def test_replies_that_do_not_fit_together_are_what_they_are_alone(demo, alone, monkeypatch):
    """Two of the prompts fit, and their answers do not: the younger goes on later."""
    monkeypatch.setattr(scheduler, "_HEADROOM", 0)
    options = EngineOptions(context_size=SIZE, sequences=4, shared_cache=True)
    with Engine.open([demo], options) as engine:
        given_up = []
        make_room = engine._scheduler._make_room
        monkeypatch.setattr(
            engine._scheduler, "_make_room", lambda: given_up.append(make_room()) or given_up[-1]
        )
        running = {prompt: engine.submit(request(engine, prompt, LONG)) for prompt in alone}
        assert {prompt: "".join(each.texts()) for prompt, each in running.items()} == alone
        assert given_up
        assert all(given_up)


def test_short_ones_do_not_keep_a_long_one_from_its_turn(shared):
    """It waits for room, and so do those that came after it."""
    first = shared.submit(request(shared, chat("Count."), ENDLESS))
    next(first)
    long = shared.submit(request(shared, chat("Who are you? " * 12), Sampling(max_tokens=2)))
    after = [shared.submit(request(shared, chat(prompt), LONG)) for prompt, _ in QUESTIONS[:3]]
    order = []
    for name, generation in (("long", long), *(("after", each) for each in after)):
        list(generation)
        order.append((generation.timings.queued, name))
    assert min(order)[1] == "long"
    list(first)


def test_a_beginning_that_all_have_takes_its_room_once(demo):
    system = "You are the smolctl demo model. " * 16
    options = EngineOptions(context_size=512, sequences=4, shared_cache=True)
    with Engine.open([demo], options) as engine:
        prompts = [chat(prompt, system=system) for prompt, _ in QUESTIONS[:4]]
        size = len(engine.vocabulary.tokenize(prompts[0]))
        assert 4 * size > 512  # they would not fit side by side
        list(engine.submit(request(engine, prompts[0], Sampling(max_tokens=1))))
        running = [engine.submit(request(engine, prompt, LONG)) for prompt in prompts]
        for generation in running:
            list(generation)
            assert generation.usage.cached > size // 2
