"""The chat on a terminal: a person, a model, and what they said so far."""

from __future__ import annotations

import termios
from contextlib import nullcontext
from typing import TYPE_CHECKING

from smolctl.cli.chat.answering import show_answer
from smolctl.cli.chat.attachment import Attachment, with_attachments
from smolctl.cli.chat.commands import COMMAND_NAMES, find_command
from smolctl.cli.chat.context_room import OUTGROWN, fitted, shortened, tokens_per_letter
from smolctl.cli.chat.keyboard import typing_hidden
from smolctl.cli.chat.typed import Ordered, Said, understood
from smolctl.cli.output import brief
from smolctl.cli.statistics import statistics_lines
from smolctl.engine.conversation import ChatRequest
from smolctl.errors import PromptTooLong, SmolctlError, UsageError
from smolctl.history.exchange import Exchange

if TYPE_CHECKING:
    from pathlib import Path

    from smolctl.cli.chat.answering import Answer
    from smolctl.cli.chat.dialogue import Dialogue
    from smolctl.cli.chat.line_reader import LineReader
    from smolctl.cli.chat.open_model import OpenModel
    from smolctl.cli.output import Output
    from smolctl.cli.record import Record
    from smolctl.runner.chat_model import ChatModel

_NAMES = frozenset(COMMAND_NAMES)
_LEAVE = "/bye or Ctrl-D leaves."
_LEAVING_WORDS = frozenset({"exit", "quit"})
_SHOWN_LETTERS = 160
_USUAL_DENSITY = 0.25
"""Tokens a letter, of English."""


class Chat:
    """A conversation with the model that is `opened`, which goes on from `dialogue`.

    The commands (`commands.py`) read and change what is public here.
    """

    def __init__(
        self,
        output: Output,
        reader: LineReader,
        opened: OpenModel,
        dialogue: Dialogue,
        record: Record,
        *,
        verbose: bool = False,
        markdown: bool = True,
    ) -> None:
        self.output = output
        self.dialogue = dialogue
        self.record = record
        self.verbose = verbose
        self.markdown = markdown
        self.leaving = False
        self.attachments: list[Attachment] = []
        self.statistics: list[str] = []
        self.used_tokens: int | None = None
        self.file: Path | None = None  # what the conversation was saved to or loaded from
        self._reader = reader
        self._opened = opened
        self._replaced: Dialogue | None = None  # what /undo after /clear or /load goes back to
        self._unanswered: str | None = None  # what was typed, without its files
        self._density: float | None = None
        self._told_forgotten = False
        self._told_load: float | None = None

    @property
    def model(self) -> ChatModel:
        """The model that answers."""
        return self._opened.model

    def run(self) -> None:
        """Talk until the person leaves."""
        # A reader of keys shows them itself; between its prompts nothing else is to take them.
        with nullcontext() if self._reader.lines else typing_hidden(lines=False):
            self._welcome()
            self._converse()

    def _converse(self) -> None:
        while not self.leaving:
            try:
                text = self._reader.read(self._prompt)
            except KeyboardInterrupt:
                self.output.notice(_LEAVE)
                continue
            except (EOFError, OSError, termios.error):  # the latter: the terminal is gone
                return
            try:
                self._obey(text)
            except KeyboardInterrupt:
                self.output.notice("Stopped.")
            except SmolctlError as error:  # of this turn alone: its worker died, say
                self.output.error(error.message, error.hint)

    def replace(self, dialogue: Dialogue) -> None:
        """Put another conversation in the place of this one, which /undo brings back."""
        if self.dialogue.turns:
            self._replaced = self.dialogue
        self._begin_anew()
        self.file = None
        self.change(dialogue)

    def change(self, dialogue: Dialogue) -> None:
        """Go on from `dialogue`."""
        self.dialogue = dialogue
        self.record.keep(dialogue.messages)

    def undo(self) -> None:
        """Take back the last turn, or what replaced the conversation."""
        if self._replaced is not None:
            replaced, self._replaced = self._replaced, None
            self._begin_anew()
            self.file = None
            self.change(replaced)
            self.output.notice("The conversation is back as it was.")
        elif self._unanswered is not None:
            question, self._unanswered = self._unanswered, None
            self.output.notice(f"It had no answer, and is taken back: {self._brief(question)}")
        elif self.dialogue.turns:
            question = self.dialogue.turns[-1].question
            self.change(self.dialogue.undone())
            self.output.notice(f"Taken back: {self._brief(question)}")
        else:
            raise UsageError("there is nothing to undo")

    def retry(self) -> None:
        """Ask the last question again, in place of its answer where it has one."""
        if self._unanswered is not None:
            self._ask_new(self._unanswered)
        elif self.dialogue.turns:
            self._ask(self.dialogue.undone(), self.dialogue.turns[-1].question)
        else:
            raise UsageError("there is no question yet")

    def switch_model(self, name: str) -> None:
        """Go on with the model called `name`; where that fails, with this one as before."""
        try:
            self._opened.switch(name)
        except KeyboardInterrupt:
            self.output.interrupted()
            self.output.notice(f"Going on with {self.model.name}.")
            return
        finally:
            self.output.on_interrupt(None)
        self.dialogue = self.dialogue.remembering()
        self._begin_anew()
        self.output.notice(f"Going on with {self._named_model}.")

    def show_last_turn(self) -> None:
        """Show what was said last, in short."""
        if self.dialogue.turns:
            last = self.dialogue.turns[-1]
            self.output.notice(f"> {self._brief(last.question)}\n{self._brief(last.answer)}")

    def holds(self, letters: int) -> bool:
        """Whether the context has room for a text of so many `letters`, by what is known of it."""
        context = self.model.context_size
        return context is None or letters * (self._density or _USUAL_DENSITY) < context

    @staticmethod
    def _brief(text: str) -> str:
        return brief(text, _SHOWN_LETTERS)

    @property
    def _named_model(self) -> str:
        size = self.model.context_size
        return self.model.name + ("" if size is None else f", {size} tokens of context")

    @property
    def _prompt(self) -> str:
        count = len(self.attachments)
        return f"({count} file{'s' * (count > 1)}) > " if count else "> "

    def _welcome(self) -> None:
        self.output.notice(f"Chat with {self._named_model}. /help lists commands and keys.")
        turns = len(self.dialogue.turns)
        if turns:
            name = self.record.name or "the last conversation"
            counted = f"{turns} turn{'s' * (turns > 1)}"
            self.output.notice(f"Going on with {name}, {counted}. The last one:")
            self.show_last_turn()

    def _begin_anew(self) -> None:
        """Forget what was measured and told of another conversation, or with another model."""
        self._told_forgotten = False
        self._density = self.used_tokens = self._unanswered = None

    def _obey(self, text: str) -> None:
        typed = understood(text, _NAMES)
        if isinstance(typed, Ordered):
            find_command(typed.name).act(self, typed.argument)
        elif isinstance(typed, Said) and typed.text.strip().lower() in _LEAVING_WORDS:
            self.output.notice(_LEAVE)  # no model has an answer to that
        elif isinstance(typed, Said):
            self._unanswered = typed.text
            self._ask_new(typed.text)

    def _ask_new(self, text: str) -> None:
        """Have what was typed answered, with the files that wait to go with it."""
        if self._ask(self.dialogue, with_attachments(text, self.attachments)):
            self.attachments = []

    def _ask(self, dialogue: Dialogue, question: str) -> bool:
        """Have `question` answered after `dialogue`, and return whether it was.

        A question without an answer is no part of the conversation.
        """
        with typing_hidden(lines=self._reader.lines):
            asked, answer = self._answered(dialogue, question)
        self._measure(asked, question, answer)
        if answer.interrupted and not answer.content:
            self.output.notice("Stopped before the answer began.")
            return False
        self._unanswered = self._replaced = None
        self.dialogue = asked.answered(question, answer.content)
        self._tell_end(answer)
        self.record.keep(self.dialogue.messages, self._exchange(question, answer))
        return True

    def _answered(self, dialogue: Dialogue, question: str) -> tuple[Dialogue, Answer]:
        """Return the answer, and the dialogue with as many turns forgotten as that took."""
        context = self.model.context_size
        if self._density is not None and context is not None:
            dialogue = fitted(dialogue, question, self._density, context)
        while True:
            request = ChatRequest(dialogue.asking(question), dialogue.sampling)
            try:
                answer = show_answer(self.output, self.model, request, markdown=self.markdown)
            except PromptTooLong as error:
                shorter = shortened(dialogue, question, error)
                if shorter is None:
                    raise PromptTooLong(error.message, hint=self._too_long) from error
                dialogue = shorter
            else:
                return dialogue, answer

    @property
    def _too_long(self) -> str:
        """What to do about a message that is longer than the context, with its files."""
        if not self.attachments:
            return "Shorten the message; up-arrow brings it back."
        names = ", ".join(each.name for each in self.attachments)
        return f"The text of {brief(names, _SHOWN_LETTERS)} goes with it: /file - drops that."

    def _measure(self, dialogue: Dialogue, question: str, answer: Answer) -> None:
        if answer.usage is not None:
            self.used_tokens = answer.usage.prompt + answer.usage.completion
            self._density = tokens_per_letter(dialogue.asking(question), answer.usage.prompt)
        load = self.model.load_seconds
        told, self._told_load = self._told_load, load
        self.statistics = statistics_lines(
            None if load == told else load, answer.usage, answer.timings
        )
        if answer.interrupted and answer.usage is None:
            self.statistics.append("The answer was stopped: its tokens were not counted.")

    def _tell_end(self, answer: Answer) -> None:
        if answer.finish_reason == "length":
            self.output.notice(self._why_cut(answer))
        elif not answer.content:
            self.output.notice("The answer is empty.")
        if self.dialogue.forgotten and not self._told_forgotten:
            self._told_forgotten = True
            self.output.notice(OUTGROWN)
        if self.verbose:
            self.output.notice("\n".join(self.statistics))

    def _why_cut(self, answer: Answer) -> str:
        limit = self.dialogue.sampling.max_tokens
        if limit is not None and (answer.usage is None or answer.usage.completion >= limit):
            return f"The answer was cut: max_tokens is {limit} (/set max_tokens)."
        return "The answer was cut: the context is full."

    def _exchange(self, question: str, answer: Answer) -> Exchange:
        return Exchange(
            self.model.name,
            question,
            answer.content,
            self.dialogue.system,
            answer.reasoning,
            answer.finish_reason,
            answer.usage,
            answer.timings,
        )
