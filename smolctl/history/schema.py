"""The tables of history, as the steps from each version of the file to the next.

A file's version (`PRAGMA user_version`) is how many steps it has behind it. A step that was
released is never changed: what is to be different is another step.
"""

from __future__ import annotations

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # The numbers are shown to people, so none is given twice: AUTOINCREMENT.
        """
        CREATE TABLE conversation (
          id INTEGER PRIMARY KEY AUTOINCREMENT,
          name TEXT UNIQUE,
          model TEXT NOT NULL,
          created TEXT NOT NULL,
          updated TEXT NOT NULL,
          revision INTEGER NOT NULL
        )
        """,
        """
        CREATE TABLE message (
          conversation INTEGER NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
          position INTEGER NOT NULL,
          role TEXT NOT NULL,
          content TEXT NOT NULL,
          tool_calls TEXT,
          tool_call_id TEXT,
          name TEXT,
          PRIMARY KEY (conversation, position)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE exchange (
          id INTEGER PRIMARY KEY AUTOINCREMENT,
          conversation INTEGER REFERENCES conversation (id) ON DELETE SET NULL,
          created TEXT NOT NULL,
          model TEXT NOT NULL,
          system TEXT,
          prompt TEXT NOT NULL,
          reasoning TEXT NOT NULL,
          reply TEXT NOT NULL,
          finish_reason TEXT,
          prompt_tokens INTEGER,
          cached_tokens INTEGER,
          completion_tokens INTEGER,
          queued_seconds REAL,
          prompt_seconds REAL,
          first_token_seconds REAL,
          generation_seconds REAL
        )
        """,
        "CREATE INDEX exchange_conversation ON exchange (conversation)",
    ),
)
