"""A process that keeps turns: `writer.py FOLDER NAME COUNT`, once a line comes on its input."""

from __future__ import annotations

import sys
from pathlib import Path

from smolctl.engine.conversation import Message
from smolctl.history import conversations, log
from smolctl.history.database import writing
from smolctl.history.exchange import Exchange
from smolctl.history.location import HistoryFiles


def main(folder: str, name: str, count: str) -> None:
    """Keep `count` turns of a conversation of its own."""
    files = HistoryFiles(Path(folder))
    kept = None
    messages: tuple[Message, ...] = ()
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(int(count)):
        prompt, reply = f"{name} asks {number}", f"{name} hears {number}"
        messages = (*messages, Message("user", prompt), Message("assistant", reply))
        with writing(files) as connection:
            kept = conversations.write(connection, kept, name=name, model="m", messages=messages)
            assert kept is not None
            log.append(connection, Exchange("m", prompt, reply), kept.id)


if __name__ == "__main__":
    main(*sys.argv[1:])
