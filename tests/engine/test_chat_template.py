import contextlib
import sys
import time
from weakref import WeakSet

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.engine import chat_template
from smolctl.engine.chat_template import CHATML, ChatTemplate, find_template
from smolctl.engine.conversation import Message
from smolctl.engine.template_bounds import Unbounded
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
        "{{ 'x'|batch(1000000000, 'x') }}",
        "{{ '{:>1000000000}'.format('x') }}",
        "{{ '{x:>1000000000}'.format_map({'x': 'x'}) }}",
        "{{ 'x'.zfill(1000000000) }}",
        "{{ 'x'.ljust(1000000000) }}",
        "{{ '\t'.expandtabs(1000000000) }}",
        "{{ ('x' * 1000000).translate({120: 'x' * 1000}) }}",
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
        (
            "{% set ns = namespace(x='xx') %}{% for a in range(60) %}"
            "{% set twice %}{{ ns.x }}{{ ns.x }}{% endset %}{% set ns.x = twice %}{% endfor %}"
        ),
        *(
            f"{{% set x = 'x' * 1000000 %}}{{{{ {grown}|length }}}}"
            for grown in (
                "x.replace('x', x)", "x|replace('x', x)", "x.join(['x'] * 3000)",
                "(['x'] * 3000)|join(x)", "[{'k': x}]|map(attribute='k')|join|replace('x', x)",
            )
        ),
        *(
            "{% set ns = namespace(x=[1], y=[1]) %}{% for a in range(60) %}"
            f"{{% set ns.x = {doubled} %}}{{% set ns.y = {doubled.replace('x', 'y')} %}}"
            "{% endfor %}{{ ns.x == ns.y }}{{ ns.x|tojson }}"
            for doubled in (
                "[ns.x, ns.x]", "(ns.x, ns.x)", "{1: ns.x, 2: ns.x}", "dict(a=ns.x, b=ns.x)",
                "[ns.x] * 2", "[ns.x] + [ns.x]", "[none, none]|map('default', ns.x, true)|list",
            )
        ),
    ],
)  # fmt: skip
def test_a_template_without_end_is_ended(source, monkeypatch):
    monkeypatch.setattr(chat_template, "_DEADLINE_SECONDS", 0.3)
    began = time.monotonic()
    with pytest.raises(NotRunnable, match="does not come to an end"):
        ChatTemplate(source).render(QUESTION)
    assert time.monotonic() - began < 10


def test_a_constant_that_is_computed_without_end_is_ended(monkeypatch):
    """Jinja2 computes constants when it compiles."""
    monkeypatch.setattr(chat_template, "_DEADLINE_SECONDS", 0.2)
    source = "{{ '" + "x" * 200_000 + "'" + "|list|sort" * 40 + "|length }}"
    began = time.monotonic()
    for ask in (lambda template: template.render(QUESTION), lambda template: template.knows_tools):
        with pytest.raises(NotRunnable, match="does not come to an end"):
            ask(ChatTemplate(source))
    assert time.monotonic() - began < 2


def test_what_goes_after_the_deadline_does_not_take_the_deadline_along():
    class Going:
        def __del__(self):
            pass

    going, known = Going(), WeakSet()
    known.add(going)
    with pytest.raises(Unbounded), chat_template._deadline(0):  # noqa: PT012
        # Python drops what its finalizer raises, and what the set does when it hears of it.
        del going
        (lambda: None)()


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ ['a', 1]|join('-') }}", "a-1"),
        ("{{ messages|join(', ', attribute='role') }}", "user"),
        ("{{ 'aXbX'|replace('X', '-') }}{{ 'aXbX'.replace('X', '-', 1) }}", "a-b-a-bX"),
        ("{{ ', '.join(['a', 'b']) }}", "a, b"),
        ("{% for k, v in {'a': (1, 2)}.items() %}{{ k }}{{ v[1] }}{% endfor %}", "a2"),
        ("{% if messages[0].role in ['user', 'tool'] %}yes{% endif %}", "yes"),
        ("{{ {'b': 1, 'a': 2}|tojson(separators=(',', ':'), sort_keys=true) }}", '{"a":2,"b":1}'),
        ("{% set ns = namespace(n=1) %}{% set ns.n = ns.n + 1 %}{{ ns.n }}", "2"),
        ("{{ namespace(n=1) }}", "<Namespace>"),
    ],
)  # fmt: skip
def test_bounded_operations_do_what_jinja_does(source, text):
    assert ChatTemplate(source).render(QUESTION) == text


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
