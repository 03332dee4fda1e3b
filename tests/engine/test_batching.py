"""Several sequences of one context: replies that come and go beside each other."""

from __future__ import annotations

import json
import resource
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from smolctl.engine.engine import Engine
from smolctl.engine.options import EngineOptions
from smolctl.engine.sampling import Sampling
from tests.support.generating import GREEDY, chat, reply, request

QUESTIONS = [
    (question["prompt"], question["answer"])
    for question in json.loads((Path(__file__).parent.parent / "demo_questions.json").read_text())
    if "system" not in question
][::3]
LONG = Sampling(temperature=0, max_tokens=200)


@pytest.fixture(scope="module")
def alone(demo):
    """What each question is answered where nobody else asks anything."""
    with Engine.open([demo], EngineOptions(context_size=512)) as engine:
        return {prompt: reply(engine, chat(prompt), LONG) for prompt, _ in QUESTIONS}


def _tokens(generation):
    return [token for piece in generation for token in piece.tokens]


def test_alone_the_demo_model_is_right(alone):
    assert len(QUESTIONS) >= 10
    assert alone == dict(QUESTIONS)


def test_together_every_reply_is_the_one_given_alone(eight, alone):
    """Prompts and answers differ in length, so they join and leave at different steps."""
    running = {prompt: eight.submit(request(eight, chat(prompt), LONG)) for prompt in alone}
    assert {prompt: "".join(each.texts()) for prompt, each in running.items()} == alone


def test_one_that_joins_and_one_that_leaves_change_nothing(eight, alone):
    first, second, third = list(alone)[:3]
    running = eight.submit(request(eight, chat(first), LONG))
    begun = next(running).text
    with eight.submit(request(eight, chat("Count for me.") * 3, LONG)) as leaving:
        next(leaving)
    beside = [eight.submit(request(eight, chat(prompt), LONG)) for prompt in (second, third)]
    assert begun + "".join(running.texts()) == alone[first]
    assert ["".join(each.texts()) for each in beside] == [alone[second], alone[third]]


def test_eight_threads_at_once_each_get_their_answers(eight, alone):
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda prompt: reply(eight, chat(prompt), LONG), alone)
        assert dict(zip(alone, answers, strict=True)) == alone


def test_a_prompt_in_many_chunks_beside_replies_is_the_same(demo, alone):
    first, *others = alone
    with Engine.open(
        [demo], EngineOptions(sequences=3, context_size=512, batch_tokens=5)
    ) as engine:
        running = [engine.submit(request(engine, chat(prompt), LONG)) for prompt in others]
        assert ["".join(each.texts()) for each in running] == [alone[p] for p in others]
        assert reply(engine, chat(first), LONG) == alone[first]


def test_a_reply_goes_on_while_a_long_prompt_is_decoded(demo):
    """No step has more than a few prompt tokens while somebody reads a reply."""
    with Engine.open([demo], EngineOptions(sequences=2, context_size=2048)) as engine:
        steps = []
        decode = engine._context.decode

        def watched(chunks):
            steps.append([(chunk.sequence, len(chunk.tokens)) for chunk in chunks])
            return decode(chunks)

        engine._context.decode = watched
        endless = Sampling(temperature=1, seed=1, max_tokens=600, logit_bias=_never_end(engine))
        running = engine.submit(request(engine, "Once upon a time", endless))
        next(running)
        joining = engine.submit(request(engine, "word " * 1300, GREEDY))
        next(joining)
        running.cancel()
        both = [dict(step) for step in steps if len(step) == 2]
        assert len(both) >= 5
        assert all(1 in (step[0], step[1]) for step in both)
        assert all(max(step.values()) <= 256 for step in both)


def _never_end(engine):
    """Return a bias that keeps the demo model from ending its reply."""
    ends = [n for n in range(engine.vocabulary.size) if engine.vocabulary.ends_generation(n)]
    return tuple((token, float("-inf")) for token in ends)


SYSTEM = "You are careful. " * 20


def test_a_shared_prefix_is_decoded_once_and_changes_no_answer(demo):
    prompts = [chat(prompt, system=SYSTEM) for prompt, _ in QUESTIONS[:6]]
    expected = []
    for prompt in prompts:
        with Engine.open([demo], EngineOptions(context_size=512)) as fresh:
            expected.append(reply(fresh, prompt, LONG))
    with Engine.open([demo], EngineOptions(sequences=4, context_size=512)) as engine:
        system = len(engine.vocabulary.tokenize(SYSTEM))
        assert system > 64
        running = [engine.submit(request(engine, prompt, LONG)) for prompt in prompts]
        assert ["".join(each.texts()) for each in running] == expected
        cached = [each.usage.cached for each in running]
        assert cached[0] == 0
        assert all(count >= system for count in cached[1:]), cached


def test_a_conversation_is_kept_while_others_are_answered(demo):
    with Engine.open([demo], EngineOptions(sequences=2, context_size=512)) as engine:
        first = chat("What is the capital of France?", system=SYSTEM)
        answer = reply(engine, first, LONG)
        for prompt, _ in QUESTIONS[:4]:
            reply(engine, chat(prompt), LONG)
        again = engine.submit(request(engine, first, LONG))
        # Two sequences: the others took the other one.
        assert "".join(again.texts()) == answer
        assert again.usage.cached == again.usage.prompt - 1


def test_what_cancelling_frees_is_used_by_who_waits(demo):
    with Engine.open([demo], EngineOptions(sequences=2, context_size=2048)) as engine:
        endless = Sampling(temperature=1, seed=1, logit_bias=_never_end(engine))
        running = [engine.submit(request(engine, f"{n} times", endless)) for n in range(2)]
        for generation in running:
            next(generation)
        waiting = engine.submit(request(engine, chat(QUESTIONS[0][0]), LONG))
        running[0].cancel()
        assert "".join(waiting.texts()) == QUESTIONS[0][1]
        assert _tokens(running[0]) is not None
        assert running[0].finish_reason == "cancelled"
        running[1].cancel()


def test_closing_while_busy_ends_every_reply(demo):
    engine = Engine.open([demo], EngineOptions(sequences=3, context_size=2048))
    endless = Sampling(temperature=1, seed=1, logit_bias=_never_end(engine))
    running = [engine.submit(request(engine, f"{n} times", endless)) for n in range(5)]
    next(running[0])
    reasons = []

    def read(generation):
        _tokens(generation)
        reasons.append(generation.finish_reason)

    threads = [threading.Thread(target=read, args=(each,)) for each in running]
    for thread in threads:
        thread.start()
    engine.close()
    for thread in threads:
        thread.join()
    assert reasons == ["cancelled"] * 5


def test_a_seed_repeats_whatever_runs_beside_it(eight):
    sampling = Sampling(temperature=1.0, seed=7, max_tokens=40)
    prompt = chat("Tell me a story.")
    expected = reply(eight, prompt, sampling)
    beside = [eight.submit(request(eight, chat(q), LONG)) for q, _ in QUESTIONS[:5]]
    assert reply(eight, prompt, sampling) == expected
    for generation in beside:
        _tokens(generation)


def test_many_short_requests_leave_nothing_behind(eight):
    def ask(count):
        for _ in range(count):
            prompts = [chat(prompt) for prompt, _ in QUESTIONS[:8]]
            sampling = Sampling(temperature=0.5, top_k=5, repeat_penalty=1.1, max_tokens=2)
            running = [
                eight.submit(request(eight, prompt, sampling, stop=("###",), logprobs=2))
                for prompt in prompts
            ]
            for generation in running:
                _tokens(generation)

    def open_files():
        folder = Path("/proc/self/fd")
        return len(list(folder.iterdir())) if folder.exists() else 0

    ask(4)
    before = (open_files(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    ask(38)  # 304 requests
    after = (open_files(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    assert after[0] == before[0]
    assert after[1] - before[1] < 4096, "the peak of memory grew by this many kB"
