"""The sequences of the context: who uses which, and which prefix a new prompt begins with.

A sequence keeps its tokens after its reply has ended. A prompt that shares a prefix with one, also
with one in use, starts after it: in place, where that gives up little else, or with a copy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from smolctl.engine.reply import Reply

_WORTH_COPYING = 64
"""Tokens: to copy a sequence takes about as long as to decode so many."""


@dataclass(eq=False)
class Slot:
    """A sequence: `tokens` are in its KV cache, `reply` uses it now."""

    number: int
    tokens: list[int] = field(default_factory=list)
    reply: Reply | None = None
    last_used: int = 0


@dataclass(frozen=True)
class Place:
    """Where a prompt goes: into `slot`, after `shared` tokens of `source`, which may be `slot`."""

    slot: Slot
    source: Slot
    shared: int


def choose(slots: Sequence[Slot], prompt: list[int], *, can_copy: bool) -> Place | None:
    """Return where `prompt` is to go; None to wait.

    It waits for a free slot, and for one that decodes a prefix of it just now: to decode it a
    second time would take as long. The last token is never shared: its logits are where the
    reply begins.
    """
    free = [slot for slot in slots if slot.reply is None]
    if not free:
        return None
    usable = prompt[:-1]
    shared = {slot.number: common_prefix(slot.tokens, usable) for slot in slots}
    nearest = max(slots, key=lambda slot: shared[slot.number])
    best = shared[nearest.number]
    if can_copy and _coming(slots, usable) - best >= _WORTH_COPYING:
        return None
    own = max(free, key=lambda slot: (shared[slot.number], -slot.last_used, -slot.number))
    here = shared[own.number]
    lost = len(own.tokens) - here
    copy_pays = can_copy and best - here >= _WORTH_COPYING
    # A short tail is soon decoded again; to give up another's whole prefix for it would cost more.
    little = lost < _WORTH_COPYING and all(slot.tokens for slot in free)
    if not can_copy or (here and (here >= lost or little) and not copy_pays):
        return Place(own, own, here)
    # Given up: the least recently used. One never used comes first, lower numbers before higher.
    target = min(free, key=lambda slot: (slot.last_used, slot.number))
    if best - shared[target.number] >= _WORTH_COPYING:
        return Place(target, nearest, best)
    return Place(target, target, shared[target.number])


def common_prefix(one: Sequence[int], other: Sequence[int]) -> int:
    """Return how many tokens two lists begin with together; compares slices, for speed."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _coming(slots: Sequence[Slot], prompt: list[int]) -> int:
    """Return the longest prefix of `prompt` that some slot will hold when its prompt is done."""
    replies = [slot.reply for slot in slots if slot.reply is not None]
    return max((common_prefix(reply.prompt, prompt) for reply in replies), default=0)
