"""What a failed request is answered: OpenAI's error object, with the status it goes with."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from smolctl.errors import (
    ConversationRefused,
    EngineBusy,
    InvalidGrammar,
    ModelNotFound,
    PromptTooLong,
    SmolctlError,
    UsageError,
)
from smolctl.runner.fields import InvalidField, sentence

_log = logging.getLogger("smolctl.api")

INVALID = "invalid_request_error"


class BodyTooLarge(UsageError):
    """A request's body that is larger than any request needs."""


@dataclass(frozen=True)
class Failure:
    """An error as OpenAI's API words it. `retry_after` is in seconds.

    `tokens` are those of a prompt that is too long, and those of the context.
    """

    status: int
    message: str
    type: str = INVALID
    param: str | None = None
    code: str | None = None
    retry_after: int | None = None
    tokens: tuple[int, int] | None = None

    @property
    def document(self) -> dict[str, Any]:
        """The body of the answer, or the data of a stream's last event."""
        error: dict[str, Any] = {
            "message": self.message,
            "type": self.type,
            "param": self.param,
            "code": self.code,
        }
        if self.tokens is not None:  # llama-server's names
            error |= {"n_prompt_tokens": self.tokens[0], "n_ctx": self.tokens[1]}
        return {"error": error}


def failure_of(error: Exception) -> Failure:
    """Return what the client is told of `error`; a bug is logged, and its details stay here."""
    if not isinstance(error, SmolctlError):
        _log.error("a request failed because of a bug", exc_info=error)
        return Failure(500, "smolctl has a bug; its log says more", "server_error")
    message = sentence(error)
    if isinstance(error, BodyTooLarge):
        return Failure(413, message, code="request_too_large")
    if isinstance(error, ModelNotFound):
        return Failure(404, message, param="model", code="model_not_found")
    if isinstance(error, PromptTooLong):
        size, room = error.prompt_tokens, error.context_size
        tokens = None if size is None or room is None else (size, room)
        return Failure(400, message, code="context_length_exceeded", tokens=tokens)
    if isinstance(error, EngineBusy):
        return Failure(429, message, "rate_limit_error", code="queue_full", retry_after=1)
    if isinstance(error, InvalidGrammar):  # a stream's last event has no status to tell it by
        return Failure(400, message, code="invalid_grammar")
    if isinstance(error, InvalidField):
        return Failure(400, message, param=error.param)
    if isinstance(error, (UsageError, ConversationRefused)):
        return Failure(400, message)
    _log.warning("a request failed: %s", message)
    return Failure(500, message, "server_error")
