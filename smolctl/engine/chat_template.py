"""Chat templates: a conversation made into the text that a model was trained on.

Templates are Jinja2 programs that come with a model, so they come from strangers. They run in the
sandbox of `template_sandbox.py`, under a deadline, and with a bound on the text they make.
"""

from __future__ import annotations

import sys
import time
import weakref
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from jinja2 import Template, TemplateError, meta, nodes

from smolctl.engine.template_bounds import Unbounded, checked
from smolctl.engine.template_messages import (
    OTHER_TOOL,
    MessageStyle,
    find_style,
    plain_messages,
    without_system,
)
from smolctl.engine.template_sandbox import Sandbox
from smolctl.errors import ConversationRefused, NotRunnable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import CodeType, FrameType

    from smolctl.engine.conversation import Message

_DEADLINE_SECONDS = 5.0
_WEAK_REFERENCES = (weakref.__file__, weakref.WeakSet.add.__code__.co_filename)
_ENDLESS = "the model's chat template does not come to an end"
_TOOLS = frozenset({"tools", "xml_tools"})
"""The variables in which templates look for tools."""

CHATML = (
    "{% for message in messages %}"
    "<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""For models that bring no template at all: the form most of them understand."""


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

        `tools` are in OpenAI's form. A template that refuses a system message gets it as the
        beginning of the first user message instead. Raises `NotRunnable` for a template that is
        broken, refuses the conversation, or exceeds its bounds, and `UsageError` for a call whose
        arguments are no JSON object.
        """
        listed = [dict(tool) for tool in tools] if tools else None
        names = self._names(
            bos_token, eos_token, listed, add_generation_prompt=add_generation_prompt
        )
        called = any(message.tool_calls for message in messages)
        style = (self.call_style if called else None) or MessageStyle()
        try:
            return self._render(messages, style, names)
        except ConversationRefused:
            merged = without_system(messages)
            if merged is None:
                raise
            return self._render(merged, style, names)

    def compile(self) -> None:
        """Do now what the first rendering would have to; it says what is wrong with a broken one.

        It may be called in another thread, while the model is being loaded.
        """
        with suppress(NotRunnable):
            _ = self._compiled  # it is made by being asked for

    @cached_property
    def knows_tools(self) -> bool:
        """Whether the template tells the model of tools. Raises `NotRunnable` for a broken one."""
        with _compiling():
            return not _TOOLS.isdisjoint(meta.find_undeclared_variables(self._tree))

    @cached_property
    def knows_results(self) -> bool:
        """Whether the template knows messages of the role `tool`: it names the role."""
        return any(constant.value == "tool" for constant in self._tree.find_all(nodes.Const))

    @cached_property
    def call_style(self) -> MessageStyle | None:
        """How the template wants messages with tool calls; None when it does not render them."""
        tools = [OTHER_TOOL.document()] if self.knows_tools else None
        names = self._names("", "", tools, add_generation_prompt=True)
        return find_style(lambda messages, style: self._render(messages, style, names))

    @staticmethod
    def _names(
        bos_token: str,
        eos_token: str,
        tools: list[dict[str, Any]] | None,
        *,
        add_generation_prompt: bool,
    ) -> dict[str, Any]:
        """Return what a template finds beside the messages."""
        return {
            "bos_token": bos_token,
            "eos_token": eos_token,
            "tools": tools,
            "xml_tools": tools,  # what SmolLM3's calls those that are called in JSON
            "add_generation_prompt": add_generation_prompt,
        }

    def _render(
        self, messages: Sequence[Message], style: MessageStyle, names: Mapping[str, Any]
    ) -> str:
        plain = plain_messages(messages, style)
        template = self._compiled
        pieces: list[str] = []
        length = 0
        try:
            with _deadline(_DEADLINE_SECONDS):
                for piece in template.generate(messages=plain, **names):
                    pieces.append(piece)
                    length = checked(length + len(piece))
        except Unbounded:
            raise NotRunnable(_ENDLESS) from None
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
    def _tree(self) -> nodes.Template:
        with _compiling():
            return Sandbox().parse(self.source)

    @cached_property
    def _compiled(self) -> Template:
        with _compiling():
            return Sandbox().from_string(self.source)


def find_template(layer: str | None, gguf: str | None) -> ChatTemplate:
    """Return the template to use: the artifact's layer wins over the GGUF's, ChatML is last."""
    return ChatTemplate(layer or gguf or CHATML)


@contextmanager
def _compiling() -> Iterator[None]:
    """Raise `NotRunnable` where compiling in the block fails, or does not come to an end.

    Jinja2 computes constant expressions, filters among them, when it compiles them.
    """
    try:
        with _deadline(_DEADLINE_SECONDS, each_line=False):
            yield
    except Unbounded:
        raise NotRunnable(_ENDLESS) from None
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        where = f"line {line}: " if line else ""
        raise NotRunnable(f"the model's chat template is broken: {where}{error}") from error
    except RecursionError as error:
        raise NotRunnable("the model's chat template is nested too deeply") from error


def _is_finalizing(code: CodeType) -> bool:
    return code.co_name == "__del__" or code.co_filename in _WEAK_REFERENCES


@contextmanager
def _deadline(seconds: float, *, each_line: bool = True) -> Iterator[None]:
    """Raise `Unbounded` in the block after `seconds`, wherever it loops.

    Works in any thread, unlike an alarm: Python calls a trace function for each line of the
    compiled template. Rendering takes a millisecond, so what tracing costs does not matter.
    Without `each_line` it looks only where a function is called, which is enough for a compiler,
    and takes half the time. Where Python would drop what is raised, and the tracing with it, the
    next line has its turn: in a finalizer, or when something weakly referred to goes.
    """
    end = time.monotonic() + seconds

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        del event, argument
        if time.monotonic() > end and not _is_finalizing(frame.f_code):
            raise Unbounded
        return trace if each_line else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)
