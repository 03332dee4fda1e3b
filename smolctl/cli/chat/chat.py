"""The chat on a terminal: a plain one, a line at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolctl.engine.conversation import ChatRequest, Message
from smolctl.errors import NotRunnable, PromptTooLong

if TYPE_CHECKING:
    from smolctl.cli.output import Output
    from smolctl.engine.sampling import Sampling
    from smolctl.runner.chat_model import ChatModel

_PROMPT = "> "
_LEAVE = frozenset({"/bye", "/exit", "/quit"})
_HELP = "Ctrl-C stops an answer, /clear forgets the conversation, /bye or Ctrl-D leaves."


class Chat:
    """A conversation with one model."""

    def __init__(
        self,
        output: Output,
        model: ChatModel,
        sampling: Sampling,
        system: str | None,
    ) -> None:
        self._output = output
        self._model = model
        self._sampling = sampling
        self._beginning = [Message("system", system)] if system else []
        self._messages = list(self._beginning)

    def run(self) -> None:
        """Talk until the person leaves."""
        import readline  # noqa: F401 - importing it gives input() its line editing

        size = self._model.context_size
        context = "" if size is None else f", {size} tokens of context"
        self._output.notice(f"Chat with {self._model.name}{context}.\n{_HELP}")
        while True:
            try:
                line = input(_PROMPT).strip()
                if line in _LEAVE:
                    return
                self._obey(line)
            except KeyboardInterrupt:
                self._output.notice("\n/bye or Ctrl-D leaves.")
            except EOFError:
                self._output.line()
                return

    def _obey(self, line: str) -> None:
        if line == "/clear":
            self._messages = list(self._beginning)
        elif line in ("/help", "/?"):
            self._output.notice(_HELP)
        elif line.startswith("/"):
            self._output.notice(f"No such command: {line.split()[0]}. {_HELP}")
        elif line:
            self._turn(line)

    def _turn(self, line: str) -> None:
        question = Message("user", line)
        chat = ChatRequest((*self._messages, question), self._sampling)
        answer: list[str] = []
        try:
            with self._model.reply(chat) as reply:
                for delta in reply:
                    if delta.reasoning:
                        self._output.aside(delta.reasoning)
                    if delta.content:
                        self._output.piece(delta.content)
                        answer.append(delta.content)
        except KeyboardInterrupt:
            pass  # the answer so far stays part of the conversation
        except PromptTooLong as error:  # the conversation has outgrown the context
            self._output.error(error.message, "/clear begins a new conversation.")
            return
        except NotRunnable as error:  # its worker died, say; the next turn starts another
            if answer:
                self._output.line()
            self._output.error(error.message, error.hint)
            return
        self._output.line()
        self._messages += [question, Message("assistant", "".join(answer))]
