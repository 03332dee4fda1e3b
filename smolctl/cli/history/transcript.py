"""What was said, as a person reads it, and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smolctl.cli.statistics import timings_json, usage_json
from smolctl.engine.conversation import ChatRequest
from smolctl.model.units import format_time
from smolctl.runner.chat_document import chat_document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from smolctl.cli.output import Output
    from smolctl.engine.conversation import Message
    from smolctl.history.exchange import Conversation, Exchange
    from smolctl.history.log import Entry

_SPEAKERS = {"system": "System", "user": "Prompt", "assistant": "Reply", "tool": "Result"}


def print_entries(output: Output, entries: list[Entry]) -> None:
    """Print entries of the log as Markdown; control characters are dropped."""
    for number, entry in enumerate(entries):
        if number:
            output.line()
        exchange = entry.exchange
        where = ""
        if entry.session is not None:
            where = f" · session {entry.session}"
        elif entry.conversation is not None:
            where = f" · conversation {entry.conversation}"
        time = format_time(exchange.created)
        output.line(f"# {entry.id} · {exchange.model} · {time}{where}")
        if exchange.usage is not None:
            output.line(f"\n{_statistics(exchange)}")
        for title, text in (
            ("System", exchange.system),
            ("Prompt", exchange.prompt),
            ("Reasoning", exchange.reasoning),
            ("Reply", exchange.reply),
        ):
            if text or title in ("Prompt", "Reply"):
                _print_part(output, title, text or "")


def print_conversation(output: Output, conversation: Conversation) -> None:
    """Print a conversation as Markdown; control characters are dropped."""
    label = conversation.name or conversation.id
    output.line(f"# {label} · {conversation.model} · {format_time(conversation.updated)}")
    for message in conversation.messages:
        text = "\n".join((*filter(None, [message.content]), *_calls(message)))
        _print_part(output, _SPEAKERS.get(message.role, message.role), text)


def entry_json(entry: Entry) -> dict[str, Any]:
    """Return an entry with all that is known of it, under the names of `run --json`."""
    exchange = entry.exchange
    return {
        "id": entry.id,
        "created": format_time(exchange.created),
        "model": exchange.model,
        "conversation": entry.conversation,
        "session": entry.session,
        "system": exchange.system,
        "prompt": exchange.prompt,
        "reasoning": exchange.reasoning,
        "reply": exchange.reply,
        "finish_reason": exchange.finish_reason,
        "usage": usage_json(exchange.usage),
        "timings": exchange.timings and timings_json(exchange.timings),
    }


def conversation_json(conversation: Conversation) -> dict[str, Any]:
    """Return a conversation with its messages as OpenAI's API has them."""
    return {
        "id": conversation.id,
        "name": conversation.name,
        "model": conversation.model,
        "created": format_time(conversation.created),
        "updated": format_time(conversation.updated),
        "messages": chat_document(ChatRequest(conversation.messages))["messages"],
    }


def _print_part(output: Output, title: str, text: str) -> None:
    output.line(f"\n## {title}\n\n{text.rstrip()}")


def _calls(message: Message) -> Iterator[str]:
    for call in message.tool_calls:
        yield f"{call.name}({call.arguments})"


def _statistics(exchange: Exchange) -> str:
    usage, timings = exchange.usage, exchange.timings
    if usage is None:
        return ""
    seconds = 0.0
    if timings is not None:
        seconds = timings.queued + timings.prompt + timings.generation
    took = f" in {seconds:.2f} s" if timings is not None else ""
    cut = " · cut at its length" if exchange.finish_reason == "length" else ""
    return f"{usage.prompt} tokens of prompt, {usage.completion} of reply{took}{cut}"
