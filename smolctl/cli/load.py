"""`smolctl model load`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from smolctl.cli.invocation import Invocation
from smolctl.cli.options import JsonFlag
from smolctl.cli.progress import file_progress
from smolctl.cli.text_file import is_there
from smolctl.errors import IntegrityError, UsageError
from smolctl.model.units import format_size
from smolctl.store.load import Loading, Wanted
from smolctl.store.storage import storage_errors

if TYPE_CHECKING:
    from smolctl.model.reference import Reference
    from smolctl.store.store import StoredModel

EXAMPLES = (
    ("What `save` wrote, or skopeo", "smolctl model load smollm2.tar"),
    ("From a pipe", "curl -s https://files.example/smollm2.tar | smolctl model load -"),
    ("One model of a folder, under a name", "smolctl model load ./layout --tag v1 --name mine:v1"),
)


def command(
    ctx: typer.Context,
    source: Annotated[
        Path, typer.Argument(metavar="FILE|DIR|-", help="A tar, a folder, or - for stdin.")
    ],
    tag: Annotated[
        str | None, typer.Option("--tag", metavar="TAG", help="Only the model of that name or tag.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="What to call it here.")
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print only the IDs, no progress.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Take models in from a tar or a folder that is an OCI image layout.

    `smolctl model save`, skopeo (`oci-archive:`, `oci:`) and Docker write such. Every byte is
    checked against its digest before it counts as here; of an archive that is broken, nothing
    stays.
    """
    invocation = Invocation.of(ctx)
    store = invocation.store
    reference = store.parse(name) if name is not None else None
    if reference is not None and reference.digest is not None:
        raise UsageError("a digest cannot be given as a name", hint="Name a tag: NAME:TAG")
    loaded = load(invocation, source, Wanted(tag, reference), quiet=quiet)
    if as_json:
        invocation.output.json(
            [
                {"id": str(model.id), "tags": [tag.canonical for tag in model.tags]}
                for model, _ in loaded
            ]
        )
        return
    for model, called in loaded:
        if quiet:
            invocation.output.line(str(model.id))
            continue
        what = f"{format_size(store.artifact(model).size)}, ID {model.id.short}"
        invocation.output.line(f"Loaded {store.familiar(called)} ({what})")


def load(
    invocation: Invocation, source: Path, wanted: Wanted, *, quiet: bool
) -> list[tuple[StoredModel, Reference]]:
    """Take in the layout that is `source`, with progress on stderr.

    Returns its models, each with the name that it has by that, whatever else it is called here.

    Raises `UsageError` when it is not there, and what `Loading` raises for what is broken.
    """
    invocation.output.on_interrupt("Interrupted. Nothing was loaded.")
    with file_progress(invocation.output, quiet=quiet) as tell:
        loading = Loading(invocation.store, wanted, lambda done: tell("loading", done, None))
        if str(source) == "-":
            if sys.stdin.isatty():
                raise UsageError("a tar is expected on stdin", hint="Name a file, or pipe one in.")
            models = loading.from_tar(sys.stdin.buffer)
        elif not is_there(source):
            raise UsageError(f"no such file or folder: {source}")
        elif source.is_dir():
            models = loading.from_folder(source)
        else:
            try:
                with storage_errors(source), source.open("rb") as file:
                    models = loading.from_tar(file)
            except IntegrityError as error:
                raise IntegrityError(f"{source}: {error.message}", hint=error.hint) from error
    invocation.output.on_interrupt(None)
    return list(zip(models, loading.names, strict=True))
