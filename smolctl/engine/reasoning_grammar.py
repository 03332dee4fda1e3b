"""A grammar for models that reason first: it holds for the answer, and leaves the reasoning free.

Without it a grammar would take a reasoning model's reasoning from it, or, where the prompt has
begun the reasoning already, force the answer into it.
"""

from __future__ import annotations

from smolctl.engine.gbnf import Grammar
from smolctl.engine.json_schema import literal
from smolctl.engine.reasoning import CLOSING, OPENING


def after_reasoning(grammar: Grammar, *, begun: bool) -> Grammar:
    """Return the grammar of a reply whose answer follows `grammar`.

    With `begun` the prompt ends inside the reasoning, which must end then; otherwise the reply may
    have some. Raises `InvalidGrammar` when the whole is too large.
    """
    name = "thought"
    while f"{name}-" in grammar.source:
        name += "t"
    rest = f"{name}-0 [ \\t\\n]{{0,4}}"
    opened = rest if begun else f"( {literal(OPENING)} {rest} )?"
    rules = [f"{name}-root ::= {opened} {grammar.root}", *_up_to_closing(name)]
    return Grammar("\n".join([grammar.source, *rules]), f"{name}-root")


def _up_to_closing(name: str) -> list[str]:
    """Return rules for any text up to and including the closing tag.

    `name-N` is where the last N letters are the tag's first: each letter either is the tag's next,
    begins the tag anew, or is any other.
    """
    rules = []
    for seen, letter in enumerate(CLOSING):
        more = f"{name}-{seen + 1}" if seen + 1 < len(CLOSING) else ""
        again = f' | "<" {name}-1' if letter != "<" else ""
        other = f"[^{letter}]" if letter == "<" else f"[^<{letter}]"
        rules.append(f'{name}-{seen} ::= "{letter}" {more}{again} | {other} {name}-0')
    return rules
