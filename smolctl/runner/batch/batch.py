"""Rows asked of one model, many at once; their results in the order of the rows.

Threads take rows and ask, each with a connection of its own; the caller's thread writes. A result
waits for those before it, and rows are taken only as long as few enough wait: `WINDOW` rows are
under way or finished behind a slow one, whatever the length of the input.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from threading import Condition, Event, Lock, Semaphore, Thread
from typing import TYPE_CHECKING, Any

from smolctl.engine.message_parts import MessageParts
from smolctl.errors import (
    ConversationRefused,
    EngineBusy,
    NotRunnable,
    PromptTooLong,
    RegistryUnavailable,
    TextTooLong,
    TooLittleMemory,
    UsageError,
)
from smolctl.runner.batch.results import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from smolctl.engine.conversation import ChatRequest
    from smolctl.runner.batch.rows import Row
    from smolctl.runner.chat_model import ChatModel

WINDOW = 1024
_DEATHS = 3
"""So many rows in a row that end the model's process, twice each, and the batch is given up."""

_BUSY_SECONDS = 600.0
_UNREACHABLE_SECONDS = 10.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0
_SIGNAL_SECONDS = 0.2
_LEAVING_SECONDS = 1.0

_OF_THE_ROW = (UsageError, PromptTooLong, TextTooLong, ConversationRefused)
"""What is wrong with one row, and says nothing about the next."""


@dataclass
class Summary:
    """What became of the rows, and in how many seconds. Tokens are those of the replies."""

    done: int = 0
    failed: int = 0
    tokens: int = 0
    seconds: float = 0.0

    def add(self, result: Result) -> None:
        """Count `result`."""
        self.done += result.error is None
        self.failed += result.error is not None
        self.tokens += result.usage.completion if result.usage is not None else 0


class _Stopped(Exception):
    """The batch ends before this row does."""


class Batch:
    """Asks `model` for what `request` makes of each row, `jobs` rows at once.

    `request` may ask the model as well. `check` gets the request, the reply's text and its finish
    reason; it returns the data in the text, if there is some, or raises `NotRunnable`.
    A row that makes no sense or is too long has its error as its result. A model's process that
    ends is started again by `model`, and each row that it had is asked about once more, now one
    after another, so that one that ends it again takes no other along: that one fails. Who has too
    much to do is asked again later. `on_result` is told of each result when it is there, before
    its turn. Use it once.
    """

    def __init__(
        self,
        model: ChatModel,
        request: Callable[[Row], ChatRequest],
        *,
        jobs: int,
        check: Callable[[ChatRequest, str, str | None], Any] = lambda *_: None,
        on_result: Callable[[Result], object] = lambda _: None,
    ) -> None:
        self._model = model
        self._request = request
        self._jobs = jobs
        self._check = check
        self._on_result = on_result
        self._stopped = Event()
        self._events: SimpleQueue[tuple[int, Result] | BaseException | None] = SimpleQueue()
        self._room = Semaphore(WINDOW)
        self._taking = Lock()
        self._taken = 0
        self._alone = Lock()
        self._deaths = 0
        self._asking = 0
        self._asked = Condition()
        self._finished: dict[int, Result] = {}
        self._next = 0

    def run(self, rows: Iterator[Row], write: Callable[[Result], object]) -> Summary:
        """Have `write` called with the result of each of `rows`, in their order.

        Where it ends early, what is finished is written first, with gaps where rows are not.
        Raises what `rows` and `write` raise, and what keeps the model from answering any row:
        `ModelNotFound`, `AccessDenied`, `RegistryUnavailable`, `NotRunnable` and the like.
        """
        summary = Summary()
        begun = time.monotonic()
        writing = False

        def hand_over(number: int) -> None:
            nonlocal writing
            result = self._finished.pop(number)
            self._next = number + 1
            writing = True
            write(result)
            writing = False
            self._room.release()

        for _ in range(self._jobs):
            Thread(target=self._work, args=(rows,), daemon=True).start()
        try:
            running = self._jobs
            while running:
                event = self._next_event()
                if event is None:
                    running -= 1
                    continue
                self._take_in(event, summary)
                while self._next in self._finished:
                    hand_over(self._next)
        finally:
            self._stop()
            # Not after a failure to write, which would fail again, and not in the middle of one.
            if not writing:
                self._take_in_rest(summary)
                for number in sorted(self._finished):
                    hand_over(number)
        summary.seconds = time.monotonic() - begun
        return summary

    def _next_event(self) -> tuple[int, Result] | BaseException | None:
        """Wait for the next event. A signal that comes just before the wait does not end it."""
        while True:
            try:
                return self._events.get(timeout=_SIGNAL_SECONDS)
            except Empty:
                continue

    def _take_in(self, event: tuple[int, Result] | BaseException, summary: Summary) -> None:
        if isinstance(event, BaseException):
            raise event
        number, result = event
        self._finished[number] = result
        summary.add(result)
        self._on_result(result)

    def _take_in_rest(self, summary: Summary) -> None:
        while not self._events.empty():
            event = self._events.get()
            if isinstance(event, tuple):
                self._take_in(event, summary)

    def _stop(self) -> None:
        """Have the threads end, and wait a moment until none uses the model, which may be freed.

        One that reads the input may be left in it.
        """
        self._stopped.set()
        with self._asked:
            self._asked.wait_for(lambda: not self._asking, _LEAVING_SECONDS)

    # What follows runs in the batch's own threads.

    def _work(self, rows: Iterator[Row]) -> None:
        try:
            while (taken := self._take(rows)) is not None:
                number, row = taken
                self._events.put((number, self._result(row)))
            self._events.put(None)
        except _Stopped:
            pass
        except BaseException as error:  # noqa: BLE001 - a thread's border: raised again in `run`
            self._events.put(error)

    def _take(self, rows: Iterator[Row]) -> tuple[int, Row] | None:
        """Return the next row and its number; None when there is none."""
        while not self._room.acquire(timeout=_SIGNAL_SECONDS):
            self._go_on()
        with self._taking:
            self._go_on()
            row = next(rows, None)
            if row is None:
                return None
            number = self._taken
            self._taken += 1
            return number, row

    def _result(self, row: Row) -> Result:
        try:
            return self._reply(row)
        except _OF_THE_ROW as error:
            return Result.failed(row, self._model.name, error)

    def _reply(self, row: Row) -> Result:
        """Return the reply to `row`, asked for once more where the model's process ended."""
        try:
            return self._patient_reply(row)
        except (*_OF_THE_ROW, EngineBusy, TooLittleMemory):
            raise
        except NotRunnable:
            pass
        with self._alone:
            self._go_on()
            try:
                return self._patient_reply(row)
            except (*_OF_THE_ROW, EngineBusy, TooLittleMemory):
                raise
            except NotRunnable as error:
                self._deaths += 1
                if self._deaths == _DEATHS:
                    raise
                return Result.failed(row, self._model.name, error)

    def _patient_reply(self, row: Row) -> Result:
        """Return the reply, asked for again and again while the model has too much to do.

        A server that cannot be reached has a shorter time to come back.
        """
        begun, pause = time.monotonic(), _FIRST_PAUSE
        while True:
            self._go_on()
            try:
                return self._ask(row)
            except (EngineBusy, RegistryUnavailable) as error:
                waited = time.monotonic() - begun
                busy = isinstance(error, EngineBusy)
                if waited > (_BUSY_SECONDS if busy else _UNREACHABLE_SECONDS):
                    raise
            self._stopped.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _ask(self, row: Row) -> Result:
        parts = MessageParts()
        with self._asked:
            self._asking += 1
        try:
            chat = self._request(row)
            with self._model.reply(chat) as reply:
                for delta in reply:
                    self._go_on()
                    parts.add(delta)
        finally:
            with self._asked:
                self._asking -= 1
                self._asked.notify()
        if reply.finish_reason == "cancelled":
            raise NotRunnable("the model was unloaded in the middle of the answer")
        self._deaths = 0
        result = Result(
            row.line,
            row.id,
            self._model.name,
            parts.content,
            parts.reasoning,
            parts.tool_calls,
            reply.finish_reason,
            reply.usage,
            reply.timings,
            asked=row.asked,
        )
        try:
            return replace(result, data=self._check(chat, parts.content, reply.finish_reason))
        except NotRunnable as error:
            return replace(result, error=error)

    def _go_on(self) -> None:
        if self._stopped.is_set():
            raise _Stopped
