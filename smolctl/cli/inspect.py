"""`smolctl model inspect`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smolctl.cli.inspected import Inspected, inspect_here, inspect_remote
from smolctl.cli.invocation import Invocation
from smolctl.cli.layout import refuse_layout
from smolctl.cli.listed import Listed
from smolctl.cli.options import (
    CaFileFlag,
    JsonFlag,
    ModelArgument,
    NetworkFlags,
    OfflineFlag,
    PlainHttpFlag,
    RetriesFlag,
)
from smolctl.cli.output import brief
from smolctl.errors import ModelNotFound, UsageError
from smolctl.model.gguf import ArrayFacts, GGUFHeader
from smolctl.model.layer import Role
from smolctl.model.units import format_count, format_size, format_time

if TYPE_CHECKING:
    from smolctl.cli.output import Output
    from smolctl.model.artifact import Artifact
    from smolctl.store.store import Store

EXAMPLES = (
    ("A model that is here", "smolctl model inspect ai/smollm2"),
    ("One that is not, without its weights", "smolctl model inspect --remote ai/smollm2"),
    ("Its context length, for a script", "smolctl model inspect smollm2 --json | jq .gguf"),
    ("What it may be used for", "smolctl model inspect smollm2 --license"),
)

_SHOWN_LETTERS = 100
_LABEL_WIDTH = 16


def command(
    ctx: typer.Context,
    model: ModelArgument,
    remote: Annotated[
        bool,
        typer.Option(
            "--remote", "-r", help="As its registry has it now, without pulling its weights."
        ),
    ] = False,
    template: Annotated[
        bool, typer.Option("--template", help="Print the chat template alone.")
    ] = False,
    license_: Annotated[
        bool, typer.Option("--license", help="Print the texts of its licenses alone.")
    ] = False,
    as_json: JsonFlag = False,
    plain_http: PlainHttpFlag = False,
    ca_file: CaFileFlag = None,
    retries: RetriesFlag = None,
    offline: OfflineFlag = False,
) -> None:
    """Show everything about a model: names, layers, config, GGUF header, and memory.

    The table of memory is what `run` takes with so many tokens of context, by the type of the KV
    cache (--cache-type-k and --cache-type-v).
    """
    if template + license_ + as_json > 1:
        raise UsageError("--template, --license and --json exclude each other")
    refuse_layout(model)
    network = NetworkFlags(plain_http, ca_file, None, retries)
    invocation = Invocation.of(ctx, offline=offline, network=network)
    store, output = invocation.store, invocation.output
    if template:
        show = partial(_show_template, output)
    elif license_:
        show = partial(_show_licenses, output)
    elif as_json:
        show = partial(_show_json, output, store, remote)
    else:
        show = partial(_show, output, store)
    if remote:
        inspect_remote(invocation, invocation.remote_reference(model), show)
    else:
        show(inspect_here(store, model))


def _show_template(output: Output, found: Inspected) -> None:
    output.piece(_ended(found.template()))


def _show_licenses(output: Output, found: Inspected) -> None:
    texts = list(found.licenses())
    if not texts:
        name = found.license_name()
        said = f"; its file says {name}" if name else ""
        raise ModelNotFound(f"{found.model.id.short} has no license text in it{said}")
    output.piece("\n".join(map(_ended, texts)))


def _ended(text: str) -> str:
    return text if text.endswith("\n") else f"{text}\n"


def _show(output: Output, store: Store, found: Inspected) -> None:
    header = found.header
    for label, value in _facts(store, found):
        output.line(f"{label + ':':<{_LABEL_WIDTH}} {value}")
    if found.problem is not None:
        output.line(f"{'Problem:':<{_LABEL_WIDTH}} {found.problem}")
    output.line("Layers:")
    for layer in found.artifact.layers:
        path = f"  {layer.path}" if layer.path else ""
        output.line(
            f"  {layer.descriptor.digest.short}  {format_size(layer.descriptor.size):>8}"
            f"  {layer.role.value}{path}  ({layer.descriptor.media_type})"
        )
    table = _memory(found)
    if table:
        types = next(iter(table.values()))
        output.line("Memory, by context and type of the KV cache:")
        output.line(f"  {'':<8}" + "".join(f"{name:>9}" for name in types))
        for length, needs in table.items():
            sizes = "".join(f"{format_size(needed):>9}" for needed in needs.values())
            output.line(f"  {length:<8}{sizes}")
    if header is not None:
        output.line("GGUF metadata:")
        for key, item in header.metadata.items():
            output.line(f"  {key}: {_shown(item)}")


def _memory(found: Inspected) -> dict[int, dict[str, int]]:
    if found.header is None:
        return {}
    from smolctl.engine.options import EngineOptions
    from smolctl.runner.need import memory_table
    from smolctl.runner.workers import worker_options

    options = worker_options(EngineOptions(), parallel=False)
    return memory_table(found.header, found.weights_bytes, options, found.context_size)


def _facts(store: Store, found: Inspected) -> list[tuple[str, str]]:
    model, artifact, header = found.model, found.artifact, found.header
    config = artifact.config
    facts = [
        ("Model", str(model.id)),
        ("Names", ", ".join(store.familiar(name) for name in model.names) or "-"),
        ("Created", format_time(config.created) if config.created else "-"),
        ("Format", config.format or "-"),
        ("Architecture", config.architecture or "-"),
        ("Parameters", config.parameters or "-"),
        ("Quantization", config.quantization or "-"),
        ("Context size", str(config.context_size or "-")),
        ("Size", format_size(artifact.size)),
        ("Config", config.schema.value),
    ]
    name = found.license_name() or _license_source(artifact)
    if header is None:
        return [*facts, ("License", _shown(name))]
    known = {
        "Parameters": format_count(header.parameters),
        "Quantization": header.quantization,
        "Architecture": header.architecture,
        "Context size": str(header.context_length or "-"),
    }
    # What the publisher left out, the GGUF header knows.
    facts = [
        (label, (known.get(label) or value) if value == "-" else value) for label, value in facts
    ]
    tokenizer = header.tokenizer
    facts += [
        ("Blocks", str(header.block_count or "-")),
        ("Width", str(header.embedding_length or "-")),
        ("Heads", f"{header.head_count or '-'} ({header.head_count_kv or '-'} KV)"),
        ("Vocabulary", f"{header.vocabulary_size or '-'} ({tokenizer.model}/{tokenizer.pre})"),
        ("Chat template", _template_source(artifact, header)),
        ("License", _shown(name)),
    ]
    return facts


def _has(artifact: Artifact, role: Role) -> bool:
    return bool(artifact.with_role(role))


def _license_source(artifact: Artifact) -> str:
    return "in its own layer" if _has(artifact, Role.LICENSE) else "-"


def _template_source(artifact: Artifact, header: GGUFHeader) -> str:
    if _has(artifact, Role.CHAT_TEMPLATE):
        return "in its own layer"
    return "in the GGUF" if header.chat_template else "none"


def _show_json(output: Output, store: Store, remote: bool, found: Inspected) -> None:
    model, artifact, header = found.model, found.artifact, found.header
    value = Listed(model, artifact).as_json()
    value["manifest"] = {
        "media_type": model.manifest.media_type,
        "size": model.manifest.size,
        "annotations": dict(artifact.manifest.annotations),
    }
    value["remote"] = remote
    value["config"]["schema"] = artifact.config.schema.value
    value["license"] = found.license_name()
    value["layers"] = [
        {
            "digest": str(layer.descriptor.digest),
            "size": layer.descriptor.size,
            "media_type": layer.descriptor.media_type,
            "role": layer.role.name.lower(),
            "path": str(layer.path) if layer.path else None,
            "blob": str(store.blobs.path(layer.descriptor.digest))
            if not remote or store.blobs.has(layer.descriptor)
            else None,
        }
        for layer in artifact.layers
    ]
    value["memory"] = [
        {"context_size": length, "cache_type": name, "bytes": needed}
        for length, needs in _memory(found).items()
        for name, needed in needs.items()
    ]
    value["gguf"] = None
    if header is not None:
        value["gguf"] = {
            "architecture": header.architecture,
            "parameters": header.parameters,
            "quantization": header.quantization,
            "context_length": header.context_length,
            "block_count": header.block_count,
            "embedding_length": header.embedding_length,
            "head_count": header.head_count,
            "head_count_kv": header.head_count_kv,
            "vocabulary_size": header.vocabulary_size,
            "chat_template": header.chat_template,
            "metadata": {key: _plain(item) for key, item in header.metadata.items()},
        }
    if found.problem is not None:
        value["problem"] = found.problem
    output.json(value)


def _plain(value: Any) -> Any:
    if isinstance(value, ArrayFacts):
        return {"type": value.element_type, "length": value.length, "head": list(value.head)}
    return value


def _shown(value: Any) -> str:
    if isinstance(value, ArrayFacts):
        return f"{value.length} of {value.element_type}"
    return brief(str(value), _SHOWN_LETTERS)
