"""A model that is loaded: what an API or a one-shot needs of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from smolctl.engine.chat import prepare

if TYPE_CHECKING:
    from smolctl.engine.chat import PreparedChat
    from smolctl.engine.conversation import ChatRequest
    from smolctl.engine.engine import Engine
    from smolctl.engine.options import EngineOptions
    from smolctl.runner.runnable import Runnable


@dataclass(frozen=True)
class LoadedModel:
    """A model with its engine. `options` is what it was loaded with, the context size filled in."""

    runnable: Runnable
    engine: Engine
    options: EngineOptions

    @property
    def name(self) -> str:
        """What the model was asked for as."""
        return self.runnable.source.name

    def prepare(self, chat: ChatRequest) -> PreparedChat:
        """Return `chat` in the model's tokens, with the reader of its reply; see `prepare`."""
        return prepare(chat, self.runnable.template, self.engine.vocabulary)
