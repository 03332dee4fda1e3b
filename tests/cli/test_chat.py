"""The chat, with a person and a model of the test's own."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from smolctl.cli.chat.chat import Chat
from smolctl.cli.output import Output
from smolctl.engine.conversation import ChatRequest, Delta
from smolctl.engine.sampling import Sampling
from smolctl.errors import NotRunnable, PromptTooLong

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


class Model:
    """Says the next of `replies`, an error where that is one, and keeps what it was asked."""

    name = "a model"
    context_size = None

    def __init__(self, *replies: list[Any]) -> None:
        self.asked: list[ChatRequest] = []
        self._replies = list(replies)

    @contextmanager
    def reply(self, chat: ChatRequest) -> Iterator[Any]:
        self.asked.append(chat)
        yield self._pieces(self._replies.pop(0))

    @staticmethod
    def _pieces(reply: list[Any]) -> Iterator[Delta]:
        for piece in reply:
            if isinstance(piece, Exception):
                raise piece
            yield Delta(content=piece)


def talk(monkeypatch: pytest.MonkeyPatch, model: Model, *lines: str) -> None:
    typed = iter(lines)

    def read(prompt: str) -> str:
        del prompt
        try:
            return next(typed)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("builtins.input", read)
    Chat(Output(), model, Sampling(), "Be brief.").run()


def test_what_was_said_goes_with_the_next_question(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model(["Ro", "me."], ["Yes."])
    talk(monkeypatch, model, "Italy's capital?", "Sure?")
    assert [(each.role, each.content) for each in model.asked[1].messages] == [
        ("system", "Be brief."),
        ("user", "Italy's capital?"),
        ("assistant", "Rome."),
        ("user", "Sure?"),
    ]


def test_a_worker_that_died_is_told_of_and_the_chat_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    died = NotRunnable("the model's process ended", hint="Its log is here")
    model = Model(["Ro", died], ["Rome."])
    talk(monkeypatch, model, "Italy's capital?", "Italy's capital?")
    out, err = capsys.readouterr()
    assert out == "Ro\nRome.\n\n"
    assert "smolctl: the model's process ended\n  Its log is here\n" in err
    assert model.asked[0] == model.asked[1]  # an answer that broke off is no part of it


def test_a_conversation_that_is_too_long_may_begin_anew(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = Model([PromptTooLong("too long", hint="--ctx-size")])
    talk(monkeypatch, model, "hi")
    err = capsys.readouterr().err
    assert "smolctl: too long\n  /clear begins a new conversation.\n" in err
