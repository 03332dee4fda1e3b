"""Grammars: what is refused, and that replies follow the others."""

from __future__ import annotations

import json
import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.engine.gbnf import Grammar
from smolctl.engine.json_schema import JSON_OBJECT, grammar_of
from smolctl.engine.sampling import Sampling
from smolctl.errors import InvalidGrammar, SmolctlError
from tests.support.examples import examples
from tests.support.generating import chat, reply, request

FREE = Sampling(temperature=1.5, top_k=0, top_p=1, min_p=0, max_tokens=300)
DOUBLING = (
    "root ::= r0\n" + "".join(f"r{n} ::= r{n + 1} r{n + 1}\n" for n in range(30)) + 'r30 ::= ""'
)
CHAIN = "root ::= r0\n" + "".join(f"r{n} ::= r{n + 1}\n" for n in range(4000)) + 'r4000 ::= "a"'

BROKEN = {
    "nothing": ("", "no rule 'root'"),
    "no root": ('a ::= "x"', "no rule 'root'"),
    "open parenthesis": ('root ::= ("a"', "line 1: ) is expected"),
    "open literal": ('root ::= "a', "line 1"),
    "open class": ("root ::= [a-z", "line 1"),
    "empty class": ("root ::= []", "line 1"),
    "bad escape": (r'root ::= "\q"', "line 1"),
    "unknown rule": ('root ::= "a"\nb ::= foo', "line 2: there is no rule 'foo'"),
    "begins with itself": ('root ::= root "a"', "begins with itself"),
    "begins with itself unseen": ('root ::= x "a"\nx ::= "b"? root', "begins with itself"),
    "twice": ('root ::= "a"\nroot ::= "b"', "two rules"),
    "repeats nothing": ('root ::= ""*', "nothing to repeat"),
    "repeats emptiness": ('root ::= ("a"? )*', "without end what may be empty"),
    "repeats emptiness unseen": ('root ::= x{2,}\nx ::= "a" | ( )', "without end"),
    "repeats a repetition": ('root ::= "a"**', "repetition is repeated"),
    "backwards": ('root ::= "a"{3,2}', "repeats at most"),
    "too often": ('root ::= "a"{100000}', "repeats at most"),
    "nested repetitions": ('root ::= (("a"?){900}){900}', "too ambiguous"),
    "nested repetitions, later": ('root ::= "x" (("a"?){900}){900}', "too ambiguous"),
    "repeats emptiness later": ('root ::= "x" ("a" | )+', "without end what may be empty"),
    "doubling": (DOUBLING, "too ambiguous"),
    "chain": (CHAIN, "nested too deeply"),
    "parentheses": ("root ::= " + "(" * 90_000, "nested too deeply"),
    "huge": ("# " + "x" * 300_000, "letters"),
    "nul": ('root ::= "a\0"', "no text"),
    "surrogate": ('root ::= "\ud800"', "no text"),
    "many rules": ("".join(f'r{n} ::= "a"\n' for n in range(5000)), "more than 4096 rules"),
}


@pytest.mark.parametrize(("source", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_or_hostile_grammar_is_refused_with_the_reason(source, reason):
    with pytest.raises(InvalidGrammar, match=None) as caught:
        Grammar(source)
    assert reason in caught.value.message


GOOD = {
    "arithmetic": (
        'root ::= (expr "=" [ \\t]{0,3} term "\\n"){1,2} # a comment\n'
        "expr ::= term ([-+*/] term){0,3}\nterm ::= num\nnum ::= [0-9]{1,3}\n"
    ),
    "lines": 'root ::=\n  "a" |\n  ( "b"\n  | "c" )\n\n# the end',
    "escapes": r'root ::= "\x41\u00e9\n\\\"" [^\]a-z]? . [a\-z]',
    "empty": 'root ::= "" | "a"',
}


@pytest.mark.parametrize("source", GOOD.values(), ids=GOOD)
def test_what_is_allowed_llama_cpp_takes_and_a_reply_follows(eight, source):
    generation = eight.submit(request(eight, "x", FREE, grammar=Grammar(source)))
    assert list(generation) is not None
    assert generation.finish_reason == "stop"


@given(st.text('rot:= "a()[]|*+?{}1,\n\\x#-^.', max_size=40))
def test_no_text_is_anything_but_a_grammar_or_refused(text):
    for source in (text, f"root ::= {text}"):
        with suppress(InvalidGrammar):
            Grammar(source)


@examples(50)
@given(body=st.text('rot "ab()[]|*+?{}1,\n\\x#-^.', max_size=40))
def test_what_our_parser_lets_through_llama_cpp_does_not_crash_on(eight, body):
    with suppress(SmolctlError):
        grammar = Grammar(f"root ::= {body}")
        reply(eight, "x", Sampling(max_tokens=3), grammar=grammar)


PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 8},
        "age": {"type": "integer"},
        "tags": {"type": "array", "items": {"enum": ["a", 'b"\\', "ä"]}, "maxItems": 3},
        "born": {"type": "string", "format": "date"},
    },
    "required": ["age"],
}
NODE = {
    "$defs": {"node": {
        "type": "object",
        "properties": {"v": {"type": "boolean"}, "next": {"$ref": "#/$defs/node"}},
        "required": ["v"],
    }},
    "$ref": "#/$defs/node",
}  # fmt: skip
SCHEMAS = {
    "person": PERSON,
    "node": NODE,
    "any of": {"anyOf": [{"type": "null"}, {"const": {"k": [1, None]}}, {"type": "boolean"}]},
    "types": {"type": ["integer", "null"]},
    "tuple": {"prefixItems": [{"type": "null"}, {"type": "boolean"}], "items": False},
    "numbers": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 3},
    "all of": {"allOf": [{"$ref": "#/$defs/a"}, {"properties": {"b": {"const": 2}}}],
               "$defs": {"a": {"properties": {"a": {"const": 1}}, "required": ["a"]}}},
    "bounded text": {"type": "string", "minLength": 2, "maxLength": 4},
    "required only": {"type": "object", "required": ["x"], "properties": {"x": {"type": "null"}}},
    "no members": {"type": "object", "properties": {}, "additionalProperties": False},
    "map": {"type": "object", "additionalProperties": {"type": "null"}},
    "beside choices": {"type": "object", "properties": {"a": {"const": 1}, "b": {"const": 2}},
                       "anyOf": [{"required": ["a"]}, {"required": ["b"]}, {"const": 3}]},
    "beside a reference": {"properties": {"a": {"const": 1}}, "required": ["a"],
                           "$ref": "#/$defs/b",
                           "$defs": {"b": {"properties": {"b": {"const": 2}}, "required": ["b"]}}},
    "share": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
    "dice": {"type": "integer", "exclusiveMinimum": -7, "maximum": 12},
    "code": {"type": "string", "pattern": r'^[A-Z]{2}-\d{2,3}("|\\)$'},
}  # fmt: skip


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_what_follows_a_schema_parses_always(eight, schema):
    """Ten seeds each, at a temperature where the model says anything at all."""
    grammar = grammar_of(schema)
    prompt = chat("Give me JSON.")
    running = [
        eight.submit(request(eight, prompt, _seeded(seed), grammar=grammar)) for seed in range(10)
    ]
    parsed = 0
    for generation in running:
        text = "".join(generation.texts())
        if generation.finish_reason == "stop":
            _check(json.loads(text), schema)
            parsed += 1
    assert parsed >= (3 if schema is NODE or "additionalProperties" in schema else 10)


def _seeded(seed):
    return Sampling(temperature=1.5, top_k=0, top_p=1, min_p=0, max_tokens=120, seed=seed)


def _check(value, schema):
    if schema is PERSON:
        assert isinstance(value["age"], int)
        assert set(value) <= set(PERSON["properties"])
        assert len(value.get("name", "")) <= 8
        assert set(value.get("tags", [])) <= {"a", 'b"\\', "ä"}
    elif schema is SCHEMAS["tuple"]:
        assert value in ([None, True], [None, False])
    elif schema is SCHEMAS["numbers"]:
        assert 2 <= len(value) <= 3
    elif schema is SCHEMAS["all of"]:
        assert value in ({"a": 1}, {"a": 1, "b": 2})
    elif schema is SCHEMAS["bounded text"]:
        assert 2 <= len(value) <= 4
    elif schema is SCHEMAS["required only"]:
        assert value == {"x": None}
    elif schema is SCHEMAS["map"]:
        assert set(value.values()) <= {None}
    elif schema is SCHEMAS["beside choices"]:
        assert value in ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}, 3)
    elif schema is SCHEMAS["beside a reference"]:
        assert value == {"a": 1, "b": 2}
    elif schema is SCHEMAS["share"]:
        assert value is None or 0 <= value <= 1
    elif schema is SCHEMAS["dice"]:
        assert -7 < value <= 12
    elif schema is SCHEMAS["code"]:
        assert re.fullmatch(schema["pattern"], value)


def test_a_json_object_parses(eight):
    running = [
        eight.submit(request(eight, chat("JSON"), _seeded(seed), grammar=JSON_OBJECT))
        for seed in range(20)
    ]
    parsed = [
        json.loads("".join(pieces))
        for generation in running
        if (pieces := list(generation.texts())) and generation.finish_reason == "stop"
    ]
    assert len(parsed) >= 1
    assert all(isinstance(value, dict) for value in parsed)


def _deep(levels):
    schema = {"type": "null"}
    for _ in range(levels):
        schema = {"type": "array", "items": schema}
    return schema


HOSTILE = {
    "number": (5, "#: an object is expected"),
    "type": ({"type": "colour"}, 'no type "colour"'),
    "odd type": ({"type": {"a": 1}}, "no type"),
    "no choices": ({"enum": []}, "enum is a list"),
    "no choices of types": ({"type": []}, "type is a list"),
    "properties": ({"properties": [1]}, "properties is an object"),
    "required": ({"required": 5}, "required is a list"),
    "required in allOf": ({"allOf": [{"required": 5}, {"required": ["a"]}]}, "required is a list"),
    "elsewhere": ({"$ref": "https://example.com/schema"}, "leads out of the schema"),
    "nowhere": ({"$ref": "#/$defs/a"}, "there is no #/$defs/a"),
    "no text": ({"$ref": 5}, "leads out"),
    "itself": ({"$ref": "#"}, "begins with itself"),
    "itself by choices": ({"anyOf": [{"type": "null"}, {"$ref": "#"}]}, "begins with itself"),
    "allOf of itself": ({"allOf": [{"$ref": "#"}, {"type": "object"}]}, "too large"),
    "allOf of texts": ({"allOf": [{"type": "string"}, {"type": "object"}]}, "objects only"),
    "deep": (_deep(500), "too large"),
    "wide": ({"anyOf": [{"type": "null"}] * 5000}, "too large"),
    "many items": ({"type": "array", "items": {}, "minItems": 10**9}, "#: minItems is more"),
    "many optional": ({"properties": {f"p{n}": {} for n in range(1500)}}, "letters"),
    "long text": ({"properties": {"a": {"maxLength": 5000}}}, "/a: maxLength is more than 1000"),
    "turned around": ({"minItems": 2, "maxItems": 1}, "#: minItems is more than maxItems"),
    "no count": ({"type": "string", "maxLength": ""}, "maxLength is a number"),
    "negative": ({"type": "string", "minLength": -1}, "minLength is a number"),
    "no number": ({"const": float("nan")}, "JSON"),
    "odd bound": ({"minimum": "1"}, "#: minimum is a number"),
    "empty range": ({"type": "integer", "minimum": 2, "maximum": 1}, "#: there is no number"),
    "odd pattern": ({"pattern": 5}, "#: pattern is a text"),
    "looking around": ({"properties": {"a": {"pattern": "(?=a)"}}}, "a: the pattern cannot be"),
    "never": ({"properties": {"a": False}}, "properties/a: an object is expected"),
}


@pytest.mark.parametrize(("schema", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_schema_is_refused_with_the_place(schema, reason):
    with pytest.raises(InvalidGrammar) as caught:
        grammar_of(schema)
    assert reason in caught.value.message


def test_a_grammar_that_grows_with_every_token_is_given_up(eight):
    """Two kinds of continuation that nothing tells apart: stacks double with each letter."""
    grammar = Grammar('root ::= s\ns ::= "a" s x | "a" s y | "a"\nx ::= "b" | "c"\ny ::= "b" | "d"')
    [token] = eight.vocabulary.tokenize("a")[-1:]
    sampling = Sampling(temperature=1, max_tokens=200, logit_bias=((token, 50.0),))
    question = chat("What is the capital of France?")
    beside = eight.submit(request(eight, question))
    with pytest.raises(InvalidGrammar, match="too ambiguous"):
        reply(eight, "a", sampling, grammar=grammar)
    assert "".join(beside.texts()) == "The capital of France is Paris."


def test_bytes_that_make_no_letter_are_not_admitted(engine):
    """A model whose tokens are bytes, at random: most ways to go on after the first of a letter
    are none, and llama.cpp takes a quote there for a part of the letter."""
    grammar = grammar_of({"type": "string", "minLength": 30, "maxLength": 30})
    for seed in range(10):
        text = reply(engine, "x", _seeded(seed), grammar=grammar)
        assert "\ufffd" not in text
        assert len(json.loads(text)) == 30
