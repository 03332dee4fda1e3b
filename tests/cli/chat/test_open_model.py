"""The model of a chat, and another in its place, in this process."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from smolctl.cli.chat import open_model
from smolctl.cli.chat.open_model import OpenModel
from smolctl.cli.chat_model import Wanted
from smolctl.cli.options import PullPolicy
from smolctl.errors import TooLittleMemory
from tests.cli.chat.conftest import Model
from tests.support.gguf_files import tiny_llama

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Memory:
    """Has one model at a time; opening one fails with what is in `fails`, first to last."""

    def __init__(self) -> None:
        self.inside: list[str] = []
        self.fails: list[BaseException | None] = []

    @contextmanager
    def open_chat(self, _: object, wanted: Wanted, *, load: bool) -> Iterator[Model]:
        assert load
        assert not self.inside
        error = self.fails.pop(0) if self.fails else None
        if error is not None:
            raise error
        self.inside.append(wanted.model)
        yield Model(name=wanted.model)
        self.inside.remove(wanted.model)


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Memory:
    made = Memory()
    monkeypatch.setattr(open_model, "open_chat", made.open_chat)
    return made


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """Two models, as files."""
    paths = (tmp_path / "old.gguf", tmp_path / "new.gguf")
    for path in paths:
        path.write_bytes(tiny_llama())
    return str(paths[0]), str(paths[1])


def wanted(model: str) -> Wanted:
    return Wanted(model, PullPolicy.never, local=True)


def test_one_leaves_before_the_next_comes(memory: Memory, files: tuple[str, str]) -> None:
    invocation: Any = None
    with OpenModel(invocation, wanted(files[0])) as opened:
        opened.switch(files[1])
        assert opened.model.name == files[1]
        assert memory.inside == [files[1]]
    assert memory.inside == []


def test_the_old_one_comes_back_when_the_new_one_does_not_fit(
    memory: Memory, files: tuple[str, str]
) -> None:
    invocation: Any = None
    with OpenModel(invocation, wanted(files[0])) as opened:
        memory.fails = [TooLittleMemory("no")]
        with pytest.raises(TooLittleMemory):
            opened.switch(files[1])
        assert opened.model.name == files[0]
        assert memory.inside == [files[0]]


@pytest.mark.parametrize("second", [TooLittleMemory("no"), KeyboardInterrupt()])
def test_one_that_did_not_come_back_does_so_when_it_is_asked(
    memory: Memory, files: tuple[str, str], second: BaseException
) -> None:
    invocation: Any = None
    with OpenModel(invocation, wanted(files[0])) as opened:
        memory.fails = [KeyboardInterrupt(), second]
        with pytest.raises((TooLittleMemory, KeyboardInterrupt)):
            opened.switch(files[1])
        assert memory.inside == []
        assert opened.model.name == files[0]
        assert memory.inside == [files[0]]
    assert memory.inside == []
