"""A model that is loaded: what an API or a one-shot needs of it."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Thread
from typing import TYPE_CHECKING

from smolctl.engine.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Callable

    from smolctl.engine.chat import PreparedChat
    from smolctl.engine.conversation import ChatRequest
    from smolctl.engine.options import EngineOptions
    from smolctl.runner.runnable import Runnable


@dataclass(frozen=True)
class LoadedModel:
    """A model with its engine. `options` is what it was loaded with, the context size filled in."""

    runnable: Runnable
    engine: Engine
    options: EngineOptions

    @classmethod
    def open(
        cls,
        runnable: Runnable,
        options: EngineOptions,
        *,
        debug: bool = False,
        on_abort: Callable[[str], object] | None = None,
    ) -> LoadedModel:
        """Load `runnable` as `Engine.open` does; whoever calls closes the engine.

        Its chat template is compiled meanwhile: that is Python's work, and loading is llama.cpp's.
        """
        compiling = Thread(target=_ready_to_chat, args=(runnable,), daemon=True)
        compiling.start()
        engine = Engine.open(runnable.source.weights, options, debug=debug, on_abort=on_abort)
        compiling.join()
        return cls(runnable, engine, options)

    @property
    def name(self) -> str:
        """What the model was asked for as."""
        return self.runnable.source.name

    def prepare(self, chat: ChatRequest) -> PreparedChat:
        """Return `chat` in the model's tokens, with the reader of its reply; see `chat.prepare`."""
        from smolctl.engine.chat import prepare

        return prepare(chat, self.runnable.template, self.engine.vocabulary)


def _ready_to_chat(runnable: Runnable) -> None:
    """Import and compile what the first chat needs."""
    import smolctl.engine.chat  # noqa: F401 - for `prepare`

    runnable.template.compile()
