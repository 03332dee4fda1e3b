"""Chats, with the real `openai` client."""

from __future__ import annotations

from tests.runner.api.conftest import MODEL
from tests.support.questions import ANSWERS

QUESTION, ANSWER = next(iter(ANSWERS.items()))
ASKED = [{"role": "user", "content": QUESTION}]


def test_a_message_is_answered(client):
    reply = client.chat.completions.create(model=MODEL, messages=ASKED, temperature=0)
    assert reply.object == "chat.completion"
    assert reply.id.startswith("chatcmpl-")
    assert reply.model == MODEL
    assert reply.system_fingerprint
    (choice,) = reply.choices
    assert choice.message.role == "assistant"
    assert choice.message.content == ANSWER
    assert choice.message.tool_calls is None
    assert choice.finish_reason == "stop"
    assert choice.logprobs is None
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens


def test_a_stream_has_the_same_answer_in_pieces(client):
    chunks = list(
        client.chat.completions.create(model=MODEL, messages=ASKED, temperature=0, stream=True)
    )
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == ANSWER
    assert [chunk.choices[0].finish_reason for chunk in chunks[-2:]] == [None, "stop"]
    assert len(chunks) > 3
