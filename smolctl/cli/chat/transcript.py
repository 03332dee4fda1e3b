"""A conversation in a file: JSON that people can read and that the API takes as a request.

What is read may come from anybody: its size is bounded, and `parse_body` and `parse_chat`, which
read what clients send to the API, check the rest.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import fields
from pathlib import Path

from smolctl.cli.chat.dialogue import Dialogue
from smolctl.cli.text_file import read_file
from smolctl.engine.conversation import ChatRequest
from smolctl.engine.sampling import Sampling
from smolctl.errors import StorageError, UsageError
from smolctl.runner.chat_document import chat_document
from smolctl.runner.chat_fields import parse_chat
from smolctl.runner.fields import parse_body

_MAXIMUM_BYTES = 32 * 1024 * 1024
_SAMPLING = frozenset(field.name for field in fields(Sampling)) | {"max_completion_tokens"}


def save(path: Path, model: str, dialogue: Dialogue, *, replace: bool) -> None:
    """Write `dialogue` to `path`, which must be free unless it is to `replace` what is there.

    A new file is for its owner alone. One that is replaced is so as a whole. Raises `UsageError`
    when it is taken, and `StorageError`.
    """
    document = {"model": model, **chat_document(ChatRequest(dialogue.messages, dialogue.sampling))}
    content = (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode("utf-8", "replace")
    try:
        if path.exists() and not path.is_file():
            raise UsageError(f"{path} is no file that a conversation can be kept in")
        if replace:
            _replace(path.resolve(), content)
        else:
            _create(path, content)
    except FileExistsError:
        raise UsageError(
            f"{path} is there already", hint=f"/save! {path} writes over it."
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL in it
        reason = getattr(error, "strerror", None) or error
        raise StorageError(f"cannot save to {path}: {reason}") from error


def load(path: Path, sampling: Sampling) -> Dialogue:
    """Return the conversation in the file at `path`, with its sampling, or `sampling` without one.

    Raises `UsageError` for what is no conversation, and `StorageError` for what cannot be read.
    """
    content = read_file(path, _MAXIMUM_BYTES, waits=False)
    try:
        document = parse_body(content)
        chat = parse_chat(
            {"messages": document.get("messages")}
            | {name: document[name] for name in _SAMPLING & document.keys()}
        ).chat
    except UsageError as error:
        raise UsageError(
            f"{path} holds no conversation", hint=f"As a request to the API: {error.message}."
        ) from error
    given = chat.sampling if _SAMPLING & document.keys() else sampling
    return Dialogue.of(chat.messages, given)


def _create(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _replace(path: Path, content: bytes) -> None:
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
