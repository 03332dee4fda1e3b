"""The SQLite file of history: opened, brought up to date, and its failures as ours."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

from smolctl.errors import IntegrityError, StorageError
from smolctl.history.columns import DamagedValue
from smolctl.history.schema import MIGRATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from smolctl.history.location import HistoryFiles

_BUSY_SECONDS = 20.0
"""How long to wait for others: they hold the file for milliseconds, or while they compact it."""

_DAMAGED = ("no such ", "Could not decode")
"""How SQLite's operational errors begin that are the content's fault."""


@contextmanager
def reading(files: HistoryFiles) -> Iterator[sqlite3.Connection]:
    """Give the block what is kept, as of one moment. Where nothing is, it finds nothing.

    Raises `IntegrityError` for a damaged file, `StorageError` where it may not be read or a
    later smolctl wrote it.
    """
    with _opened(files.database) as connection:
        connection.execute("BEGIN")
        yield connection


@contextmanager
def writing(files: HistoryFiles) -> Iterator[sqlite3.Connection]:
    """Give the block the database, made where it is missing, to change it: all of it or nothing.

    One process after the other gets it. Raises what `reading` raises, and `StorageError` where
    the disk is full.
    """
    files.make(files.database)
    with _opened(files.database) as connection, _transaction(connection):
        yield connection


@contextmanager
def erasing(files: HistoryFiles) -> Iterator[sqlite3.Connection]:
    """Do as `writing` does, and have nothing stay in the files of what the block deletes.

    Raises `StorageError` as well when another program reads the file all the time, so that what
    was deleted is still in its log of changes.
    """
    with _opened(files.database) as connection:
        with _transaction(connection):
            yield connection
        # What was deleted is overwritten with zeros already, but the file of the last changes
        # has older pages still; and the room goes back to the disk.
        connection.execute("VACUUM")
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise StorageError(
                f"it is deleted, but still in {files.database}-wal: another program reads that",
                hint="Run it again when that program has ended.",
            )


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the file and bring it up to date; where there is none, an empty database in memory."""
    there = _is_there(path)
    with (
        _translated(path),
        # Transactions are begun and ended here, and not by Python.
        closing(
            sqlite3.connect(
                path if there else ":memory:", timeout=_BUSY_SECONDS, isolation_level=None
            )
        ) as connection,
    ):
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = NORMAL")
        if _version(connection, path) < len(MIGRATIONS):
            _migrate(connection, path)
        yield connection


def _version(connection: sqlite3.Connection, path: Path) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise StorageError(
            f"a later smolctl wrote {path}, which this one does not understand",
            hint="Use that version, or move the file away: a new one is begun then.",
        )
    return version


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the database from its version to ours, one step after the other, all or none."""
    # Readers and a writer do not wait for each other then, and the file keeps it. While others are
    # at work on it, it cannot be changed; it is right without, too.
    with suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA journal_mode = WAL")
    with _transaction(connection):
        version = _version(connection, path)  # anew: another process may have been faster
        for number, migration in enumerate(MIGRATIONS[version:], version + 1):
            for statement in migration:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    # It takes the right to write at once: who reads first and writes then may have to give up.
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.rollback()


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours, which name the file."""
    try:
        yield
    except sqlite3.ProgrammingError:
        raise  # a mistake of ours
    except (sqlite3.OperationalError, sqlite3.DataError) as error:
        if str(error).startswith(_DAMAGED):
            raise _damaged(path, error) from error
        raise StorageError(
            f"{path}: {error}",
            hint="XDG_STATE_HOME says in which folder conversations and the log are kept.",
        ) from error
    except (sqlite3.DatabaseError, DamagedValue) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> IntegrityError:
    return IntegrityError(
        f"the conversations and the log in {path} are damaged: {error}",
        hint=f"Move it away, and a new one is begun: mv {path} {path}.damaged",
    )


def _is_there(path: Path) -> bool:
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except OSError:
        return True  # SQLite says what is wrong with it
    return True
