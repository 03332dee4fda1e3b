"""The sandbox that chat templates run in: Jinja2's, with bounds.

Templates are programs from strangers. Jinja2's immutable sandbox keeps them from Python's own
attributes and from changing what they are given; here they also get a bound on the values they
can make. The names and filters are those of Hugging Face's `apply_chat_template`, which is what
templates are written against.
"""

from __future__ import annotations

import json
from datetime import datetime
from functools import reduce
from typing import Any, NoReturn

from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from smolctl.errors import NotRunnable

MAXIMUM_LENGTH = 32 * 1024 * 1024
"""Letters, or items, that a value inside the template may have."""

_MAXIMUM_BITS = 4096
_REMOVED_FILTERS = ("center", "format", "indent", "wordwrap", "xmlattr", "urlize", "pprint")
"""Filters that no chat template needs and that can fill the memory in one call."""


class Refused(NotRunnable):
    """The template called `raise_exception`: it does not take this conversation."""


class Unbounded(BaseException):
    """A bound was exceeded. Not an `Exception`, so that nothing inside Jinja2 swallows it."""


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment that compiles templates, set up as Hugging Face's own is."""

    intercepted_binops = frozenset({"*", "**", "+", "%"})

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
        )
        for name in _REMOVED_FILTERS:
            del self.filters[name]
        self.filters["tojson"] = _tojson
        del self.globals["lipsum"]
        self.globals["raise_exception"] = _raise_exception
        self.globals["strftime_now"] = _strftime_now

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Compute `left operator right`, unless it is one that grows values without end."""
        if operator == "**" or (operator == "%" and isinstance(left, str)):
            raise ValueError(f"the operator {operator} is not available to chat templates")
        if operator == "*" and _repeated(left, right) + _repeated(right, left) > MAXIMUM_LENGTH:
            raise Unbounded
        value = super().call_binop(context, operator, left, right)
        if _length(value) > MAXIMUM_LENGTH:
            raise Unbounded
        if isinstance(value, int) and value.bit_length() > _MAXIMUM_BITS:
            raise Unbounded
        return value

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree: nodes.Template = _Joins().visit(super()._parse(source, name, filename))
        return tree


class _Generation(Extension):
    """`{% generation %}` marks the reply for training; here it is only a block."""

    tags = {"generation"}  # noqa: RUF012 - Jinja2's own declaration

    def parse(self, parser: Any) -> nodes.Node | list[nodes.Node]:
        """Parse the block and return what is in it."""
        next(parser.stream)
        body: list[nodes.Node] = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return body


class _Joins(NodeTransformer):
    """Turns `a ~ b` into `a|string + b|string`: the sandbox intercepts only the latter."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 - Jinja2's naming
        """Rewrite one join."""
        parts: list[nodes.Expr] = [
            nodes.Filter(self.visit(part), "string", [], [], None, None, lineno=node.lineno)
            for part in node.nodes
        ]
        return reduce(lambda left, right: nodes.Add(left, right, lineno=node.lineno), parts)


def _length(value: Any) -> int:
    return len(value) if isinstance(value, (str, list, tuple)) else 0


def _repeated(value: Any, times: Any) -> int:
    """Return how long `value * times` would be."""
    return _length(value) * times if isinstance(times, int) else 0


def _tojson(value: Any, indent: int | None = None, ensure_ascii: bool = False) -> str:
    """Return `value` as JSON, without the HTML escapes of Jinja2's own filter."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=min(indent or 0, 16) or None)


def _raise_exception(message: str) -> NoReturn:
    raise Refused(f"the model's chat template refuses this conversation: {message}")


def _strftime_now(form: str) -> str:
    return datetime.now().astimezone().strftime(form[:100])
