"""Chat templates: a conversation made into the text that a model was trained on.

Templates are Jinja2 programs that come with a model, so they come from strangers. They run in
Jinja2's immutable sandbox (no attributes of Python's own, no changes to what they are given) with
a deadline, a bound on the text they make, and without the filters and operators that make big
values out of small ones. The names they may use are those that Hugging Face's
`apply_chat_template` gives them, which is what templates are written against.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from smolctl.errors import NotRunnable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import FrameType

    from jinja2 import Environment, Template, nodes

_DEADLINE_SECONDS = 5.0
_MAXIMUM_LENGTH = 32 * 1024 * 1024
"""Letters that a rendered conversation, or a value inside the template, may have."""

_REMOVED_FILTERS = ("center", "format", "indent", "wordwrap", "xmlattr", "urlize", "pprint")
"""Filters that no chat template needs and that can fill the memory in one call."""

CHATML = (
    "{% for message in messages %}"
    "<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""For models that bring no template at all: the form most of them understand."""


@dataclass(frozen=True)
class Message:
    """One turn of a conversation. `role` is `system`, `user` or `assistant`."""

    role: str
    content: str


@dataclass(frozen=True)
class ChatTemplate:
    """A template's source. Rendering raises `NotRunnable` when the template cannot do it."""

    source: str

    def render(
        self,
        messages: Sequence[Message],
        *,
        bos_token: str = "",
        eos_token: str = "",
        tools: Sequence[Mapping[str, Any]] | None = None,
        add_generation_prompt: bool = True,
    ) -> str:
        """Return the conversation as the model's text, ready for the reply to follow.

        A template that refuses a system message gets it as the beginning of the first user
        message instead. Raises `NotRunnable` for a template that is broken, refuses the
        conversation, or exceeds its bounds.
        """
        names = {
            "bos_token": bos_token,
            "eos_token": eos_token,
            "tools": [dict(tool) for tool in tools] if tools else None,
            "add_generation_prompt": add_generation_prompt,
        }
        try:
            return self._render(messages, names)
        except _Refused:
            merged = _without_system(messages)
            if merged is None:
                raise
            return self._render(merged, names)

    def _render(self, messages: Sequence[Message], names: Mapping[str, Any]) -> str:
        from jinja2 import TemplateError

        plain = [{"role": message.role, "content": message.content} for message in messages]
        pieces: list[str] = []
        length = 0
        try:
            with _deadline(_DEADLINE_SECONDS):
                for piece in self._compiled.generate(messages=plain, **names):
                    pieces.append(piece)
                    length += len(piece)
                    if length > _MAXIMUM_LENGTH:
                        raise _Unbounded
        except _Unbounded:
            raise NotRunnable("the model's chat template does not come to an end") from None
        except (
            TemplateError,
            ArithmeticError,
            AttributeError,
            LookupError,
            MemoryError,
            RecursionError,
            TypeError,
            ValueError,
        ) as error:
            # Whatever the template's own expressions can raise is the template's fault.
            reason = str(error) or type(error).__name__
            raise NotRunnable(f"the model's chat template failed: {reason}") from error
        return "".join(pieces)

    @cached_property
    def _compiled(self) -> Template:
        from jinja2 import TemplateError

        try:
            return _environment().from_string(self.source)
        except TemplateError as error:
            line = getattr(error, "lineno", None)
            where = f"line {line}: " if line else ""
            raise NotRunnable(f"the model's chat template is broken: {where}{error}") from error
        except RecursionError as error:
            raise NotRunnable("the model's chat template is nested too deeply") from error


def find_template(layer: str | None, gguf: str | None) -> ChatTemplate:
    """Return the template to use: the artifact's layer wins over the GGUF's, ChatML is last."""
    return ChatTemplate(layer or gguf or CHATML)


class _Refused(NotRunnable):
    """The template called `raise_exception`: it does not take this conversation."""


class _Unbounded(BaseException):
    """A bound was exceeded. Not an `Exception`, so that nothing inside Jinja2 swallows it."""


def _environment() -> Environment:
    """Return the sandbox, set up as Hugging Face's `apply_chat_template` sets up its own."""
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """`{% generation %}` marks the reply for training; here it is only a block."""

        tags = {"generation"}  # noqa: RUF012 - Jinja2's own declaration

        def parse(self, parser: Any) -> nodes.Node | list[nodes.Node]:
            next(parser.stream)
            body: list[nodes.Node] = parser.parse_statements(
                ("name:endgeneration",), drop_needle=True
            )
            return body

    class Sandbox(ImmutableSandboxedEnvironment):
        """The sandbox with bounds on the operators that multiply text and numbers."""

        intercepted_binops = frozenset({"*", "**", "+", "%"})

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            if operator == "**" or (operator == "%" and isinstance(left, str)):
                raise ValueError(f"the operator {operator} is not available to chat templates")
            if operator == "*" and _length(left) * _times(right) + _length(right) * _times(left):
                size = max(_length(left) * _times(right), _length(right) * _times(left))
                if size > _MAXIMUM_LENGTH:
                    raise _Unbounded
            value = super().call_binop(context, operator, left, right)
            if _length(value) > _MAXIMUM_LENGTH or (
                isinstance(value, int) and value.bit_length() > 4096
            ):
                raise _Unbounded
            return value

    environment = Sandbox(
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=[Generation, loopcontrols],
    )
    for name in _REMOVED_FILTERS:
        environment.filters.pop(name, None)
    environment.filters["tojson"] = _tojson
    environment.globals.pop("lipsum", None)
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = _strftime_now
    return environment


def _length(value: Any) -> int:
    return len(value) if isinstance(value, (str, list, tuple)) else 0


def _times(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _tojson(value: Any, indent: int | None = None, ensure_ascii: bool = False) -> str:
    """Return `value` as JSON, without the HTML escapes of Jinja2's own filter."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=min(indent or 0, 16) or None)


def _raise_exception(message: str) -> NoReturn:
    raise _Refused(f"the model's chat template refuses this conversation: {message}")


def _strftime_now(form: str) -> str:
    return datetime.now().astimezone().strftime(form[:100])


def _without_system(messages: Sequence[Message]) -> list[Message] | None:
    """Return `messages` with a leading system message joined to the user's; None if none leads."""
    if len(messages) < 2 or messages[0].role != "system" or messages[1].role != "user":
        return None
    joined = f"{messages[0].content}\n\n{messages[1].content}"
    return [Message("user", joined), *messages[2:]]


@contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    """Raise `_Unbounded` in the block after `seconds`, wherever it loops.

    Works in any thread, unlike an alarm: Python calls a trace function for each line of the
    compiled template. Rendering takes a millisecond, so what tracing costs does not matter.
    """
    end = time.monotonic() + seconds

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        del frame, event, argument
        if time.monotonic() > end:
            raise _Unbounded
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)
