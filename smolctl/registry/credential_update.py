"""Changing the file with credentials, which other tools read and write too.

Everything in it that is not ours stays as it is, whatever happens meanwhile.
"""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolctl.errors import StorageError
from smolctl.registry.credential_file import HINT, read_json
from smolctl.store.storage import locked, sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def changing(file: Path) -> Iterator[dict[str, Any]]:
    """Give the content of `file` to be changed in place, and write it when the block ends well.

    A lock keeps another smolctl out meanwhile. The file is replaced atomically and durably, with
    mode 0600, and only if something did change; where it is a symbolic link, what the link leads
    to is replaced. Keys keep their order. Raises `StorageError` when the file cannot be written,
    or when it is there and is not what it should be: it is left alone then.
    """
    target = Path(os.path.realpath(file))
    with ExitStack() as held:
        with _failures(file):
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = target.with_name(f"{target.name}.lock")
            held.enter_context(locked(lock))
        # Removed while it is held: whoever waits for it notices, and makes a new one.
        held.callback(_remove, lock)
        document = read_json(target)
        if not isinstance(document, dict) or not isinstance(
            document.get("auths", {}), (dict, type(None))
        ):
            raise StorageError(f"{file} does not hold what it should: no `auths`", hint=HINT)
        before = json.dumps(document)
        yield document
        if json.dumps(document) != before:
            # Indented by tabs, as Docker and podman do it. ASCII can hold every string of JSON.
            content = f"{json.dumps(document, indent=chr(9))}\n".encode("ascii")
            with _failures(file):
                _replace(target, content)


def _replace(file: Path, content: bytes) -> None:
    # The secrets are nobody else's from the first byte: mkstemp's files have mode 0600.
    handle, name = tempfile.mkstemp(prefix=f"{file.name}.", dir=file.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as written:
            with suppress(OSError):  # root writes for somebody else: it stays that person's
                there = file.stat()
                os.fchown(written.fileno(), there.st_uid, there.st_gid)
            written.write(content)
            written.flush()
            os.fsync(written.fileno())
        temporary.replace(file)
    finally:
        _remove(temporary)  # it is there only if something failed
    sync_folder(file.parent)


def _remove(file: Path) -> None:
    with suppress(OSError):
        file.unlink()


@contextmanager
def _failures(file: Path) -> Iterator[None]:
    """Say of every failure that it was about `file`, and what to do about it."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"cannot write {file}: {error.strerror}", hint=HINT) from error
    except StorageError as error:
        raise StorageError(error.message, hint=HINT) from error
