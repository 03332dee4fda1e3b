"""Patterns: the grammar reads the strings that match, as JSON writes them, and no other."""

from __future__ import annotations

import json
import re

import pytest

from smolctl.engine.gbnf import Grammar
from smolctl.engine.json_pattern import string_of
from smolctl.engine.json_schema import PRIMITIVES
from smolctl.errors import InvalidGrammar
from tests.support.grammar_regex import regex_of

TEXTS = [
    "", "a", "b", "ab", "abc", "aab", "aaaa", "A", "é", "ß", "日本", "0", "12", "123", "1234",
    "555-1234", "x555-1234y", "AB-12", "AB-123", "ab-12", 'say "hi"', '"', "back\\slash", "\\",
    "a b", " ", "\t", "line\nend", "\n", "a.b", "a@b.de", "{", "a{2}", "a{", "-", "]", "^", "$",
    "foo", "foobar", "barfoo", "2026-11-24", "#fff", "#A1b2C3", "c1c1", "ABABAB", "a-z", "_x9",
    "\x08", "/",
]  # fmt: skip
PATTERNS = [
    "", "^$", "a", "^a", "a$", "^a$", "^abc?$", "^a*b+$", "^a{2}b$", "^a{2,}$", "^(a|b)c?$",
    "^a|b$", r"^\d{3}-\d{4}$", r"\d{3}-\d{4}", "^[A-Z]{2}-[0-9]{2,3}$", "^[^0-9]*$", '^[^"]*$',
    '^"$', r"^\\$", r"^[\\]$", r"^\w+$", r"^\W$", r"^\s$", r"^\S+$", r"^.$", r"^.*$", r"\.",
    r"^[a-z.]+@[a-z]+\.de$", "^{$", "^a{$", "^[-]$", r"^[\]]$", r"^[\^$]$", r"^\$$",
    "^(?:foo|bar)+$", r"^(?P<year>\d{4})-\d\d-\d\d$", "^#([A-Fa-f0-9]{3}|[A-Fa-f0-9]{6})$",
    "^(AB){3}$", r"^\u00e9$", r"^[\u00df-\u00ff]$", r"^\x41$", r"^[\b]$", r"^\n$", r"^line\nend$",
    "^a+?b$", "日", r"^\/$", "^foo$|^bar$", "^[^日本]+$", r"^[\d-]$", r"^[a\-z]+$",
]  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_what_matches_is_read_and_nothing_else(pattern):
    body = string_of(pattern)
    Grammar(f"root ::= {body}\n{PRIMITIVES}")
    reads = regex_of(body)
    for text in TEXTS:
        written = json.dumps(text, ensure_ascii=False)[1:-1]
        # Otherwise than in ECMA-262, Python's `$` is also before the last end of a line.
        wanted = re.search(re.sub(r"\$(?=$|\|)", r"\\Z", pattern), text, re.ASCII)
        assert bool(reads.fullmatch(written)) == bool(wanted), (text, body)


@pytest.mark.parametrize(("pattern", "is_read"), [(r"^\s$", True), ("^.$", False), ("^[^]$", True)])
def test_what_ecma_262_says_otherwise_than_python(pattern, is_read):
    assert bool(regex_of(string_of(pattern)).fullmatch("\N{LINE SEPARATOR}")) == is_read


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(?=a)", "looking around"),
        ("(?!a)b", "looking around"),
        ("(?<=a)b", "looking around"),
        ("(?i)a", "flags"),
        (r"(a)\1", r"\\1 cannot be followed"),
        (r"\bword\b", r"\\b cannot be followed"),
        (r"\p{L}", r"\\p cannot be followed"),
        ("a\\", r"cannot be followed"),
        ("a^b", r"\^ cannot be followed here"),
        ("(^a|b$)", "cannot be followed here"),
        ("(a", "not closed"),
        ("a)", "was not opened"),
        ("[a", "not closed"),
        ("[z-a]", "a range"),
        (r"[a-\d]", "a range"),
        ("*a", "nothing to repeat"),
        ("a**", "nothing to repeat"),
        ("a{2,1}", "before its beginning"),
        ("a{5000}", "more than 1000 times"),
        ("[]", "letters that text has not"),
        (r"\x00", "letters that text has not"),
        ("(" * 50 + "a" + ")" * 50, "nested too deeply"),
        ("a" * 1001, "more than 1000 letters"),
    ],
)
def test_what_cannot_be_followed_is_refused_with_the_reason(pattern, reason):
    with pytest.raises(InvalidGrammar, match=reason):
        string_of(pattern)


@pytest.mark.parametrize("pattern", ["(a*)*", "(a|)*"])
def test_what_is_too_much_for_llama_cpp_is_refused_as_a_grammar(pattern):
    with pytest.raises(InvalidGrammar):
        Grammar(f"root ::= {string_of(pattern)}\n{PRIMITIVES}")
