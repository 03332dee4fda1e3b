import contextlib
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.engine import chat_template
from smolctl.engine.chat_template import CHATML, ChatTemplate, Message, find_template
from smolctl.errors import NotRunnable

QUESTION = [Message("user", "Hello")]
CONVERSATION = [
    Message("system", "Be brief."),
    Message("user", "Hello"),
    Message("assistant", "Hi"),
    Message("user", "Bye"),
]


def test_chatml_is_what_the_smollm2_family_was_trained_on():
    assert ChatTemplate(CHATML).render(CONVERSATION) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        "<|im_start|>user\nHello<|im_end|>\n"
        "<|im_start|>assistant\nHi<|im_end|>\n"
        "<|im_start|>user\nBye<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_without_a_generation_prompt_the_reply_is_not_begun():
    text = ChatTemplate(CHATML).render(QUESTION, add_generation_prompt=False)
    assert text == "<|im_start|>user\nHello<|im_end|>\n"


def test_the_template_layer_wins_over_the_ggufs_and_chatml_is_last():
    assert find_template("layer", "gguf").source == "layer"
    assert find_template(None, "gguf").source == "gguf"
    assert find_template("", "gguf").source == "gguf"
    assert find_template(None, None).source == CHATML


def test_blocks_leave_no_blank_lines_as_transformers_has_it():
    template = ChatTemplate(
        "{% for m in messages %}\n  {% if true %}\n{{ m.content }}\n  {% endif %}\n{% endfor %}\n"
    )
    assert template.render(CONVERSATION[:2]) == "Be brief.\nHello\n"


def test_the_names_that_templates_are_written_against():
    template = ChatTemplate(
        "{{ bos_token }}{{ eos_token }}{{ tools | tojson }}{{ strftime_now('%Y')|length }}"
        "{% generation %}{{ messages[0].content }}{% endgeneration %}"
        "{% for m in messages %}{% continue %}{% endfor %}"
    )
    text = template.render(QUESTION, bos_token="<s>", eos_token="</s>", tools=[{"é": "<&>"}])
    assert text == '<s></s>[{"é": "<&>"}]4Hello'


def test_a_refused_system_message_joins_the_users():
    template = ChatTemplate(
        "{% for m in messages %}{% if m.role == 'system' %}"
        "{{ raise_exception('no system role') }}{% endif %}[{{ m.role }}: {{ m.content }}]"
        "{% endfor %}"
    )
    assert template.render(CONVERSATION[:2]) == "[user: Be brief.\n\nHello]"


def test_a_refusal_says_what_the_template_says():
    template = ChatTemplate("{{ raise_exception('roles must alternate') }}")
    with pytest.raises(NotRunnable, match="roles must alternate"):
        template.render(QUESTION)


def test_a_broken_template_names_its_line():
    with pytest.raises(NotRunnable, match="line 3"):
        ChatTemplate("one\ntwo\n{% if %}").render(QUESTION)


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.append(1) }}",
        "{{ messages[0].update({'role': 'x'}) }}",
        "{{ self.__init__.__globals__ }}",
        "{{ cycler.__init__.__globals__.os.system('true') }}",
        "{{ raise_exception.__globals__.keys() }}",
        "{{ 1 / 0 }}",
        "{{ 2 ** 2 }}",
        "{{ 'x' % 1 }}",
        "{{ messages[5].content.nothing }}",
        "{% include 'other' %}",
        "{{ 'x'|center(1000000000) }}",
        "{{ 'x'|format(1) }}",
        "{{ range(10000000) }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    ],
)
def test_what_a_template_may_not_do_is_an_error_and_no_more(source):
    with pytest.raises(NotRunnable, match="chat template"):
        ChatTemplate(source).render(QUESTION)


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% macro m(n) %}{% if n %}{{ m(n-1) }}{{ m(n-1) }}{% endif %}{% endmacro %}{{ m(60) }}",
        "{% for a in range(99999) %}{% for b in range(99999) %}xxxxxxxx{% endfor %}{% endfor %}",
        "{{ 'x' * 1000000000000 }}",
        "{{ 1000000000000 * 'x' }}",
        "{{ [0] * 1000000000000 }}",
        (
            "{% set ns = namespace(x='xx') %}"
            "{% for a in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}"
        ),
        (
            "{% set ns = namespace(x='xx') %}"
            "{% for a in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}"
        ),
        (
            "{% set ns = namespace(x=9) %}"
            "{% for a in range(60) %}{% set ns.x = ns.x * ns.x %}{% endfor %}"
        ),
    ],
)
def test_a_template_without_end_is_ended(source, monkeypatch):
    monkeypatch.setattr(chat_template, "_DEADLINE_SECONDS", 0.3)
    began = time.monotonic()
    with pytest.raises(NotRunnable, match="does not come to an end"):
        ChatTemplate(source).render(QUESTION)
    assert time.monotonic() - began < 10


def test_the_deadline_leaves_a_tracer_as_it_was():
    before = sys.gettrace()
    ChatTemplate(CHATML).render(QUESTION)
    assert sys.gettrace() is before


@given(st.text())
def test_any_source_renders_or_is_an_error(source):
    with contextlib.suppress(NotRunnable):
        ChatTemplate(source).render(QUESTION)


@given(st.text())
def test_any_content_comes_through_unchanged(content):
    assert f"user\n{content}<|im_end|>" in ChatTemplate(CHATML).render([Message("user", content)])
