"""How the next token is chosen: the parameters, and llama.cpp's sampler chain made of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from smolctl.errors import SmolctlError, UsageError

if TYPE_CHECKING:
    from smolctl.engine.constraint import Constraint
    from smolctl.engine.context import Context
    from smolctl.engine.gbnf import Grammar
    from smolctl.engine.vocabulary import Vocabulary

_PENALTY_TOKENS = 64
"""How many of the latest tokens the penalties look at: llama.cpp's default."""

_MAXIMUM_SEED = 2**32 - 2  # 2**32 - 1 is llama.cpp's LLAMA_DEFAULT_SEED, "pick one"
_MAXIMUM_BIASES = 1024


@dataclass(frozen=True)
class Sampling:
    """The parameters of one generation; the defaults are llama.cpp's.

    `temperature` 0 always takes the likeliest token; `top_k` 0, `top_p` 1, `min_p` 0,
    `typical_p` 1, `xtc_probability` 0, `repeat_penalty` 1 and the other penalties 0 turn that
    filter off. The penalties look at the reply's tokens. `logit_bias` has pairs of a token and
    what is added to its logit; minus infinity forbids it. `seed` None picks a random one.
    `max_tokens` None generates until the model ends or the context is full. Raises `UsageError`
    for a value out of range, naming its flag.
    """

    temperature: float = 0.8
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    typical_p: float = 1.0
    xtc_probability: float = 0.0
    xtc_threshold: float = 0.1
    repeat_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: tuple[tuple[int, float], ...] = ()
    seed: int | None = None
    max_tokens: int | None = None

    def __post_init__(self) -> None:
        _check("--temperature", self.temperature, 0, 100)
        _check("--top-k", self.top_k, 0, 2**31 - 1)
        _check("--top-p", self.top_p, 0, 1)
        _check("--min-p", self.min_p, 0, 1)
        _check("--typical-p", self.typical_p, 0, 1)
        _check("--xtc-probability", self.xtc_probability, 0, 1)
        _check("--xtc-threshold", self.xtc_threshold, 0, 1)
        _check("--repeat-penalty", self.repeat_penalty, 0.01, 100)
        _check("--presence-penalty", self.presence_penalty, -100, 100)
        _check("--frequency-penalty", self.frequency_penalty, -100, 100)
        if len(self.logit_bias) > _MAXIMUM_BIASES:
            raise UsageError(f"there are {len(self.logit_bias)} logit biases")
        for _, bias in self.logit_bias:
            if bias != -math.inf:
                _check("a logit bias", bias, -1000, 1000)
        if self.seed is not None:
            _check("--seed", self.seed, 0, _MAXIMUM_SEED)
        if self.max_tokens is not None:
            _check("--max-tokens", self.max_tokens, 1, 2**31 - 1)


class Sampler:
    """llama.cpp's samplers of one reply, under the constraint of a grammar or without.

    Close it after use. Raises `UsageError` for a bias of a token that the model does not have,
    and `InvalidGrammar` when llama.cpp refuses the grammar.
    """

    def __init__(self, sampling: Sampling, grammar: Grammar | None, vocabulary: Vocabulary) -> None:
        from smolctl.engine.library import llama_cpp  # here: who only asks a worker needs it not

        lib = llama_cpp()
        self._lib = lib
        self._chain = _chain(lib, sampling, vocabulary.size)
        self._constraint: Constraint | None = None
        if grammar is not None:
            from smolctl.engine.constraint import Constraint  # here: it imports numpy

            try:
                self._constraint = Constraint(grammar, vocabulary)
            except SmolctlError:
                self.close()
                raise

    def sample(self, context: Context, row: int) -> int:
        """Choose a token from the logits of `row` of the batch that `context` decoded last.

        The token is accepted into the samplers' state as well (`llama_sampler_sample`).
        """
        if self._constraint is not None:
            return self._constraint.sample(self._chain, context.logits(row))
        return int(self._lib.llama_sampler_sample(self._chain, context.handle, row))

    def close(self) -> None:
        """Free the samplers (`llama_sampler_free`)."""
        if self._chain is not None:
            self._lib.llama_sampler_free(self._chain)
            self._chain = None
            if self._constraint is not None:
                self._constraint.close()


def _chain(lib: Any, sampling: Sampling, vocabulary_size: int) -> Any:
    """Return llama.cpp's samplers in the order of its own `common_sampler_init`."""
    import ctypes  # these two take 8 ms, and whoever only asks a worker needs neither
    import secrets

    biases = (lib.llama_logit_bias * len(sampling.logit_bias))()
    for entry, (token, bias) in zip(biases, sampling.logit_bias, strict=True):
        if not 0 <= token < vocabulary_size:
            raise UsageError(f"logit bias of token {token}; the model has {vocabulary_size}")
        entry.token, entry.bias = token, bias
    chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())

    def add(sampler: Any) -> None:
        lib.llama_sampler_chain_add(chain, sampler)

    if biases:
        pointer = ctypes.cast(biases, ctypes.POINTER(lib.llama_logit_bias))
        add(lib.llama_sampler_init_logit_bias(vocabulary_size, len(biases), pointer))
    penalties = (sampling.repeat_penalty, sampling.frequency_penalty, sampling.presence_penalty)
    if penalties != (1, 0, 0):
        add(lib.llama_sampler_init_penalties(vocabulary_size, _PENALTY_TOKENS, *penalties))
    if sampling.temperature == 0:
        add(lib.llama_sampler_init_greedy())
        return chain
    seed = sampling.seed if sampling.seed is not None else secrets.randbelow(_MAXIMUM_SEED)
    if sampling.top_k > 0:
        add(lib.llama_sampler_init_top_k(sampling.top_k))
    if sampling.typical_p < 1:
        add(lib.llama_sampler_init_typical(sampling.typical_p, 1))
    if sampling.top_p < 1:
        add(lib.llama_sampler_init_top_p(sampling.top_p, 1))
    if sampling.min_p > 0:
        add(lib.llama_sampler_init_min_p(sampling.min_p, 1))
    if sampling.xtc_probability > 0:
        probability, threshold = sampling.xtc_probability, sampling.xtc_threshold
        add(lib.llama_sampler_init_xtc(probability, threshold, 1, seed))
    add(lib.llama_sampler_init_temp(sampling.temperature))
    add(lib.llama_sampler_init_dist(seed))
    return chain


def _check(flag: str, value: float, low: float, high: float) -> None:
    if not math.isfinite(value) or not low <= value <= high:
        raise UsageError(f"{flag} is {value}", hint=f"It must be from {low} to {high}.")
