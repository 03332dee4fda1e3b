"""`smolctl model save`."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from smolctl.cli.invocation import Invocation
from smolctl.cli.options import JsonFlag
from smolctl.cli.progress import file_progress
from smolctl.errors import UsageError
from smolctl.model.units import format_size
from smolctl.store.save import blobs_of, save
from smolctl.store.storage import storage_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from smolctl.model.reference import Reference
    from smolctl.store.store import StoredModel

EXAMPLES = (
    ("To a file, for a machine without a network", "smolctl model save ai/smollm2 -o smollm2.tar"),
    ("Over ssh, without a file", "smolctl model save smollm2 | ssh host smolctl model load -"),
)


def command(
    ctx: typer.Context,
    models: Annotated[
        list[str],
        typer.Argument(metavar="MODEL...", help="Names of models that are here."),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="The tar; stdout without it, or as -."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Write models to a tar that `smolctl model load` and other OCI tools read.

    It is an OCI image layout: `skopeo inspect oci-archive:FILE:NAME` reads it. What several
    models share is in it once, and the same models make the same bytes.
    """
    invocation = Invocation.of(ctx)
    store = invocation.store
    named = [_named(invocation, name) for name in models]
    total = sum(blob.size for blob in blobs_of(store, [model for model, _ in named]))
    to_stdout = output is None or str(output) == "-"
    if to_stdout and as_json:
        raise UsageError("the tar is on stdout, where --json goes", hint="Name a file: -o FILE.tar")
    if to_stdout and invocation.output.stdout_is_terminal:
        raise UsageError("a tar is nothing for a terminal", hint="Name a file: -o FILE.tar")
    left = "The tar is not whole." if to_stdout else "Nothing was saved."
    invocation.output.on_interrupt(f"Interrupted. {left}")
    with file_progress(invocation.output, quiet=quiet) as tell:
        if to_stdout:
            with invocation.output.stream() as stream:
                save(store, named, stream, lambda done: tell("saving", done, total))
            return
        assert output is not None  # noqa: S101 - else it goes to stdout
        with _replaced(output) as file:
            save(store, named, file, lambda done: tell("saving", done, total))
    invocation.output.on_interrupt(None)
    if as_json:
        saved = [{"id": str(model.id), "tag": tag.canonical} for model, tag in named]
        invocation.output.json({"file": str(output), "size": total, "models": saved})
    elif not quiet:
        count = f"{len(named)} models" if len(named) > 1 else models[0]
        invocation.output.notice(f"Saved {count} to {output} ({format_size(total)})")


def _named(invocation: Invocation, name: str) -> tuple[StoredModel, Reference]:
    model = invocation.store.get(name)
    reference = invocation.reference_of(name, model)
    if reference is None:
        if not model.names:
            raise UsageError(f"{name} has no name", hint=f"smolctl model tag {name} NAME:TAG")
        reference = (model.tags or model.names)[0]
    return model, reference


@contextmanager
def _replaced(path: Path) -> Iterator[IO[bytes]]:
    """Give a file that is at `path` when the block has ended well, and nowhere otherwise."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with storage_errors(path, "Name a file in another folder, or on another disk, with -o."):
        if path.exists() and not path.is_file():  # /dev/null, a named pipe
            with path.open("wb") as file:
                yield file
            return
        try:
            with temporary.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
