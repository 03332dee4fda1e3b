"""Errors of an OpenAI-compatible API, as errors of this library."""

from __future__ import annotations

from typing import Any

from smolctl.errors import (
    AccessDenied,
    EngineBusy,
    InvalidGrammar,
    ModelNotFound,
    NotRunnable,
    PromptTooLong,
    SmolctlError,
    UsageError,
)

_BY_CODE: dict[str, type[SmolctlError]] = {
    "context_length_exceeded": PromptTooLong,
    "invalid_grammar": InvalidGrammar,
    "model_not_found": ModelNotFound,
    "queue_full": EngineBusy,
}
_BY_STATUS: dict[int, type[SmolctlError]] = {
    400: UsageError,
    401: AccessDenied,
    403: AccessDenied,
    404: ModelNotFound,
    413: UsageError,
    422: UsageError,
    429: EngineBusy,
}
_MAXIMUM_LETTERS = 2000


def error_code(document: Any) -> str | None:
    """Return the code in an error's `document`; None if it has none."""
    error = document.get("error") if isinstance(document, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, str) else None


def api_error(status: int, document: Any, who: str) -> SmolctlError:
    """Return what a response with `status` and this body means; `who` sent it."""
    error = document.get("error") if isinstance(document, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    if not isinstance(message, str) or not message:
        message = f"{who} answered with status {status}"
    kind = _BY_CODE.get(error_code(document) or "") or _BY_STATUS.get(status, NotRunnable)
    # Ours have the hint after the message: a sentence after the first full stop.
    what, _, hint = message[:_MAXIMUM_LETTERS].partition(". ")
    if kind is PromptTooLong:
        prompt_tokens, context_size = (_count(error, name) for name in ("n_prompt_tokens", "n_ctx"))
        return PromptTooLong(
            what, hint=hint or None, prompt_tokens=prompt_tokens, context_size=context_size
        )
    return kind(what, hint=hint or None)


def _count(error: Any, name: str) -> int | None:
    found = error.get(name) if isinstance(error, dict) else None
    return found if isinstance(found, int) and found >= 0 else None
