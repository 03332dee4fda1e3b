"""`GET /v1/models` and `GET /v1/models/{id}`: the one model that is served here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smolctl.errors import ModelNotFound
from smolctl.model.units import format_count, format_size
from smolctl.runner.api.service import listed_name, means

if TYPE_CHECKING:
    from smolctl.runner.api.service import Service


def model_list(service: Service) -> dict[str, Any]:
    """Return OpenAI's list of models."""
    return {"object": "list", "data": [model_document(service)]}


def one_model(service: Service, name: str) -> dict[str, Any]:
    """Return the model called `name`. Raises `ModelNotFound` when that is another one."""
    if not means(service.source, name):
        raise ModelNotFound(f"there is no model {name[:200]!r} here")
    return model_document(service)


def model_document(service: Service) -> dict[str, Any]:
    """Return OpenAI's description of the model, with Docker Model Runner's `dmr` in it.

    `context_window` is what the model was loaded with, in tokens.
    """
    source, header = service.source, service.model.runnable.header
    facts = {
        "context_window": service.model.engine.context_size,
        "architecture": header.architecture,
        "parameters": format_count(header.parameters),
        "quantization": header.quantization,
        "size": format_size(source.weights_bytes),
    }
    return {
        "id": listed_name(source),
        "object": "model",
        "created": source.created,
        "owned_by": "smolctl",
        "dmr": {name: value for name, value in facts.items() if value is not None},
    }
