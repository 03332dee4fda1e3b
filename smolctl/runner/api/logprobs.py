"""Log-probabilities in the two shapes of OpenAI's API: for chats, and for plain completions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from smolctl.engine.generation import TokenScore

_LEAST = -9999.0
"""What OpenAI says for a token that cannot be: JSON has no infinity."""


def chat_logprobs(scores: Iterable[TokenScore]) -> list[dict[str, Any]]:
    """Return `scores` as the `content` of a chat's `logprobs`.

    `token` is the token's text; where its bytes alone are no text, they are in `bytes`.
    """
    return [
        {**_entry(score), "top_logprobs": [_entry(other) for other in score.alternatives]}
        for score in scores
    ]


def _entry(score: TokenScore) -> dict[str, Any]:
    return {
        "token": token_text(score),
        "logprob": finite(score),
        "bytes": list(score.piece),
    }


def token_text(score: TokenScore) -> str:
    """Return the token's text, U+FFFD for what is none."""
    return score.piece.decode(errors="replace")


def finite(score: TokenScore) -> float:
    """Return the log-probability as JSON can have it."""
    return max(_LEAST, score.logprob)  # in this order it takes care of NaN too
