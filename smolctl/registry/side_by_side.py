"""Asking for many small things at once."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def side_by_side(
    items: Sequence[_Item], ask: Callable[[_Item], _Result], threads: int
) -> Iterator[tuple[_Item, _Result]]:
    """Yield each of `items` with what `ask` returns for it, as the answers come.

    What `ask` raises is raised here. The threads are daemons, as an executor's are not: a registry
    that does not answer keeps nobody from leaving. Who stops iterating stops what was not begun.
    """
    waiting: queue.SimpleQueue[_Item] = queue.SimpleQueue()
    answers: queue.SimpleQueue[tuple[_Item, _Result | None, BaseException | None]] = (
        queue.SimpleQueue()
    )
    stopped = threading.Event()
    for item in items:
        waiting.put(item)

    def work() -> None:
        while not stopped.is_set():
            try:
                item = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                answers.put((item, ask(item), None))
            except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
                answers.put((item, None, error))

    for _ in range(min(threads, len(items))):
        threading.Thread(target=work, daemon=True).start()
    try:
        for _ in items:
            item, result, error = answers.get()
            if error is not None:
                raise error
            yield item, result  # type: ignore[misc] # with no error it is one
    finally:
        stopped.set()
