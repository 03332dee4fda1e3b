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


class CompletionLogprobs:
    """The `logprobs` of one plain completion: lists side by side, with each token's place.

    `text_offset` counts from the beginning of what was generated, in letters of the tokens.
    """

    def __init__(self) -> None:
        self._scores: list[TokenScore] = []
        self._offset = 0

    def add(self, scores: Iterable[TokenScore]) -> None:
        """Keep `scores` for the whole document."""
        self._scores += scores

    def document(self, scores: Iterable[TokenScore] | None = None) -> dict[str, Any]:
        """Return `scores`, which follow those of the last call; without any, those kept."""
        tokens, offsets = [], []
        scores = self._scores if scores is None else tuple(scores)
        for score in scores:
            text = _text(score)
            tokens.append(text)
            offsets.append(self._offset)
            self._offset += len(text)
        return {
            "tokens": tokens,
            "token_logprobs": [_finite(score) for score in scores],
            "top_logprobs": [
                # Tokens that are no text look the same; the likeliest of them stays.
                {_text(other): _finite(other) for other in reversed(score.alternatives)}
                for score in scores
            ],
            "text_offset": offsets,
        }


def _entry(score: TokenScore) -> dict[str, Any]:
    return {"token": _text(score), "logprob": _finite(score), "bytes": list(score.piece)}


def _text(score: TokenScore) -> str:
    return score.piece.decode(errors="replace")


def _finite(score: TokenScore) -> float:
    return max(_LEAST, score.logprob)  # in this order it takes care of NaN too
