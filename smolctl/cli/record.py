"""Where the turns of a run are kept: nowhere, in a conversation on disk, in the log as well."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from smolctl.cli.layout import is_layout
from smolctl.cli.output import brief
from smolctl.errors import InvalidReference, ModelNotFound, SmolctlError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from smolctl.cli.invocation import Invocation
    from smolctl.cli.output import Output
    from smolctl.engine.conversation import Message
    from smolctl.history.exchange import Conversation, Exchange
    from smolctl.history.location import HistoryFiles


class Record:
    """Keeps nothing; what keeps something looks the same."""

    messages: tuple[Message, ...] = ()
    """What was said before, the system prompt first where there was one."""

    name: str | None = None
    """What the conversation is called; None for one without a name."""

    def keep(self, messages: Sequence[Message], exchange: Exchange | None = None) -> None:
        """Make `messages` the conversation as it stands, and add `exchange` to the log.

        Without an exchange the conversation alone changed: by `/undo`, say. It never fails: what
        was answered counts, and that it could not be kept is said on stderr, once.
        """


def open_record(invocation: Invocation, model: str, *, session: str | None, latest: bool) -> Record:
    """Return where this run's turns go: the session of that name, or with `latest` the last one.

    With neither, nowhere, unless `smolctl logs on` was said. Raises `ModelNotFound` when there
    is no conversation to go on with, `UsageError` for a name that can be none, and what
    `history.database.reading` raises; for the log alone nothing is read.
    """
    from smolctl.history.location import HistoryFiles

    files = HistoryFiles(invocation.settings.state)
    log = files.log_is_on
    if session is None and not latest:
        return _Kept(invocation.output, files, model, log=log, chosen=False) if log else Record()
    if session is not None and latest:
        raise UsageError(
            "--session and --continue contradict each other",
            hint="--session goes on with the conversation of that name, --continue with the last.",
        )
    from smolctl.history.conversations import find
    from smolctl.history.conversations import latest as last
    from smolctl.history.database import reading

    with reading(files) as connection:
        found = last(connection) if session is None else find(connection, session)
    if found is None and session is None:
        raise ModelNotFound(
            "no conversation was kept that could go on",
            hint="--session NAME keeps one; `smolctl logs on` keeps all from then on.",
        )
    name = session if found is None else found.name
    return _Kept(invocation.output, files, model, found, name, log=log, chosen=True)


def check_continued(invocation: Invocation, model: str) -> None:
    """Raise `UsageError` if `model`, which is to go on with the last conversation, is none here.

    It is the prompt then, as a rule: `run -c again`. That another model goes on is said.
    """
    from smolctl.cli.source import looks_like_a_file
    from smolctl.history.conversations import latest
    from smolctl.history.database import reading
    from smolctl.history.location import HistoryFiles

    with reading(HistoryFiles(invocation.settings.state)) as connection:
        found = latest(connection)
    if found is None or invocation.settings.host is not None or is_layout(model):
        return
    if looks_like_a_file(model):
        is_same = found.model == os.path.basename(model)  # noqa: PTH119 - a value is no path yet
    else:
        try:
            here = invocation.store.find(model)
        except InvalidReference:
            here = None
        if here is None:
            raise UsageError(
                f"no such model here: {brief(model)}",
                hint=f"If it is the prompt: `smolctl model run -c {found.model} PROMPT`.",
            )
        try:
            is_same = found.model == model or invocation.store.find(found.model) == here
        except InvalidReference:  # a file's name, in capitals say
            is_same = False
    if not is_same:
        invocation.output.notice(f"{model} goes on with a conversation with {found.model}.")


class _Kept(Record):
    """Keeps a conversation, and the log where it is on.

    One that was `chosen` by a flag is kept whatever the log does; others end with it, and when
    somebody deletes them.
    """

    def __init__(
        self,
        output: Output,
        files: HistoryFiles,
        model: str,
        found: Conversation | None = None,
        name: str | None = None,
        *,
        log: bool,
        chosen: bool,
    ) -> None:
        self.messages = () if found is None else found.messages
        self.name = name
        self._output = output
        self._files = files
        self._model = model if found is None else found.model
        self._conversation = found
        self._log = log
        self._chosen = chosen
        self._deleted = False
        self._told = False

    def keep(self, messages: Sequence[Message], exchange: Exchange | None = None) -> None:
        """Write what changed, as one transaction."""
        self._log = self._log and self._files.log_is_on  # it may be turned off in a chat
        if exchange is not None:
            self._model = exchange.model
        exchange = exchange if self._log else None
        begun = self._conversation is not None
        if self._chosen:
            wanted = begun or any(message.role == "assistant" for message in messages)
        else:
            wanted = self._log and (begun or exchange is not None)
        if not wanted:
            return
        try:
            self._write(messages, exchange)
        except SmolctlError as error:
            if not self._told:
                self._told = True
                what = "conversation" if self._chosen else "log"
                self._output.notice(f"The answer is not kept in the {what}: {error.message}.")

    def _write(self, messages: Sequence[Message], exchange: Exchange | None) -> None:
        from smolctl.history import conversations, log
        from smolctl.history.database import writing

        before = written = self._conversation
        with writing(self._files) as connection:
            if not self._deleted:
                written = conversations.write(
                    connection, before, name=self.name, model=self._model, messages=messages
                )
            if exchange is not None:
                log.append(connection, exchange, None if written is None else written.id)
        self._deleted = written is None
        self._conversation = written
        self._tell_of_branch(before)

    def _tell_of_branch(self, before: Conversation | None) -> None:
        """Say when somebody else went on with the conversation, so that this one is another now."""
        now = self._conversation
        if now is None or now.name is not None:
            return
        if self.name is not None or (before is not None and before.id != now.id):
            whose = f"the session {self.name}" if self.name is not None else "the conversation"
            self.name = None
            self._output.notice(
                f"Another run went on with {whose} meanwhile: this one is conversation {now.id}"
                f" now, and goes on with `--session {now.id}`."
            )
