"""What every route of a worker needs: the model, its names, and what is counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from smolctl.errors import InvalidReference, ModelNotFound, UsageError
from smolctl.model.reference import ModelId, Reference
from smolctl.runner import expectation
from smolctl.runner.api.metrics import Metrics
from smolctl.runner.api.replies import Replies
from smolctl.runner.api.threads import Threads
from smolctl.runner.fields import InvalidField

if TYPE_CHECKING:
    from smolctl.runner.activity import Activity
    from smolctl.runner.api.exchange import Exchange
    from smolctl.runner.loaded import LoadedModel
    from smolctl.runner.source import ModelSource

MODEL_ID_HEADER = expectation.MODEL_ID_HEADER.lower()
"""Whoever forwards a request has resolved the model's name already when this is the model's ID."""

_READERS = 32
"""Requests that are read at once; what hostile ones take, others need not wait for."""

_EMBEDDERS = 4
"""Requests whose texts are embedded by turns, a batch of each; any more of them wait."""


@dataclass(frozen=True)
class Service:
    """A loaded model that is served. `readers` are the threads that requests are read in."""

    model: LoadedModel
    activity: Activity
    metrics: Metrics = field(default_factory=Metrics)
    readers: Threads = field(default_factory=lambda: Threads("request", _READERS))

    @property
    def source(self) -> ModelSource:
        """Where the model comes from, with its names."""
        return self.model.runnable.source

    @property
    def fingerprint(self) -> str:
        """What OpenAI calls `system_fingerprint`: with it and a seed, replies are repeatable."""
        return f"fp_{self.source.id.removeprefix('sha256:')[:12]}"

    @cached_property
    def embedders(self) -> Threads:
        """The threads in which texts are embedded: many of them must not keep those of others."""
        return Threads("embedding", _EMBEDDERS, self.model.options.queue)

    def replies(self) -> Replies:
        """Return a place for the replies to one request; on the event loop."""
        return Replies(self.model.engine, self.metrics, self.readers)

    def check_model(self, exchange: Exchange, name: str | None) -> str:
        """Return what the request calls the model: `name`, unless it has none.

        Raises `ModelNotFound` when that is another model's name, and `InvalidField` when there is
        no name, unless the request's header says that the name was resolved.
        """
        if exchange.header(MODEL_ID_HEADER) == self.source.id:
            return name or self.source.name
        if not name:
            raise InvalidField("model", "model is missing")
        if not means(self.source, name):
            raise ModelNotFound(
                f"this is {self.source.name}; there is no model {name[:200]!r} here"
            )
        return name

    def check_generates(self) -> None:
        """Raise `UsageError` when the model is for embeddings alone."""
        if not self.model.engine.generates:
            raise UsageError(
                f"{self.source.name} is for embeddings and generates no text",
                hint="Ask /v1/embeddings, or another model.",
            )


def means(source: ModelSource, name: str) -> bool:
    """Whether `name` names `source`, in any spelling, or by its ID."""
    names = {source.name, *source.names}
    if name in names:
        return True
    model_id = ModelId.parse(name)
    if model_id is not None and source.id.removeprefix("sha256:").startswith(model_id.hex):
        return True
    wanted = _parsed(name)
    if wanted is None or (wanted.digest is not None and str(wanted.digest) != source.id):
        return False
    known = {reference for reference in map(_parsed, names) if reference is not None}
    if wanted.digest is not None:
        return wanted.name in {reference.name for reference in known}
    return wanted in known


def listed_name(source: ModelSource) -> str:
    """Return what `source` is called in a list: the name it was asked for as, in full."""
    wanted = _parsed(source.name)
    same = (name for name in source.names if _parsed(name) == wanted)
    return next(same, source.names[0] if source.names else source.name)


def _parsed(name: str) -> Reference | None:
    try:
        return Reference.parse(name)
    except InvalidReference:
        return None
