"""A registry with a model that is fetched in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.registry.model_in_parts import MODEL

if TYPE_CHECKING:
    from tests.support.faulty_registry import FaultyRegistry


@pytest.fixture
def published(registry: FaultyRegistry) -> FaultyRegistry:
    """The registry, with a model whose one layer takes eleven parts."""
    registry.publish("team/model", "v1", MODEL)
    return registry
