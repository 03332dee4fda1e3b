"""Log-probabilities of the tokens of a reply, from the model's logits before any sampler."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from smolctl.engine.generation import TokenScore

if TYPE_CHECKING:
    import numpy.typing as npt

    from smolctl.engine.vocabulary import Vocabulary


def score(
    logits: npt.NDArray[np.float32], token: int, alternatives: int, vocabulary: Vocabulary
) -> TokenScore:
    """Return the score of `token`, with those of the `alternatives` likeliest, best first."""
    peak = logits.max()
    logprobs = logits - (peak + np.log(np.exp(logits - peak).sum()))
    count = min(alternatives, len(logits))
    best = np.argpartition(-logprobs, count - 1)[:count] if count else np.empty(0, np.intp)
    ranked = sorted((int(index) for index in best), key=lambda index: (-logprobs[index], index))
    others = (_score(index, logprobs, vocabulary) for index in ranked)
    return replace(_score(token, logprobs, vocabulary), alternatives=tuple(others))


def _score(token: int, logprobs: npt.NDArray[np.float32], vocabulary: Vocabulary) -> TokenScore:
    return TokenScore(token, vocabulary.piece(token), float(logprobs[token]))
