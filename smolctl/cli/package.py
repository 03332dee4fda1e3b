"""`smolctl model package`."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from smolctl.cli.cache_words import shown_name
from smolctl.cli.invocation import Invocation
from smolctl.cli.layout import refuse_layout
from smolctl.cli.options import (
    CaFileFlag,
    JsonFlag,
    MaxConnectionsFlag,
    NetworkFlags,
    PlainHttpFlag,
    RetriesFlag,
)
from smolctl.cli.progress import file_progress
from smolctl.cli.text_file import is_there
from smolctl.errors import NotRunnable, SmolctlError, UsageError
from smolctl.model.packaging import Format
from smolctl.model.units import format_size, parse_time
from smolctl.store.packaging import Recipe, package, read_headers, read_small, shards_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from smolctl.registry.push import Push
    from smolctl.store.store import StoredModel

    Tell = Callable[[str, int, int | None], None]

EXAMPLES = (
    (
        "A GGUF file, with its license",
        "smolctl model package --gguf model.gguf --license LICENSE registry.example.com/team/m:v1",
    ),
    (
        "A smaller variant of a model that is here",
        "smolctl model package --from ai/smollm2:360M-F16 --quantize Q4_K_M mine:Q4_K_M",
    ),
    (
        "Another chat template, and to the registry at once",
        "smolctl model package --from mine:v1 --chat-template chat.jinja team/m:v2 --push",
    ),
)

_LATEST_SECONDS = 95_617_584_000
"""The end of the year 4999: later ones are mistakes."""


def command(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it: NAME or NAME:TAG.")],
    gguf: Annotated[
        Path | None,
        typer.Option(
            "--gguf", metavar="FILE", help="The model's file; of several shards the first."
        ),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="MODEL",
            help="Begin with a model that is here, and change what the other flags say.",
        ),
    ] = None,
    licenses: Annotated[
        list[Path] | None,
        typer.Option("--license", "-l", metavar="FILE", help="A license; may be given again."),
    ] = None,
    chat_template: Annotated[
        Path | None,
        typer.Option("--chat-template", metavar="FILE", help="A chat template, in Jinja."),
    ] = None,
    mmproj: Annotated[
        Path | None,
        typer.Option("--mmproj", metavar="FILE", help="A multimodal projector, in GGUF."),
    ] = None,
    card: Annotated[
        Path | None, typer.Option("--card", metavar="FILE", help="The model card: a README.md.")
    ] = None,
    context_size: Annotated[
        int | None,
        typer.Option("--context-size", min=1, metavar="N", help="The context to run it with."),
    ] = None,
    quantize: Annotated[
        str | None,
        typer.Option("--quantize", metavar="TYPE", help="Quantize the weights first: Q4_K_M."),
    ] = None,
    form: Annotated[
        Format | None,
        typer.Option(
            "--format", help="Docker's kind of artifact, or CNCF ModelPack's; docker without it."
        ),
    ] = None,
    annotations: Annotated[
        list[str] | None,
        typer.Option("--annotation", metavar="KEY=VALUE", help="An annotation of the manifest."),
    ] = None,
    created: Annotated[
        str | None,
        typer.Option(
            "--created",
            metavar="TIME",
            help="When it was made (2026-01-31T12:00:00Z); SOURCE_DATE_EPOCH without it.",
        ),
    ] = None,
    push: Annotated[bool, typer.Option("--push", help="Push it afterwards.")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print only the ID, no progress.")
    ] = False,
    as_json: JsonFlag = False,
    plain_http: PlainHttpFlag = False,
    ca_file: CaFileFlag = None,
    max_connections: MaxConnectionsFlag = None,
    retries: RetriesFlag = None,
) -> None:
    """Make a model of files of this machine, or of a model that is here.

    What it is (architecture, parameters, quantization, context) is read from the GGUF file. The
    files are copied into the cache, and may go afterwards. The same files and flags make the same
    digest: there is no time in it unless you give one. `docker model` pulls and runs what this
    makes and pushes.
    """
    network = NetworkFlags(plain_http, ca_file, max_connections, retries)
    invocation = Invocation.of(ctx, network=network)
    store = invocation.store
    reference = store.parse(name)
    if reference.digest is not None:
        raise UsageError("a digest cannot be given as a name", hint="Name a tag: NAME:TAG")
    if gguf is None and base is None:
        raise UsageError(
            "there is nothing to package", hint="Name a file with --gguf, or a model with --from."
        )
    if gguf is not None and base is not None:
        raise UsageError("--gguf and --from contradict each other")
    for path in filter(None, (gguf, *(licenses or ()), chat_template, mmproj, card)):
        if not is_there(path):
            raise UsageError(f"no such file: {path}")
    if base is not None:
        refuse_layout(base)
    if chat_template is not None:
        _check_template(chat_template)
    recipe = Recipe(
        weights=shards_of(gguf) if gguf is not None else (),
        base=store.get(base) if base is not None else None,
        form=form,
        licenses=tuple(licenses or ()),
        chat_template=chat_template,
        projector=mmproj,
        card=card,
        context_size=context_size,
        created=_time(created, invocation.settings.source_date_epoch),
        annotations=dict(map(_annotation, annotations or ())),
    )
    before = store.find_reference(reference)
    with file_progress(invocation.output, quiet=quiet) as tell:
        model = _package(invocation, recipe, name, quantize, tell)
    if before is not None and before.id != model.id and not quiet:
        invocation.output.notice(f"{store.familiar(reference)} named {before.id.short} before.")
    pushed = None
    if push:
        try:
            pushed = invocation.push(model, reference, quiet=quiet)
        except SmolctlError as error:
            name = store.familiar(reference)
            finish = f"It is packaged, and here: `smolctl model push {name}` sends it."
            error.hint = f"{error.hint} {finish}" if error.hint else finish
            raise
    _print(invocation, store.familiar(reference), model, pushed, quiet=quiet, as_json=as_json)


def _package(
    invocation: Invocation, recipe: Recipe, name: str, quantize: str | None, tell: Tell
) -> StoredModel:
    store = invocation.store
    reference = store.parse(name)

    def tell_of(path: Path, done: int) -> None:
        tell(path.name, done, path.stat().st_size)

    if quantize is None:
        return package(store, recipe, reference, tell_of)
    with _quantized(invocation, recipe, quantize, tell) as changed:
        return package(store, changed, reference, tell_of)


@contextmanager
def _quantized(
    invocation: Invocation, recipe: Recipe, quantization: str, tell: Tell
) -> Iterator[Recipe]:
    """Give `recipe` with its weights quantized; the file is gone after the block."""
    from smolctl.engine.quantize import quantize
    from smolctl.store.files import model_files
    from smolctl.store.importing import scratch_folder
    from smolctl.store.storage import check_room

    store = invocation.store
    weights = recipe.weights
    if recipe.base is not None:
        weights = model_files(store, store.artifact(recipe.base)).weights
    if len(weights) != 1:
        raise UsageError("a model in shards cannot be quantized", hint="Merge its shards first.")
    (original,) = weights
    read_headers(weights)
    store.prepare()
    folder = scratch_folder(store.blobs)
    # What it will take depends on the model; a quarter of 16 bits is about the least.
    check_room(folder, original.stat().st_size // 4)
    invocation.output.on_interrupt("Interrupted. Nothing was packaged.")
    with (
        store.writing(),
        tempfile.TemporaryDirectory(prefix="quantize-", dir=folder) as temporary,
    ):
        stem = original.stem if recipe.weights else "model"
        target = Path(temporary) / f"{stem}-{quantization.upper()}.gguf"
        label = f"quantizing to {quantization.upper()}"
        base = shown_name(store, recipe.base) if recipe.base is not None else None
        quantize(original, target, quantization, lambda done: tell(label, done, None), name=base)
        yield replace(recipe, weights=(target,))
    invocation.output.on_interrupt(None)


def _check_template(path: Path) -> None:
    """Refuse a template that does not compile: whoever pulls the model could not chat with it."""
    from smolctl.engine.chat_template import ChatTemplate

    try:
        source = read_small(path).decode()
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not text in UTF-8") from None
    try:
        _ = ChatTemplate(source).knows_tools  # asking compiles it
    except NotRunnable as error:
        raise NotRunnable(f"{path}: {error.message}", hint=error.hint) from None


def _annotation(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UsageError(f"--annotation is {text!r}", hint="An annotation is KEY=VALUE.")
    return key.strip(), value


def _time(flag: str | None, epoch: str | None) -> datetime | None:
    if flag is not None:
        when = parse_time(flag)
        if when is None:
            raise UsageError(
                f"--created is {flag!r}", hint="A time is written as 2026-01-31T12:00:00Z."
            )
        return when
    if epoch is None:
        return None
    if not epoch.isdecimal() or int(epoch) > _LATEST_SECONDS:
        raise UsageError(
            f"SOURCE_DATE_EPOCH is {epoch!r}", hint="It is a number of seconds since 1970."
        )
    return datetime.fromtimestamp(int(epoch), timezone.utc)


def _print(
    invocation: Invocation,
    shown: str,
    model: StoredModel,
    pushed: Push | None,
    *,
    quiet: bool,
    as_json: bool,
) -> None:
    from smolctl.cli.push import print_push, push_as_json

    size = invocation.store.artifact(model).size
    if as_json:
        value = {
            "id": str(model.id),
            "tags": [tag.canonical for tag in model.tags],
            "size": size,
            "pushed": push_as_json(pushed) if pushed is not None else None,
        }
        invocation.output.json(value)
    elif quiet:
        invocation.output.line(str(model.id))
    else:
        invocation.output.line(f"Packaged {shown} ({format_size(size)}, ID {model.id.short})")
        if pushed is not None:
            print_push(invocation, pushed, quiet=False)
