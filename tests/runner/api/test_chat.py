"""Chats, with the real `openai` client."""

from __future__ import annotations

import json
import math
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import BaseModel

from tests.runner.api.conftest import MODEL
from tests.support.questions import ANSWERS

QUESTION, ANSWER = next(iter(ANSWERS.items()))
WILD = {"temperature": 5, "top_p": 1, "max_tokens": 12, "extra_body": {"top_k": 0, "min_p": 0}}
"""Parameters with which no two seeds agree."""


def asked(question=QUESTION):
    return [{"role": "user", "content": question}]


@pytest.fixture
def create(client):
    """Ask for a chat completion of the demo model, greedily unless told otherwise."""

    def ask(**parameters):
        given = {"model": MODEL, "messages": asked(), "temperature": 0, **parameters}
        return client.chat.completions.create(**given)

    return ask


def text_of(chunks, index=0):
    choices = [choice for chunk in chunks for choice in chunk.choices if choice.index == index]
    return "".join(choice.delta.content or "" for choice in choices)


def test_a_message_is_answered(create):
    reply = create()
    assert reply.object == "chat.completion"
    assert reply.id.startswith("chatcmpl-")
    assert reply.model == MODEL
    assert reply.system_fingerprint.startswith("fp_")
    (choice,) = reply.choices
    assert choice.message.role == "assistant"
    assert choice.message.content == ANSWER
    assert choice.message.tool_calls is None
    assert choice.finish_reason == "stop"
    assert choice.logprobs is None


def test_usage_and_timings_count_the_same_tokens(create):
    create()
    reply = create()
    usage, timings = reply.usage, reply.timings
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert usage.prompt_tokens_details.cached_tokens > usage.prompt_tokens // 2
    assert timings["cache_n"] == usage.prompt_tokens_details.cached_tokens
    assert timings["prompt_n"] + timings["cache_n"] == usage.prompt_tokens
    assert timings["predicted_n"] == usage.completion_tokens
    assert 0 < timings["first_token_ms"] < 60_000
    assert timings["predicted_per_second"] > 0


def test_a_stream_has_the_same_answer_in_pieces(create):
    chunks = list(create(stream=True))
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert {chunk.model for chunk in chunks} == {MODEL}
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert text_of(chunks) == ANSWER
    assert [chunk.choices[0].finish_reason for chunk in chunks[-2:]] == [None, "stop"]
    assert {chunk.usage for chunk in chunks} == {None}
    assert chunks[-1].timings["predicted_n"] > 3
    assert len(chunks) > 5


def test_a_stream_ends_with_the_usage_where_that_is_asked_for(create):
    chunks = list(create(stream=True, stream_options={"include_usage": True}))
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == create().usage.completion_tokens
    assert all(chunk.usage is None and len(chunk.choices) == 1 for chunk in chunks[:-1])
    assert text_of(chunks) == ANSWER


def test_content_in_parts_and_the_role_developer_are_read(create):
    messages = [{"role": "user", "content": [{"type": "text", "text": QUESTION}]}]
    assert create(messages=messages).choices[0].message.content == ANSWER
    system = {"content": "You are the smolctl demo model, a very small assistant."}
    as_developer = create(messages=[{"role": "developer", **system}, *asked()])
    assert as_developer.choices[0].message.content == ANSWER


def test_a_conversation_goes_on(create):
    messages = [*asked(), {"role": "assistant", "content": ANSWER}, *asked()]
    reply = create(messages=messages)
    assert reply.usage.prompt_tokens > create().usage.prompt_tokens


def test_several_choices_share_the_prompt_and_differ(create):
    reply = create(n=3, seed=7, **WILD)
    assert [choice.index for choice in reply.choices] == [0, 1, 2]
    assert len({choice.message.content for choice in reply.choices}) == 3
    alone = create(seed=7, **WILD)
    assert reply.usage.prompt_tokens == alone.usage.prompt_tokens
    assert reply.usage.completion_tokens > alone.usage.completion_tokens


def test_several_choices_are_streamed_with_their_index(create):
    chunks = list(create(n=3, stream=True))
    assert [text_of(chunks, index) for index in range(3)] == [ANSWER] * 3
    ended = [choice.index for chunk in chunks for choice in chunk.choices if choice.finish_reason]
    assert sorted(ended) == [0, 1, 2]
    assert [hasattr(chunk, "timings") for chunk in chunks].count(True) == 1


def test_a_seed_repeats_a_reply_and_another_does_not(create):
    create()  # from here on as much of the prompt is cached: else logits differ in the last bits
    first, again, other = (
        create(seed=seed, **WILD).choices[0].message.content for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_log_probabilities_come_with_the_tokens(create):
    (choice,) = create(logprobs=True, top_logprobs=3).choices
    scores = choice.logprobs.content
    assert b"".join(bytes(score.bytes) for score in scores).decode() == ANSWER
    for score in scores:
        assert len(score.top_logprobs) == 3
        assert score.top_logprobs[0].token == score.token  # greedy: the likeliest was taken
        assert score.logprob == score.top_logprobs[0].logprob <= 0
        assert sum(math.exp(other.logprob) for other in score.top_logprobs) <= 1.0001


def test_log_probabilities_are_streamed(create):
    chunks = list(create(logprobs=True, stream=True))
    scores = [
        score
        for chunk in chunks
        if chunk.choices[0].logprobs
        for score in chunk.choices[0].logprobs.content
    ]
    assert b"".join(bytes(score.bytes) for score in scores).decode() == ANSWER
    assert {len(score.top_logprobs) for score in scores} == {0}


def test_a_reply_ends_at_its_limit_and_before_a_stop_string(create):
    for limit in ({"max_tokens": 3}, {"max_completion_tokens": 3}):
        reply = create(**limit)
        assert reply.choices[0].finish_reason == "length"
        assert reply.usage.completion_tokens == 3
    stop = ANSWER.split()[2]
    for stops in (stop, [stop, "never this"]):
        reply = create(stop=stops)
        assert reply.choices[0].message.content == ANSWER[: ANSWER.index(stop)]
        assert reply.choices[0].finish_reason == "stop"


def test_a_json_object_is_one(create):
    brief = {"type": "json_object", "schema": {"type": "object", "maxProperties": 0}}
    for form in ({"type": "json_object"}, brief):
        reply = create(response_format=form, temperature=1, seed=1)
        assert isinstance(json.loads(reply.choices[0].message.content), dict)


class Animal(BaseModel):
    name: str
    legs: int


def test_a_json_schema_is_followed(create):
    schema = Animal.model_json_schema()
    schema["properties"]["name"]["maxLength"] = 20
    form = {"type": "json_schema", "json_schema": {"name": "animal", "schema": schema}}
    for seed in range(3):
        reply = create(response_format=form, temperature=1, seed=seed)
        Animal.model_validate_json(reply.choices[0].message.content)


class Answer(BaseModel):
    yes: bool


def test_a_pydantic_class_is_parsed(client):
    reply = client.chat.completions.parse(
        model=MODEL, messages=asked(), response_format=Answer, temperature=0
    )
    assert isinstance(reply.choices[0].message.parsed, Answer)


def test_a_grammar_is_followed(create):
    reply = create(extra_body={"grammar": 'root ::= "yes" | "no"'})
    assert reply.choices[0].message.content in ("yes", "no")


def test_a_bias_forbids_a_token(create, loaded):
    first = loaded.engine.vocabulary.tokenize(ANSWER.split()[0])[0]
    reply = create(logit_bias={str(first): -100})
    assert not reply.choices[0].message.content.startswith(ANSWER.split()[0])
    again = create(extra_body={"logit_bias": [[first, False]]})
    assert again.choices[0].message.content == reply.choices[0].message.content


def test_what_nobody_knows_is_ignored(create):
    reply = create(user="someone", store=False, metadata={"a": "b"}, extra_body={"x": [1]})
    assert reply.choices[0].message.content == ANSWER


def test_sixteen_at_once_get_the_answers_they_get_alone(create):
    questions = (list(ANSWERS) * 2)[:16]
    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda each: create(messages=asked(each)), questions))
        streams = list(
            pool.map(lambda each: list(create(messages=asked(each), stream=True)), questions)
        )
    assert [reply.choices[0].message.content for reply in replies] == [
        ANSWERS[question] for question in questions
    ]
    assert [text_of(chunks) for chunks in streams] == [ANSWERS[question] for question in questions]
