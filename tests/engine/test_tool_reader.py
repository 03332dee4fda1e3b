"""Tool calls told from text, in each form, wherever the text is cut into pieces."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smolctl.engine.tool_reader import ToolCallReader

ADDENDS = {
    "properties": {
        "a": {"type": "integer"},
        "b": {"anyOf": [{"type": "array"}, {"type": "null"}]},
        "c": {"type": ["boolean", "null"]},
        "d": {"type": ["string", "null"]},
    }
}
TOOLS = {"get_weather": {}, "add": ADDENDS, "now": {}}
WEATHER = '{"name": "get_weather", "arguments": {"city": "Paris"}}'
ADD = '{"name": "add", "arguments": {"a": 1, "b": [2.5, null, {"c": "}"}]}}'
LLAMA = '{"name": "get_weather", "parameters": {"city": "Paris"}}'
TAGGED = '{"name": "add", "arguments": {"a": "</tool_call>"}}'
BROKEN = '<tool_call>{"name": "add", "arguments": {</tool_call>'
LISTED = '[2.5, null, {"c": "}"}]'
CODER_WEATHER = "<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n</function>"
GLM_CITY = "<arg_key>city</arg_key>\n<arg_value>Paris</arg_value>"
GLM_ADDENDS = (
    "<arg_key>a</arg_key><arg_value>1</arg_value>"
    f"<arg_key>b</arg_key><arg_value>{LISTED}</arg_value>"
)
CODER = "<tool_call>\n<function=add>\n"
PARIS = ("get_weather", {"city": "Paris"})
SUM = ("add", {"a": 1, "b": [2.5, None, {"c": "}"}]})


def read(*pieces, parallel=True):
    """The content, and the calls as names and arguments."""
    reader = ToolCallReader(TOOLS, parallel=parallel)
    deltas = [delta for piece in pieces for delta in reader.feed(piece)]
    deltas += reader.finish()
    content = "".join(delta.content for delta in deltas)
    calls = [delta.tool_call for delta in deltas if delta.tool_call is not None]
    assert [call.index for call in calls] == list(range(len(calls))) == list(range(reader.calls))
    assert len({call.id for call in calls}) == len(calls)
    return content, [(call.name, json.loads(call.arguments)) for call in calls]


def cut(text, places):
    bounds = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(bounds)]


CALLS = {
    "one object": (f"<tool_call>\n{WEATHER}\n</tool_call>", "", [PARIS]),
    "two tags": (f"<tool_call>{WEATHER}</tool_call>\n<tool_call>{ADD}</tool_call>", "",
                 [PARIS, SUM]),
    "two objects in a tag": (f"<tool_call>{WEATHER}\n{ADD}</tool_call>", "", [PARIS, SUM]),
    "a list": (f"<tool_call>[{WEATHER}, {ADD}]</tool_call>", "", [PARIS, SUM]),
    "an empty list": ("<tool_call>[]</tool_call>", "", []),
    "no closing tag": (f"<tool_call>{WEATHER}", "", [PARIS]),
    "half a closing tag": (f"<tool_call>{WEATHER}\n</tool_c", "", [PARIS]),
    "a tag for a closing one": (f"<tool_call>{WEATHER}<tool_call>{ADD}", "", [PARIS, SUM]),
    "text before and after": (f"Let me see. \n<tool_call>{WEATHER}</tool_call>\n So.",
                              "Let me see. \n\n So.", [PARIS]),
    "text before": (f"Let me see.\n\n<tool_call>{WEATHER}</tool_call>\n", "Let me see.", [PARIS]),
    "text after": (f"\n<tool_call>{WEATHER}</tool_call>\n\nSo.\n", "So.", [PARIS]),
    "a tag in an argument": (f"<tool_call>{TAGGED}</tool_call>", "",
                             [("add", {"a": "</tool_call>"})]),
    "quotes in an argument": (r'<tool_call>{"name": "add", "arguments": {"a": "\"}\\"}}', "",
                              [("add", {"a": '"}\\'})]),
    "a line's end in an argument": ('<tool_call>{"name": "add", "arguments": {"a": "x\ny"}}', "",
                                    [("add", {"a": "x\ny"})]),
    "arguments as text": (r'<tool_call>{"name": "add", "arguments": "{\"a\": 1}"}</tool_call>', "",
                          [("add", {"a": 1})]),
    "no arguments": ('<tool_call>{"name": "now"}</tool_call>', "", [("now", {})]),
    "null arguments": ('<tool_call>{"name": "now", "arguments": null}', "", [("now", {})]),
    "parameters in a tag": (f"<tool_call>{LLAMA}</tool_call>", "", [PARIS]),
    "llama": (LLAMA, "", [PARIS]),
    "llama with blanks": (f"\n\n {LLAMA}\n", "", [PARIS]),
    "llama with a type": (LLAMA.replace("{", '{"type": "function", ', 1), "", [PARIS]),
    "llama, several": (f"{LLAMA}; {LLAMA};{ADD}", "", [PARIS, PARIS, SUM]),
    "llama, lines": (f"{LLAMA}\n{ADD}", "", [PARIS, SUM]),
    "llama, spread": (LLAMA.replace(" ", "\n  "), "", [PARIS]),
    "llama and text": (f"{LLAMA}; then we see.", "; then we see.", [PARIS]),
    "python tag": (f"<|python_tag|>{LLAMA}", "", [PARIS]),
    "python tag, several": (f"Hm.<|python_tag|>{LLAMA}; {LLAMA}", "Hm.", [PARIS, PARIS]),
    "mistral": (f"[TOOL_CALLS][{WEATHER}, {ADD}]", "", [PARIS, SUM]),
    "mistral with blanks": (f"[TOOL_CALLS] [{WEATHER}] ", "", [PARIS]),
    "mistral, one object": (f"[TOOL_CALLS]{WEATHER}", "", [PARIS]),
    "mistral, named": ('[TOOL_CALLS]get_weather[ARGS]{"city": "Paris"}', "", [PARIS]),
    "mistral, named twice": ("[TOOL_CALLS]now[ARGS]{}[TOOL_CALLS]now[ARGS]{}", "",
                             [("now", {}), ("now", {})]),
    "mistral, named, no token": ('[TOOL_CALLS]get_weather{"city": "Paris"}', "", [PARIS]),
    "mistral, with an ID": ('[TOOL_CALLS]now[CALL_ID]a1b2c3d4e[ARGS]{}', "", [("now", {})]),
    "mistral after text": ('Well [TOOL_CALLS]now[ARGS]{}', "Well", [("now", {})]),
    "qwen3-coder": (f"<tool_call>\n{CODER_WEATHER}\n</tool_call>", "", [PARIS]),
    "qwen3-coder, no opening tag": (
        f"I look.\n{CODER_WEATHER}\n</tool_call>\nSo.", "I look.\n\nSo.", [PARIS]),
    "qwen3-coder, by schema": (
        f"{CODER}<parameter=a>\n1\n</parameter>\n<parameter=b>\n{LISTED}\n</parameter></function>",
        "", [SUM]),
    "qwen3-coder, as python has it": (
        f"{CODER}<parameter=b>None</parameter><parameter=c>True</parameter></function>", "",
        [("add", {"b": None, "c": True})]),
    "qwen3-coder, texts stay as they are": (
        f"{CODER}<parameter=d>\n 12 \n\n</parameter><parameter=e>1</parameter></function>", "",
        [("add", {"d": " 12 \n", "e": "1"})]),
    "qwen3-coder, what is no integer": (
        f"{CODER}<parameter=a>one</parameter></function>", "", [("add", {"a": "one"})]),
    "qwen3-coder, an open parameter": (
        f"{CODER}<parameter=d>\nx\n<parameter=a>\n1\n</function></tool_call>", "",
        [("add", {"d": "x", "a": 1})]),
    "qwen3-coder, two": (
        f"{CODER}</function>\n<function=now>\n</function>\n</tool_call>", "",
        [("add", {}), ("now", {})]),
    "qwen3-coder, two tags": (
        f"{CODER}</function></tool_call>\n{CODER}</function></tool_call>\n", "",
        [("add", {}), ("add", {})]),
    "glm": (f"<tool_call>get_weather\n{GLM_CITY}\n</tool_call>", "", [PARIS]),
    "glm, by schema": (f"<tool_call>add{GLM_ADDENDS}</tool_call>", "", [SUM]),
    "glm, two": ("<tool_call>now\n</tool_call>\n<tool_call>now</tool_call>", "",
                 [("now", {}), ("now", {})]),
    "a broken one before": (f"{BROKEN}<tool_call>{WEATHER}</tool_call>", BROKEN, [PARIS]),
    "a tag before a tag": (f"<tool_call><tool_call>{WEATHER}</tool_call>", "<tool_call>", [PARIS]),
}  # fmt: skip

TEXTS = {
    "nothing": "",
    "blanks": " \n ",
    "text": "  The weather is fine.\n",
    "json": '{"answer": 42}',
    "json of a name": '{"name": "Paris", "population": 2100000}',
    "a list": f"[{WEATHER}]",
    "a bare name": '{"name": "now"}',
    "json later": f"It is {LLAMA}",
    "an opening tag": "<tool_call>",
    "half a tag": "see <tool_ca",
    "an unknown tool": '<tool_call>{"name": "rm", "arguments": {}}</tool_call> ok',
    "an unknown tool among others": f'<tool_call>[{WEATHER}, {{"name": "rm", "arguments": {{}}}}]',
    "an unknown named": "[TOOL_CALLS]rm[ARGS]{}",
    "a name that is none": '<tool_call>{"name": ["add"], "arguments": {}}</tool_call>',
    "arguments that are none": '<tool_call>{"name": "add", "arguments": [1]}</tool_call>',
    "arguments that are a number": '<tool_call>{"name": "add", "arguments": "1"}</tool_call>',
    "a named list": "[TOOL_CALLS]add[ARGS][1]",
    "no JSON": '<tool_call>{"name": add, "arguments": {}}</tool_call>',
    "python": "<tool_call>{'name': 'add', 'arguments': {}}</tool_call>",
    "not a number": '<tool_call>{"name": "add", "arguments": {"a": NaN}}</tool_call>',
    "infinite": '<tool_call>{"name": "add", "arguments": {"a": 1e999}}</tool_call>',
    "cut off": '<tool_call>{"name": "add", "arguments": {"a": "x',
    "cut off, llama": '{"name": "add", "parame',
    "brackets crossed": '<tool_call>{"name": "add", "arguments": [}]</tool_call>',
    "nested without end": '<tool_call>{"name": "add", "arguments": ' + '{"a":' * 1000,
    "nested lists": "<tool_call>" + "[" * 1000,
    "python code": "<|python_tag|>print(1)",
    "words after mistral's": "[TOOL_CALLS] I would call " + "x" * 300 + "{}",
    "only mistral's": "[TOOL_CALLS]",
    "a stray closing tag": "a </tool_call> b",
    "an unknown function": "<tool_call><function=rm></function></tool_call>",
    "an unknown name": "<tool_call>rm</tool_call>",
    "a function that is talked of": "It writes <function=now> and then more.",
    "a function without end": f"{CODER}<parameter=a>1</parameter>",
    "a function with text in it": f"{CODER}<parameter=a>1</parameter>so</function> ok",
    "a function of JSON": "<function=now>{}</function>",
    "glm without end": "<tool_call>add<arg_key>a</arg_key><arg_value>1</arg_value>",
    "glm without a value": "<tool_call>add<arg_key>a</arg_key></tool_call>",
    "a name and words": "<tool_call>now or never</tool_call>",
    "half of a function": "<tool_call><funct",
    "a head without end": "<function=now>" + " " * 300 + "</function>",
    "a huge number": '<tool_call>{"name": "add", "arguments": {"a": ' + "1" * 10_000 + "}}",
}  # fmt: skip


@pytest.mark.parametrize(("text", "content", "calls"), CALLS.values(), ids=CALLS)
def test_calls_are_told_from_text(text, content, calls):
    assert read(text) == (content, calls)


@pytest.mark.parametrize(("text", "content", "calls"), CALLS.values(), ids=CALLS)
def test_calls_may_be_cut_anywhere(text, content, calls):
    assert read(*text) == (content, calls)
    for place in range(1, len(text)):
        assert read(text[:place], text[place:]) == (content, calls), text[:place]


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_what_is_no_call_is_content(text):
    assert read(text) == (text, [])
    assert read(*text) == (text, [])


PARTS = [
    "<tool_call>", "</tool_call>", "[TOOL_CALLS]", "[ARGS]", "<|python_tag|>", WEATHER, LLAMA, ADD,
    "[", "]", "{", "}", '"', "\\", ",", ";", ":", " ", "\n", "<", "get_weather", "now", "text", "1",
    '{"name": ', '"add", "arguments": ', '{"a": 1}', "<function=", "add>", "</function>",
    "<parameter=a>", "</parameter>", "<arg_key>a</arg_key>", "<arg_value>1</arg_value>",
]  # fmt: skip
FORMED = st.lists(st.sampled_from(PARTS)).map("".join)


@given(FORMED | st.text(), st.lists(st.integers(min_value=0)))
@example('{"a": "<tool_call>' + WEATHER + '</tool_call>"}', [3, 20])
@example("[TOOL_CALLS]" + "x" * 200 + "{}", [100])
def test_the_cuts_do_not_matter(text, places):
    assert read(*cut(text, places)) == read(text) == read(*text)


@given(FORMED)
def test_nothing_but_calls_and_blanks_is_lost_and_nothing_moves(text):
    content, calls = read(text)

    if not calls and "[]" not in "".join(text.split()):
        assert content == text
    left = iter(text)
    assert all(letter in left for letter in content if not letter.isspace())


def test_text_is_passed_on_as_it_comes():
    reader = ToolCallReader(TOOLS)

    assert [delta.content for delta in reader.feed("Let me")] == ["Let me"]
    assert [delta.content for delta in reader.feed(" see <")] == [" see"]
    assert [delta.content for delta in reader.feed("b>")] == [" <b>"]


def test_an_object_that_is_no_call_is_passed_on_as_it_comes():
    reader = ToolCallReader(TOOLS)

    assert "".join(delta.content for delta in reader.feed('{"answer": [1, 2')) == '{"answer": [1, 2'


def test_a_call_is_passed_on_when_its_json_ends():
    reader = ToolCallReader(TOOLS)

    [delta] = reader.feed(f"<tool_call>{WEATHER}")
    assert delta.tool_call is not None
    assert delta.tool_call.id.startswith("call_")
    assert delta.tool_call.arguments == '{"city": "Paris"}'


def test_one_call_where_no_more_are_wanted():
    text = f"<tool_call>[{WEATHER}, {ADD}]</tool_call><tool_call>{ADD}</tool_call> done"
    assert read(text, parallel=False) == ("done", [PARIS])


def test_letters_that_are_none_stay_json():
    reader = ToolCallReader(TOOLS)
    text = '<tool_call>{"name": "add", "arguments": {"a": "\\ud800", "b": "é"}}'

    [delta] = reader.feed(text)
    assert delta.tool_call.arguments.encode()
    assert json.loads(delta.tool_call.arguments) == {"a": "\ud800", "b": "é"}
    [delta] = ToolCallReader(TOOLS).feed(text.replace("\\ud800", "ä"))
    assert delta.tool_call.arguments == '{"a": "ä", "b": "é"}'


def test_a_long_reply_is_read_in_time_that_grows_with_it():
    reader = ToolCallReader(TOOLS)
    list(reader.feed('<tool_call>{"name": "add", "arguments": {"a": "'))
    for _ in range(200_000):
        list(reader.feed("x"))
    [delta] = reader.feed('"}}')
    assert len(delta.tool_call.arguments) > 200_000
