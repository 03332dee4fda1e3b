"""What a typed text means, and what `/set` makes of it."""

from __future__ import annotations

import pytest

from smolctl.cli.chat.sampling_values import canonical, changed, differing, listed
from smolctl.cli.chat.typed import Ordered, Said, is_open, understood
from smolctl.engine.sampling import Sampling
from smolctl.errors import UsageError

COMMANDS = frozenset({"system", "help"})


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("  hello ", Said("hello")),
        ("", None),
        (" \n ", None),
        ("/help", Ordered("help", "")),
        (" /system  Be brief. ", Ordered("system", "Be brief.")),
        ("//etc/passwd, what is it?", Said("/etc/passwd, what is it?")),
        ("/etc/passwd what", Ordered("etc/passwd", "what")),
        ("/", Ordered("", "")),
        ("// a comment\nint x;", Said("// a comment\nint x;")),
        ("/* a comment */\nint x;", Said("/* a comment */\nint x;")),
        ("/system a\nb", Ordered("system", "a\nb")),
        ('"""hello"""', Said("hello")),
        ('"""\n  two\nlines\n"""', Said("  two\nlines")),
        ('"""/help"""', Said("/help")),
        ('""""""', None),
        ('/system """\na\nb"""', Ordered("system", "a\nb")),
        ('"""Doc."""\nimport os\n', Said('"""Doc."""\nimport os')),
        ('"""\nDoc.\n"""\nx = """a"""', Said('"""\nDoc.\n"""\nx = """a"""')),
        ('say """hi"""', Said('say """hi"""')),
        ("\udcff", Said("?")),
    ],
)
def test_what_is_meant(text: str, meant: Said | Ordered | None) -> None:
    assert understood(text, COMMANDS) == meant


@pytest.mark.parametrize(
    ("text", "open_"),
    [('"""', True), ('"""a', True), ('"""a"""', False), ('""""""', False), ('"""a\n"""  ', False),
     ('/system """a', True), ('a """', False), ("/help", False), ('"""a"""b', True),
     ('"""a"""\nb', False)],
)  # fmt: skip
def test_a_block_is_open_until_it_is_closed(text: str, open_: bool) -> None:
    assert is_open(text) is open_


class TestSettings:
    def test_names_may_have_hyphens(self) -> None:
        assert canonical("Repeat-Penalty") == "repeat_penalty"

    @pytest.mark.parametrize(("name", "near"), [("temp", "temperature"), ("topk", "top_k")])
    def test_the_nearest_name_is_offered(self, name: str, near: str) -> None:
        with pytest.raises(UsageError, match=f"did you mean {near}"):
            canonical(name)

    def test_values_have_the_type_they_need(self) -> None:
        sampling = changed(changed(Sampling(), "top_k", "7"), "temperature", "0")
        assert (sampling.top_k, sampling.temperature) == (7, 0.0)
        assert changed(changed(sampling, "seed", "4"), "seed", "none").seed is None
        assert changed(sampling, "temperature", "default").temperature == Sampling.temperature

    @pytest.mark.parametrize(
        ("name", "value", "why"),
        [("temperature", "hot", "a number"), ("top_k", "1.5", "a whole number"),
         ("top_p", "2", "from 0 to 1"), ("min_p", "nan", "from 0 to 1"),
         ("max_tokens", "0", "from 1"), ("seed", "9" * 5000, "a whole number")],
    )  # fmt: skip
    def test_a_bad_value_says_so_in_one_short_line(self, name: str, value: str, why: str) -> None:
        with pytest.raises(UsageError) as raised:
            changed(Sampling(), name, value)
        assert why in raised.value.message
        assert raised.value.hint is None
        assert len(raised.value.message) < 120

    def test_the_list_tells_what_is_not_its_default(self) -> None:
        lines = listed(Sampling(temperature=0))
        assert "temperature       0   (default: 0.8)" in lines
        assert "seed              random" in lines
        assert differing(Sampling(temperature=0, seed=3)) == "temperature 0, seed 3"
        assert differing(Sampling()) == "default"
