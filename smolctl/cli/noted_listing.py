"""The short way of `smolctl model ls`: what the last one found, where nothing has changed since.

To list a thousand models takes a second when two documents are read of each. What was found is
noted, with the state of the cache's index and of its folder of blobs. Whoever lists next, a
shell that completes a name too, needs neither the documents nor the command line's framework.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from smolctl.cli.listing import show_listing
from smolctl.notes import find_note, leave_note, state_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from smolctl.cli.output import Output
    from smolctl.settings import Settings

_ABOUT = "ls"
_VERBS = (["model", "ls"], ["model", "list"])
_FLAGS = frozenset({"--json", "-q", "--quiet"})


def noted_listing(environment: Mapping[str, str]) -> list[dict[str, Any]] | None:
    """Return the models that are here as they were noted; None where no note holds."""
    lines = find_note(_ABOUT, environment)
    if lines is None or len(lines) != 3:
        return None
    root, state, entries = lines
    if state != listing_state(root):
        return None
    try:
        found: list[dict[str, Any]] = json.loads(entries)
    except ValueError:
        return None
    return found


def show_noted_listing(
    arguments: Sequence[str], output: Output, environment: Mapping[str, str]
) -> bool:
    """Print what `ls` prints, if that is what `arguments` ask and a note says it."""
    flags = arguments[2:]
    if list(arguments[:2]) not in _VERBS or not _FLAGS.issuperset(flags):
        return False
    entries = noted_listing(environment)
    if entries is None:
        return False
    show_listing(
        entries, output, as_json="--json" in flags, quiet="-q" in flags or "--quiet" in flags
    )
    return True


def listing_state(root: str | Path) -> str | None:
    """Return what to note a listing with: the state of the cache at `root` before it was read.

    None where there is no cache, or nothing to go by.
    """
    states = [state_of(f"{root}/index.json"), state_of(f"{root}/blobs/sha256")]
    return None if None in states else "; ".join(filter(None, states))


def note_listing(
    settings: Settings, state: str | None, entries: Sequence[Mapping[str, Any]]
) -> None:
    """Note that `entries` were all there was when the cache had that state.

    What is damaged is looked at anew each time, until it is mended.
    """
    from smolctl.errors import SmolctlError
    from smolctl.runner.address import WorkerFolder

    if state is None or any("problem" in entry for entry in entries):
        return
    folder = WorkerFolder.of(settings)
    try:
        folder.make()
    except SmolctlError:
        return  # whoever needs the folder is told
    lines = [os.fspath(settings.home), state, json.dumps(list(entries))]
    leave_note(os.fspath(folder.base), _ABOUT, lines, os.environ)
