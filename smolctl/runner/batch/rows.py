"""The rows of a batch: lines of its input, and the requests that they are."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import dataclass, field, replace
from enum import Enum
from hashlib import sha256
from itertools import starmap
from typing import TYPE_CHECKING, Any

from smolctl.engine.conversation import ChatRequest, Message
from smolctl.engine.sampling import Sampling
from smolctl.errors import SmolctlError, StorageError, UsageError
from smolctl.runner.chat_document import chat_document, sampling_fields
from smolctl.runner.chat_fields import parse_chat
from smolctl.runner.fields import Fields, parse_body
from smolctl.runner.generation_fields import NUMBER_FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from smolctl.engine.gbnf import Grammar
    from smolctl.runner.batch.template import Template

RowId = str | int | float

MAXIMUM_LINE = 32 * 1024 * 1024
"""Bytes: what a worker takes as a request. The rest of a longer line is passed over."""

_CHUNK = 256 * 1024
_DIGEST_DIGITS = 16


class RowForm(Enum):
    """How rows are written: a JSON object a line, a prompt a line, or CSV below a header."""

    JSONL = "jsonl"
    LINES = "lines"
    CSV = "csv"


@dataclass(frozen=True)
class Row:
    """Line number `line` of the input: its `id`, and the `fields` that it has.

    `error` is what makes it no row; its `id` is None then where the line's own cannot be used. A
    row of a `table` has text alone. `asked` is a hash of all that it asks, where that is known.
    """

    line: int
    id: RowId | None
    fields: Mapping[str, Any] = field(default_factory=dict)
    error: SmolctlError | None = None
    table: bool = False
    asked: str | None = None


class Rows:
    """The rows of an input, but for those whose `finished` is true.

    `digest` gives what a row's `asked` is. An iterator for one thread at a time. `lines` are the
    line numbers of the IDs so far, `passed` is how many rows were left out as finished. Raises
    `StorageError` when the input cannot be read, and `UsageError` when it is in another form.
    """

    def __init__(
        self,
        lines: Iterator[tuple[int, bytes]],
        form: RowForm = RowForm.JSONL,
        finished: Callable[[Row], bool] = lambda _: False,
        digest: Callable[[Row], str | None] = lambda _: None,
    ) -> None:
        read = {RowForm.JSONL: _objects, RowForm.LINES: _prompts, RowForm.CSV: _records}
        self.lines: dict[RowId, int] = {}
        self.passed = 0
        self._rows = read[form](lines)
        self._finished = finished
        self._digest = digest

    def __iter__(self) -> Iterator[Row]:
        return self

    def __next__(self) -> Row:
        for found in self._rows:
            row = self._checked(found)
            row = replace(row, asked=self._digest(row))
            if row.id is None or not self._finished(row):
                return row
            self.passed += 1
        raise StopIteration

    def _checked(self, row: Row) -> Row:
        """Return `row`, or its error where another has its ID."""
        if row.id is None:
            return row
        before = self.lines.setdefault(row.id, row.line)
        if before == row.line:
            return row
        error = UsageError(f"the row has the ID {row.id!r}, and so has line {before}")
        return Row(row.line, None, error=error)


@dataclass(frozen=True)
class Asking:
    """What all rows are asked with, where a row itself does not say otherwise.

    Sampling, tools, stop strings and a response format may be in a row, under OpenAI's names. The
    columns of a table are named by whoever made it: those that are neither prompts nor numbers say
    nothing here. Nor do the fields of rows that a `template` makes prompts of, but for a system
    prompt and numbers, and those that it uses are taken for nothing else. Where the reply
    is to follow the `grammar`, the prompt begins with the `note`, which says so to the model.
    """

    sampling: Sampling = field(default_factory=Sampling)
    system: str | None = None
    template: Template | None = None
    stop: tuple[str, ...] = ()
    grammar: Grammar | None = None
    note: str = ""

    def request(self, row: Row) -> ChatRequest:
        """Return what `row` asks for. Raises `UsageError` where that makes no sense."""
        if row.error is not None:
            raise row.error
        given = self._given(Fields(_cells(row.fields) if row.table else row.fields))
        document = {**sampling_fields(self.sampling), "stop": list(self.stop)}
        document |= {name: value for name, value in given.document.items() if value is not None}
        if self.template is not None:
            document["messages"] = [_user(self.template.filled(row.fields))]
        elif given.get("messages") is None:
            document["messages"] = [_user(given.required_text("prompt"))]
        elif given.get("prompt") is not None:
            given.fail("prompt", "does not go together with messages")
        # Nobody would see the scores.
        chat = replace(parse_chat(document).chat, logprobs=None)
        system = given.text("system") or self.system
        if system and chat.messages[0].role != "system":
            chat = replace(chat, messages=(Message("system", system), *chat.messages))
        if self.grammar is not None and chat.grammar is None:
            last = chat.messages[-1]
            content = "\n\n".join(part for part in (self.note, last.content) if part)
            messages = (*chat.messages[:-1], replace(last, content=content))
            chat = replace(chat, messages=messages, grammar=self.grammar)
        return chat

    def digest(self, row: Row, *about: str) -> str | None:
        """Return a hash of what `row` asks for, and of what else it is `about`: a model, say.

        None for what is no request.
        """
        try:
            document = chat_document(self.request(row))
        except SmolctlError:
            return None
        text = json.dumps([*about, document], sort_keys=True)
        return sha256(text.encode(errors="surrogatepass")).hexdigest()[:_DIGEST_DIGITS]

    def text_field(self, row: Row) -> str | None:
        """Return the field of `row` that has the text it is about: the longest in its prompt.

        None where that is not known: of messages, and of requests as OpenAI's batches have them.
        """
        names = ("prompt",) if self.template is None else self.template.fields
        texts = {name: row.fields[name] for name in names if isinstance(row.fields.get(name), str)}
        return max(texts, key=lambda name: len(texts[name]), default=None)

    def _given(self, row: Fields) -> Fields:
        """Return the part of `row` that is a request: all of it, or the `body` of OpenAI's form."""
        if self.template is not None:
            used = self.template.fields
            return Fields(
                {
                    name: value
                    for name, value in row.document.items()
                    if name not in used and _is_parameter(name, value)
                }
            )
        whole = row.get("prompt") is not None or row.get("messages") is not None
        body = None if whole else row.child("body")
        return body or row


def numbered_lines(handle: int, name: str) -> Iterator[tuple[int, bytes]]:
    """Yield the lines behind the descriptor `handle` without their ends, and their numbers from 1.

    Of a line longer than `MAXIMUM_LINE` some bytes more than that come. A blocked read is one that
    holds no lock of Python's, so that a program may end while another thread is in it. Raises
    `StorageError`, which calls the input `name`.
    """
    number, line = 0, bytearray()
    while piece := _read(handle, name):
        *ended, rest = piece.split(b"\n")
        for part in ended:
            number += 1
            line += part
            yield number, bytes(line)
            line.clear()
        if len(line) <= MAXIMUM_LINE:
            line += rest
    if line:
        yield number + 1, bytes(line)


def _read(handle: int, name: str) -> bytes:
    try:
        return os.read(handle, _CHUNK)
    except OSError as error:
        raise StorageError(f"cannot read {name}: {error.strerror}") from error


def _text(number: int, line: bytes) -> str:
    """Return a line as text, without the mark that some editors begin a file with."""
    if len(line) > MAXIMUM_LINE:
        raise UsageError(f"the line has more than {MAXIMUM_LINE // 2**20} MiB")
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8").removesuffix("\r")
    except UnicodeDecodeError:
        raise UsageError("the line is no text in UTF-8") from None


def _objects(lines: Iterator[tuple[int, bytes]]) -> Iterator[Row]:
    first = True
    for number, line in lines:
        if not line.strip():
            continue
        if first and line.strip()[:1].isalnum():  # a text, and each line would be an error
            raise UsageError(
                f"line {number} of the input is no JSON object",
                hint="--lines takes a prompt a line; a table's name ends in .csv.",
            )
        first = False
        yield _object(number, line)


def _object(number: int, line: bytes) -> Row:
    try:
        fields = parse_body(_text(number, line).encode(), "the row")
        return Row(number, _row_id(fields, number), fields)
    except UsageError as error:
        return Row(number, None, error=error)


def _row_id(fields: Mapping[str, Any], default: int) -> RowId:
    found = fields.get("id")
    if found in (None, ""):
        found = fields.get("custom_id")
    if found in (None, ""):
        return default
    if isinstance(found, bool) or not isinstance(found, (str, int, float)):
        raise UsageError("the row's id is neither a string nor a number")
    return found


def _prompts(lines: Iterator[tuple[int, bytes]]) -> Iterator[Row]:
    for number, line in lines:
        try:
            prompt = _text(number, line)
        except UsageError as error:
            yield Row(number, None, error=error)
        else:
            if prompt.strip():
                yield Row(number, number, {"prompt": prompt})


def _records(lines: Iterator[tuple[int, bytes]]) -> Iterator[Row]:
    at = 0

    def text(number: int, line: bytes) -> str:
        nonlocal at
        at = number
        return _text(number, line) + "\n"

    # `starmap` goes on after a line that cannot be read, which a generator would not.
    reader = csv.DictReader(starmap(text, lines))
    try:
        _ = reader.fieldnames  # which reads the header; without it no row means anything
    except (csv.Error, UsageError) as error:
        raise UsageError(f"the CSV's header cannot be read: {error}") from None
    while True:
        try:
            fields = next(reader)
            yield Row(at, _row_id(fields, at), fields, table=True)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(at, None, error=UsageError(f"the row is no CSV: {error}"))
        except UsageError as error:
            yield Row(at, None, error=error)


def _cells(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the cells of a table's row that a request understands; an empty one is none."""
    texts = {name: fields[name] for name in ("prompt", "system") if fields.get(name)}
    return texts | {name: _number(fields[name]) for name in NUMBER_FIELDS if fields.get(name)}


def _is_parameter(name: str, value: Any) -> bool:
    """Whether a field of data is one of a request as well: it is called so, and of that kind."""
    if name in NUMBER_FIELDS:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return name == "system" and isinstance(value, str)


def _number(cell: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(cell)
        except ValueError:
            continue
    return cell  # which the request refuses, by name


def _user(content: str) -> dict[str, str]:
    return {"role": "user", "content": content}
