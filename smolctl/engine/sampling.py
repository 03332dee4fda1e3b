"""How the next token is chosen: the parameters, and llama.cpp's sampler chain made of them."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass
from typing import Any

from smolctl.errors import UsageError

_PENALTY_TOKENS = 64
"""How many of the latest tokens the repeat penalty looks at: llama.cpp's default."""

_MAXIMUM_SEED = 2**32 - 2  # 2**32 - 1 is llama.cpp's LLAMA_DEFAULT_SEED, "pick one"


@dataclass(frozen=True)
class Sampling:
    """The parameters of one generation; the defaults are llama.cpp's.

    `temperature` 0 always takes the likeliest token; `top_k` 0, `top_p` 1, `min_p` 0 and
    `repeat_penalty` 1 turn that filter off. `seed` None picks a random one. `max_tokens` None
    generates until the model ends or the context is full. Raises `UsageError` for a value out of
    range, naming its flag.
    """

    temperature: float = 0.8
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    repeat_penalty: float = 1.0
    seed: int | None = None
    max_tokens: int | None = None

    def __post_init__(self) -> None:
        _check("--temperature", self.temperature, 0, 100)
        _check("--top-k", self.top_k, 0, 2**31 - 1)
        _check("--top-p", self.top_p, 0, 1)
        _check("--min-p", self.min_p, 0, 1)
        _check("--repeat-penalty", self.repeat_penalty, 0.01, 100)
        if self.seed is not None:
            _check("--seed", self.seed, 0, _MAXIMUM_SEED)
        if self.max_tokens is not None:
            _check("--max-tokens", self.max_tokens, 1, 2**31 - 1)


class SamplerChain:
    """llama.cpp's samplers in the order of its own `common_sampler_init`. Close it after use."""

    def __init__(self, sampling: Sampling, vocabulary_size: int) -> None:
        from llama_cpp import llama_cpp as lib

        self._lib = lib
        chain: Any = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
        self._chain = chain
        add = lib.llama_sampler_chain_add
        if sampling.repeat_penalty != 1:
            penalties = lib.llama_sampler_init_penalties(
                vocabulary_size, _PENALTY_TOKENS, sampling.repeat_penalty, 0.0, 0.0
            )
            add(chain, penalties)
        if sampling.temperature == 0:
            add(chain, lib.llama_sampler_init_greedy())
            return
        if sampling.top_k > 0:
            add(chain, lib.llama_sampler_init_top_k(sampling.top_k))
        if sampling.top_p < 1:
            add(chain, lib.llama_sampler_init_top_p(sampling.top_p, 1))
        if sampling.min_p > 0:
            add(chain, lib.llama_sampler_init_min_p(sampling.min_p, 1))
        add(chain, lib.llama_sampler_init_temp(sampling.temperature))
        seed = sampling.seed if sampling.seed is not None else secrets.randbelow(_MAXIMUM_SEED)
        add(chain, lib.llama_sampler_init_dist(seed))

    def sample(self, context: Any) -> int:
        """Choose a token from the logits of the last position that `context` decoded.

        The token is accepted into the samplers' state as well (`llama_sampler_sample`).
        """
        return int(self._lib.llama_sampler_sample(self._chain, context, -1))

    def close(self) -> None:
        """Free the chain and its samplers (`llama_sampler_free`)."""
        if self._chain is not None:
            self._lib.llama_sampler_free(self._chain)
            self._chain = None


def _check(flag: str, value: float, low: float, high: float) -> None:
    if not math.isfinite(value) or not low <= value <= high:
        raise UsageError(f"{flag} is {value}", hint=f"It must be from {low:g} to {high:g}.")
