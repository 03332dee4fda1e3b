"""A file of results that a later run goes on with.

Results are appended, a whole line at a time, in the order of the rows: a kill leaves whole lines,
and at most the beginning of one after them. A run that finds results asks about no row that has
one, and again about those that failed. What it adds stands behind what was there; when that puts
results out of order, or leaves an error behind that something better took the place of, the file
is written anew, in order, at the run's end.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import stat
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolctl.errors import StorageError, UsageError
from smolctl.runner.batch.rows import ASKED_PARTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import BinaryIO

    from smolctl.runner.batch.results import Result
    from smolctl.runner.batch.rows import RowId

_BEGINNING = b'{"id":'


class ResultFile:
    """The results at `path`, with a lock that keeps others from writing there. Close it.

    `finished` is how many rows have a result. Raises `UsageError` where there is something that is
    no result of a batch, unless it is to be `overwrite`n, and `StorageError`.
    """

    resumable = True

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        self.path = Path(os.path.realpath(path))
        self._ordinals: dict[RowId, int] = {}
        self._asked: dict[RowId, Any] = {}
        self._last = -1
        self._taken = self._disordered = False
        with _storing(self.path):
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
            self._file = os.fdopen(handle, "r+b")
        self._overwrite = overwrite
        with ExitStack() as undo:
            undo.callback(self._file.close)
            self._lock()
            if not overwrite:
                self._read()
            undo.pop_all()

    @property
    def finished(self) -> int:
        """How many rows have a result."""
        return len(self._ordinals)

    def is_finished(self, row: RowId, asked: str | None = None) -> bool:
        """Whether `row` has a result. To be asked about each row once, in the order of the rows.

        `asked` is a hash of what it asks. Raises `UsageError` where the result is the reply to
        something else.
        """
        ordinal = self._ordinals.get(row)
        if ordinal is None:
            self._taken = True
            return False
        before = self._asked[row]
        if asked is not None and before not in (None, asked):
            raise UsageError(
                f"what {self.path} has for row {row!r} came of {_difference(before, asked)}",
                hint="--overwrite begins the file anew; or name another one with -o.",
            )
        self._disordered |= self._taken or ordinal < self._last
        self._last = ordinal
        return True

    def begin(self) -> None:
        """Throw away what is to be overwritten: what is needed for results is there."""
        if self._overwrite:
            with _storing(self.path):
                self._file.truncate(0)

    def write(self, result: Result) -> None:
        """Append `result`. Raises `StorageError`."""
        with _storing(self.path):
            self._file.write(result.encoded())
            self._file.flush()

    def put_in_order(self, lines: Mapping[RowId, int]) -> None:
        """Write the file anew where its results are out of order; `lines` are the rows' places.

        What has no place yet comes last. Raises `StorageError`.
        """
        if not self._disordered:
            return
        with _storing(self.path), self.path.open("rb") as file:
            places = _places(file, lines)
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
            with ExitStack() as undo:
                undo.callback(Path(name).unlink)
                with os.fdopen(handle, "wb") as ordered:
                    for offset, size in places:
                        file.seek(offset)
                        ordered.write(file.read(size))
                    ordered.flush()
                    os.fchmod(handle, mode)
                    os.fsync(handle)
                Path(name).replace(self.path)
                undo.pop_all()

    def close(self) -> None:
        """Close the file, and let go of the lock."""
        with _storing(self.path):
            self._file.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with _storing(self.path):
                # Another may have put a new file there, in order, since this one was opened.
                there = os.path.samestat(self.path.stat(), os.fstat(self._file.fileno()))
        except BlockingIOError:
            there = False
        except OSError:
            return  # a file system without locks
        if not there:
            raise UsageError(f"another batch is writing {self.path}")

    def _read(self) -> None:
        """Read what is there, and mend an end that a kill left."""
        with _storing(self.path):
            end = 0
            for number, line in enumerate(self._file, 1):
                found = _result(line)
                if found is not None:
                    end += len(line)
                    self._note(found, number)
                    if not line.endswith(b"\n"):
                        self._file.write(b"\n")
                elif line.endswith(b"\n") or line[: len(_BEGINNING)] != _BEGINNING[: len(line)]:
                    raise UsageError(
                        f"line {number} of {self.path} is no result of a batch",
                        hint="--overwrite begins the file anew; or name another one with -o.",
                    )
                else:
                    self._file.truncate(end)

    def _note(self, found: dict[str, Any], number: int) -> None:
        if "error" in found or found["id"] is None:
            self._disordered = True
        else:
            self._disordered |= found["id"] in self._ordinals
            self._ordinals[found["id"]] = number
            self._asked[found["id"]] = found.get("asked")


def _difference(before: Any, asked: str) -> str:
    """Say which of `ASKED_PARTS` differ in two hashes of them; all may, where nobody knows."""
    if not isinstance(before, str) or len(before) != len(asked):
        return "another prompt, another model, or other settings"
    size = len(asked) // len(ASKED_PARTS)
    differing = [
        part
        for place, part in enumerate(ASKED_PARTS)
        if before[place * size :][:size] != asked[place * size :][:size]
    ]
    return " and ".join(differing)


def _places(file: BinaryIO, lines: Mapping[RowId, int]) -> list[tuple[int, int]]:
    """Return offset and size, in bytes, of what is to stay of `file`, in the order of the rows.

    Of several results of one row, the last that is no error stays, else the last error. An error
    that names no row but the line it stands for stays until that line is a row.
    """
    rows = set(lines.values())
    kept: dict[tuple[str, RowId], tuple[float, bool, int, int]] = {}
    offset = 0
    for line in file:
        found = _result(line)
        if found is not None:
            row, failed = found["id"], "error" in found
            key = ("row", row) if row is not None else ("line", _line(found))
            place = lines.get(row, math.inf) if row is not None else _line(found)
            before = kept.get(key)
            if before is None or before[1] or not failed:
                kept[key] = (place, failed, offset, len(line))
        offset += len(line)
    staying = [value for (kind, which), value in kept.items() if kind == "row" or which not in rows]
    staying.sort(key=lambda value: value[0])
    return [(offset, size) for _, _, offset, size in staying]


def _line(found: dict[str, Any]) -> int:
    line = found.get("line")
    return line if isinstance(line, int) else 0


def _result(line: bytes) -> dict[str, Any] | None:
    """Return the result that `line` is; None when it is none."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not ("text" in found or "error" in found):
        return None
    row = found.get("id", False)
    named = isinstance(row, (str, int, float, type(None))) and not isinstance(row, bool)
    return found if named else None


@contextmanager
def _storing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error
