"""What Markdown looks like, and that it looks so however it comes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.cli.markdown.document import Document
from smolctl.cli.markdown.layout import Look
from smolctl.cli.markdown.spans import (
    BOLD,
    CYAN,
    DIM,
    GREEN,
    ITALIC,
    MAGENTA,
    STRIKE,
    UNDERLINE,
    columns,
)
from smolctl.cli.output import printable
from tests.cli.markdown.terminal import rendered
from tests.cli.markdown.texts import cut, sizes, texts
from tests.support.examples import examples

if TYPE_CHECKING:
    from smolctl.cli.markdown.spans import Style

WIDTHS = st.sampled_from([10, 11, 20, 33, 80])


def shown(text: str, columns: int = 40) -> list[str]:
    return [line.text for line in rendered(text, columns)]


def style_of(word: str, text: str) -> Style:
    spans = [span for line in rendered(text, 80) for span in line.spans]
    return next(span.style for span in spans if word in span.text)


def half_typed(text: str, columns: int = 40) -> list[str]:
    """What is on the screen when `text` is all that has come."""
    document = Document(Look())
    finished = document.feed(text, columns)
    return [line.text for line in finished + document.tail(columns)]


@examples(60)
@given(texts, sizes, WIDTHS)
def test_the_pieces_do_not_matter(text: str, sizes: list[int], width: int) -> None:
    document = Document(Look())
    lines = []
    for piece in cut(text, sizes):
        lines += document.feed(piece, width)
        document.tail(width)  # looking changes nothing
    assert lines + document.end(width) == rendered(text, width)


@examples(60)
@given(texts, st.sampled_from([20, 33, 80]))
def test_lines_fit_and_end_in_no_blank(text: str, width: int) -> None:
    for line in rendered(text, width):
        assert line.text == line.text.rstrip()
        assert line.whole or columns(line.text) <= width


@examples(60)
@given(st.text(alphabet=st.sampled_from("ab \n\t\x1b\x07\x9b\r\u202e&#;x127[]()`|-*<>")), sizes)
def test_nothing_moves_the_cursor(text: str, sizes: list[int]) -> None:
    document = Document(Look())
    for piece in cut(text, sizes):
        for line in document.feed(piece, 20) + document.tail(20):
            assert printable(line.text) == line.text
            assert not set(line.text) & set("\n\t")


@pytest.mark.parametrize(
    "text",
    [
        "&#27;[2J &#x9b; &#7;",
        "`\x1b]0;title\x07`",
        "```\n\x1b[2Jcode\n```",
        "```\x1b[2J\ncode\n```",
        "    \x1b[2Jcode",
        '[text\x1b[2J](http://a.b/&#27;x "t\x1b")',
        "[t](<http://a.b/&#10;&#x202e;x>)",
        "| a\x1b[2J | b |\n|---|---|\n| &#27;[2J | &Tab;&NewLine;x |",
        "# \x1b[2J\u202etitle",
        "<\x1b[2J>",
        "\x1b]8;;http://evil\x07text\x1b]8;;\x07",
    ],
)
def test_control_characters_end_here(text: str) -> None:
    for line in shown(text):
        assert printable(line) == line
        assert "\t" not in line


class TestBlocks:
    def test_headings_paragraphs_and_rules(self) -> None:
        text = "# One\nText\n## Two\n\nTwo lines\nof text\n\n---\nThree\n===\n"
        assert shown(text) == [
            "One", "Text", "", "Two", "", "Two lines", "of text", "", "─" * 40, "", "Three",
        ]  # fmt: skip
        assert style_of("One", text) == (BOLD, UNDERLINE)
        assert style_of("Two", text) == (BOLD,)

    def test_a_heading_may_be_closed(self) -> None:
        assert shown("# One ##\n## C#\n####### Seven") == ["One", "", "C#", "####### Seven"]

    @pytest.mark.parametrize("before", ["# a", "a|b\n-"], ids=["heading", "table"])
    def test_many_blanks_take_no_longer_than_other_text(self, before: str) -> None:
        began = time.thread_time()
        shown(before + " " * 20_000 + "-")
        assert time.thread_time() - began < 2

    def test_lists(self) -> None:
        text = (
            "- one\n- two, which is longer\n  - deeper\n    1. x\n    1. y\n\n  more\n"
            "- [ ] a\n- [x] b"
        )
        assert shown(text, 14) == [
            "• one", "• two, which", "  is longer", "  ◦ deeper", "    1. x", "    2. y", "",
            "  more", "☐ a", "☑ b",
        ]  # fmt: skip

    def test_numbers_begin_where_the_text_does(self) -> None:
        assert shown("9. a\n10. b\n\n    more") == ["9. a", "10. b", "", "    more"]

    def test_quotes(self) -> None:
        text = "> quoted text\n> > deeper\n>\n> - item\nlazy"
        assert shown(text, 12) == ["│ quoted", "│ text", "│ │ deeper", "│", "│ • item", "│   lazy"]

    def test_code_is_as_it_was_written(self) -> None:
        text = 'Look:\n```python\nif x:\n\treturn "**no**"   \n\n```\nDone'
        assert shown(text) == ["Look:", "", "if x:", '    return "**no**"', "", "", "Done"]
        assert style_of("if", text) == (MAGENTA,)
        assert style_of("**no**", text) == (GREEN,)

    def test_code_in_a_list(self) -> None:
        assert shown("1. a\n   ```\n   x\n     y\n   ```\n2. b") == [
            "1. a", "", "   x", "     y", "", "2. b",
        ]  # fmt: skip

    def test_a_table(self) -> None:
        text = "| Name | n | 東京 |\n|:--|--:|:-:|\n| a | 100 | x |\n| b\\|c | 1 |"
        assert shown(text) == [
            "Name     n   東京",
            "────   ───   ────",
            "a      100    x",
            "b|c      1",
        ]

    def test_a_table_as_wide_as_the_screen_wraps_its_cells(self) -> None:
        text = "|a|b|\n|-|-|\n|one two three four|x|\n|five|y<br>z|"
        assert shown(text, 16) == [
            "a              b",
            "────────────   ─",
            "one two        x",
            "three four",
            "",
            "five           y",
            "               z",
        ]

    def test_a_table_on_a_screen_too_narrow_for_it_is_a_list(self) -> None:
        text = "|a|b|c|\n|-|-|-|\n|one|two|three|\n|four|five|six|"
        assert shown(text, 10) == [
            "a: one", "b: two", "c: three", "", "a: four", "b: five", "c: six",
        ]  # fmt: skip

    def test_html_is_text(self) -> None:
        assert shown("<div>\n<b>x</b> &amp; <!-- y -->\n</div>") == [
            "<div>", "<b>x</b> & <!-- y -->", "</div>",
        ]  # fmt: skip

    def test_wide_letters_wrap_where_they_end(self) -> None:
        assert shown("日本語の文章です。「はい」", 10) == ["日本語の文", "章です。", "「はい」"]

    def test_deep_nesting_leaves_room_for_the_text(self) -> None:
        assert all(columns(line) <= 10 for line in shown("> " * 30 + "some words here", 10))


class TestInline:
    @pytest.mark.parametrize(
        ("text", "style"),
        [
            ("**word**", (BOLD,)),
            ("*word*", (ITALIC,)),
            ("***word***", (ITALIC, BOLD)),
            ("~~word~~", (STRIKE,)),
            ("`word`", (CYAN,)),
            ("[word](http://a.b)", (UNDERLINE,)),
            ("**[word](http://a.b)**", (BOLD, UNDERLINE)),
        ],
    )
    def test_styles(self, text: str, style: Style) -> None:
        assert style_of("word", f"a {text} b") == style

    def test_a_link_shows_where_it_leads(self) -> None:
        text = "[here](https://a.b/c) <https://d.e> <me@f.g> ![pic](x.png)"
        assert shown(text, 80) == ["here (https://a.b/c) https://d.e me@f.g pic (x.png)"]
        assert style_of("a.b", text) == (DIM,)

    def test_an_address_that_runs_a_program_is_none(self) -> None:
        assert shown("[x](javascript:alert)") == ["[x](javascript:alert)"]

    def test_escapes_and_entities(self) -> None:
        assert shown(r"\*a\* &lt;b&gt; snake_case_name") == ["*a* <b> snake_case_name"]

    def test_without_colours_code_keeps_its_marks(self) -> None:
        document = Document(Look(colour=False))
        assert [line.text for line in document.feed("a `b`\n\n", 40)] == ["a `b`"]


class TestHalfTyped:
    @pytest.mark.parametrize(
        ("text", "line"),
        [
            ("a **bol", "a bol"),
            ("a **bold*", "a bold"),
            ("a **bold** and *it", "a bold and it"),
            ("a **", "a"),
            ("a `co de", "a co de"),
            ("a `**co", "a **co"),
            ("a ~~b", "a b"),
            ("a &am", "a"),
            ("a [link](http://a", "a link (http://a)"),
            ("2 * 3", "2 * 3"),
            ("snake_ca", "snake_ca"),
        ],
    )
    def test_open_marks_are_shown_closed(self, text: str, line: str) -> None:
        assert half_typed(text) == [line]

    @pytest.mark.parametrize(
        "text",
        ["*", "**", "#", "##", "1", "1.", "-", "--", "`", "```", "|", "- [", "- [x", ">", "~~~"],
    )
    def test_what_may_become_anything_waits(self, text: str) -> None:
        assert half_typed(text) == []

    def test_a_number_is_shown_at_the_end(self) -> None:
        assert shown("42") == ["42"]

    def test_a_fence_is_code_from_its_first_line_on(self) -> None:
        assert half_typed("```py") == []
        assert half_typed("```py\n**x") == ["**x"]
        assert half_typed("```py\nx = 1\n``") == ["x = 1"]

    def test_a_table_is_one_from_its_head_on(self) -> None:
        assert half_typed("| a | b") == ["a   b", "─   ─"]
        assert half_typed("| a | b |\n|--") == ["a   b", "─   ─"]
        assert half_typed("| a | b |\n|---|---|\n| lo") == ["a    b", "──   ─", "lo"]

    @pytest.mark.parametrize(
        "text",
        ["Some **bold text** and `code here` in *a sentence*.", "- **Item**: text\n- `code` more"],
    )
    def test_nothing_jumps(self, text: str) -> None:
        before: list[str] = []
        for end in range(1, len(text) + 1):
            lines = half_typed(text[:end], 80)
            for old, new in zip(before, lines, strict=False):
                assert new.startswith(old.rstrip()), text[:end]
            before = lines


class TestColours:
    def test_a_string_over_lines_keeps_its_colour(self) -> None:
        assert style_of("middle", '```py\nx = """a\nmiddle\nb"""\n```') == (GREEN,)

    @pytest.mark.parametrize("language", ["c", "js", "java", "css", "go", "rust", "php"])
    def test_a_comment_over_lines_keeps_its_colour(self, language: str) -> None:
        begin = "<?php\n" if language == "php" else ""
        text = f"```{language}\n{begin}/* a\n middle\n b */ after\n```"
        assert style_of("middle", text) == (DIM, ITALIC)
        assert ITALIC not in style_of("after", text)

    def test_what_is_no_comment_there_begins_none(self) -> None:
        assert DIM not in style_of("cat", "```bash\nls /*\ncat x\n```")

    @pytest.mark.parametrize(
        "info", ["nonsense", "python:x.py", "{.python}", "PYTHON", "日本", "\x1b[31m", "a" * 5000]
    )
    def test_any_language_will_do(self, info: str) -> None:
        assert shown(f"```{info}\ncode\n```") == ["code"]

    @pytest.mark.parametrize(
        "language",
        ["json", "yaml", "html", "sh", "console", "diff", "sql", "toml", "tsx", "ruby", "md"],
    )
    def test_code_is_all_there(self, language: str) -> None:
        code = [
            "<!-- a",
            "b --> {",
            "'x': [1, \"y",
            "# $ ls | `cat` <<EOF",
            "}",
            "é: - \\",
            "+ z */",
        ]
        text = "\n".join([f"```{language}", *code, "```"])
        assert shown(text, 80) == code
