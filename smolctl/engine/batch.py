"""What one step decodes: a token for every reply under way, and prompt as far as it fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolctl.engine.context import Chunk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from smolctl.engine.slots import Slot

_BESIDE_REPLIES = 256
"""Most prompt tokens in a step while replies are under way, which wait for the step to end."""


def compose(slots: Sequence[Slot], batch_tokens: int) -> list[tuple[Slot, Chunk]]:
    """Return the chunks of the next step, with their slots, in the order of their sequences.

    llama.cpp splits a batch where the numbers of its sequences have a gap, so they ascend.
    """
    working = [(slot, slot.reply) for slot in slots if slot.reply is not None]
    # A reply that had to give its place up has its prompt to do once more, and what followed.
    prompts = [
        (slot, reply)
        for slot, reply in working
        if not reply.completion or len(reply.tokens) - len(slot.tokens) > 1
    ]
    replies = len(working) - len(prompts)
    budget = batch_tokens - replies
    if replies:
        budget = min(budget, _BESIDE_REPLIES)
    prompts.sort(key=lambda pair: pair[1].number)
    left = [len(reply.tokens) - len(slot.tokens) for slot, reply in prompts]
    shares = {
        slot.number: share
        for (slot, _), share in zip(prompts, shared_out(left, budget), strict=True)
    }
    step = []
    for slot, reply in working:
        done = len(slot.tokens)
        tokens = reply.tokens[done : done + shares.get(slot.number, 1)]
        if tokens:
            ends = done + len(tokens) == len(reply.tokens)
            step.append((slot, Chunk(slot.number, done, tokens, ends)))
    return step


def shared_out(wanted: Sequence[int], budget: int) -> list[int]:
    """Return how much of `budget` each gets, the oldest first; none more than it `wanted`.

    The oldest gets half, so that prompts which come together are done one after another, and not
    all of them last. The others get the rest, the shortest first, so that a short one need not
    wait for a long one. Few large shares are done faster than many small ones: llama.cpp splits a
    batch where sequences with a cache of their own have different numbers of tokens in it.
    """
    if not wanted:
        return []
    given = [0] * len(wanted)
    given[0] = min(wanted[0], (budget + 1) // 2)
    budget -= given[0]
    for number in sorted(range(1, len(wanted)), key=lambda number: wanted[number]):
        given[number] = min(wanted[number], budget)
        budget -= given[number]
    given[0] += min(wanted[0] - given[0], budget)
    return given
