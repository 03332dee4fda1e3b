"""`smolctl model inspect`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from smolctl.cli.invocation import Invocation
from smolctl.cli.listed import Listed
from smolctl.cli.options import JsonFlag, ModelArgument
from smolctl.errors import SmolctlError
from smolctl.model.gguf import ArrayFacts, GGUFHeader, read_file
from smolctl.model.layer import Role
from smolctl.model.units import format_count, format_size, format_time
from smolctl.store.files import model_files

if TYPE_CHECKING:
    from smolctl.model.artifact import Artifact
    from smolctl.store.store import Store, StoredModel

EXAMPLES = (
    ("A model that is here", "smolctl model inspect ai/smollm2"),
    ("Its context length, for a script", "smolctl model inspect smollm2 --json | jq .gguf"),
)

_SHOWN_LENGTH = 100
_LABEL_WIDTH = 16


def command(ctx: typer.Context, model: ModelArgument, as_json: JsonFlag = False) -> None:
    """Show everything about a model: names, layers, config, and its GGUF header."""
    invocation = Invocation.of(ctx)
    store, output = invocation.store, invocation.output
    found = store.get(model)
    artifact = store.artifact(found)
    header, problem = _header(store, artifact)
    if as_json:
        output.json(_as_json(store, found, artifact, header, problem))
        return
    for label, value in _facts(store, found, artifact, header):
        output.line(f"{label + ':':<{_LABEL_WIDTH}} {value}")
    if problem is not None:
        output.line(f"{'Problem:':<{_LABEL_WIDTH}} {problem}")
    output.line("Layers:")
    for layer in artifact.layers:
        path = f"  {layer.path}" if layer.path else ""
        output.line(
            f"  {layer.descriptor.digest.short}  {format_size(layer.descriptor.size):>8}"
            f"  {layer.role.value}{path}"
        )
    if header is not None:
        output.line("GGUF metadata:")
        for key, item in header.metadata.items():
            output.line(f"  {key}: {_shown(item)}")


def _header(store: Store, artifact: Artifact) -> tuple[GGUFHeader | None, str | None]:
    """Read the header of the first weights; say why when there is none to read."""
    try:
        return read_file(model_files(store, artifact).weights[0]), None
    except SmolctlError as error:
        return None, error.message


def _facts(
    store: Store, model: StoredModel, artifact: Artifact, header: GGUFHeader | None
) -> list[tuple[str, str]]:
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
    if header is None:
        return facts
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
        ("License", header.license or _license_source(artifact)),
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


def _as_json(
    store: Store,
    model: StoredModel,
    artifact: Artifact,
    header: GGUFHeader | None,
    problem: str | None,
) -> dict[str, Any]:
    value = Listed(model, artifact).as_json()
    value["manifest"] = {
        "media_type": model.manifest.media_type,
        "size": model.manifest.size,
        "annotations": dict(artifact.manifest.annotations),
    }
    value["config"]["schema"] = artifact.config.schema.value
    value["layers"] = [
        {
            "digest": str(layer.descriptor.digest),
            "size": layer.descriptor.size,
            "media_type": layer.descriptor.media_type,
            "role": layer.role.name.lower(),
            "path": str(layer.path) if layer.path else None,
            "blob": str(store.blobs.path(layer.descriptor.digest)),
        }
        for layer in artifact.layers
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
    if problem is not None:
        value["problem"] = problem
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, ArrayFacts):
        return {"type": value.element_type, "length": value.length, "head": list(value.head)}
    return value


def _shown(value: Any) -> str:
    if isinstance(value, ArrayFacts):
        return f"{value.length} of {value.element_type}"
    text = " ".join(str(value).split())
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}…"
