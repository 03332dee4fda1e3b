"""One sequence: what `run` and a chat need."""

import math
import signal
import threading

import pytest

from smolctl.engine.engine import Engine
from smolctl.engine.generation import GenerationRequest
from smolctl.engine.options import EngineOptions
from smolctl.engine.sampling import Sampling
from smolctl.errors import EngineBusy, NotRunnable, PromptTooLong, UsageError
from tests.support.generating import reply, request
from tests.support.random_model import Geometry, write_random_model

PROMPT = "<|im_start|>user\nTell me a story.<|im_end|>\n<|im_start|>assistant\n"


def _ended(generation):
    """Read a generation to its end, and return it."""
    for _ in generation:
        pass
    return generation


def test_greedy_gives_the_same_every_time_also_from_the_cache(engine, tiny):
    first = reply(engine, PROMPT)
    with Engine.open([tiny]) as fresh:
        assert reply(engine, PROMPT) == first == reply(fresh, PROMPT)


def test_a_seed_gives_the_same_and_another_seed_another(engine):
    def with_seed(seed):
        return reply(engine, PROMPT, Sampling(temperature=2, seed=seed, max_tokens=40))

    assert with_seed(1) == with_seed(1)
    assert with_seed(1) != with_seed(2)


def test_without_a_seed_answers_differ(engine):
    sampling = Sampling(temperature=2, max_tokens=40)
    assert len({reply(engine, PROMPT, sampling) for _ in range(3)}) > 1


def test_max_tokens_ends_the_reply_and_says_so(engine):
    generation = _ended(engine.submit(request(engine, PROMPT, Sampling(max_tokens=5))))
    assert generation.finish_reason == "length"
    assert generation.usage.completion == 5
    assert generation.usage.prompt == len(engine.vocabulary.tokenize(PROMPT))
    timings = generation.timings
    assert 0 <= timings.queued <= timings.queued + timings.prompt <= timings.first_token


def test_the_context_is_filled_to_its_last_token_and_not_shifted(tiny):
    with Engine.open([tiny], EngineOptions(context_size=256)) as engine:
        # Bytes are tokens here: one more prompt token leaves one less for the reply.
        for prompt, room in ((250, 6), (255, 1)):
            sampling = Sampling(temperature=0)
            done = _ended(engine.submit(request(engine, "x" * prompt, sampling)))
            assert (done.finish_reason, done.usage.completion) == ("length", room)


def test_a_prompt_that_does_not_fit_gives_both_numbers(engine):
    with pytest.raises(PromptTooLong, match="600 tokens, the context holds 512"):
        engine.submit(request(engine, "x" * 600))


@pytest.mark.parametrize("tokens", [(), (-1,), (259,)])
def test_a_prompt_of_no_tokens_or_of_none_that_exist_is_refused(engine, tokens):
    with pytest.raises(UsageError):
        engine.submit(GenerationRequest(tokens))


def test_a_prompt_of_several_batches_is_the_same_as_one_that_grew(tmp_path):
    path = write_random_model(tmp_path / "long.gguf", Geometry(context=2048))
    with Engine.open([path]) as once, Engine.open([path]) as grown:
        for count in (50, 350, 650):
            reply(grown, "ab" * count, Sampling(temperature=0, max_tokens=1))
        assert reply(grown, "ab" * 800) == reply(once, "ab" * 800)


def test_a_prompt_longer_than_a_small_contexts_batch_is_decoded_in_pieces(tiny):
    # llama.cpp rounds the context up to 256 tokens, and keeps the batch at what was asked for.
    with Engine.open([tiny], EngineOptions(context_size=20)) as engine:
        generation = _ended(engine.submit(request(engine, "x" * 100)))
        assert generation.usage.prompt == 100
        assert generation.usage.completion == 24


def test_a_continued_conversation_costs_only_its_new_tokens(engine):
    answer = reply(engine, PROMPT)
    longer = f"{PROMPT}{answer}<|im_end|>\n<|im_start|>user\nMore!<|im_end|>\n"
    usage = _ended(engine.submit(request(engine, longer))).usage
    assert len(engine.vocabulary.tokenize(PROMPT)) <= usage.cached < usage.prompt


def test_a_generation_that_was_left_is_cancelled_and_the_next_one_is_right(engine, tiny):
    with engine.submit(request(engine, PROMPT, Sampling(temperature=2, seed=1))) as generation:
        next(generation)
    with Engine.open([tiny]) as fresh:
        assert reply(engine, PROMPT) == reply(fresh, PROMPT)
    assert _ended(generation).finish_reason == "cancelled"


def test_special_tokens_of_the_template_are_single_tokens(engine):
    vocabulary = engine.vocabulary
    assert vocabulary.tokenize("<|im_start|>")[0] == 1
    assert len(vocabulary.tokenize("<|im_start|>a<|im_end|>")) == 3
    assert (vocabulary.bos_token, vocabulary.eos_token) == ("<|im_start|>", "<|im_end|>")
    assert vocabulary.piece(1) == b""


def test_text_is_tokenized_to_bytes_and_nothing_is_lost(engine):
    assert len(engine.vocabulary.tokenize("żółć 🙂")) == len("żółć 🙂".encode())
    engine.vocabulary.tokenize("\ud800")  # half a surrogate pair, from a broken environment


def test_the_pieces_have_every_token_and_letters_of_several_tokens_come_whole(engine):
    # Bytes are tokens here, and a high temperature makes bytes that are no letters as well.
    for seed in range(5):
        sampling = Sampling(temperature=5, top_k=0, top_p=1, min_p=0, seed=seed, max_tokens=60)
        generation = engine.submit(request(engine, PROMPT, sampling))
        pieces = list(generation)
        tokens = [token for piece in pieces for token in piece.tokens]
        content = b"".join(engine.vocabulary.piece(token) for token in tokens)
        assert len(tokens) == generation.usage.completion
        assert "".join(piece.text for piece in pieces) == content.decode(errors="replace")


def test_a_biased_token_is_always_taken_and_a_forbidden_one_never(engine):
    [token] = engine.vocabulary.tokenize("q")
    always = Sampling(temperature=1, max_tokens=9, logit_bias=((token, 900.0),))
    assert reply(engine, PROMPT, always) == "q" * 9
    both = Sampling(temperature=1, max_tokens=9, logit_bias=((token, -math.inf),), seed=1)
    assert "q" not in reply(engine, "q" * 100, both)


def test_a_bias_of_a_token_that_does_not_exist_is_refused(engine):
    with pytest.raises(UsageError, match="259"):
        engine.submit(request(engine, PROMPT, Sampling(logit_bias=((259, 1.0),))))


def test_every_sampler_is_in_the_chain(engine):
    plain = reply(engine, PROMPT, Sampling(temperature=1.5, seed=1, max_tokens=60))
    filters = {
        "top_k": 2, "top_p": 0.1, "min_p": 0.6, "typical_p": 0.05, "xtc_probability": 1.0,
        "repeat_penalty": 3.0, "presence_penalty": 9.0, "frequency_penalty": 9.0,
    }  # fmt: skip
    for name, value in filters.items():
        sampling = Sampling(
            temperature=1.5, seed=1, max_tokens=60, xtc_threshold=0.001, **{name: value}
        )
        assert reply(engine, PROMPT, sampling) != plain, name


def test_log_probabilities_are_those_of_the_model_best_first(engine):
    generation = engine.submit(request(engine, PROMPT, logprobs=3))
    scores = [score for piece in generation for score in piece.scores]
    assert len(scores) == generation.usage.completion
    for score in scores:
        best = score.alternatives
        assert (best[0].token, best[0].logprob) == (score.token, score.logprob)  # it was greedy
        assert [other.logprob for other in best] == sorted(
            (other.logprob for other in best), reverse=True
        )
        assert score.piece == engine.vocabulary.piece(score.token)
    every = next(engine.submit(request(engine, PROMPT, logprobs=100))).scores[0].alternatives
    assert len(every) == 100
    assert 0.3 < sum(math.exp(other.logprob) for other in every) <= 1.0001


def test_log_probabilities_without_alternatives_and_none_at_all(engine):
    assert next(engine.submit(request(engine, PROMPT, logprobs=0))).scores[0].alternatives == ()
    assert next(engine.submit(request(engine, PROMPT))).scores == ()


def test_closing_ends_a_reply_under_way_and_refuses_what_comes_after(tiny):
    engine = Engine.open([tiny], EngineOptions(context_size=100_000))
    endless = request(engine, PROMPT, Sampling(temperature=0))
    under_way, waiting = engine.submit(endless), engine.submit(endless)
    next(under_way)
    engine.close()
    assert _ended(under_way).finish_reason == _ended(waiting).finish_reason == "cancelled"
    with pytest.raises(NotRunnable, match="unloaded"):
        engine.submit(endless)
    with pytest.raises(NotRunnable, match="unloaded"):
        engine.vocabulary.tokenize(PROMPT)


def test_more_requests_than_may_wait_are_refused(tiny):
    with Engine.open([tiny], EngineOptions(context_size=100_000, queue=2)) as engine:
        endless = request(engine, PROMPT, Sampling(temperature=0))
        with engine.submit(endless) as running:
            next(running)
            waiting = [engine.submit(endless) for _ in range(2)]
            with pytest.raises(EngineBusy, match="2 requests wait"):
                engine.submit(endless)
            waiting[0].cancel()
            assert _ended(waiting[0]).finish_reason == "cancelled"
            assert waiting[0].usage.completion == 0
            engine.submit(endless).cancel()
            waiting[1].cancel()


def test_a_bug_in_the_engines_thread_reaches_everybody_who_waits(tiny, monkeypatch):
    with Engine.open([tiny]) as engine:
        monkeypatch.setattr("smolctl.engine.scheduler.compose", lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            next(engine.submit(request(engine, PROMPT)))
        with pytest.raises(ZeroDivisionError):
            engine.submit(request(engine, PROMPT))


def test_a_step_that_llama_cpp_cannot_do_fails_its_replies_and_no_later_one(engine, monkeypatch):
    expected = reply(engine, PROMPT)
    real = engine._context._lib.llama_decode
    monkeypatch.setattr(engine._context._lib, "llama_decode", lambda *_: 1)
    with pytest.raises(NotRunnable, match="the KV cache is full"):
        reply(engine, "something else")
    monkeypatch.setattr(engine._context._lib, "llama_decode", real)
    assert reply(engine, PROMPT) == expected


def test_ctrl_c_is_heard_while_waiting_for_the_next_piece(tiny, monkeypatch):
    with Engine.open([tiny]) as engine:
        decoding, go_on = threading.Event(), threading.Event()
        real = engine._context.decode

        def slow(chunks):
            decoding.set()
            go_on.wait(60)
            return real(chunks)

        monkeypatch.setattr(engine._context, "decode", slow)
        main = threading.main_thread().ident

        def interrupt():
            decoding.wait(60)
            signal.pthread_kill(main, signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        with (  # noqa: PT012 - the signal comes while it waits
            pytest.raises(KeyboardInterrupt),
            engine.submit(request(engine, PROMPT)) as running,
        ):
            thread.start()
            next(running)
        thread.join()
        go_on.set()
        assert _ended(running).finish_reason == "cancelled"
        assert running.usage.completion <= 1


def test_the_state_says_what_the_engine_does(tiny):
    seen, all_submitted = [], threading.Event()

    def look():
        all_submitted.wait(60)
        seen.append(engine.state)

    with Engine.open([tiny], EngineOptions(sequences=2, context_size=256)) as engine:
        idle = engine.state
        assert (idle.sequences, idle.generating, idle.waiting, idle.kv_tokens) == (2, 0, 0, 0)
        assert idle.kv_capacity == 512

        sampling = Sampling(temperature=0, max_tokens=10)
        generations = [
            engine.submit(request(engine, letter * 20, sampling), on_event=look) for letter in "abc"
        ]
        all_submitted.set()
        for generation in generations:
            _ended(generation)
        assert max(state.generating for state in seen) == 2
        assert max(state.waiting for state in seen) >= 1
        # What a reply leaves in the cache is counted.
        assert 2 * 20 < engine.state.kv_tokens <= 2 * 30
        assert engine.state.waiting == 0
