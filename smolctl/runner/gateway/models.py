"""The models of the cache, as clients list them: OpenAI's shape, and Docker Model Runner's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from smolctl.errors import ModelNotFound, SmolctlError
from smolctl.model.reference import ModelId

if TYPE_CHECKING:
    from smolctl.model.config import ModelConfig
    from smolctl.store.store import Store, StoredModel


@dataclass(frozen=True)
class Models:
    """What is in `store`. Everything here reads files: call it in a thread."""

    store: Store

    def openai_list(self) -> dict[str, Any]:
        """Return the answer to `GET /v1/models`: an item for each name, which is its ID."""
        items = []
        for model in self.store.models():
            config = self._config(model)
            names = [self.store.familiar(tag) for tag in model.tags] or [model.id.short]
            items += [_openai_item(name, config) for name in names]
        return {"object": "list", "data": sorted(items, key=lambda item: str(item["id"]))}

    def openai_item(self, name: str) -> dict[str, Any]:
        """Return the item of the model `name`, under that ID or that name in its familiar form.

        Raises `ModelNotFound` and `InvalidReference`.
        """
        model = self.get(name)
        model_id = ModelId.parse(name)
        if model_id is None or not model_id.matches(model.id):
            name = self.store.familiar(self.store.parse(name))
        return _openai_item(name, self._config(model))

    def all(self) -> list[dict[str, Any]]:
        """Return the answer to `GET /models`."""
        return [self._item(model) for model in self.store.models()]

    def one(self, name: str) -> dict[str, Any]:
        """Return the answer to `GET /models/{name}`. Raises as `openai_item`."""
        return self._item(self.get(name))

    def get(self, name: str) -> StoredModel:
        """Return the model `name`. Raises `ModelNotFound`, which says how to get it."""
        model = self.store.find(name)
        if model is None:
            raise ModelNotFound(
                f"no such model here: {name[:200]}",
                hint="`smolctl model pull`, or POST /models/create, brings one here.",
            )
        return model

    def _item(self, model: StoredModel) -> dict[str, Any]:
        config = self._config(model)
        item: dict[str, Any] = {
            "id": str(model.id),
            "tags": [tag.canonical for tag in model.tags],
            "created": _seconds(config),
            "config": {},
        }
        if config is not None:
            facts = {
                "format": config.format,
                "quantization": config.quantization,
                "parameters": config.parameters,
                "architecture": config.architecture,
                "size": config.size,
                "context_size": config.context_size,
                "gguf": dict(config.gguf),
            }
            item["config"] = {name: fact for name, fact in facts.items() if fact}
        return item

    def _config(self, model: StoredModel) -> ModelConfig | None:
        try:
            return self.store.artifact(model).config
        except SmolctlError:  # one damaged model must not hide the others
            return None


def _openai_item(name: str, config: ModelConfig | None) -> dict[str, Any]:
    item: dict[str, Any] = {
        "id": name,
        "object": "model",
        "created": _seconds(config),
        "owned_by": "smolctl",
    }
    if config is not None:
        facts = {
            "context_window": config.context_size,
            "architecture": config.architecture,
            "parameters": config.parameters,
            "quantization": config.quantization,
            "size": config.size,
        }
        item["dmr"] = {name: fact for name, fact in facts.items() if fact is not None}
    return item


def _seconds(config: ModelConfig | None) -> int:
    created = config.created if config is not None else None
    return int(created.timestamp()) if created is not None else 0
