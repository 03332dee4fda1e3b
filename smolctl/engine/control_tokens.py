"""Control tokens belong to the template: a message that spells one is text, and stays text.

A template writes control tokens as text (`<|im_end|>`), so what it renders is tokenized with them
recognized. A message that spells one would then end where it says so, and go on in another role:
whoever gets text into a prompt (a web page, a file, the result of a tool) would speak as the
system. So such a text is broken by a mark before the template sees it, and the rendered text is
tokenized in pieces, cut at the marks, none of which spells the token any more.

Tokens that a vocabulary calls user-defined (`<think>` in many) are not of this kind: templates and
people write them in messages, and none of them begins a turn.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from smolctl.engine import reasoning
from smolctl.engine.template_messages import parsed_arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from smolctl.engine.conversation import Message, Tool
    from smolctl.engine.vocabulary import Vocabulary

_MARK = "\ufdd0\ufdd1"
"""Two of Unicode's noncharacters, which no text has that is exchanged.

Always the same, so that a conversation has the same tokens in each of its requests, whatever the
template does to its texts. It is no secret: a message that has it is cut there, and no token comes
of a cut.
"""


def without_control_tokens(
    messages: Sequence[Message], tools: Sequence[Tool], vocabulary: Vocabulary
) -> tuple[Sequence[Message], Sequence[Tool], str]:
    """Return `messages` and `tools` that spell no control token, and the mark that breaks them.

    The mark is empty, and nothing is changed, where none was spelled. A reply's reasoning keeps
    its tags, which templates look for. Raises `UsageError` for a call whose arguments are no JSON
    object.
    """
    mark = ""
    while True:  # once more where tokens overlapped: each time some are broken, and none made
        texts: list[str] = []

        def note(text: str, texts: list[str] = texts) -> str:
            texts.append(text)
            return text

        _changed(messages, tools, note)
        everything = "\n".join(texts)
        spelled = {
            token
            for token in vocabulary.control_tokens_in(everything)
            if len(token) > 1 and token in everything
        }
        if not spelled:
            return messages, tools, mark
        mark = _MARK
        messages, tools = _changed(messages, tools, _Breaking(spelled, mark))


class _Breaking:
    """Puts `mark` after the first letter of each of `tokens` in a text."""

    def __init__(self, tokens: set[str], mark: str) -> None:
        self._broken = {token: f"{token[0]}{mark}{token[1:]}" for token in tokens}

    def __call__(self, text: str) -> str:
        for token, broken in self._broken.items():
            text = text.replace(token, broken)
        return text


def _changed(
    messages: Sequence[Message], tools: Sequence[Tool], change: Callable[[str], str]
) -> tuple[list[Message], list[Tool]]:
    """Return `messages` and `tools` with every text in them as `change` gives it."""
    return (
        [_message(message, change) for message in messages],
        [
            replace(
                tool,
                description=change(tool.description),
                parameters=_value(tool.parameters, change),
            )
            for tool in tools
        ],
    )


def _message(message: Message, change: Callable[[str], str]) -> Message:
    thought, closing, said = message.content.rpartition(reasoning.CLOSING)
    if message.role != "assistant" or not closing:
        content = change(message.content)
    else:
        opening = reasoning.OPENING if thought.startswith(reasoning.OPENING) else ""
        thought = change(thought.removeprefix(opening))
        content = f"{opening}{thought}{closing}{change(said)}"
    return replace(
        message,
        content=content,
        tool_calls=tuple(
            call._replace(
                id=change(call.id),
                name=change(call.name),
                arguments=json.dumps(_value(parsed_arguments(call), change), ensure_ascii=False),
            )
            for call in message.tool_calls
        ),
        tool_call_id=None if message.tool_call_id is None else change(message.tool_call_id),
        name=None if message.name is None else change(message.name),
    )


def _value(value: Any, change: Callable[[str], str]) -> Any:
    """Return `value`, JSON as Python has it, with every text in it changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_value(item, change) for item in value]
    if isinstance(value, dict):
        return {change(key): _value(item, change) for key, item in value.items()}
    return value
