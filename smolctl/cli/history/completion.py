"""What a shell completes in the place of a conversation's name."""

from __future__ import annotations

import os

from smolctl.errors import SmolctlError
from smolctl.history.location import HistoryFiles
from smolctl.settings import Settings


def conversation_names(incomplete: str) -> list[str]:
    """Return the names and numbers that begin with `incomplete`."""
    from smolctl.history.conversations import summaries
    from smolctl.history.database import reading

    try:
        files = HistoryFiles(Settings.from_environment(os.environ).state)
        with reading(files) as connection:
            labels = [each.label for each in summaries(connection)]
    except SmolctlError:
        return []  # a completion has nowhere to say what is wrong
    return [label for label in labels if label.startswith(incomplete)]
