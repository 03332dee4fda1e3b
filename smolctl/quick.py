"""The short way of a one-shot to a worker that is up, for scripts that ask often.

A worker answers a short prompt in 20 ms. The command line takes 110 ms before it asks: Typer's
signatures, dataclasses, regular expressions, the cache's index and documents. `answer` takes 5: it
knows what a name means from a note that the usual way left, checks that the note still holds,
and asks. Whatever is not plain, or not as it was, goes the usual way; until then nothing has been
printed, and of standard input nothing is lost.

The imports here are the C halves of `socket`, `json` and `signal`: the Python halves take 20 ms.
"""

from __future__ import annotations

import os
import sys

from smolctl.errors import SmolctlError, StorageError
from smolctl.notes import find_note, leave_note, state_of

TYPE_CHECKING = False  # `typing` itself takes 10 ms
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

_VALUES = {
    "-n": "max_tokens",
    "--max-tokens": "max_tokens",
    "--seed": "seed",
    "--top-k": "top_k",
    "--temperature": "temperature",
    "--top-p": "top_p",
    "--min-p": "min_p",
    "--repeat-penalty": "repeat_penalty",
}
"""Flags with a number, and what a request calls it."""

_MAXIMUM_DIGITS = 9
_WHOLE = frozenset({"max_tokens", "seed", "top_k"})
_MAXIMUM_LINE = 16 * 1024 * 1024
_CHUNK = 64 * 1024
_TERMINATED = 143
_CLOSED_PIPE = 141
_SILENCE_SECONDS = 5.0
_CONTENT = '"delta":{"content":"'
"""What stands before the text in a chunk of a worker's stream; no text can contain it, since
quotes in it are escaped."""


class Question:
    """A one-shot that is plain enough: the model, the prompt's words, and a request's fields."""

    def __init__(self) -> None:
        self.model = ""
        self.words: list[str] = []
        self.system: str | None = None
        self.numbers: dict[str, int | float] = {}
        self.stream = True

    @classmethod
    def read(cls, arguments: Sequence[str]) -> Question | None:
        """Return what `arguments` ask; None for anything but the plainest."""
        if list(arguments[:2]) != ["model", "run"]:
            return None
        question = cls()
        positional: list[str] = []
        rest = iter(arguments[2:])
        for argument in rest:
            if argument == "--":
                positional += rest
            elif not argument.startswith("-") or argument == "-":
                positional.append(argument)
            elif not question._take(argument, rest):
                return None
        if not positional or "=" in positional[0] or not positional[0][:1].isalnum():
            return None
        question.model, question.words = positional[0], positional[1:]
        if question.model.endswith(".gguf"):
            return None  # may be a file
        return question

    def _take(self, flag: str, rest: Iterator[str]) -> bool:
        """Take in a flag, with its value; False for one that is not known here."""
        value: str | None
        name, equals, value = flag.partition("=")
        if flag == "--no-stream":
            self.stream = False
            return True
        if name not in _VALUES and name != "--system":
            return False
        if not equals:
            value = next(rest, None)
            if value is None:
                return False
        elif not name.startswith("--"):
            return False
        if name == "--system":
            if value.startswith("@"):
                return False  # a file's name
            self.system = value
            return True
        field = _VALUES[name]
        whole = field in _WHOLE
        # Digits alone, and not many: what is out of range has another meaning over HTTP, or none.
        if not value.isascii() or not value.replace("" if whole else ".", "", 1).isdigit():
            return False
        if len(value) > _MAXIMUM_DIGITS:
            return False
        self.numbers[field] = int(value) if whole else float(value)
        return True

    def body(self, prompt: str) -> str:
        """Return the JSON of the request for the reply to `prompt`."""
        from _json import encode_basestring_ascii as quoted

        messages = [("system", self.system)] if self.system else []
        messages.append(("user", prompt))
        written = ",".join(
            f'{{"role":"{role}","content":{quoted(content)}}}' for role, content in messages
        )
        numbers = "".join(f',"{name}":{number!r}' for name, number in self.numbers.items())
        return f'{{"messages":[{written}]{numbers},"stream":true}}'


class Note:
    """What a name meant when a worker answered for it last, and what a request's head was.

    `marker` is the file that is there while prompts and replies are to be kept, which is not done
    here.
    """

    _FIELDS = ("index", "state", "socket", "log", "head", "marker")

    def __init__(
        self, index: str, state: str, socket: str, log: str, head: str, marker: str
    ) -> None:
        self.index = index
        self.state = state
        self.socket = socket
        self.log = log
        self.head = head
        self.marker = marker

    @classmethod
    def find(cls, model: str, environment: Mapping[str, str]) -> Note | None:
        """Return the note about `model`, if there is one and it still holds."""
        lines = find_note(f"run {model}", environment)
        if lines is None or len(lines) != len(cls._FIELDS):
            return None
        note = cls(*lines)
        if note.state != state_of(note.index) or state_of(note.marker) is not None:
            return None
        return note

    def write(self, folder: str, model: str, environment: Mapping[str, str]) -> None:
        """Leave the note in `folder`, for the next one who asks for `model` in `environment`."""
        lines = [getattr(self, name) for name in self._FIELDS]
        leave_note(folder, f"run {model}", lines, environment)


def answer(arguments: Sequence[str]) -> int | None:
    """Run the command that `arguments` are, and return its exit code; None when it is not for here.

    Nothing has been printed then. What was read of standard input is kept for the usual way.
    """
    question = Question.read(arguments)
    if question is None or sys.stdin is None or sys.stdout is None or sys.stderr is None:
        return None
    if sys.stdout.isatty():
        return None  # a person: control characters have to be kept out, and 100 ms do not matter
    note = Note.find(question.model, os.environ)
    if note is None:
        return None
    import _signal  # type: ignore[import-not-found]

    _signal.signal(_signal.SIGTERM, _terminate)
    stream = None
    try:
        stream = _Stream.ask(note, question)
        return None if stream is None else _print(stream, note, whole=not question.stream)
    except KeyboardInterrupt:
        return 130
    except _Terminated:
        return _TERMINATED
    finally:
        _signal.signal(_signal.SIGTERM, _signal.SIG_DFL)
        if stream is not None:
            stream.close()


class _Terminated(BaseException):
    """SIGTERM arrived."""


def _terminate(*_: object) -> None:
    raise _Terminated


class _Stream:
    """A worker's reply, as it comes."""

    def __init__(self, connection: Any, socket: str, head: bytes) -> None:
        self._connection = connection
        self._socket = socket
        self._rest = head
        self.done = False
        self.error: str | None = None
        self.failure: SmolctlError | None = None

    @classmethod
    def ask(cls, note: Note, question: Question) -> _Stream | None:
        """Send the question; None when no worker takes it."""
        from _socket import AF_UNIX, SOCK_STREAM, socket

        from smolctl.cli.prompt import read_prompt

        connection = socket(AF_UNIX, SOCK_STREAM)
        connection.settimeout(_SILENCE_SECONDS)
        stream = None
        try:
            connection.connect(note.socket)
            # Only now: a prompt that is read here is one that a worker waits for.
            body = question.body(read_prompt(question.words, _Notices())).encode()
            connection.sendall(f"{note.head}{len(body)}\r\n\r\n".encode("latin-1") + body)
            head = b""
            while b"\r\n\r\n" not in head:
                more = connection.recv(_CHUNK)
                if not more or len(head) > _MAXIMUM_LINE:
                    return None
                head += more
            status, _, rest = head.partition(b"\r\n\r\n")
            if b" 200 " in status.partition(b"\r\n")[0]:
                stream = cls(connection, note.socket, rest)
        except (OSError, ValueError, SmolctlError):
            pass  # the usual way says what is wrong
        finally:
            if stream is None:
                connection.close()
        return stream

    def texts(self) -> Iterator[str]:
        """Yield the pieces of the answer, and print the reasoning; `done` is set at its end."""
        from _json import scanstring

        for line in self._lines():
            if line == "data: [DONE]":
                self.done = True
                return
            at = line.find(_CONTENT)
            if at >= 0:
                yield scanstring(line, at + len(_CONTENT))[0]
            elif '"reasoning_content":"' in line:
                _print_reasoning(line)
            elif line.startswith('data: {"error"'):
                self.error = line.removeprefix("data: ")
                return

    def _lines(self) -> Iterator[str]:
        """Yield the lines as they come, until the other side hangs up."""
        while True:
            *lines, self._rest = self._rest.split(b"\n")
            for line in lines:
                yield line.strip().decode(errors="replace")
            try:
                more = self._connection.recv(_CHUNK)
            except TimeoutError:
                self.failure = _hung(self._socket)
                if self.failure is None:
                    continue
                return
            except ConnectionError:
                return
            if not more or len(self._rest) > _MAXIMUM_LINE:
                return
            self._rest += more

    def close(self) -> None:
        """Hang up: a worker that still generates stops."""
        self._connection.close()


class _Notices:
    """Where the reading of the prompt says what it has to say."""

    def notice(self, text: str) -> None:
        """Print a notice on stderr."""
        sys.stderr.write(f"{text}\n")


def _print(stream: _Stream, note: Note, *, whole: bool) -> int:
    """Print the answer, as it comes or whole, and return the exit code."""
    kept: list[str] = []
    ended = True
    try:
        try:
            for text in stream.texts():
                ended = text.endswith("\n") if text else ended
                if whole:
                    kept.append(text)
                else:
                    _write(text)
        finally:
            # Also when it was interrupted: what came is part of the answer, and ends as a line.
            _write("".join(kept) + ("" if ended else "\n"))
    except BrokenPipeError:
        _drop_stdout()
        return _CLOSED_PIPE
    except OSError as error:
        _drop_stdout()
        return _failed(StorageError(f"cannot write the answer: {error.strerror}"))
    return 0 if stream.done else _failed(_reason(stream, note))


def _hung(socket: str) -> SmolctlError | None:
    """Return the error that there is to a worker which says nothing; None where it only thinks."""
    from pathlib import Path

    from smolctl.runner.workers import check_answers

    try:
        check_answers(Path(socket))
    except SmolctlError as error:
        return error
    return None


def _reason(stream: _Stream, note: Note) -> SmolctlError:
    """Return why the stream ended too soon."""
    import json
    from pathlib import Path

    from smolctl.runner.api_errors import api_error
    from smolctl.runner.connection import Endpoint
    from smolctl.runner.remote_chat import broken_off

    if stream.failure is not None:
        return stream.failure
    if stream.error is not None:
        return api_error(500, json.loads(stream.error), "the model")
    return broken_off(Endpoint(Path(note.socket)), Path(note.log))


def _write(text: str) -> None:
    if text:
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr] # it is a TextIOWrapper
        sys.stdout.write(text)
        sys.stdout.flush()


def _print_reasoning(line: str) -> None:
    from _json import scanstring

    from smolctl.cli.output import printable

    text, _ = scanstring(line, line.index('"reasoning_content":"') + 21)
    sys.stderr.write(printable(text))
    sys.stderr.flush()


def _drop_stdout() -> None:
    """Point stdout at nothing, so that Python's own flush at exit does not fail as well."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def _failed(error: SmolctlError) -> int:
    from smolctl.cli.output import Output

    Output().error(error.message, error.hint)
    return error.exit_code
