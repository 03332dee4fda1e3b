"""A batch against models of the test's own: order, failures, what is asked again, the end."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from smolctl.engine.conversation import ChatRequest, Delta
from smolctl.engine.generation import Usage
from smolctl.errors import (
    ConversationRefused,
    EngineBusy,
    ModelNotFound,
    NotRunnable,
    PromptTooLong,
    RegistryUnavailable,
    StorageError,
    TextTooLong,
    TooLittleMemory,
    UsageError,
)
from smolctl.runner.batch import batch as module
from smolctl.runner.batch.batch import Batch, Summary
from smolctl.runner.batch.rows import Asking, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from smolctl.runner.batch.results import Result

LIMIT = 20  # seconds


@dataclass
class Reply:
    pieces: Iterable[Delta]
    finish_reason: str | None = "stop"
    usage: Usage | None = field(default_factory=lambda: Usage(3, 0, 2))
    timings: None = None

    def __iter__(self) -> Iterator[Delta]:
        return iter(self.pieces)


class Model:
    """Answers what `say` gives for the prompt, in the thread that asks; counts those at once."""

    name = "m"
    context_size = sequences = load_seconds = None

    def __init__(self, say: Callable[[str], str | Reply] = lambda prompt: f"re: {prompt}") -> None:
        self.asked: list[str] = []
        self.at_once = self.most_at_once = 0
        self._lock = threading.Lock()
        self._say = say

    @contextmanager
    def reply(self, chat: ChatRequest) -> Iterator[Reply]:
        prompt = chat.messages[-1].content
        with self._lock:
            self.asked.append(prompt)
            self.at_once += 1
            self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            said = self._say(prompt)
            yield Reply([Delta(content=said)]) if isinstance(said, str) else said
        finally:
            with self._lock:
                self.at_once -= 1


class Failing:
    """Says what `say` says, but raises the next of a prompt's errors first."""

    def __init__(self, **errors: list[Exception]) -> None:
        self._errors = errors

    def __call__(self, prompt: str) -> str:
        waiting = self._errors.get(prompt)
        if waiting:
            raise waiting.pop(0)
        return prompt.upper()


def rows(*prompts: str) -> Iterator[Row]:
    return iter([Row(line, line, {"prompt": text}) for line, text in enumerate(prompts, 1)])


def answered(model: Model, *prompts: str, jobs: int = 2) -> tuple[list[Result], Summary]:
    results: list[Result] = []
    summary = Batch(model, Asking().request, jobs=jobs).run(rows(*prompts), results.append)
    return results, summary


def texts(results: list[Result]) -> list[str | None]:
    return [each.text if each.error is None else each.error.message for each in results]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FIRST_PAUSE", 0.001)


def test_results_come_in_the_order_of_the_rows_whatever_finishes_first() -> None:
    others = threading.Event()
    told: list[int] = []

    def say(prompt: str) -> str:
        if prompt == "slow":
            assert others.wait(LIMIT)
        elif prompt == "last":
            others.set()
        return prompt

    results: list[Result] = []
    batch = Batch(
        Model(say), Asking().request, jobs=2, on_result=lambda each: told.append(each.line)
    )
    summary = batch.run(rows("slow", "b", "c", "last"), results.append)
    assert texts(results) == ["slow", "b", "c", "last"]
    assert told[:2] == [2, 3]
    assert (summary.done, summary.failed, summary.tokens) == (4, 0, 8)


def test_a_result_is_written_when_those_before_it_are_not_when_all_are() -> None:
    first_written = threading.Event()

    def say(prompt: str) -> str:
        if prompt == "b":
            assert first_written.wait(LIMIT)
        return prompt

    Batch(Model(say), Asking().request, jobs=2).run(rows("a", "b"), lambda _: first_written.set())


def test_rows_are_asked_as_many_at_once_as_there_are_jobs() -> None:
    meeting = threading.Barrier(3)

    def say(prompt: str) -> str:
        meeting.wait(LIMIT)
        return prompt

    model = Model(say)
    answered(model, *"abcdef", jobs=3)
    assert model.most_at_once == 3


def test_rows_wait_when_too_many_are_finished_behind_a_slow_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "WINDOW", 5)
    taken: list[int] = []
    full, more = threading.Event(), threading.Event()

    def read() -> Iterator[Row]:
        for row in rows(*"abcdefgh"):
            taken.append(row.line)
            if row.line > 5:
                more.set()
            yield row

    def say(prompt: str) -> str:
        if prompt == "a":
            assert full.wait(LIMIT)
            assert not more.wait(0.3)  # long enough for a thread that does not wait
        elif prompt == "e":
            full.set()
        return prompt

    results: list[Result] = []
    Batch(Model(say), Asking().request, jobs=2).run(read(), results.append)
    assert texts(results) == list("abcdefgh")


def test_a_row_that_makes_no_sense_or_is_too_long_fails_alone() -> None:
    too_long = PromptTooLong("too long", prompt_tokens=9, context_size=8)
    model = Model(Failing(b=[too_long], d=[UsageError("no such token")]))
    results, summary = answered(model, "a", "b", "", "d", "e")
    assert texts(results) == ["A", "too long", "prompt is empty", "no such token", "E"]
    assert sorted(model.asked) == ["a", "b", "d", "e"]
    assert (summary.done, summary.failed) == (2, 3)


def test_a_text_that_stays_too_long_and_a_refused_conversation_are_no_dead_worker() -> None:
    errors: dict[str, list[Exception]] = {name: [TextTooLong("not shorter")] for name in "abc"}
    errors["d"] = [ConversationRefused("roles must alternate")]
    model = Model(Failing(**errors))
    results, _ = answered(model, *"abcde", jobs=1)
    assert texts(results) == [*["not shorter"] * 3, "roles must alternate", "E"]
    assert model.asked == list("abcde")


def test_a_reply_that_is_refused_is_an_error_with_its_text() -> None:
    def check(chat: ChatRequest, text: str, reason: str | None) -> int:
        if reason == "length":
            raise NotRunnable("cut")
        return len(chat.messages[-1].content) + len(text)

    def say(prompt: str) -> Reply:
        reason = "stop" if prompt == "whole" else "length"
        return Reply([Delta(reasoning="Hm."), Delta(content="abc")], reason)

    results: list[Result] = []
    batch = Batch(Model(say), Asking().request, jobs=1, check=check)
    summary = batch.run(rows("a", "whole"), results.append)
    assert texts(results) == ["cut", "abc"]
    assert [(each.text, each.reasoning, each.data) for each in results] == [
        ("abc", "Hm.", None),
        ("abc", "Hm.", 8),
    ]
    assert (summary.done, summary.failed) == (1, 1)


def test_a_row_whose_worker_died_is_asked_once_more() -> None:
    died = NotRunnable("it ended in the middle")
    cut = Reply([Delta(content="half")], "cancelled")
    said: list[str | Reply] = [cut, "whole"]
    model = Model(Failing(a=[died], c=[died, died]))
    results, _ = answered(model, "a", "b", "c", "d")
    assert texts(results) == ["A", "B", "it ended in the middle", "D"]
    assert sorted(model.asked) == ["a", "a", "b", "c", "c", "d"]
    results, _ = answered(Model(lambda _: said.pop(0)), "a")
    assert texts(results) == ["whole"]


def test_rows_that_had_a_worker_that_died_are_asked_one_after_another() -> None:
    meeting = threading.Barrier(3)
    seen: set[str] = set()
    asking, together = threading.Lock(), threading.Event()

    def say(prompt: str) -> str:
        if prompt not in seen:
            seen.add(prompt)
            meeting.wait(LIMIT)
            raise NotRunnable("died")
        if not asking.acquire(blocking=False):
            together.set()
            return prompt
        together.wait(0.1)  # long enough for a thread that does not wait
        asking.release()
        return prompt

    results, _ = answered(Model(say), "a", "b", "c", jobs=3)
    assert texts(results) == ["a", "b", "c"]
    assert not together.is_set()


def test_rows_that_end_the_worker_now_and_then_do_not_end_the_batch() -> None:
    died = [NotRunnable("died")] * 2
    results, summary = answered(
        Model(Failing(**{prompt: [*died] for prompt in "bdegh"})), *"abcdefghi", jobs=1
    )
    assert texts(results) == ["A", "died", "C", "died", "died", "F", "died", "died", "I"]
    assert (summary.done, summary.failed) == (4, 5)


def test_a_model_that_dies_again_and_again_ends_the_batch() -> None:
    def say(prompt: str) -> str:
        if prompt == "a":
            return prompt
        raise NotRunnable("it crashes")

    results: list[Result] = []
    model = Model(say)
    with pytest.raises(NotRunnable, match="it crashes"):
        Batch(model, Asking().request, jobs=1).run(rows(*"abcdefgh"), results.append)
    assert texts(results) == ["a", "it crashes", "it crashes"]
    assert model.asked == list("abbccdd")


def test_who_is_busy_is_asked_again_later() -> None:
    busy = [EngineBusy("busy") for _ in range(6)]
    away = [RegistryUnavailable("away"), RegistryUnavailable("away")]
    results, _ = answered(Model(Failing(a=busy, b=away)), "a", "b")
    assert texts(results) == ["A", "B"]


@pytest.mark.parametrize(
    "error", [ModelNotFound("gone"), TooLittleMemory("no room"), RegistryUnavailable("away")]
)
def test_what_concerns_all_rows_ends_the_batch(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_UNREACHABLE_SECONDS", 0)
    results: list[Result] = []
    with pytest.raises(type(error)):
        Batch(Model(Failing(b=[error] * 9)), Asking().request, jobs=1).run(
            rows("a", "b", "c"), results.append
        )
    assert texts(results) == ["A"]


def test_a_bug_in_a_thread_is_raised_where_the_batch_was_started() -> None:
    with pytest.raises(ZeroDivisionError):
        answered(Model(lambda _: str(1 // 0)), "a")


def test_what_is_finished_is_written_in_order_when_the_batch_is_interrupted() -> None:
    slow_is_asked, waiting = threading.Event(), threading.Event()
    results: list[Result] = []

    def pieces() -> Iterator[Delta]:
        slow_is_asked.set()
        while not waiting.is_set():
            yield Delta(content=".")

    def say(prompt: str) -> str | Reply:
        return Reply(pieces()) if prompt == "slow" else prompt

    def interrupt(result: Result) -> None:
        if result.text == "d":
            assert slow_is_asked.wait(LIMIT)
            raise KeyboardInterrupt

    model = Model(say)
    with pytest.raises(KeyboardInterrupt):
        Batch(model, Asking().request, jobs=2, on_result=interrupt).run(
            rows("a", "slow", "c", "d"), results.append
        )
    assert texts(results) == ["a", "c", "d"]
    assert model.at_once == 0, "the slow one is still being asked"
    waiting.set()


def test_a_result_that_cannot_be_written_ends_the_batch_and_nothing_more_is_tried() -> None:
    tried: list[int] = []

    def write(result: Result) -> None:
        tried.append(result.line)
        raise StorageError("the disk is full")

    with pytest.raises(StorageError):
        Batch(Model(), Asking().request, jobs=1).run(rows("a", "b", "c"), write)
    assert tried == [1]


def test_an_input_that_breaks_off_ends_the_batch_after_what_came() -> None:
    def read() -> Iterator[Row]:
        yield from rows("a", "b")
        raise StorageError("cannot read the rows")

    results: list[Result] = []
    with pytest.raises(StorageError, match="cannot read"):
        Batch(Model(), Asking().request, jobs=1).run(read(), results.append)
    assert texts(results) == ["re: a", "re: b"]
