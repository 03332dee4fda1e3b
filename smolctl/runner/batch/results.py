"""What became of a row, and the line that says so."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from smolctl.runner.chat_document import tool_call_document

if TYPE_CHECKING:
    from smolctl.engine.conversation import ToolCall
    from smolctl.engine.generation import Timings, Usage
    from smolctl.errors import SmolctlError
    from smolctl.runner.batch.rows import Row, RowId


@dataclass(frozen=True)
class Result:
    """The reply to the row of line number `line`, or the `error` that there is in its place.

    `asked` is the row's, by which a later run knows whether the reply is to what it asks. A reply
    that broke a rule may have both: what came of it, and what is wrong with it. `data` is what the
    text is as JSON, where it was to be some.
    """

    line: int
    id: RowId | None
    model: str
    text: str | None = None
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = None
    usage: Usage | None = None
    timings: Timings | None = None
    data: Any = None
    error: SmolctlError | None = None
    asked: str | None = None

    @classmethod
    def failed(cls, row: Row, model: str, error: SmolctlError) -> Result:
        """Return the result of a row that has no reply."""
        return cls(row.line, row.id, model, error=error)

    def encoded(self) -> bytes:
        """Return the line of JSON, with its end; its names are those of `run --json`."""
        text = json.dumps(self._document(), ensure_ascii=False)
        # A server may have sent half of a surrogate pair, which no file of text can hold.
        return text.encode(errors="replace") + b"\n"

    def _document(self) -> dict[str, Any]:
        document: dict[str, Any] = {"id": self.id}
        if self.error is not None:
            document["line"] = self.line
            document["error"] = {"message": self.error.message}
            if self.error.hint:
                document["error"]["hint"] = self.error.hint
            document["error"]["exit_code"] = self.error.exit_code
        if self.text is None:
            return document
        document["text"] = self.text
        if self.data is not None:
            document["data"] = self.data
        if self.reasoning:
            document["reasoning"] = self.reasoning
        if self.tool_calls:
            document["tool_calls"] = [tool_call_document(call) for call in self.tool_calls]
        document["finish_reason"] = self.finish_reason
        document["model"] = self.model
        if self.asked is not None:
            document["asked"] = self.asked
        if self.usage is not None:
            document["usage"] = {
                "prompt_tokens": self.usage.prompt,
                "cached_tokens": self.usage.cached,
                "completion_tokens": self.usage.completion,
            }
        if self.timings is not None:
            document["timings"] = {
                f"{field.name}_seconds": round(getattr(self.timings, field.name), 6)
                for field in fields(self.timings)
            }
        return document
