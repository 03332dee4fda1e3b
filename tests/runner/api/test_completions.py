"""Plain completions, with the real `openai` client."""

from __future__ import annotations

import json

import pytest

from tests.runner.api.conftest import MODEL
from tests.support.generating import chat
from tests.support.questions import ANSWERS

QUESTIONS = list(ANSWERS)[:3]
PROMPT, ANSWER = chat(QUESTIONS[0]), ANSWERS[QUESTIONS[0]]


@pytest.fixture
def create(client):
    def ask(**parameters):
        given = {"model": MODEL, "prompt": PROMPT, "temperature": 0, **parameters}
        return client.completions.create(**given)

    return ask


@pytest.fixture
def tokens(loaded):
    return loaded.engine.vocabulary.tokenize(PROMPT)


def test_a_prompt_goes_on(create):
    reply = create()
    assert reply.object == "text_completion"
    assert reply.id.startswith("cmpl-")
    (choice,) = reply.choices
    assert (choice.text, choice.finish_reason, choice.logprobs) == (ANSWER, "stop", None)
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens


def test_a_prompt_may_be_tokens(create, tokens):
    assert create(prompt=tokens).choices[0].text == ANSWER


@pytest.mark.parametrize("in_tokens", [False, True])
def test_several_prompts_have_several_choices_each(create, loaded, in_tokens):
    prompts = [chat(question) for question in QUESTIONS]
    if in_tokens:
        prompts = [loaded.engine.vocabulary.tokenize(prompt) for prompt in prompts]
    reply = create(prompt=prompts, n=2)
    assert [choice.index for choice in reply.choices] == list(range(6))
    assert [choice.text for choice in reply.choices] == [
        ANSWERS[question] for question in QUESTIONS for _ in range(2)
    ]
    alone = [create(prompt=prompt).usage for prompt in prompts]
    assert reply.usage.prompt_tokens == sum(usage.prompt_tokens for usage in alone)
    assert reply.usage.completion_tokens == 2 * sum(usage.completion_tokens for usage in alone)


def test_a_stream_has_the_same_text_in_pieces(create):
    chunks = list(create(stream=True, stream_options={"include_usage": True}))
    texts = [choice.text for chunk in chunks for choice in chunk.choices]
    assert "".join(texts) == ANSWER
    assert len(texts) > 3
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage.completion_tokens > 0


def test_the_prompt_is_echoed(create, tokens):
    assert create(echo=True).choices[0].text == PROMPT + ANSWER
    chunks = create(echo=True, stream=True)
    assert "".join(chunk.choices[0].text for chunk in chunks) == PROMPT + ANSWER
    # Special tokens have no text.
    plain = create(prompt=tokens, echo=True).choices[0].text
    assert QUESTIONS[0] in plain
    assert plain.endswith(ANSWER)


def test_log_probabilities_come_in_lists(create):
    logprobs = create(logprobs=2).choices[0].logprobs
    assert "".join(logprobs.tokens) == ANSWER
    assert all(logprob <= 0 for logprob in logprobs.token_logprobs)
    assert {len(each) for each in logprobs.top_logprobs} <= {1, 2}
    for token, logprob, best in zip(
        logprobs.tokens, logprobs.token_logprobs, logprobs.top_logprobs, strict=True
    ):
        assert best[token] == logprob == max(best.values())
    for offset, token in zip(logprobs.text_offset, logprobs.tokens, strict=True):
        assert ANSWER[offset:].startswith(token)


def test_streamed_log_probabilities_go_on_where_the_last_ended(create):
    chunks = [chunk.choices[0].logprobs for chunk in create(logprobs=0, stream=True)]
    offsets = [offset for each in chunks if each for offset in each.text_offset]
    assert offsets == create(logprobs=0).choices[0].logprobs.text_offset


def test_stop_and_grammar_apply(create):
    stop = ANSWER.split()[1]
    assert create(stop=stop).choices[0].text == ANSWER[: ANSWER.index(stop)]
    assert create(extra_body={"grammar": 'root ::= "no"'}).choices[0].text == "no"


@pytest.mark.parametrize("stream", [False, True])
def test_more_prompts_than_may_wait_have_their_turns(http, loaded, stream):
    count = 3 * (loaded.options.queue + loaded.options.sequences)
    prompts = [f"{number} and" for number in range(count)]
    body = {"model": MODEL, "prompt": prompts, "max_tokens": 1, "stream": stream}
    answer = http.post("/v1/completions", json=body)
    assert answer.status_code == 200
    if stream:
        events = answer.text.removesuffix("data: [DONE]\n\n").split("\n\n")[:-1]
        choices = [json.loads(event.removeprefix("data: "))["choices"][0] for event in events]
        ended = [choice["index"] for choice in choices if choice["finish_reason"]]
        assert sorted(ended) == list(range(count))
    else:
        assert [choice["index"] for choice in answer.json()["choices"]] == list(range(count))
        assert answer.json()["usage"]["completion_tokens"] == count


def test_one_prompt_of_many_that_is_too_long_is_told_before_any_reply(http):
    prompts = ["a"] * 200 + ["a " * 2000]
    before = http.get("/metrics").text
    body = {"model": MODEL, "prompt": prompts, "max_tokens": 1}
    answer = http.post("/v1/completions", json=body)
    assert answer.json()["error"]["code"] == "context_length_exceeded"
    name = "smolctl_completion_tokens_total"
    assert [line for line in before.splitlines() if line.startswith(name)] == [
        line for line in http.get("/metrics").text.splitlines() if line.startswith(name)
    ]
