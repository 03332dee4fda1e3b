"""A reply's text made into the parts of a message."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.engine.chat import ReplyReader, prepare
from smolctl.engine.chat_template import CHATML, ChatTemplate
from smolctl.engine.conversation import ChatRequest, Message, Tool, ToolChoice
from smolctl.engine.generation import Piece, TokenScore
from smolctl.engine.json_schema import JSON_OBJECT
from smolctl.engine.tool_reader import ToolCallReader

CALL = '<tool_call>{"name": "now", "arguments": {"zone": "UTC"}}</tool_call>'
REPLY = f"<think>\nWhich zone?</think>\n\nLet me see.\n{CALL}\n"


class Letters:
    """A vocabulary whose tokens are letters."""

    bos_token = eos_token = ""

    def tokenize(self, text, _mark):
        return [ord(letter) for letter in text]

    def control_tokens_in(self, text):
        del text
        return set()

    def special_token(self, text):
        del text


def reader(**more):
    return ReplyReader(ToolCallReader({"now": {}}), **more)


def joined(deltas):
    """Reasoning, content, and calls."""
    deltas = list(deltas)
    return (
        "".join(delta.reasoning for delta in deltas),
        "".join(delta.content for delta in deltas),
        [(delta.tool_call.name, delta.tool_call.arguments) for delta in deltas if delta.tool_call],
    )


@given(st.lists(st.integers(0, len(REPLY)), max_size=8))
def test_reasoning_then_text_then_a_call_however_it_is_cut(places):
    bounds = [0, *sorted(places), len(REPLY)]
    read = reader()
    pieces = [Piece(REPLY[start:end]) for start, end in itertools.pairwise(bounds)]
    assert joined(read.deltas(pieces)) == (
        "\nWhich zone?",
        "Let me see.",
        [("now", '{"zone": "UTC"}')],
    )
    assert read.finish_reason("stop") == "tool_calls"
    assert read.finish_reason("length") == "length"


def test_a_call_that_is_only_thought_of_is_none():
    read = reader()
    text = f"<think>I could say {CALL}</think>No."
    assert joined(read.deltas([Piece(text)])) == (f"I could say {CALL}", "No.", [])
    assert read.finish_reason("stop") == "stop"


def test_a_reply_that_begins_inside_the_reasoning():
    assert joined(reader(thinking=True).deltas([Piece("Hm.</think>\n"), Piece(CALL)])) == (
        "Hm.",
        "",
        [("now", '{"zone": "UTC"}')],
    )


@given(st.lists(st.text(alphabet="<think>/ a", max_size=5), max_size=10))
def test_every_score_comes_once_and_in_order(texts):
    pieces = [Piece(text, (n,), (TokenScore(n, b"", 0.0),)) for n, text in enumerate(texts)]
    deltas = list(reader().deltas(pieces))
    assert [score.token for delta in deltas for score in delta.scores] == list(range(len(texts)))


def of(chat, source=CHATML):
    return prepare(chat, ChatTemplate(source), Letters())


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"tools": (Tool("now"),), "tool_choice": ToolChoice("none")},
        {"tools": (Tool("now"),), "grammar": JSON_OBJECT},
    ],
)
def test_without_tools_to_call_a_call_is_text(more):
    prepared = of(ChatRequest((Message("user", "?"),), **more))
    text = '{"name": "now", "parameters": {}}' + CALL
    assert joined(prepared.reader.deltas([Piece(text)])) == ("", text, [])


@pytest.mark.parametrize(
    ("ending", "reasoning"), [("<think>\n", "Hm."), ("", ""), ("<think>\n\n</think>\n\n", "")]
)
def test_a_prompt_that_ends_inside_the_reasoning_is_noticed(ending, reasoning):
    prepared = of(ChatRequest((Message("user", "?"),)), CHATML.replace("nt\n", f"nt\n{ending}"))
    assert joined(prepared.reader.deltas([Piece("Hm.</think>Yes.")]))[0] == reasoning
