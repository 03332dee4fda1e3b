"""How a one-shot's reply reaches stdout: as text, as JSON, as a code block, as tool calls.

Each way takes the pieces as they come, prints what is left of them at the end, also when that is
an interruption, and says at last whether the reply is what was asked for.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

from smolctl.cli.answer_view import answer_view
from smolctl.errors import NotRunnable

if TYPE_CHECKING:
    from smolctl.cli.output import Output
    from smolctl.cli.reply_flags import ReplyFlags
    from smolctl.cli.reply_form import ReplyForm
    from smolctl.engine.conversation import Delta, ToolCall
    from smolctl.engine.message_parts import MessageParts
    from smolctl.runner.chat_model import ChatModel, ChatReply

CUT = "length"
"""The finish reason of a reply that --max-tokens or the context ended."""

_CUT_HINT = "Raise --max-tokens, or where there is none, the context with --ctx-size."


class ReplyOutput(Protocol):
    """Shows one reply."""

    def add(self, delta: Delta, parts: MessageParts) -> bool:
        """Take the next piece, which is in `parts` already; return whether more are wanted."""

    def finish(self, parts: MessageParts, reply: ChatReply, *, interrupted: bool) -> None:
        """Show what is left, and end the last line."""

    def check(self, parts: MessageParts, finish_reason: str | None) -> None:
        """Raise `NotRunnable` for a reply that is not what was asked for; all of it is shown."""


def reply_output(
    output: Output, model: ChatModel, flags: ReplyFlags, form: ReplyForm
) -> ReplyOutput:
    """Return the way that `flags` ask for."""
    if flags.json:
        from smolctl.cli.reply_document import DocumentOutput

        return DocumentOutput(output, model, form)
    if form.tools:
        from smolctl.cli.tool_output import ToolOutput

        return ToolOutput(output, form)
    if flags.extract:
        return BlockOutput(output, stream=flags.stream)
    if form.is_json or form.grammar is not None:
        return FormOutput(output, form, stream=flags.stream)
    return TextOutput(output, stream=flags.stream, markdown=flags.markdown)


class TextOutput:
    """The answer as it is, or rendered on a terminal."""

    def __init__(self, output: Output, *, stream: bool, markdown: bool) -> None:
        self._view = answer_view(output, stream=stream, markdown=markdown)

    def add(self, delta: Delta, parts: MessageParts) -> bool:
        """Show the piece."""
        del parts
        if delta.reasoning:
            self._view.reasoning(delta.reasoning)
        self._view.feed(delta.content)
        return True

    def finish(self, parts: MessageParts, reply: ChatReply, *, interrupted: bool) -> None:
        """End the line."""
        del parts, reply, interrupted
        self._view.finish()

    def check(self, parts: MessageParts, finish_reason: str | None) -> None:
        """Take any text: an answer that is cut is an answer."""


class FormOutput:
    """An answer that follows a grammar or a schema: as it comes, and JSON for a person laid out."""

    def __init__(self, output: Output, form: ReplyForm, *, stream: bool) -> None:
        self._output = output
        self._form = form
        self._laid_out = form.is_json and output.stdout_is_terminal
        self._view = answer_view(output, stream=stream and not self._laid_out, markdown=False)

    def add(self, delta: Delta, parts: MessageParts) -> bool:
        """Show the piece, unless the whole is to be laid out."""
        del parts
        if delta.reasoning:
            self._view.reasoning(delta.reasoning)
        if not self._laid_out:
            self._view.feed(delta.content)
        return True

    def finish(self, parts: MessageParts, reply: ChatReply, *, interrupted: bool) -> None:
        """Show the whole, where that was waited for, as it is when it is no JSON."""
        del reply, interrupted
        if self._laid_out:
            try:
                self._output.json(json.loads(parts.content))
            except (ValueError, RecursionError):
                self._view.feed(parts.content)
        self._view.finish()

    def check(self, parts: MessageParts, finish_reason: str | None) -> None:
        """Refuse what was cut, and what is no JSON where that was asked for."""
        check_form(self._form, parts.content, finish_reason)


class BlockOutput:
    """The first fenced code block alone. What comes after it is not generated."""

    def __init__(self, output: Output, *, stream: bool) -> None:
        from smolctl.cli.code_block import FirstCodeBlock

        self._output = output
        self._view = answer_view(output, stream=stream, markdown=False)
        self._block = FirstCodeBlock()

    def add(self, delta: Delta, parts: MessageParts) -> bool:
        """Show what the piece adds to the block."""
        del parts
        if delta.reasoning:
            self._view.reasoning(delta.reasoning)
        self._view.feed(self._block.feed(delta.content))
        return not self._block.closed

    def finish(self, parts: MessageParts, reply: ChatReply, *, interrupted: bool) -> None:
        """Show the block's rest; where there is none, the reply, on stderr: nothing gets lost."""
        del reply
        self._view.feed(self._block.finish())
        self._view.finish()
        if not self._block.found and not interrupted and parts.content:
            self._output.notice(parts.content.rstrip("\n"))

    def check(self, parts: MessageParts, finish_reason: str | None) -> None:
        """Refuse a reply without a block, and a block that was cut."""
        del parts
        if not self._block.found:
            raise NotRunnable(
                "there is no fenced code block in the reply",
                hint="Ask for one in the prompt; what the model said instead is above.",
            )
        if not self._block.closed and finish_reason == CUT:
            raise NotRunnable("the code block was cut", hint=_CUT_HINT)


def check_form(form: ReplyForm, text: str, finish_reason: str | None) -> Any:
    """Return what `text` is as JSON, where it was to be some; None where it was not.

    Raises `NotRunnable` for a text that was cut before its form was whole, and for one that has
    another form, which happens when a server does not know grammars.
    """
    if form.grammar is None:
        return None
    try:
        value = json.loads(text) if form.is_json else None
        right = form.schema is None or form.schema.fits(value)
    except (ValueError, RecursionError):
        right = False
    if finish_reason == CUT and not (form.is_json and right):
        raise NotRunnable("the reply was cut before it was whole", hint=_CUT_HINT)
    if not right:
        raise NotRunnable(
            "the reply does not have the form that was asked for",
            hint="The server that gave it seems to know no grammars.",
        )
    return value


def check_calls(form: ReplyForm, calls: tuple[ToolCall, ...], finish_reason: str | None) -> None:
    """Raise `NotRunnable` for a reply that was cut, or lacks the call that it had to make."""
    if finish_reason == CUT:
        raise NotRunnable("the reply was cut before it was whole", hint=_CUT_HINT)
    if form.tool_choice.mode == "required" and not calls:
        raise NotRunnable("the reply calls no tool, though it had to")
