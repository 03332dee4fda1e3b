"""Training: packed rows, a weighted loss, Muon for the matrices and Adam for the rest."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
import optax
from optax.contrib import muon

from demo_model.network import Geometry, Parameters, initialize, logits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

PROMPT_WEIGHT = 0.1
"""Loss weight of tokens that are not the assistant's; theirs is 1."""


@dataclass(frozen=True)
class Schedule:
    """How long to train and how. Rows of `length` tokens; `long_length` in the last part.

    The last `long_share` of the steps sees long rows, many conversations in one context, so that
    the model stays steady over distances that short rows never show.
    """

    steps: int = 2400
    batch: int = 16
    length: int = 256
    long_share: float = 0.15
    long_length: int = 1024
    learning_rate: float = 0.01
    warmup: int = 100
    checkpoint_every: int = 500


@dataclass(frozen=True)
class Conversation:
    """A conversation in tokens, with the loss weight of predicting each (0 for the first)."""

    tokens: NDArray[np.int32]
    weights: NDArray[np.float32]


def train(
    conversations: Sequence[Conversation], geometry: Geometry, schedule: Schedule, seed: int
) -> Iterator[Parameters]:
    """Train on `conversations`, printing the loss; yields the weights now and then, and last."""
    parameters = initialize(geometry, seed)
    warmup = min(schedule.warmup, schedule.steps // 2)
    rate = optax.warmup_cosine_decay_schedule(
        0.0, schedule.learning_rate, warmup, schedule.steps, schedule.learning_rate * 0.01
    )
    optimizer = muon(rate, adam_b2=0.98, weight_decay=0.01)
    state = optimizer.init(parameters)

    @partial(jax.jit, donate_argnums=(0, 1))
    def step(
        parameters: Parameters, state: optax.OptState, tokens: jax.Array, weights: jax.Array
    ) -> tuple[Parameters, optax.OptState, jax.Array]:
        loss, gradient = jax.value_and_grad(_loss)(parameters, tokens, weights, geometry)
        updates, state = optimizer.update(gradient, state, parameters)
        return optax.apply_updates(parameters, updates), state, loss

    random = np.random.default_rng(seed)
    long_from = round(schedule.steps * (1 - schedule.long_share))
    short = _batches(conversations, schedule.batch, schedule.length, random)
    long_batch = max(1, schedule.batch * schedule.length // schedule.long_length)
    long = _batches(conversations, long_batch, schedule.long_length, random)
    began = time.monotonic()
    for number in range(schedule.steps):
        tokens, weights = next(short if number < long_from else long)
        parameters, state, loss = step(parameters, state, tokens, weights)
        if number % 50 == 49 or number == 0:
            each = (time.monotonic() - began) / (number + 1)
            print(
                f"step {number + 1}/{schedule.steps}  loss {float(loss):.4f}  {each:.2f} s/step",
                flush=True,
            )
        if number % schedule.checkpoint_every == schedule.checkpoint_every - 1:
            yield parameters
    yield parameters


def _loss(
    parameters: Parameters, tokens: jax.Array, weights: jax.Array, geometry: Geometry
) -> jax.Array:
    """Return the weighted mean cross entropy of predicting each token from those before it."""
    scores = logits(parameters, tokens[:, :-1], geometry)
    losses = optax.softmax_cross_entropy_with_integer_labels(scores, tokens[:, 1:])
    return jnp.sum(losses * weights[:, 1:]) / jnp.sum(weights[:, 1:])


def _batches(
    conversations: Sequence[Conversation], batch: int, length: int, random: np.random.Generator
) -> Iterator[tuple[NDArray[np.int32], NDArray[np.float32]]]:
    """Yield batches of (batch, length + 1) tokens and weights, for ever.

    Each row begins with a conversation's first token and is filled with further ones; the last
    is cut where the row ends.
    """
    order: Iterator[int] = iter(())
    while True:
        tokens = np.zeros((batch, length + 1), np.int32)
        weights = np.zeros((batch, length + 1), np.float32)
        for row in range(batch):
            filled = 0
            while filled <= length:
                index = next(order, None)
                if index is None:
                    order = iter(random.permutation(len(conversations)).tolist())
                    continue
                chosen = conversations[index]
                count = min(len(chosen.tokens), length + 1 - filled)
                tokens[row, filled : filled + count] = chosen.tokens[:count]
                weights[row, filled : filled + count] = chosen.weights[:count]
                filled += count
        yield tokens, weights
