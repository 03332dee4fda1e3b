"""What is not found, or not taken, is said with what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from smolctl.configuration import Configuration
from smolctl.errors import AccessDenied, ModelNotFound, RegistryUnavailable
from smolctl.model.reference import Reference
from smolctl.registry.next_step import next_step, own_name, search_hint, searching
from smolctl.registry.source import open_sources
from tests.support.faulty_registry import FaultyRegistry, error, instead, pack
from tests.support.pulling import HASTY

if TYPE_CHECKING:
    from smolctl.errors import SmolctlError


def hint(registry: FaultyRegistry, name: str, raised: SmolctlError) -> str | None:
    reference = Reference.parse(f"{registry.host}/{name}")
    with (
        open_sources(reference, Configuration(), retries=HASTY) as sources,
        pytest.raises(type(raised), match=raised.message) as caught,
        next_step(sources, reference),
    ):
        raise raised
    return caught.value.hint


def test_the_tags_that_there_are_are_named(registry: FaultyRegistry) -> None:
    for tag in ("v1", "v2", *(f"other-{number}" for number in range(20))):
        registry.publish("team/model", tag, pack())
    variants = f"`smolctl model variants {registry.host}/team/model`"
    missing = ModelNotFound("not there")

    said = hint(registry, "team/model:v3", missing)
    assert said is not None
    assert said.startswith("Tags there: v")
    assert said.endswith(f" and 14 more. {variants} says what they are.")
    pinned = hint(registry, f"team/model@sha256:{'0' * 64}", missing)
    assert pinned == f"{variants} lists what is there."
    nothing = hint(registry, "team/nothing", missing)
    assert nothing == f"`smolctl model search --registry {registry.host}` lists what is there."


def test_what_has_a_hint_or_another_cause_is_left_alone(registry: FaultyRegistry) -> None:
    assert hint(registry, "team/model", ModelNotFound("a", hint="Do this.")) == "Do this."
    assert hint(registry, "team/model", RegistryUnavailable("a")) is None
    assert registry.requests == []
    registry.spoil("/tags/list", instead(error(500, "UNKNOWN")))
    assert hint(registry, "team/model", ModelNotFound("a")) is None
    assert len(registry.requests) == 1, "an error does not wait for what would come with it"


def test_a_repository_that_is_not_there_is_searched_for() -> None:
    reference = Reference.parse("registry.example.com/team/nothing")
    with pytest.raises(ModelNotFound) as caught, searching(reference):
        raise ModelNotFound("a")
    assert caught.value.hint == search_hint(reference)
    assert "--registry registry.example.com" in search_hint(reference)
    assert "`smolctl model search`" in search_hint(Reference.parse("ai/nothing"))


@pytest.mark.parametrize("refusal", [AccessDenied("no"), ModelNotFound("private")])
def test_a_name_without_a_namespace_is_dockers(refusal: SmolctlError) -> None:
    with pytest.raises(AccessDenied) as caught, own_name(Reference.parse("mine:v1")):
        raise refusal
    assert "`ai` is Docker's own" in caught.value.message
    assert "smolctl model tag ai/mine:v1 docker.io/YOU/mine:v1" in str(caught.value.hint)

    for other in ("me/mine", "registry.example.com/ai/mine"):
        with pytest.raises(type(refusal)) as caught, own_name(Reference.parse(other)):
            raise refusal
        assert caught.value is refusal
