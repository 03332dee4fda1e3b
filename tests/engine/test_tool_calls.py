"""Models that are made to call a tool call it, in the form of their template."""

from __future__ import annotations

import json

import numpy as np
import pytest

from smolctl.engine.chat import prepare
from smolctl.engine.chat_template import CHATML, ChatTemplate
from smolctl.engine.conversation import ChatRequest, Message, Tool, ToolChoice
from smolctl.engine.engine import Engine
from smolctl.engine.gbnf import Grammar
from smolctl.engine.json_schema import grammar_of
from smolctl.engine.options import EngineOptions
from smolctl.engine.reasoning_grammar import after_reasoning
from smolctl.engine.sampling import Sampler, Sampling
from smolctl.errors import InvalidGrammar, UsageError
from tests.support import tool_templates
from tests.support.generating import GREEDY, reply
from tests.support.random_model import Geometry, write_random_model

MARKERS = (
    "[TOOL_CALLS]",
    "[ARGS]",
    "<tool_call>",
    "</tool_call>",
    "<|python_tag|>",
    "<think>",
    "</think>",
)
WEATHER = Tool(
    "get_weather",
    "The weather.",
    {
        "type": "object",
        "properties": {
            "city": {"enum": ["Paris", "Rome </tool_call>"]},
            "days": {"type": "integer"},
            "note": {"type": "string", "minLength": 2, "maxLength": 8},
        },
        "required": ["city", "days", "note"],
    },
)
SWITCH = Tool(
    "switch.light",
    "",
    {
        "type": "object",
        "properties": {"on": {"type": "boolean"}, "lamp": {"$ref": "#/$defs/lamp"}},
        "required": ["lamp"],
        "$defs": {"lamp": {"type": "object", "properties": {"id": {"enum": [1, 2]}},
                           "required": ["id"]}},
    },
)  # fmt: skip
NOW = Tool("now")
TOOLS = (WEATHER, SWITCH, NOW)
REQUIRED = ToolChoice("required")
SEEDS = pytest.mark.parametrize(
    "seeds", [(5, 7, 9, 13), pytest.param(range(20), marks=pytest.mark.slow)], ids=["few", "many"]
)
"""The few are those with several calls in a reply, where floating-point numbers are as here."""
FAMILIES = {
    "smollm2": CHATML,
    "hermes": tool_templates.HERMES,
    "smollm3": tool_templates.SMOLLM3,
    "llama 3": tool_templates.LLAMA3,
    "mistral": tool_templates.MISTRAL,
    "mistral named": tool_templates.MISTRAL_NAMED,
}


@pytest.fixture(scope="module")
def special(tmp_path_factory):
    """An engine of a random model, in whose vocabulary the markers are special tokens."""
    path = tmp_path_factory.mktemp("special") / "special.gguf"
    sizes = Geometry(vocabulary=3 + 256 + len(MARKERS), context=4096)
    write_random_model(path, sizes, special=MARKERS)
    with Engine.open([path], EngineOptions(sequences=4, context_size=2048)) as engine:
        yield engine


@pytest.fixture(scope="module")
def roomy(demo):
    """An engine of the demo model, with room for what SmolLM2's form says of tools."""
    with Engine.open([demo], EngineOptions(sequences=4, context_size=1024)) as engine:
        yield engine


def called(engine, source, seeds, max_tokens=400, **more):
    """What the replies of those seeds are: calls, content, finish reasons."""
    chat = {"tools": TOOLS, "tool_choice": REQUIRED, **more}
    running = []
    for seed in seeds:
        sampling = Sampling(
            temperature=1.2, top_k=0, top_p=1, min_p=0, max_tokens=max_tokens, seed=seed
        )
        asked = ChatRequest((Message("user", "Weather?"),), sampling, **chat)
        prepared = prepare(asked, ChatTemplate(source), engine.vocabulary)
        running.append((prepared.reader, engine.submit(prepared.request)))
    for reader, generation in running:
        deltas = list(reader.deltas(generation))
        calls = [delta.tool_call for delta in deltas if delta.tool_call is not None]
        assert reader.finish_reason("stop") == ("tool_calls" if calls else "stop")
        content = "".join(delta.content for delta in deltas)
        yield calls, content, generation.finish_reason


def check(call):
    """The call's arguments have the shape of its tool's schema."""
    arguments = json.loads(call.arguments)
    if call.name == "get_weather":
        assert set(arguments) == {"city", "days", "note"}
        assert arguments["city"] in ("Paris", "Rome </tool_call>")
        assert isinstance(arguments["days"], int)
        assert 2 <= len(arguments["note"]) <= 8
    elif call.name == "switch.light":
        assert {"lamp"} <= set(arguments) <= {"lamp", "on"}
        assert arguments["lamp"] in ({"id": 1}, {"id": 2})
        assert isinstance(arguments.get("on", True), bool)
    else:
        assert (call.name, arguments) == ("now", {})


@SEEDS
@pytest.mark.parametrize("source", FAMILIES.values(), ids=FAMILIES)
def test_a_random_model_that_must_call_a_tool_calls_one(special, source, seeds):
    for calls, content, reason in called(special, source, seeds, parallel_tool_calls=False):
        assert (len(calls), content, reason) == (1, "", "stop")
        check(calls[0])


@SEEDS
@pytest.mark.parametrize("source", [CHATML, tool_templates.HERMES], ids=["smollm2", "hermes"])
def test_the_demo_model_that_must_call_a_named_tool_calls_it(roomy, source, seeds):
    named = ToolChoice("required", "get_weather")
    for calls, content, reason in called(
        roomy, source, seeds, tools=(WEATHER, NOW), tool_choice=named, parallel_tool_calls=False
    ):
        assert (content, reason) == ("", "stop")
        assert [call.name for call in calls] == ["get_weather"]
        check(calls[0])


@SEEDS
@pytest.mark.parametrize("source", FAMILIES.values(), ids=FAMILIES)
def test_several_calls_are_read_as_they_were_written(special, source, seeds):
    replies = list(called(special, source, seeds, tools=(SWITCH, NOW), max_tokens=250))
    assert len(seeds) < 20 or any(len(calls) > 1 for calls, _, _ in replies)
    for calls, content, reason in replies:
        if reason == "stop":
            assert calls
            assert content == ""
        for call in calls:
            check(call)


def test_with_auto_no_grammar_is_put_upon_the_reply(special):
    chat = ChatRequest((Message("user", "Hi"),), tools=TOOLS)
    prepared = prepare(chat, ChatTemplate(CHATML), special.vocabulary)
    assert prepared.request.grammar is None


def test_a_special_token_of_a_marker_is_text_where_it_is_asked_for(special):
    """The model is made to write the tokens by their bias, without a grammar."""
    opening = special.vocabulary.special_token("[TOOL_CALLS]")
    assert opening is not None
    assert special.vocabulary.special_token("get_weather") is None
    assert special.vocabulary.special_token("n") is None
    assert special.vocabulary.piece(opening) == b""
    assert special.vocabulary.piece(opening, special=True) == b"[TOOL_CALLS]"
    sampling = Sampling(temperature=0, max_tokens=2, logit_bias=((opening, 500.0),))
    shown = frozenset([opening])
    assert reply(special, "x", sampling) == ""
    assert reply(special, "x", sampling, shown=shown) == "[TOOL_CALLS]" * 2
    assert reply(special, "x", sampling, shown=shown, stop=("CALLS][TOOL",)) == "[TOOL_"


def test_a_text_under_a_grammar_is_what_the_grammar_saw(special):
    """Special tokens are text to llama.cpp's grammars, so they are in the reply as well."""
    token = special.vocabulary.special_token("<think>")
    sampling = Sampling(temperature=0, max_tokens=20, logit_bias=((token, 500.0),))
    grammar = grammar_of({"type": "string", "minLength": 7, "maxLength": 7})
    assert reply(special, "x", sampling, grammar=grammar) == '"<think>"'


def test_a_reply_that_is_cut_off_in_a_call_is_no_call(special):
    for calls, content, reason in called(special, CHATML, seeds=[1], max_tokens=5):
        assert (calls, reason) == ([], "length")
        assert "<tool_call>".startswith(content) or content.startswith("<tool_call>")


def test_a_model_that_is_reasoning_goes_on_to_call(special):
    """The prompt ends inside the reasoning; the end of that is a token like any."""
    source = CHATML.replace("assistant\n", "assistant\n<think>\n")
    sampling = Sampling(temperature=1, top_k=0, top_p=1, min_p=0, max_tokens=1500, seed=3)
    chat = ChatRequest(
        (Message("user", "?"),), sampling, tools=(NOW,), tool_choice=REQUIRED,
        parallel_tool_calls=False,
    )  # fmt: skip
    prepared = prepare(chat, ChatTemplate(source), special.vocabulary)
    generation = special.submit(prepared.request)
    deltas = list(prepared.reader.deltas(generation))
    assert generation.finish_reason == "stop"
    assert "".join(delta.reasoning for delta in deltas)
    assert [delta.tool_call.name for delta in deltas if delta.tool_call] == ["now"]


@pytest.mark.parametrize("begun", [True, False])
@pytest.mark.parametrize(
    "thought", ["", "a", "<", "</", "</thin<</think", "<think>", "é\n</t hink>"]
)
def test_a_grammar_holds_for_what_follows_the_reasoning(eight, begun, thought):
    """The thought is admitted up to its tag: made certain by a grammar of the same text."""
    grammar = after_reasoning(Grammar('root ::= "yes"'), begun=begun)
    text = f"{'' if begun else '<think>'}{thought}</think>\n\nyes"
    assert admits(eight, grammar, text)
    assert not admits(eight, grammar, text + "yes")
    assert not admits(eight, grammar, text.replace("</think>", "</thin>"))
    assert admits(eight, grammar, "yes") == (not begun)


class Wanting:
    """In place of a context: its logits want one token."""

    def __init__(self, size, token):
        self.wanted = np.zeros(size, np.float32)
        self.wanted[token] = 1

    def logits(self, row):
        del row
        return self.wanted


def admits(engine, grammar, text):
    """Whether a reply that follows `grammar` may be `text`: its sampler is given the choice."""
    tokens = engine.vocabulary.tokenize(text)
    end = next(token for token in range(9) if engine.vocabulary.ends_generation(token))
    sampler = Sampler(Sampling(temperature=0), grammar, engine.vocabulary)
    try:
        return all(
            sampler.sample(Wanting(engine.vocabulary.size, token), 0) == token
            for token in (*tokens, end)
        )
    finally:
        sampler.close()


def test_a_grammar_and_a_call_for_certain_do_not_go_together():
    with pytest.raises(UsageError, match="cannot follow a grammar and call a tool"):
        ChatRequest(
            (Message("user", "?"),), grammar=Grammar('root ::= "a"'), tools=(NOW,),
            tool_choice=REQUIRED,
        )  # fmt: skip


def test_a_schema_that_cannot_be_followed_is_refused_with_the_tools_name(special):
    tool = Tool("odd", "", {"properties": {"a": {"type": "colour"}}})
    with pytest.raises(InvalidGrammar, match=r"odd.*colour"):
        list(called(special, CHATML, tools=(tool,), seeds=[0]))


def test_scores_come_with_the_first_delta_after_their_tokens(eight):
    chat = ChatRequest((Message("user", "What is the capital of France?"),), GREEDY, logprobs=0)
    prepared = prepare(chat, ChatTemplate(CHATML), eight.vocabulary)
    generation = eight.submit(prepared.request)
    deltas = list(prepared.reader.deltas(generation))
    assert sum(len(delta.scores) for delta in deltas) == generation.completion_tokens
    bytes_of_scores = b"".join(score.piece for delta in deltas for score in delta.scores)
    assert bytes_of_scores.decode() == "".join(delta.content for delta in deltas)
