"""A chat request as JSON and back."""

from __future__ import annotations

import contextlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.engine.conversation import ChatRequest, Message, Tool, ToolCall, ToolChoice
from smolctl.engine.gbnf import Grammar
from smolctl.engine.json_schema import JSON_OBJECT
from smolctl.engine.sampling import Sampling
from smolctl.errors import UsageError
from smolctl.runner.chat_document import chat_document
from smolctl.runner.chat_fields import parse_chat
from smolctl.runner.fields import InvalidField
from smolctl.runner.generation_fields import Delivery, for_choice

MESSAGE = Message("user", "Hello")

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
names = st.from_regex(r"[a-zA-Z0-9_-]{1,64}", fullmatch=True)
shares = st.floats(0, 1)
penalties = st.floats(-100, 100)

samplings = st.builds(
    Sampling,
    temperature=st.floats(0, 100),
    top_k=st.integers(0, 2**31 - 1),
    top_p=shares,
    min_p=shares,
    typical_p=shares,
    xtc_probability=shares,
    xtc_threshold=shares,
    repeat_penalty=st.floats(0.01, 100),
    presence_penalty=penalties,
    frequency_penalty=penalties,
    logit_bias=st.lists(
        st.tuples(st.integers(0, 50_000), st.floats(-1000, 1000) | st.just(-math.inf)), max_size=5
    ).map(tuple),
    seed=st.none() | st.integers(0, 2**32 - 2),
    max_tokens=st.none() | st.integers(1, 2**31 - 1),
)
calls = st.builds(ToolCall, text, words, text)
messages = st.builds(
    Message, st.sampled_from(["system", "user"]), text, name=st.none() | text
) | st.one_of(
    st.builds(Message, st.just("assistant"), text, st.lists(calls, max_size=3).map(tuple)),
    st.builds(Message, st.just("tool"), text, st.just(()), st.none() | text, st.none() | text),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=5,
)
tools = st.lists(
    st.builds(Tool, names, text, st.fixed_dictionaries({"properties": json_values})),
    unique_by=lambda tool: tool.name,
    max_size=3,
).map(tuple)


@st.composite
def chats(draw):
    some = draw(tools)
    choices = [ToolChoice(), ToolChoice("none")]
    if some:
        choices += [ToolChoice("required"), ToolChoice("required", some[0].name)]
    choice = draw(st.sampled_from(choices))
    grammars = [None, Grammar('root ::= "é"'), JSON_OBJECT]
    return ChatRequest(
        draw(st.lists(messages, min_size=1, max_size=3).map(tuple)),
        draw(samplings),
        draw(st.lists(words, max_size=3).map(tuple)),
        draw(st.none() | st.integers(0, 100)),
        None if choice.mode == "required" else draw(st.sampled_from(grammars)),
        some,
        choice,
        draw(st.booleans()),
    )


@given(chats())
def test_what_is_written_is_read_as_the_same(chat):
    written = json.loads(json.dumps(chat_document(chat), allow_nan=False))
    assert parse_chat(written).chat == chat


def test_what_has_its_default_is_not_written():
    assert chat_document(ChatRequest((MESSAGE,))) == {
        "messages": [{"role": "user", "content": "Hello"}]
    }


def test_what_is_absent_or_null_has_its_default():
    document = chat_document(ChatRequest((MESSAGE,)))
    call = parse_chat(document | dict.fromkeys(("temperature", "stop", "tools", "n", "stream")))
    assert call.chat == ChatRequest((MESSAGE,))
    assert call.model is None
    assert call.delivery == Delivery()


def parsed(**parameters):
    return parse_chat({"messages": [{"role": "user", "content": "Hello"}], **parameters})


def test_how_the_reply_is_wanted_is_read():
    call = parsed(model="a/b", n=3, stream=True, stream_options={"include_usage": True})
    assert call.model == "a/b"
    assert call.delivery == Delivery(3, stream=True, include_usage=True)


def test_parts_become_lines_and_developer_becomes_system():
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    call = parsed(messages=[{"role": "developer", "content": parts}])
    assert call.chat.messages == (Message("system", "one\ntwo"),)


def test_an_assistant_that_called_needs_no_content():
    function = {"name": "f", "arguments": "{}"}
    calls = [{"id": "c1", "type": "function", "function": function}]
    messages = [
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c1", "content": "5"},
    ]
    assert parsed(messages=messages).chat.messages == (
        Message("assistant", "", (ToolCall("c1", "f", "{}"),)),
        Message("tool", "5", tool_call_id="c1"),
    )


@pytest.mark.parametrize(
    ("parameters", "sampling"),
    [
        ({"max_tokens": -1}, Sampling()),
        ({"max_completion_tokens": 5, "max_tokens": 9}, Sampling(max_tokens=5)),
        ({"seed": -1}, Sampling()),
        ({"seed": 2**63 - 1}, Sampling(seed=(2**63 - 1) % (2**32 - 1))),
        ({"top_k": -1}, Sampling(top_k=0)),
        ({"temperature": 1}, Sampling(temperature=1.0)),
        ({"logit_bias": {"5": -100, "6": 1.5}}, Sampling(logit_bias=((5, -100.0), (6, 1.5)))),
        ({"logit_bias": [[5, False]]}, Sampling(logit_bias=((5, -math.inf),))),
    ],
)
def test_the_ways_in_which_clients_say_it(parameters, sampling):
    assert parsed(**parameters).chat.sampling == sampling


def test_each_choice_has_a_seed_of_its_own():
    assert for_choice(Sampling(seed=5), 0) == Sampling(seed=5)
    assert for_choice(Sampling(seed=5), 2) == Sampling(seed=7)
    assert for_choice(Sampling(seed=2**32 - 2), 1) == Sampling(seed=0)
    assert for_choice(Sampling(), 2) == Sampling()


def test_an_error_names_the_place():
    with pytest.raises(InvalidField) as caught:
        parsed(messages=[{"role": "user", "content": "a"}, {"role": "user", "content": {}}])
    assert caught.value.param == "messages[1].content"


NAMES = (
    "messages temperature top_k top_p min_p seed max_tokens n stop stream stream_options logprobs"
    " top_logprobs logit_bias response_format grammar tools tool_choice parallel_tool_calls role"
    " content type text function name arguments parameters schema json_schema properties tool_calls"
)
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["user", "tool", "text", "function", "required", "json_schema", "object"])
    | text,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES.split()), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(NAMES.split()), anything, max_size=6), st.booleans())
def test_whatever_comes_is_read_or_refused(document, greeted):
    if greeted:
        document["messages"] = [{"role": "user", "content": "Hello"}]
    with contextlib.suppress(UsageError):
        parse_chat(document)
