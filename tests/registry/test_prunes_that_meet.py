"""Prunes that meet a pull in the same cache: nothing of it goes, and nothing is fetched twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from smolctl.store.leftovers import Kind
from smolctl.store.pruning import Rule, carry_out, plan
from tests.registry.test_pulls_that_meet import PART, Watching
from tests.support.blob_faults import asks_from
from tests.support.faulty_registry import FaultyRegistry, Packed, Pause
from tests.support.pulling import assert_sound, fetch, unfinished, weights

if TYPE_CHECKING:
    from smolctl.store.store import Store


def test_whole_blobs_and_the_partial_one_of_a_running_pull_stay(
    store: Store, registry: FaultyRegistry
) -> None:
    first, second = weights(2 * PART, 1), weights(10 * PART, 2)
    model = registry.publish("team/model", "v1", Packed.of_layers(first, second))
    pause = Pause()
    registry.spoil(model.layers[1], pause, when=asks_from(2 * PART))
    notes = Watching()
    with ThreadPoolExecutor(1) as pool:
        pulled = pool.submit(fetch, store, registry, "team/model:v1", notes)
        try:
            assert pause.reached.wait(30)
            assert notes.one_ended.wait(30)
            done = carry_out(store, plan(store, Rule(everything=True, age=0)))
        finally:
            pause.go_on.set()
        assert pulled.result(30).fetched == len(first) + len(second)

    assert done.is_writing
    assert done.leftovers == ()
    assert [each.kind for each in done.busy].count(Kind.partial) == 1
    assert [each.kind for each in done.busy].count(Kind.blob) >= 1
    for layer, content in zip(model.layers, (first, second), strict=True):
        assert registry.sent_of(layer) == len(content)
    assert_sound(store)
    assert unfinished(store) == []
