"""What a shell's completion asks: the names of models, of sessions, of registries.

The scripts in `completions/` know everything else. `smolctl __complete KIND PREFIX` is answered
before Typer is imported: a person waits for it between two keys. A line is a name, a tab, and what
to show beside it. Whatever goes wrong, there is nothing to complete, and nothing is said: it would
be written into the line that is being typed.
"""

from __future__ import annotations

import os
import sys

from smolctl.errors import SmolctlError
from smolctl.notes import find_note, leave_note, state_of

TYPE_CHECKING = False  # `typing` itself takes 10 ms
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from smolctl.settings import Settings

_NAMESPACE = "ai/"
"""`model.reference.DEFAULT_NAMESPACE`, which takes too long to import."""

_ABOUT = "names"
_SHORT_ID = 12
_ANSWER_SECONDS = 0.2
_HEX = frozenset("0123456789abcdef")


def complete(arguments: Sequence[str]) -> int:
    """Print the names of the kind in `arguments` that begin as it says; the exit code is 0."""
    kind, prefix, *_ = (*arguments, "", "")
    try:
        sys.stdout.write("".join(f"{name}\t{note}\n" for name, note in names_of(kind, prefix)))
        sys.stdout.flush()
    except OSError:
        pass
    return 0


def names_of(kind: str, prefix: str) -> list[tuple[str, str]]:
    """Return the names of that kind (`models`, say) that begin with `prefix`, each with a note."""
    if kind == "models" and (noted := _noted()) is not None:
        return list(_beginning(noted, prefix))
    from smolctl.settings import Settings

    try:
        settings = Settings.from_environment(os.environ)
        return list(_KINDS[kind](settings, prefix)) if kind in _KINDS else []
    except (SmolctlError, OSError):
        return []


def _models(settings: Settings, prefix: str) -> Iterator[tuple[str, str]]:
    """Yield what may stand for a model that is here, with its ID."""
    return _beginning(_read(settings), prefix)


def _beginning(named: Iterable[tuple[str, str]], prefix: str) -> Iterator[tuple[str, str]]:
    """Yield the names, and the IDs of models without one, that begin with `prefix`.

    The namespace `ai/` may be left out, as when the name is used. The ID of a model with a name is
    offered to who begins to type it.
    """
    tags = [(name, short) for name, short in named if "@" not in name]
    origins = {short: name.partition("@")[0] for name, short in named if "@" in name}
    found = [(name, short) for name, short in tags if name.startswith(prefix)]
    if not found and prefix:
        bare = ((name.removeprefix(_NAMESPACE), short) for name, short in tags)
        found = [
            (name, short) for name, short in bare if name.startswith(prefix) and "/" not in name
        ]
    if not found and len(prefix) > 1 and _HEX.issuperset(prefix):
        found = [(short, name) for name, short in tags if short.startswith(prefix)]
    yield from found
    tagged = {short for _, short in tags}
    for short, origin in origins.items():
        if short not in tagged and short.startswith(prefix):
            yield short, origin


def _read(settings: Settings) -> list[tuple[str, str]]:
    """Return the names in the cache, in order, each with its model's ID, and leave a note of them.

    With the note, the next one who asks need not wait for `Settings` and a JSON reader.
    """
    from smolctl.runner.address import WorkerFolder
    from smolctl.store.names import named_manifests

    root = os.fspath(settings.home)
    state = state_of(f"{root}/index.json")
    named = sorted(
        (_familiar(name, settings.default_registry), digest.rpartition(":")[2][:_SHORT_ID])
        for name, digest in named_manifests(settings.home / "index.json")
    )
    if state is not None:
        folder = WorkerFolder.of(settings)
        try:
            folder.make()
        except SmolctlError:
            return named  # who needs the folder is told
        lines = [root, state, *(f"{name}\t{short}" for name, short in named)]
        leave_note(os.fspath(folder.base), _ABOUT, lines, os.environ)
    return named


def _noted() -> list[tuple[str, str]] | None:
    """Return the names as they were noted; None where no note holds."""
    lines = find_note(_ABOUT, os.environ)
    if lines is None or len(lines) < 2 or lines[1] != state_of(f"{lines[0]}/index.json"):
        return None
    pairs = (line.partition("\t") for line in lines[2:])
    return [(name, short) for name, _, short in pairs]


def _running(settings: Settings, prefix: str) -> Iterator[tuple[str, str]]:
    """Yield the models that have a worker: their names, or the ID where the cache has none.

    Whether somebody listens is all that is asked of a worker, which may be busy.
    """
    from smolctl.runner.address import WorkerFolder

    up = {path.stem for path in WorkerFolder.of(settings).sockets() if _is_up(str(path))}
    names = list(_models(settings, ""))
    yield from ((name, short) for name, short in _models(settings, prefix) if {name, short} & up)
    unnamed = up.difference(*names)
    yield from ((short, "a model file") for short in sorted(unnamed) if short.startswith(prefix))


def _sessions(settings: Settings, prefix: str) -> Iterator[tuple[str, str]]:
    """Yield the conversations, by name or number, with the model that each was with."""
    from smolctl.history.conversations import summaries
    from smolctl.history.database import reading
    from smolctl.history.location import HistoryFiles
    from smolctl.store.names import is_plain

    with reading(HistoryFiles(settings.state)) as connection:
        shown = (each for each in summaries(connection) if not each.is_one_shot)
        found = [(each.label, each.model) for each in shown]
    for label, model in found:
        if label.startswith(prefix):
            yield label, model if is_plain(model) else ""


def _registries(settings: Settings, prefix: str) -> Iterator[tuple[str, str]]:
    """Yield the registries that there are credentials for."""
    import json

    from smolctl.store.names import is_plain

    try:
        document = json.loads(settings.credential_file.read_bytes())
        names = {*document.get("auths", {}), *document.get("credHelpers", {})}
    except (ValueError, AttributeError, TypeError, RecursionError):
        return
    for name in sorted(names):
        host = name.removeprefix("https://").partition("/")[0]
        if host.startswith(prefix) and is_plain(host):
            yield host, "logged in"


def _familiar(name: str, default_registry: str) -> str:
    """Return what a name of the index is called where names have that registry by default."""
    if default_registry == "docker.io":
        return name
    from smolctl.model.reference import Reference, parse_registry

    registry = parse_registry(default_registry)
    return Reference.parse(name).familiar(default_registry=registry)


def _is_up(socket_path: str) -> bool:
    from _socket import AF_UNIX, SOCK_STREAM, socket

    connection = socket(AF_UNIX, SOCK_STREAM)
    connection.settimeout(_ANSWER_SECONDS)
    try:
        connection.connect(socket_path)
    except OSError:
        return False
    finally:
        connection.close()
    return True


_KINDS = {
    "models": _models,
    "running": _running,
    "sessions": _sessions,
    "registries": _registries,
}
