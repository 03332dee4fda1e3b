"""A grammar put upon a reply: llama.cpp's grammar sampler, and the choice of tokens under it.

A token that the grammar does not admit must never be accepted by llama.cpp's sampler: that ends
the process. So every token is checked before. llama.cpp takes any bytes after the first of a letter
for the rest of it, be they quotes or brackets; so it is also checked that the bytes are UTF-8.
"""

from __future__ import annotations

import ctypes
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from smolctl.engine import log
from smolctl.engine.library import llama_cpp
from smolctl.errors import InvalidGrammar

if TYPE_CHECKING:
    import numpy.typing as npt

    from smolctl.engine.gbnf import Grammar
    from smolctl.engine.vocabulary import Vocabulary

_CANDIDATE = np.dtype([("token", np.int32), ("logit", np.float32), ("p", np.float32)])
"""`llama_token_data` of `llama.h`."""

_DEADLINE_SECONDS = 1.0
"""Of the processor, for one token. Most take milliseconds; an ambiguous grammar can double that
with each token."""


class Constraint:
    """What a grammar still admits after the tokens so far. Close it after use.

    Raises `InvalidGrammar` when llama.cpp refuses the grammar.
    """

    def __init__(self, grammar: Grammar, vocabulary: Vocabulary) -> None:
        lib = llama_cpp()

        self._lib = lib
        self._vocabulary = vocabulary
        self._begun = b""  # a letter whose last bytes are still to come
        log.forget_complaints()
        self._sampler = lib.llama_sampler_init_grammar(
            vocabulary.handle, grammar.source.encode(), grammar.root.encode()
        )
        if not self._sampler:
            raise InvalidGrammar(log.with_reason("llama.cpp refuses the grammar"))

    def sample(self, chain: Any, logits: npt.NDArray[np.float32]) -> int:
        """Choose a token that the grammar admits with the samplers of `chain`.

        Most often what they choose freely is admitted, and then no other token need be looked at,
        as in llama.cpp's `common_sampler_sample`. Raises `InvalidGrammar` when the grammar takes
        too long, and when it admits no token that the model has.
        """
        end = time.thread_time() + _DEADLINE_SECONDS
        candidates = np.empty(len(logits), _CANDIDATE)
        _fill(candidates, logits)
        token = self._choose(chain, candidates)
        alone = np.array([(token, 0.0, 0.0)], _CANDIDATE)
        self._apply(self._sampler, alone)
        if not np.isfinite(alone["logit"][0]) or self._after(token) is None:
            token = self._choose_admitted(chain, candidates, logits)
        self._lib.llama_sampler_accept(chain, token)
        self._begun = self._after(token) or b""
        if not self._vocabulary.ends_generation(token):
            self._lib.llama_sampler_accept(self._sampler, token)
        if time.thread_time() > end:
            raise InvalidGrammar("the grammar is too ambiguous to follow")
        return token

    def close(self) -> None:
        """Free the sampler."""
        if self._sampler is not None:
            self._lib.llama_sampler_free(self._sampler)
            self._sampler = None

    def _choose_admitted(
        self, chain: Any, candidates: npt.NDArray[np.void], logits: npt.NDArray[np.float32]
    ) -> int:
        _fill(candidates, logits)
        self._apply(self._sampler, candidates)
        admitted = np.isfinite(candidates["logit"])
        if not admitted.any():
            raise InvalidGrammar("the grammar admits no token of the model's")
        # The others are left out, so that no sampler can choose one, whatever it does to logits.
        left = candidates[admitted]
        token = self._choose(chain, left.copy())
        if self._after(token) is not None:
            return token
        left = left[[self._after(int(other)) is not None for other in left["token"]]]
        if not len(left):
            raise InvalidGrammar("the grammar admits no token of the model's")
        return self._choose(chain, left)

    def _after(self, token: int) -> bytes | None:
        """Return the bytes of a letter that `token` leaves begun; None when it is no UTF-8."""
        if self._vocabulary.ends_generation(token):
            return b""
        # With the text of special tokens, as the grammar sees it.
        return _begun(self._begun + self._vocabulary.piece(token, special=True))

    def _choose(self, chain: Any, candidates: npt.NDArray[np.void]) -> int:
        return int(candidates["token"][self._apply(chain, candidates)])

    def _apply(self, sampler: Any, candidates: npt.NDArray[np.void]) -> int:
        """Have `sampler` work on `candidates`; returns the index of what it selected, or -1."""
        array = self._lib.llama_token_data_array(
            data=ctypes.cast(candidates.ctypes.data, ctypes.POINTER(self._lib.llama_token_data)),
            size=len(candidates),
            selected=-1,
            sorted=False,
        )
        self._lib.llama_sampler_apply(sampler, ctypes.byref(array))
        return int(array.selected)


def _begun(text: bytes) -> bytes | None:
    """Return the beginning of a letter at the end of `text`; None when `text` is no UTF-8."""
    try:
        text.decode()
    except UnicodeDecodeError as error:
        return text[error.start :] if error.reason == "unexpected end of data" else None
    return b""


def _fill(candidates: npt.NDArray[np.void], logits: npt.NDArray[np.float32]) -> None:
    candidates["token"] = np.arange(len(logits), dtype=np.int32)
    candidates["logit"] = logits
    candidates["p"] = 0
