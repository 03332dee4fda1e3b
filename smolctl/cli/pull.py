"""`smolctl model pull`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from smolctl.cli.invocation import Invocation
from smolctl.cli.layout import is_layout, load_layout
from smolctl.cli.options import (
    CaFileFlag,
    JsonFlag,
    MaxConnectionsFlag,
    NetworkFlags,
    OfflineFlag,
    PlainHttpFlag,
    PullPolicy,
    RetriesFlag,
)
from smolctl.errors import IntegrityError
from smolctl.model.units import format_size

if TYPE_CHECKING:
    from smolctl.store.store import StoredModel

EXAMPLES = (
    ("The newest version of a model", "smolctl model pull ai/smollm2"),
    ("One variant of it", "smolctl model pull ai/smollm2:360M-Q4_K_M"),
    ("From another registry", "smolctl model pull registry.example.com/team/model:v1"),
    ("On a bad network", "smolctl model pull ai/smollm2 --retries 50"),
    ("From a folder or a tar on this machine", "smolctl model pull oci:./layout:v1"),
    ("Exactly these bytes", "smolctl model pull ai/smollm2@sha256:<64 digits>"),
)


@dataclass(frozen=True)
class _Result:
    name: str
    shown: str
    model: StoredModel
    size: int
    fetched: int
    changed: bool


def command(
    ctx: typer.Context,
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help="Names of models.")],
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print only the digest, no progress.")
    ] = False,
    as_json: JsonFlag = False,
    plain_http: PlainHttpFlag = False,
    ca_file: CaFileFlag = None,
    max_connections: MaxConnectionsFlag = None,
    retries: RetriesFlag = None,
    offline: OfflineFlag = False,
) -> None:
    """Bring models from their registries to this machine.

    What is here already is not fetched again, and a pull that was broken off goes on where it
    stopped. Every byte is checked against its digest before it counts as here. When a tag has
    moved in the registry it moves here, and the model that it named before stays, under its
    digest.
    """
    network = NetworkFlags(plain_http, ca_file, max_connections, retries)
    invocation = Invocation.of(ctx, offline=offline, network=network)

    def pull(name: str) -> _Result:
        result = _pull(invocation, name, quiet=quiet)
        if not as_json:
            _print(invocation, result, quiet=quiet)
        return result

    results, failure = invocation.each(models, pull)
    if as_json:
        invocation.output.json([_as_json(result) for result in results])
    if failure is not None:
        raise failure


def _pull(invocation: Invocation, name: str, *, quiet: bool) -> _Result:
    store = invocation.store
    if is_layout(name):
        before = {model.id for model in store.models()}
        model, called = load_layout(invocation, name, quiet=quiet)
        shown = store.familiar(called)
        size = store.artifact(model).size
        return _Result(name, shown, model, size, size, model.id not in before)
    found = invocation.find(name)
    reference = invocation.reference_of(name, found)
    if found is not None and (invocation.offline or _is_pinned(invocation, name, found)):
        pulled, fetched, changed = found, 0, False
    elif invocation.offline:
        pulled, fetched, changed = invocation.obtain(name, PullPolicy.never), 0, False
    else:
        result = invocation.pull(invocation.remote_reference(name), quiet=quiet)
        pulled, fetched, changed = result.model, result.fetched, result.changed
        if result.moved_from is not None and not quiet:
            invocation.output.notice(
                f"The tag moved; the model before is still here: {result.moved_from.id}"
            )
    shown = store.familiar(reference) if reference else name
    return _Result(name, shown, pulled, store.artifact(pulled).size, fetched, changed)


def _print(invocation: Invocation, result: _Result, *, quiet: bool) -> None:
    if quiet:
        invocation.output.line(str(result.model.id))
        return
    what = f"{format_size(result.size)}, ID {result.model.id.short}"
    state = "Pulled" if result.changed else "Already here:"
    invocation.output.line(f"{state} {result.shown} ({what})")


def _is_pinned(invocation: Invocation, name: str, found: StoredModel) -> bool:
    """Whether `name` fixes the bytes, and all of them are here: no registry can add to that."""
    if found.id.hex not in name and found.id.short != name:
        return False
    try:
        return not invocation.store.missing_blobs(invocation.store.artifact(found).manifest)
    except IntegrityError:  # damaged: pulling it again is what repairs it
        return False


def _as_json(result: _Result) -> dict[str, object]:
    return {
        "model": result.name,
        "id": str(result.model.id),
        "tags": [tag.canonical for tag in result.model.tags],
        "size": result.size,
        "fetched": result.fetched,
    }
