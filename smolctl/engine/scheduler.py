"""The scheduler: several replies side by side, each with a sequence of one context.

One thread owns the context. In each step it decodes one batch, made of one token for every reply
under way and as much of the waiting prompts as fits, and hands every new piece of text to the
thread that waits for it. A request that comes joins at the next step; one that was cancelled
leaves at the next step.
"""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass
from threading import Condition, Thread
from typing import TYPE_CHECKING

from smolctl.engine.batch import compose
from smolctl.engine.context import CacheFull
from smolctl.engine.reply import Reply
from smolctl.engine.sampling import Sampler
from smolctl.engine.slots import Slot, choose
from smolctl.errors import EngineBusy, NotRunnable, PromptTooLong, SmolctlError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from smolctl.engine.context import Chunk, Context
    from smolctl.engine.generation import Generation, GenerationRequest
    from smolctl.engine.vocabulary import Vocabulary


_HEADROOM = 64
"""Tokens of a shared cache that each reply under way is left to grow by before others come in."""


@dataclass(frozen=True)
class EngineState:
    """What an engine does just now.

    Of its `sequences`, `generating` have a reply under way, from the prompt's first token on;
    `waiting` requests have none yet. The KV cache holds `kv_tokens` of the `kv_capacity` that fit,
    those kept for later prompts among them.
    """

    sequences: int
    generating: int
    waiting: int
    kv_tokens: int
    kv_capacity: int


class Scheduler:
    """Generates in `context`, of which it has the only use. At most `queue` requests wait.

    With a `shared_cache`, the sequences share the context's KV cache. Where it gets full, what is
    kept for later prompts goes first, and then the youngest reply gives its place up; it goes on
    later, from its tokens so far.
    """

    def __init__(
        self, context: Context, vocabulary: Vocabulary, queue: int, *, shared_cache: bool = False
    ) -> None:
        self.vocabulary = vocabulary
        self.context_size = context.size
        self._context = context
        self._slots = [Slot(number) for number in range(context.sequences)]
        self._queue = queue
        self._shared_cache = shared_cache
        self._waiting: deque[Reply] = deque()
        self._changed = Condition()
        self._closing = False
        self._broken: Exception | None = None
        self.on_broken: Callable[[], object] | None = None
        self._numbers = itertools.count(1)
        self._clock = itertools.count(1)
        self._thread = Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End all replies, as cancelled, and wait for the step under way."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    @property
    def state(self) -> EngineState:
        """What is done just now; it waits for nothing, so the numbers may not add up."""
        capacity = self.context_size * (1 if self._shared_cache else len(self._slots))
        return EngineState(
            sequences=len(self._slots),
            generating=sum(slot.reply is not None for slot in self._slots),
            waiting=len(self._waiting),
            # Sequences that share a prefix hold it once.
            kv_tokens=min(sum(len(slot.tokens) for slot in self._slots), capacity),
            kv_capacity=capacity,
        )

    def submit(
        self,
        request: GenerationRequest,
        *,
        on_event: Callable[[], object] | None = None,
        uncounted: bool = False,
    ) -> Generation:
        """Ask for a reply; see `Engine.submit`."""
        self.check(request)
        room = self.context_size - len(request.tokens)
        sampler = Sampler(request.sampling, request.grammar, self.vocabulary)
        limit = min(request.sampling.max_tokens or room, room)
        reply = Reply(next(self._numbers), request, sampler, limit, on_event)
        refusal = self._enqueue(reply, uncounted=uncounted)
        if refusal is not None:
            sampler.close()
            raise refusal
        return reply.generation

    def check(self, request: GenerationRequest) -> None:
        """Raise `PromptTooLong` or `UsageError` for a prompt; see `Engine.submit`."""
        size = len(request.tokens)
        if size >= self.context_size:
            raise PromptTooLong(
                f"the prompt has {size} tokens, the context holds {self.context_size}",
                hint="Shorten the prompt, or ask for a larger context with --ctx-size.",
                prompt_tokens=size,
                context_size=self.context_size,
            )
        if min(request.tokens) < 0 or max(request.tokens) >= self.vocabulary.size:
            raise UsageError("the prompt has a token that the model does not have")

    def _enqueue(self, added: Reply, *, uncounted: bool) -> Exception | None:
        """Have `added` wait for a sequence, or return why it may not."""
        with self._changed:
            if self._broken is not None:
                return self._broken
            if self._closing:
                return NotRunnable("the model has been unloaded")
            # Those that the next step will give a sequence do not wait, nor do those it lets go.
            waiting = sum(not each.generation.cancelled for each in self._waiting)
            replies = [slot.reply for slot in self._slots]
            free = sum(reply is None or reply.generation.cancelled for reply in replies)
            if not uncounted and waiting >= self._queue + free:
                return EngineBusy(
                    f"{waiting} requests wait for the model already", hint="Try again later."
                )
            self._waiting.append(added)
            self._changed.notify()
            return None

    def _run(self) -> None:
        """Do one step after another until `close`."""
        try:
            while self._wait_for_work():
                self._step()
        except Exception as error:  # noqa: BLE001 - the border of a thread: its callers get it
            self._broken = error
            if self.on_broken is not None:
                self.on_broken()
        self._end_all()

    def _wait_for_work(self) -> bool:
        """Wait until there is something to do; False when the engine is being closed."""
        with self._changed:
            while not self._closing and not self._waiting and not self._working():
                self._changed.wait()
            return not self._closing

    def _working(self) -> bool:
        return any(slot.reply is not None for slot in self._slots)

    def _step(self) -> None:
        """Let go who was cancelled, take in who waits, decode one batch, and pass on what came."""
        self._let_go()
        self._take_in()
        step = compose(self._slots, self._context.batch_tokens)
        if not step:
            return
        try:
            rows = self._context.decode([chunk for _, chunk in step])
        except CacheFull as error:
            if not (self._shared_cache and self._make_room()):
                self._give_up(step, error)
            return
        except NotRunnable as error:
            self._give_up(step, error)
            return
        for (slot, chunk), row in zip(step, rows, strict=True):
            slot.tokens += chunk.tokens
            if chunk.wants_logits:
                self._continue(slot, row)

    def _continue(self, slot: Slot, row: int) -> None:
        """Choose the next token of the slot's reply, and let it end when that is the last."""
        reply = slot.reply
        if reply is None:
            return
        try:
            token = reply.sampler.sample(self._context, row)
        except SmolctlError as error:
            self._fail(slot, error)
            return
        score = None
        if reply.logprobs is not None:
            from smolctl.engine import scores

            logits = self._context.logits(row)
            score = scores.score(logits, token, reply.logprobs, self.vocabulary)
        if not reply.take(token, score, self.vocabulary):
            self._free(slot)

    def _give_up(self, step: Sequence[tuple[Slot, Chunk]], error: SmolctlError) -> None:
        """Have the replies of a step that failed end with `error`."""
        for slot, _ in step:
            self._clear(slot)
            self._fail(slot, error)

    def _make_room(self) -> bool:
        """Empty a sequence of a shared cache that is full; False when only one is in use.

        The one whose tokens are kept for later and that was used least recently, else the one of
        the youngest reply, which waits for a sequence anew.
        """
        kept = [slot for slot in self._slots if slot.reply is None and slot.tokens]
        if kept:
            self._clear(min(kept, key=lambda slot: slot.last_used))
            return True
        working = [(slot.reply, slot) for slot in self._slots if slot.reply is not None]
        if len(working) < 2:
            return False
        reply, slot = max(working, key=lambda pair: pair[0].number)
        self._clear(slot)
        self._free(slot)
        with self._changed:
            self._waiting.appendleft(reply)
        return True

    def _clear(self, slot: Slot) -> None:
        self._context.cut(slot.number, 0)
        slot.tokens.clear()

    def _let_go(self) -> None:
        """End the replies that were cancelled, with a sequence or still without."""
        for slot in self._slots:
            if slot.reply is not None and slot.reply.generation.cancelled:
                slot.reply.end("cancelled")
                self._free(slot)
        with self._changed:
            gone = [reply for reply in self._waiting if reply.generation.cancelled]
            for reply in gone:
                self._waiting.remove(reply)
        for reply in gone:
            reply.end("cancelled")

    def _take_in(self) -> None:
        """Give sequences to those that wait, the oldest first; a prefix may be worth waiting for.

        Whoever waits for a prefix holds up nobody behind; who waits for room in a shared cache
        does, or a long prompt would never get any.
        """
        with self._changed:
            waiting = list(self._waiting)
        for reply in waiting:
            place = choose(self._slots, reply.tokens, can_copy=self._context.can_copy)
            if place is None:
                continue
            in_use = place.shared if place.source.reply is not None else 0
            if not self._has_room(len(reply.tokens) - in_use):
                break
            slot, shared = place.slot, place.shared
            if place.source is not slot:
                self._context.copy(place.source.number, slot.number, shared)
                slot.tokens = place.source.tokens[:shared]
            elif self._context.cut(slot.number, shared):
                del slot.tokens[shared:]
            else:
                slot.tokens.clear()
            slot.reply = reply
            if not reply.completion:
                reply.generation.admitted(len(slot.tokens))
            with self._changed:
                self._waiting.remove(reply)

    def _has_room(self, tokens: int) -> bool:
        """Whether a shared cache has room for `tokens` more beside the replies under way."""
        used = [len(slot.reply.tokens) for slot in self._slots if slot.reply is not None]
        room = self.context_size - sum(used) - _HEADROOM * len(used)
        return not self._shared_cache or not used or tokens <= room

    def _fail(self, slot: Slot, error: SmolctlError) -> None:
        if slot.reply is not None:
            slot.reply.fail(error)
        self._free(slot)

    def _free(self, slot: Slot) -> None:
        """Keep the slot's tokens for whoever shares them, and let others have the slot."""
        slot.reply = None
        slot.last_used = next(self._clock)

    def _end_all(self) -> None:
        """End every reply: with the error that broke the engine, else as cancelled."""
        with self._changed:
            self._closing = True
            left = list(self._waiting)
            self._waiting.clear()
        left += [slot.reply for slot in self._slots if slot.reply is not None]
        for reply in left:
            if self._broken is not None:
                reply.fail(self._broken)
            else:
                reply.end("cancelled")
        for slot in self._slots:
            slot.reply = None
