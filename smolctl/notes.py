"""Notes that one command leaves for the next, so that it need not find out the same again.

A note is a few lines of JSON beside the sockets of workers, in a folder that is ours alone. It
holds for one environment and version, and as long as the files that it was made from are what
they were; one that is missing, damaged or out of date counts as none.

The imports here are what a bare Python has loaded already, or has in C: whoever looks for a note
is in a hurry.
"""

from __future__ import annotations

import os
from zlib import crc32

from smolctl import __version__

TYPE_CHECKING = False  # `typing` itself takes 10 ms
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_PREFIX = "note-"
_PRIVATE = 0o077
_MOST = 64
"""Notes in a folder. There is one for each environment and model, and many do not come again."""


def find_note(about: str, environment: Mapping[str, str]) -> list[str] | None:
    """Return the lines of the note about that, if there is one for this environment."""
    from _json import scanstring

    key = _key(about, environment)
    for folder in _folders(environment):
        try:
            status = os.lstat(folder)
            if status.st_uid != os.getuid() or status.st_mode & _PRIVATE:
                continue
            with open(f"{folder}/{_name(key)}", encoding="ascii") as file:  # noqa: PTH123
                written_key, *lines = [scanstring(line, 1)[0] for line in file]
        except (OSError, ValueError):
            continue
        if written_key == key:
            return lines
    return None


def leave_note(
    folder: str, about: str, lines: Sequence[str], environment: Mapping[str, str]
) -> None:
    """Leave a note in `folder` for the next one who looks for it in that environment.

    Where there are many, the older half of them goes.
    """
    from _json import encode_basestring_ascii as quoted

    key = _key(about, environment)
    path = f"{folder}/{_name(key)}"
    temporary = f"{path}.{os.getpid()}"
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(handle, "w", encoding="ascii") as file:  # noqa: PTH123
            file.writelines(f"{quoted(line)}\n" for line in (key, *lines))
        os.replace(temporary, path)  # noqa: PTH105
        notes = [entry for entry in os.scandir(folder) if entry.name.startswith(_PREFIX)]
        if len(notes) > _MOST:
            notes.sort(key=lambda entry: entry.stat().st_mtime_ns)
            for entry in notes[: -_MOST // 2]:
                os.unlink(entry.path)  # noqa: PTH108
    except OSError:
        pass  # the usual way is open, and another may be tidying up


def state_of(path: str) -> str | None:
    """Return what changes when the file does, or when a folder's files are other ones.

    None where there is nothing.
    """
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return f"{status.st_mtime_ns} {status.st_size} {status.st_ino}"


def _key(about: str, environment: Mapping[str, str]) -> str:
    """Return all that decides what a note says: what it is about, and our variables."""
    ours = sorted(
        f"{name}={value}"
        for name, value in environment.items()
        if (name.startswith(("SMOLCTL_", "XDG_")) or name in ("HOME", "TMPDIR"))
        and name != "SMOLCTL_API_KEY"  # a worker wants none, and the note lies on a disk
    )
    return "\n".join((__version__, about, *ours))


def _name(key: str) -> str:
    return f"{_PREFIX}{crc32(key.encode(errors='surrogateescape')):08x}"


def _folders(environment: Mapping[str, str]) -> Iterator[str]:
    """Yield where `Settings.runtime` may be."""
    user = os.getuid()
    for base in (environment.get("XDG_RUNTIME_DIR", ""), f"/run/user/{user}"):
        if base.startswith("/"):
            yield f"{base}/smolctl"
    for base in (environment.get("TMPDIR", ""), "/tmp"):  # noqa: S108 - its owner is checked
        if base.startswith("/"):
            yield f"{base}/smolctl-{user}"
