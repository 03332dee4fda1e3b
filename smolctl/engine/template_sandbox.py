"""The sandbox that chat templates run in: Jinja2's, with bounds.

Templates are programs from strangers. Jinja2's immutable sandbox keeps them from Python's own
attributes and from changing what they are given; here they also get a bound on the values they
can make. The names and filters are those of Hugging Face's `apply_chat_template`, which is what
templates are written against.
"""

from __future__ import annotations

import json
from datetime import datetime
from functools import partial, reduce, wraps
from typing import TYPE_CHECKING, Any, NoReturn

from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace
from jinja2.visitor import NodeTransformer

from smolctl.engine.template_bounds import (
    Unbounded,
    bounded,
    checked,
    concat,
    join,
    repeated,
    replace,
    size,
)
from smolctl.errors import ConversationRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_MAXIMUM_BITS = 4096
_MAXIMUM_INDENTED = 100_000  # letters and items; each may get a line with its indentation
_REMOVED_FILTERS = (
    "batch",
    "center",
    "format",
    "indent",
    "pprint",
    "slice",
    "urlize",
    "wordwrap",
    "xmlattr",
)
_REMOVED_METHODS = frozenset({"center", "expandtabs", "ljust", "rjust", "translate", "zfill"})
"""Filters, and methods of strings, that no chat template needs and that can fill the memory in
one call."""


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment that compiles templates, set up as Hugging Face's own is."""

    concat = staticmethod(concat)
    intercepted_binops = frozenset({"*", "**", "+", "%"})

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
        )
        self.filters.update(join=_join, replace=_replace, tojson=_tojson)
        for name in _REMOVED_FILTERS:
            del self.filters[name]
        for name, made_by in self.filters.items():
            self.filters[name] = _bounding(made_by)
        self.filters[_BOUNDED] = bounded
        del self.globals["lipsum"]
        self.globals["namespace"] = _Namespace
        self.globals["raise_exception"] = _raise_exception
        self.globals["strftime_now"] = _strftime_now

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Compute `left operator right`, unless it is one that grows values without end."""
        if operator == "**" or (operator == "%" and isinstance(left, str)):
            raise ValueError(f"the operator {operator} is not available to chat templates")
        if operator == "*":
            checked(repeated(left, right) + repeated(right, left))
        value = bounded(super().call_binop(context, operator, left, right))
        if isinstance(value, int) and value.bit_length() > _MAXIMUM_BITS:
            raise Unbounded
        return value

    def call(self, context: Any, callee: Any, *args: Any, **kwargs: Any) -> Any:
        """Call what a template calls, and bound what it gives."""
        owner = getattr(callee, "__self__", None)
        if isinstance(owner, str) and callee.__name__ in _METHODS:
            callee = partial(_METHODS[callee.__name__], owner)
        return bounded(super().call(context, callee, *args, **kwargs))

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Whether a template may see `attr` of `obj`."""
        if isinstance(obj, str) and attr in _REMOVED_METHODS:
            return False
        return super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> None:
        """Refuse `str.format`, which Jinja2's sandbox has a way of its own for."""
        if super().wrap_str_format(value) is not None:
            raise SecurityError("str.format is not available to chat templates")

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree: nodes.Template = _Bounds().visit(super()._parse(source, name, filename))
        return tree


class _Generation(Extension):
    """`{% generation %}` marks the reply for training; here it is only a block."""

    tags = {"generation"}  # noqa: RUF012 - Jinja2's own declaration

    def parse(self, parser: Any) -> nodes.Node | list[nodes.Node]:
        """Parse the block and return what is in it."""
        next(parser.stream)
        body: list[nodes.Node] = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return body


class _Bounds(NodeTransformer):
    """Rewrites the expressions that make a larger value, so that the sandbox sees it."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 - Jinja2's naming
        """Turn `a ~ b` into `a|string + b|string`: the sandbox intercepts only the latter."""
        parts: list[nodes.Expr] = [_filtered("string", self.visit(part)) for part in node.nodes]
        return reduce(lambda left, right: nodes.Add(left, right, lineno=node.lineno), parts)

    def visit_List(self, node: nodes.List | nodes.Tuple | nodes.Dict) -> nodes.Node:  # noqa: N802
        """Have what is written as a list, a tuple or a dict bounded."""
        self.generic_visit(node)
        if getattr(node, "ctx", "load") != "load":  # `{% for key, value in … %}`
            return node
        return _filtered(_BOUNDED, node)

    visit_Tuple = visit_Dict = visit_List  # noqa: N815


class _Namespace(Namespace):
    """A namespace that does not print what is in it: that is not bounded."""

    def __repr__(self) -> str:
        return "<Namespace>"


_BOUNDED = "bounded"
_METHODS: dict[str, Callable[..., Any]] = {"join": join, "replace": replace}


def _filtered(name: str, value: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(value, name, [], [], None, None, lineno=value.lineno)


def _bounding(made_by: Callable[..., Any]) -> Callable[..., Any]:
    """Return the filter `made_by` with its value bounded."""

    @wraps(made_by)  # with the marks by which Jinja2 tells what else a filter wants
    def bounding(*args: Any, **kwargs: Any) -> Any:
        return bounded(made_by(*args, **kwargs))

    return bounding


def _join(value: Iterable[Any], d: str = "", attribute: str | int | None = None) -> str:
    """Join as Jinja2's own filter does, whose names of parameters these are."""
    get = _attribute_of(attribute)
    return join(str(d), (str(get(item)) for item in value))


def _attribute_of(attribute: str | int | None) -> Callable[[Any], Any]:
    if attribute is None:
        return lambda item: item
    return lambda item: item[attribute]


def _replace(value: Any, old: str, new: str, count: int | None = None) -> str:
    return replace(str(value), str(old), str(new), -1 if count is None else count)


def _tojson(
    value: Any,
    indent: int | None = None,
    ensure_ascii: bool = False,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Return `value` as JSON, without the HTML escapes of Jinja2's own filter."""
    if size(value, {}) > _MAXIMUM_INDENTED:
        indent = None
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=min(indent or 0, 8) or None,
        separators=separators and (str(separators[0])[:8], str(separators[1])[:8]),
        sort_keys=sort_keys,
    )


def _raise_exception(message: str) -> NoReturn:
    raise ConversationRefused(f"the model's chat template refuses this conversation: {message}")


def _strftime_now(form: str) -> str:
    return datetime.now().astimezone().strftime(form[:100])
