"""Markdown texts drawn at random: what models write, and what breaks a renderer."""

from __future__ import annotations

from hypothesis import strategies as st

_BLOCKS = [
    "# Title\n", "### Third #\n", "\n", "\n\n", "- item\n", "  - nested\n", "* star\n", "1. one\n",
    "2) two\n", "   goes on\n", "> quote\n", ">> deep\n", "> - x\n", "```py\n", "```\n", "~~~\n",
    "def f(x):\n", "    return 'x'\n", '"""doc\n', "/* a\n", "*/\n", "```js\n", "| a | b |\n",
    "|---|:-:|\n", "| 1 | `x` |\n", "| a longer cell | x |\n", "***\n", "- - x\n", "-\n",
    "10. ten\n",
]  # fmt: skip
_INLINE = [
    "text ", "line\n", "**bold** ", "**open ", "`code` ", "`open ", "*em* ", "~~s~~ ",
    "[l](http://x.y/z) ", "![a](b) ", "<b>x</b> ", "&amp; ", "&#27; ", "\\* ", "\\",
    "word" * 8 + " ", "x" * 30, " ", "\t", "<http://a.b> ", "2 * 3 < 4 ", "[", "](", "]",
    "===\n", "---\n", "é", "42", "- [x] done\n",
    "A sentence that goes on and on for a while, until it comes to its end. " * 7,
]  # fmt: skip
_WIDE = ["東京は日本", "。「", "👩‍🚀", "e\u0301"]

blocks = st.lists(st.sampled_from([*_BLOCKS, "text ", "line\n"]), max_size=10).map("".join)
"""Blocks whose structure two parsers must agree on."""

narrow = st.lists(st.sampled_from([*_BLOCKS, *_INLINE]), max_size=20).map("".join)
"""Texts of letters that every terminal gives one column."""

texts = st.lists(st.sampled_from([*_BLOCKS, *_INLINE, *_WIDE]), max_size=20).map("".join)


def cut(text: str, sizes: list[int]) -> list[str]:
    """Return `text` in pieces of these sizes, over and over."""
    pieces = []
    number = 0
    while text:
        size = sizes[number % len(sizes)]
        pieces.append(text[:size])
        text = text[size:]
        number += 1
    return pieces


sizes = st.lists(st.sampled_from([1, 1, 2, 3, 5, 9, 60]), min_size=1, max_size=8)
