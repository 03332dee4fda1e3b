"""Tools, with the real `openai` client: calls that are asked for, streamed, and answered."""

from __future__ import annotations

import json

import openai
import pytest

from tests.runner.api.conftest import MODEL

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a place.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"enum": ["Paris", "Rome"]}, "days": {"type": "integer"}},
            "required": ["city", "days"],
            "additionalProperties": False,
        },
    },
}
NOW = {"type": "function", "function": {"name": "now"}}
NAMED = {"type": "function", "function": {"name": "get_weather"}}
ASKED = [{"role": "user", "content": "How is the weather in Paris?"}]


@pytest.fixture
def create(client):
    def ask(**parameters):
        given = {"model": MODEL, "messages": ASKED, "temperature": 0, "tools": [WEATHER]}
        return client.chat.completions.create(**{**given, **parameters})

    return ask


def check(name, arguments):
    assert name == "get_weather"
    read = json.loads(arguments)
    assert read["city"] in ("Paris", "Rome")
    assert isinstance(read["days"], int)


@pytest.mark.parametrize("choice", ["required", NAMED], ids=["required", "named"])
def test_a_tool_that_must_be_called_is(create, choice):
    reply = create(tool_choice=choice, parallel_tool_calls=False, tools=[WEATHER])
    (made,) = reply.choices
    assert made.finish_reason == "tool_calls"
    assert made.message.content is None
    (call,) = made.message.tool_calls
    assert call.type == "function"
    assert call.id
    check(call.function.name, call.function.arguments)


def test_calls_are_streamed_in_pieces(create):
    chunks = list(create(tool_choice=NAMED, parallel_tool_calls=False, stream=True))
    pieces = [
        piece
        for chunk in chunks
        for choice in chunk.choices
        for piece in choice.delta.tool_calls or ()
    ]
    assert {piece.index for piece in pieces} == {0}
    assert pieces[0].id
    assert pieces[0].type == "function"
    assert {piece.id for piece in pieces[1:]} <= {None}
    check(pieces[0].function.name, "".join(piece.function.arguments for piece in pieces))
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_several_choices_call_each_for_themselves(create):
    reply = create(tool_choice=NAMED, n=2, parallel_tool_calls=False)
    for choice in reply.choices:
        (call,) = choice.message.tool_calls
        check(call.function.name, call.function.arguments)
    first, second = (choice.message.tool_calls[0].id for choice in reply.choices)
    assert first != second


def test_a_result_goes_back_into_the_conversation(create):
    made = create(tool_choice=NAMED, parallel_tool_calls=False).choices[0].message
    result = {"role": "tool", "tool_call_id": made.tool_calls[0].id, "content": '{"sun": true}'}
    before = create(tool_choice="none")
    after = create(messages=[*ASKED, made, result], tool_choice="none", max_tokens=8)
    assert after.choices[0].message.tool_calls is None
    assert after.usage.prompt_tokens > before.usage.prompt_tokens


def test_tools_are_in_the_prompt_unless_none_may_be_called(create):
    with_tools = create(max_tokens=1).usage.prompt_tokens
    assert with_tools > create(max_tokens=1, tool_choice="none").usage.prompt_tokens
    assert with_tools < create(max_tokens=1, tools=[WEATHER, NOW]).usage.prompt_tokens


def test_a_tool_that_is_not_there_cannot_be_called(create):
    with pytest.raises(openai.BadRequestError, match="get_weather"):
        create(tool_choice=NAMED, tools=[NOW])
    with pytest.raises(openai.BadRequestError):
        create(tool_choice="required", tools=[])
