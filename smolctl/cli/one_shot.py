"""One prompt, one reply: what `run` does without a chat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from smolctl.cli.answer_view import answer_view
from smolctl.cli.run_flags import ReplyFormat
from smolctl.engine.conversation import ChatRequest, Message
from smolctl.engine.message_parts import MessageParts
from smolctl.history.exchange import Exchange

if TYPE_CHECKING:
    from pathlib import Path

    from smolctl.cli.output import Output
    from smolctl.cli.record import Record
    from smolctl.engine.sampling import Sampling
    from smolctl.runner.chat_model import ChatModel


@dataclass(frozen=True)
class ReplyFlags:
    """What the flags of `run` say about the reply, and about how it is given."""

    schema: str | None = None
    schema_multi: str | None = None
    format: ReplyFormat = ReplyFormat.text
    grammar: Path | None = None
    tools: Path | None = None
    extract: bool = False
    json: bool = False
    verbose: bool = False
    stream: bool = True
    markdown: bool = True
    chunk: bool = False


def answer(
    output: Output,
    model: ChatModel,
    messages: tuple[Message, ...],
    sampling: Sampling,
    flags: ReplyFlags,
    record: Record,
) -> None:
    """Ask for the reply to `messages`, and give it as the flags say."""
    view = answer_view(output, stream=flags.stream, markdown=flags.markdown)
    parts = MessageParts()
    with model.reply(ChatRequest(messages, sampling)) as reply:
        try:
            for delta in reply:
                parts.add(delta)
                if delta.reasoning:
                    view.reasoning(delta.reasoning)
                view.feed(delta.content)
        finally:
            # Also when it was interrupted: what came is part of the answer, and ends as a line.
            view.finish()
    system = next((each.content for each in messages if each.role == "system"), None)
    exchange = Exchange(
        model.name,
        messages[-1].content,
        parts.content,
        system,
        parts.reasoning,
        reply.finish_reason,
        reply.usage,
        reply.timings,
    )
    record.keep((*messages, Message("assistant", parts.content)), exchange)
