"""Where a batch's rows come from and its results go: files, standard streams, named pipes."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from smolctl.cli.text_file import is_there, named_file
from smolctl.errors import StorageError, UsageError
from smolctl.runner.batch.result_file import ResultFile
from smolctl.runner.batch.rows import RowForm, numbered_lines

if TYPE_CHECKING:
    from smolctl.cli.output import Output
    from smolctl.runner.batch.results import Result
    from smolctl.runner.batch.rows import RowId

STREAM = "-"


@dataclass(frozen=True)
class Input:
    """Rows behind a descriptor. `path` is their file's, where they have one."""

    handle: int
    name: str
    path: Path | None = None

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield the lines and their numbers. Raises `StorageError`."""
        return numbered_lines(self.handle, self.name)

    def count(self, form: RowForm) -> int | None:
        """Return how many rows there are, by the lines that are not empty; None for a stream."""
        if self.path is None:
            return None
        with self.path.open("rb") as file:
            lines = sum(not line.isspace() for line in file)
        return max(lines - (form is RowForm.CSV), 0)


@contextmanager
def open_input(name: str, output: Output) -> Iterator[Input]:
    """Open the rows called `name`. Raises what `named_file` does."""
    if name == STREAM:
        if sys.stdin.isatty():
            output.notice("Type the rows, and end them with Ctrl-D.")
        yield Input(sys.stdin.fileno(), "standard input")
        return
    path = Path(name)
    with named_file(name):
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        mode = os.fstat(handle).st_mode
        if stat.S_ISDIR(mode):
            raise UsageError(f"{name} is a folder, not a file")
        yield Input(handle, name, path if stat.S_ISREG(mode) else None)
    finally:
        os.close(handle)


class Results(Protocol):
    """Where results go. What may have some already knows which rows they are of."""

    @property
    def finished(self) -> int:
        """How many rows had a result when it was opened."""

    @property
    def resumable(self) -> bool:
        """Whether a later run can go on with what is there."""

    def is_finished(self, row: RowId, asked: str | None = None) -> bool:
        """Whether `row` has a result; to be asked of each row once, in their order.

        Raises `UsageError` where that is the reply to something else than what is `asked`.
        """

    def begin(self) -> None:
        """Get ready for results."""

    def write(self, result: Result) -> None:
        """Hand `result` over at once."""

    def put_in_order(self, lines: Mapping[RowId, int]) -> None:
        """Put the results in the order of the rows, whose places `lines` are."""


class _Stream:
    """Results for whoever reads them: nothing comes back."""

    finished = 0
    resumable = False

    def is_finished(self, row: RowId, asked: str | None = None) -> bool:
        del row, asked
        return False

    def begin(self) -> None:
        pass

    def put_in_order(self, lines: Mapping[RowId, int]) -> None:
        pass


class _StandardOutput(_Stream):
    def __init__(self, output: Output) -> None:
        self._output = output

    def write(self, result: Result) -> None:
        self._output.piece(result.encoded().decode())


class _NamedStream(_Stream):
    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, result: Result) -> None:
        try:
            self._file.write(result.encoded())
            self._file.flush()
        except BrokenPipeError:
            raise  # whoever reads has had enough, which is no failure
        except OSError as error:
            raise StorageError(f"cannot write a result: {_reason(error)}") from error


@contextmanager
def open_results(output: Output, name: str, source: Input, *, overwrite: bool) -> Iterator[Results]:
    """Open the place called `name` for results of the rows of `source`.

    Raises `UsageError` when it is the file of the rows, or holds something else than results.
    """
    path = Path(name)
    if name == STREAM:
        yield _StandardOutput(output)
    elif is_there(path) and not path.is_file():
        if path.is_dir():
            raise UsageError(f"{name} is a folder, not a file")
        try:
            file = path.open("wb", buffering=0)
        except OSError as error:
            raise StorageError(f"cannot write {name}: {_reason(error)}") from error
        with file:
            yield _NamedStream(file)
    else:
        if source.path is not None and path.exists() and path.samefile(source.path):
            raise UsageError(f"{name} has the rows: their results must go elsewhere")
        results = ResultFile(path, overwrite=overwrite)
        try:
            yield results
        finally:
            results.close()


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
