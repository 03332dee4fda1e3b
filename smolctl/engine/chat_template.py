"""Chat templates: a conversation made into the text that a model was trained on.

Templates are Jinja2 programs that come with a model, so they come from strangers. They run in the
sandbox of `template_sandbox.py`, under a deadline, and with a bound on the text they make.
"""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from jinja2 import Template, TemplateError

from smolctl.engine.conversation import Message
from smolctl.engine.template_bounds import Unbounded, checked
from smolctl.engine.template_sandbox import Refused, Sandbox
from smolctl.errors import NotRunnable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import FrameType

_DEADLINE_SECONDS = 5.0

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
        except Refused:
            merged = _without_system(messages)
            if merged is None:
                raise
            return self._render(merged, names)

    def _render(self, messages: Sequence[Message], names: Mapping[str, Any]) -> str:
        plain = [{"role": message.role, "content": message.content} for message in messages]
        pieces: list[str] = []
        length = 0
        try:
            with _deadline(_DEADLINE_SECONDS):
                for piece in self._compiled.generate(messages=plain, **names):
                    pieces.append(piece)
                    length = checked(length + len(piece))
        except Unbounded:
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
        try:
            return Sandbox().from_string(self.source)
        except TemplateError as error:
            line = getattr(error, "lineno", None)
            where = f"line {line}: " if line else ""
            raise NotRunnable(f"the model's chat template is broken: {where}{error}") from error
        except RecursionError as error:
            raise NotRunnable("the model's chat template is nested too deeply") from error


def find_template(layer: str | None, gguf: str | None) -> ChatTemplate:
    """Return the template to use: the artifact's layer wins over the GGUF's, ChatML is last."""
    return ChatTemplate(layer or gguf or CHATML)


def _without_system(messages: Sequence[Message]) -> list[Message] | None:
    """Return `messages` with a leading system message joined to the user's; None if none leads."""
    if len(messages) < 2 or messages[0].role != "system" or messages[1].role != "user":
        return None
    joined = f"{messages[0].content}\n\n{messages[1].content}"
    return [Message("user", joined), *messages[2:]]


@contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    """Raise `Unbounded` in the block after `seconds`, wherever it loops.

    Works in any thread, unlike an alarm: Python calls a trace function for each line of the
    compiled template. Rendering takes a millisecond, so what tracing costs does not matter.
    """
    end = time.monotonic() + seconds

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        del frame, event, argument
        if time.monotonic() > end:
            raise Unbounded
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)
