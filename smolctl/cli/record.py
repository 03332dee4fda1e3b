"""Where the turns of a run are kept: nowhere, in a conversation on disk, in the log as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from smolctl.cli.invocation import Invocation
    from smolctl.engine.conversation import Message
    from smolctl.history.exchange import Exchange


class Record:
    """Keeps nothing; what keeps something looks the same."""

    messages: tuple[Message, ...] = ()
    """What was said before, the system prompt first where there was one."""

    name: str | None = None
    """What the conversation is called; None for one without a name."""

    def keep(self, messages: Sequence[Message], exchange: Exchange | None = None) -> None:
        """Make `messages` the conversation as it stands, and add `exchange` to the log.

        Without an exchange the conversation alone changed: by `/undo`, say.
        """


def open_record(invocation: Invocation, model: str, *, session: str | None, latest: bool) -> Record:
    """Return where this run's turns go: the session of that name, or with `latest` the last one.

    With neither, nowhere, unless `smolctl logs on` was said. Raises `ModelNotFound` when there
    is no conversation to go on with.
    """
    del invocation, model, session, latest
    return Record()
