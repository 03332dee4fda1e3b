"""Tools, calls and results in prompts, as each family of templates wants them."""

from __future__ import annotations

import json

import pytest

from smolctl.engine.chat import prepare
from smolctl.engine.chat_template import CHATML, ChatTemplate
from smolctl.engine.conversation import ChatRequest, Message, Tool, ToolCall, ToolChoice
from smolctl.engine.tool_forms import HERMES, LLAMA3, MISTRAL, MISTRAL_NAMED, SMOLLM2, form_of
from smolctl.errors import NotRunnable, UsageError
from tests.support import tool_templates

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = Tool("get_weather", "The weather of a city.", SCHEMA)
PARIS = ToolCall("call_abc", "get_weather", '{"city": "Paris"}')
ROME = ToolCall("call_def", "get_weather", '{"city": "Rome"}')
QUESTION = Message("user", "How is the weather?")
CALLED = (
    QUESTION,
    Message("assistant", "", tool_calls=(PARIS,)),
    Message("tool", "sunny", tool_call_id="call_abc"),
)
CALLED_TWICE = (
    QUESTION,
    Message("assistant", "Both.", tool_calls=(PARIS, ROME)),
    Message("tool", "sunny", tool_call_id="call_abc"),
    Message("tool", "rainy", tool_call_id="call_def"),
)


class Letters:
    """A vocabulary whose tokens are letters."""

    bos_token = "<s>"
    eos_token = "</s>"

    def tokenize(self, text, _mark):
        return [ord(letter) for letter in text]

    def control_tokens_in(self, text):
        del text
        return set()

    def special_token(self, text):
        return {"[TOOL_CALLS]": 7, "<think>": 8}.get(text)


def prompt(source, *messages, tools=(WEATHER,), **more):
    chat = ChatRequest(messages, tools=tools, **more)
    prepared = prepare(chat, ChatTemplate(source), Letters())
    return "".join(map(chr, prepared.request.tokens))


def document(tool):
    return json.dumps(tool.document())


@pytest.mark.parametrize(
    ("source", "form"),
    [
        (tool_templates.HERMES, HERMES),
        (tool_templates.QWEN3, HERMES),
        (tool_templates.SMOLLM3, HERMES),
        (tool_templates.LLAMA3, LLAMA3),
        (tool_templates.MISTRAL, MISTRAL),
        (tool_templates.MISTRAL_NAMED, MISTRAL_NAMED),
        (tool_templates.DEEPSEEK, SMOLLM2),
        (CHATML, SMOLLM2),
        ("{% set tools = 1 %}{{ tools }}{{ messages }}", SMOLLM2),
        ("{{ tools }}{{ messages }}", HERMES),
    ],
)
def test_the_form_of_a_templates_model(source, form):
    assert form_of(ChatTemplate(source)) is form


def test_hermes():
    assert prompt(tool_templates.HERMES, *CALLED) == (
        f"<|im_start|>system\n<tools>{document(WEATHER)}</tools><|im_end|>\n"
        "<|im_start|>user\nHow is the weather?<|im_end|>\n"
        '<|im_start|>assistant\n<tool_call>{"name": "get_weather", "arguments":'
        ' {"city": "Paris"}}</tool_call><|im_end|>\n'
        "<|im_start|>user\n<tool_response>sunny</tool_response><|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_a_template_that_looks_into_the_content():
    text = prompt(tool_templates.QWEN3, *CALLED)
    assert '"arguments": {"city": "Paris"}}</tool_call>' in text
    assert "None" not in text


def test_llama_3_gets_several_calls_one_by_one():
    text = prompt(tool_templates.LLAMA3, Message("system", "Be brief."), *CALLED_TWICE)
    assert text == (
        "<s>[system]Be brief.<|eot_id|>[user]How is the weather?<|eot_id|>"
        '[assistant]{"name": "get_weather", "parameters": {"city": "Paris"}}<|eot_id|>'
        '[ipython]"sunny"<|eot_id|>'
        '[assistant]{"name": "get_weather", "parameters": {"city": "Rome"}}<|eot_id|>'
        '[ipython]"rainy"<|eot_id|>[assistant]'
    )


def test_llama_3_is_told_of_tools_with_the_question():
    text = prompt(tool_templates.LLAMA3, QUESTION)
    assert '"description": "The weather of a city."' in text
    assert '"city": {' in text


def test_mistral_gets_ids_of_nine_letters_that_agree():
    text = prompt(tool_templates.MISTRAL, Message("system", "Be brief."), *CALLED_TWICE)
    called = text.split("[TOOL_CALLS]")[1].split("</s>")[0]
    first, second = json.loads(called)
    assert first["arguments"] == {"city": "Paris"}
    assert len(first["id"]) == len(second["id"]) == 9
    assert f'{{"content": sunny, "call_id": "{first["id"]}"}}' in text
    assert f'{{"content": rainy, "call_id": "{second["id"]}"}}' in text
    assert "[INST]Be brief.\n\nHow is the weather?[/INST]" in text
    assert f"[AVAILABLE_TOOLS][{document(WEATHER)}][/AVAILABLE_TOOLS]" in text


def test_mistral_keeps_ids_that_have_nine_letters():
    call = ToolCall("abcDEF123", "get_weather", "{}")
    answered = (QUESTION, Message("assistant", "", (call,)), Message("tool", "x", (), call.id))
    assert prompt(tool_templates.MISTRAL, *answered).count('"abcDEF123"') == 2


def test_mistral_with_the_name_before_the_arguments():
    text = prompt(tool_templates.MISTRAL_NAMED, *CALLED_TWICE)
    assert '[TOOL_CALLS]get_weather[ARGS]{"city": "Paris"}[TOOL_CALLS]get_weather[ARGS]{"' in text


def test_arguments_as_text_and_no_content():
    text = prompt(tool_templates.DEEPSEEK, *CALLED)
    assert '<call>get_weather\n{"city": "Paris"}</call><result>sunny</result>' in text
    assert "None" not in text


def test_text_beside_a_call_is_kept_where_a_message_has_one_or_the_other():
    text = prompt(tool_templates.DEEPSEEK, *CALLED_TWICE)
    assert '<assistant>Both.<call>get_weather\n{"city": "Paris"}</call><call>get_weather' in text


def test_a_template_that_drops_all_calls_but_one_gets_them_one_by_one():
    source = tool_templates.LLAMA3.replace("{{ raise_exception('one call at a time') }}", "")
    assert prompt(source, *CALLED_TWICE) == prompt(tool_templates.LLAMA3, *CALLED_TWICE)


def test_calls_without_results_are_told_of_too():
    text = prompt(tool_templates.LLAMA3, *CALLED_TWICE[:2], Message("user", "Well?"))
    assert text.index('"Paris"') < text.index('"Rome"') < text.index("Well?")


def test_results_and_the_users_next_words_are_one_message():
    text = prompt(CHATML, *CALLED, Message("user", "Well?"))
    assert "</tool_response>\nWell?<|im_end|>" in text


def test_a_template_that_leaves_calls_out_gets_them_as_text():
    text = prompt(tool_templates.SMOLLM3, *CALLED)
    assert "<tools>{'type': 'function'" in text
    assert (
        '<|im_start|>assistant\n<tool_call>\n{"name": "get_weather", "arguments":'
        ' {"city": "Paris"}}\n</tool_call><|im_end|><|im_start|>user\nsunny<|im_end|>'
    ) in text


def test_a_template_that_knows_no_tools_gets_smollm2s_form():
    text = prompt(CHATML, Message("system", "Be brief."), *CALLED_TWICE)
    system = text.split("<|im_end|>")[0]
    assert system.startswith("<|im_start|>system\nBe brief.\n\nYou are an expert in composing")
    assert f"<tools>[{document(WEATHER)}]</tools>" in system
    assert text.endswith(
        "<|im_start|>user\nHow is the weather?<|im_end|>\n"
        '<|im_start|>assistant\nBoth.\n<tool_call>[{"name": "get_weather", "arguments":'
        ' {"city": "Paris"}}, {"name": "get_weather", "arguments": {"city": "Rome"}}]</tool_call>'
        "<|im_end|>\n"
        "<|im_start|>user\n<tool_response>\nsunny\n</tool_response>\n"
        "<tool_response>\nrainy\n</tool_response><|im_end|>\n<|im_start|>assistant\n"
    )


def test_without_a_system_message_the_tools_make_one():
    assert prompt(CHATML, QUESTION).startswith("<|im_start|>system\nYou are an expert")


def test_a_template_without_system_messages_has_the_tools_in_the_users():
    source = (
        "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('none') }}{% endif %}"
        "[{{ m.role }}]{{ m.content }}{% endfor %}"
    )
    assert prompt(source, QUESTION).startswith("[user]You are an expert")


def test_no_tools_no_word_of_them():
    plain = ChatTemplate(CHATML).render([QUESTION])
    assert prompt(CHATML, QUESTION, tools=()) == plain
    assert prompt(CHATML, QUESTION, tool_choice=ToolChoice("none")) == plain
    assert "get_weather" not in prompt(
        tool_templates.HERMES, QUESTION, tool_choice=ToolChoice("none")
    )


def test_calls_made_before_are_told_of_without_tools_too():
    assert "<tool_response>sunny" in prompt(tool_templates.HERMES, *CALLED, tools=())
    assert "<tool_response>\nsunny" in prompt(CHATML, *CALLED, tools=())


def test_a_tool_without_parameters_is_an_object_without_properties():
    text = prompt(tool_templates.HERMES, QUESTION, tools=(Tool("now"),))
    assert '"parameters": {"type": "object", "properties": {}}' in text


@pytest.mark.parametrize("arguments", ["[1]", "{", "1", "[" * 2000, '{"a":' * 70 + "1" + "}" * 70])
@pytest.mark.parametrize("source", [CHATML, tool_templates.HERMES])
def test_arguments_that_are_no_object_are_refused(source, arguments):
    call = ToolCall("call_1", "get_weather", arguments)
    with pytest.raises(UsageError, match="are no JSON object"):
        prompt(source, QUESTION, Message("assistant", "", (call,)))


def test_a_hostile_template_is_not_asked_for_ever(monkeypatch):
    monkeypatch.setattr("smolctl.engine.chat_template._DEADLINE_SECONDS", 0.2)
    monkeypatch.setattr("smolctl.engine.template_messages._SECONDS", 0.1)
    loop = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    with pytest.raises(NotRunnable, match="does not come to an end"):
        prompt("{{ tools }}" + loop, *CALLED)


@pytest.mark.parametrize("source", ["{% if %}", "{{ x | no_such_filter }}", "{{ tools | nope }}"])
def test_a_broken_template_is_an_error(source):
    with pytest.raises(NotRunnable, match="template is broken"):
        prompt(source, *CALLED)


def test_markers_that_are_special_tokens_are_shown():
    template = ChatTemplate(tool_templates.MISTRAL)
    with_tools = prepare(ChatRequest((QUESTION,), tools=(WEATHER,)), template, Letters())
    without = prepare(ChatRequest((QUESTION,)), template, Letters())
    assert with_tools.request.shown == {7, 8}
    assert without.request.shown == {8}


HUGE = {"type": "object", "description": "x" * 200_000}
DEEP = {"type": "object"}
for _ in range(40):
    DEEP = {"type": "object", "properties": {"a": DEEP}}


@pytest.mark.parametrize(
    ("name", "description", "parameters", "reason"),
    [
        ("", "", {}, "is no name of a tool"),
        ("get weather", "", {}, "is no name of a tool"),
        ("x" * 65, "", {}, "is no name of a tool"),
        ('a"b', "", {}, "is no name of a tool"),
        ("a\n", "", {}, "is no name of a tool"),
        ("a", "x" * 20_000, {}, "description of the tool a"),
        ("a", "", [1], "parameters of the tool a"),
        ("a", "", {"type": "string"}, "not of type object"),
        ("a", "", HUGE, "too large"),
        ("a", "", DEEP, "nested too deeply"),
        ("a", "", {"const": float("nan")}, "no JSON"),
        ("a", "", {"const": {1}}, "no JSON"),
    ],
)
def test_a_hostile_tool_is_refused_with_the_reason(name, description, parameters, reason):
    with pytest.raises(UsageError) as caught:
        Tool(name, description, parameters)
    assert reason in caught.value.message
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"tools": tuple(Tool(f"t{n}") for n in range(129))}, "129 tools, at most 128"),
        ({"tools": (Tool("a"), Tool("a"))}, "two tools"),
        ({"tools": (Tool("a"),), "tool_choice": ToolChoice("required", "b")}, "not among"),
        ({"tool_choice": ToolChoice("required")}, "there are none"),
    ],
)
def test_tools_and_choices_that_make_no_sense(more, reason):
    with pytest.raises(UsageError, match=reason):
        ChatRequest((QUESTION,), **more)
