"""How a chat begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolctl.cli.chat.line_reader import line_reader, prepare

if TYPE_CHECKING:
    from smolctl.cli.chat_model import Wanted
    from smolctl.cli.invocation import Invocation
    from smolctl.cli.record import Record
    from smolctl.engine.sampling import Sampling


def chat_on_terminal(
    invocation: Invocation,
    wanted: Wanted,
    sampling: Sampling,
    system: str | None,
    record: Record,
    *,
    verbose: bool,
    markdown: bool,
) -> None:
    """Chat with what is `wanted` until the person leaves, going on from what `record` has.

    A `system` prompt that is given takes the place of the record's.
    """
    prepare(invocation.output)
    from smolctl.cli.chat.chat import Chat
    from smolctl.cli.chat.commands import COMMANDS
    from smolctl.cli.chat.dialogue import Dialogue
    from smolctl.cli.chat.input_history import InputHistory
    from smolctl.cli.chat.open_model import OpenModel

    settings = invocation.settings
    history = InputHistory(settings.state / "chat_history") if settings.keep_input else None
    dialogue = Dialogue.of(record.messages, sampling)
    if system is not None:
        dialogue = dialogue.with_system(system)
    with OpenModel(invocation, wanted) as opened:
        reader = line_reader(invocation.output, COMMANDS, history)
        Chat(
            invocation.output, reader, opened, dialogue, record, verbose=verbose, markdown=markdown
        ).run()
