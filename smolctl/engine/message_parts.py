"""A message while it comes: its pieces, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolctl.engine.conversation import ToolCall

if TYPE_CHECKING:
    from smolctl.engine.conversation import Delta, ToolCallDelta
    from smolctl.engine.generation import TokenScore


class MessageParts:
    """The parts of one message, each joined from the deltas so far."""

    def __init__(self) -> None:
        self.scores: list[TokenScore] = []
        self._content: list[str] = []
        self._reasoning: list[str] = []
        self._calls: dict[int, list[ToolCallDelta]] = {}

    def add(self, delta: Delta) -> None:
        """Take in the next piece."""
        self._content.append(delta.content)
        self._reasoning.append(delta.reasoning)
        self.scores += delta.scores
        if delta.tool_call is not None:
            self._calls.setdefault(delta.tool_call.index, []).append(delta.tool_call)

    @property
    def content(self) -> str:
        """The text of the answer."""
        return "".join(self._content)

    @property
    def reasoning(self) -> str:
        """The text of the reasoning before the answer."""
        return "".join(self._reasoning)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The calls, in their order."""
        return tuple(_joined(pieces) for _, pieces in sorted(self._calls.items()))


def _joined(pieces: list[ToolCallDelta]) -> ToolCall:
    arguments = "".join(piece.arguments for piece in pieces)
    return ToolCall(pieces[0].id or "", pieces[0].name or "", arguments)
