"""One answer, shown while it comes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from smolctl.cli.answer_view import answer_view
from smolctl.cli.chat.waiting import Waiting
from smolctl.engine.message_parts import MessageParts

if TYPE_CHECKING:
    from smolctl.cli.output import Output
    from smolctl.engine.conversation import ChatRequest
    from smolctl.engine.generation import Timings, Usage
    from smolctl.runner.chat_model import ChatModel, ChatReply


@dataclass(frozen=True)
class Answer:
    """What a model said, whole or up to where it was `interrupted`."""

    content: str
    reasoning: str = ""
    finish_reason: str | None = None
    usage: Usage | None = None
    timings: Timings | None = None
    interrupted: bool = False


def show_answer(
    output: Output, model: ChatModel, request: ChatRequest, *, markdown: bool
) -> Answer:
    """Ask for the answer and show it as it comes; Ctrl-C ends it, and what came is the answer.

    Raises what asking raises, with what came of the answer on the screen.
    """
    view = answer_view(output, markdown=markdown)
    parts = MessageParts()
    reply: ChatReply | None = None
    interrupted = False
    with Waiting(shown=output.stderr_is_terminal) as waiting:
        try:
            with model.reply(request) as reply:
                for delta in reply:
                    parts.add(delta)
                    if delta.reasoning:
                        waiting.end()
                        view.reasoning(delta.reasoning)
                    if delta.content:
                        waiting.end()
                        view.feed(delta.content)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            waiting.end()
            view.finish()
    if reply is None:  # stopped before it began
        return Answer("", interrupted=True)
    return Answer(
        parts.content,
        parts.reasoning,
        reply.finish_reason,
        reply.usage,
        reply.timings,
        interrupted,
    )
