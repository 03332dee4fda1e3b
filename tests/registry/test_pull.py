"""Pulling: what is fetched, what is named afterwards, and pulls that meet each other."""

from __future__ import annotations

import resource
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from smolctl.errors import IntegrityError, RegistryUnavailable, StorageError
from smolctl.store.store import Store
from tests.support.faulty_registry import (
    MANIFEST,
    FaultyRegistry,
    Packed,
    Pause,
    descriptor,
    digest,
    error,
    image_index,
    instead,
    pack,
)
from tests.support.pulling import Notes, fetch


def test_the_cache_holds_what_was_published(store: Store, registry: FaultyRegistry) -> None:
    model = registry.publish("team/model", "v1", pack())

    fetch(store, registry)

    found = store.get(f"{registry.host}/team/model:v1")
    assert str(found.id) == model.id
    for name, content in {**model.blobs, model.id: model.manifest}.items():
        assert (store.root / "blobs" / "sha256" / name[7:]).read_bytes() == content


def test_a_second_pull_fetches_the_manifest_alone(store: Store, registry: FaultyRegistry) -> None:
    registry.publish("team/model", "v1", pack())
    fetch(store, registry)
    seen = len(registry.requests)

    pulled = fetch(store, registry)

    assert pulled.fetched == 0
    assert pulled.moved_from is None
    assert all("/manifests/" in request.path for request in registry.requests[seen:])


def test_a_second_pull_of_an_image_index_asks_once(store: Store, registry: FaultyRegistry) -> None:
    model = registry.publish("team/model", "built", pack())
    index = registry.publish("team/model", "v1", image_index(descriptor(model.manifest, MANIFEST)))
    fetch(store, registry)
    seen = len(registry.requests)

    assert not fetch(store, registry).changed
    assert [request.method for request in registry.requests[seen:]] == ["HEAD"]
    # What another index has in it is asked for, also when it is the same.
    entry = {**descriptor(model.manifest, MANIFEST), "platform": {"os": "linux"}}
    registry.publish("team/model", "v1", image_index(entry))
    assert not fetch(store, registry).changed
    assert [request.method for request in registry.requests[seen + 1 :]] == ["HEAD", "GET", "GET"]
    assert str(store.get(f"{registry.host}/team/model:v1").id) == model.id
    assert store.find(f"{registry.host}/team/model@{index.id}") is None


@pytest.mark.parametrize("also", ["", ":built", ":v1"])
def test_a_model_is_found_by_the_digest_of_its_image_index(
    store: Store, registry: FaultyRegistry, also: str
) -> None:
    model = registry.publish("team/model", "built", pack())
    index = registry.publish("team/model", "v1", image_index(descriptor(model.manifest, MANIFEST)))
    pinned = f"team/model@{index.id}"

    fetch(store, registry, pinned)
    if also:
        fetch(store, registry, f"team/model{also}")
    fetch(store, registry, pinned)

    found = store.get(f"{registry.host}/{pinned}")
    assert str(found.id) == model.id
    assert [str(name.tag) for name in found.names] == [also[1:] or "None"]
    assert store.find(f"{registry.host}/other/model@{index.id}") is None
    seen = len(registry.requests)
    fetch(store, registry, pinned)
    assert [request.method for request in registry.requests[seen:]] == ["HEAD"]


def test_each_layer_is_told_from_its_beginning_to_its_end(
    store: Store, registry: FaultyRegistry
) -> None:
    model = registry.publish("team/model", "v1", pack(b"GGUF" * 1_000_000))
    notes = Notes()

    pulled = fetch(store, registry, progress=notes)

    sizes = {layer: len(model.blobs[layer]) for layer in model.layers}
    assert notes.begun == dict.fromkeys(sizes, 0)
    assert sorted(notes.ended) == sorted(sizes)
    assert all(count <= sizes[name] for name, count in notes.counted.items())
    assert pulled.fetched == sum(sizes.values())


def test_a_tag_that_moved_is_told_and_the_old_model_stays(
    store: Store, registry: FaultyRegistry
) -> None:
    old = registry.publish("team/model", "v1", pack(b"GGUF old"))
    fetch(store, registry)
    new = registry.publish("team/model", "v1", pack(b"GGUF new"))

    pulled = fetch(store, registry)

    assert pulled.moved_from is not None
    assert str(pulled.moved_from.id) == old.id
    tags = {str(model.id): [tag.tag for tag in model.tags] for model in store.models()}
    assert tags == {old.id: [], new.id: ["v1"]}


def test_a_pull_by_digest_moves_no_tag(store: Store, registry: FaultyRegistry) -> None:
    old = registry.publish("team/model", "v1", pack(b"GGUF old"))
    new = registry.publish("team/model", "v1", pack(b"GGUF new"))
    fetch(store, registry)

    fetch(store, registry, f"team/model@{old.id}")

    found = store.get(f"{registry.host}/team/model:v1")
    assert str(found.id) == new.id
    assert {str(model.id) for model in store.models()} == {old.id, new.id}


def test_a_pull_mends_a_damaged_small_blob(store: Store, registry: FaultyRegistry) -> None:
    model = registry.publish("team/model", "v1", pack())
    fetch(store, registry)
    config = store.root / "blobs" / "sha256" / model.config[7:]
    config.write_bytes(b"x" * config.stat().st_size)

    fetch(store, registry)

    assert digest(config.read_bytes()) == model.config


def test_a_pull_brings_a_missing_blob_back(store: Store, registry: FaultyRegistry) -> None:
    model = registry.publish("team/model", "v1", pack())
    fetch(store, registry)
    weights = store.root / "blobs" / "sha256" / model.layers[0][7:]
    weights.unlink()

    fetch(store, registry)

    assert digest(weights.read_bytes()) == model.layers[0]


def test_pulls_at_the_same_time_fetch_each_blob_once(
    store: Store, registry: FaultyRegistry
) -> None:
    model = registry.publish("team/model", "v1", pack(b"GGUF" * 500_000))
    pause = Pause()
    registry.spoil(model.layers[0], pause, times=1)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(fetch, store, registry)
        assert pause.reached.wait(30)
        second = pool.submit(fetch, store, registry)
        pause.go_on.set()

    assert str(first.result().model.id) == str(second.result().model.id) == model.id
    asked = [(r.path, r.headers.get("range")) for r in registry.requests if "/blobs/" in r.path]
    assert len(asked) == len(set(asked))


def test_a_model_removed_while_another_that_shares_its_blobs_is_pulled_is_fetched_again(
    store: Store, registry: FaultyRegistry
) -> None:
    model = pack()
    shared = registry.publish("team/model", "v1", model)
    other = registry.publish(
        "team/model",
        "v2",
        Packed(
            shared.altered(_with_another_license).manifest,
            {**shared.blobs, digest(LICENSE): LICENSE},
        ),
    )
    fetch(store, registry)
    pause = Pause()
    registry.spoil(digest(LICENSE), pause, times=1)

    with ThreadPoolExecutor(1) as pool:
        pulling = pool.submit(fetch, store, registry, "team/model:v2")
        assert pause.reached.wait(30)
        store.remove(f"{registry.host}/team/model:v1")
        pause.go_on.set()

    pulled = pulling.result().model
    assert str(pulled.id) == other.id
    assert store.missing_blobs(store.artifact(pulled).manifest) == []


LICENSE = b"You may not.\n"


def _with_another_license(manifest: dict[str, list[dict[str, object]]]) -> None:
    manifest["layers"][1].update(digest=digest(LICENSE), size=len(LICENSE))


def test_a_broken_connection_leaves_no_name_behind(store: Store, registry: FaultyRegistry) -> None:
    model = registry.publish("team/model", "v1", pack())
    registry.spoil(model.layers[0], instead(error(503, "UNAVAILABLE")))

    with pytest.raises(RegistryUnavailable):
        fetch(store, registry)

    assert store.models() == []
    assert not (store.root / "blobs" / "sha256" / model.layers[0][7:]).exists()


def test_somebody_elses_folder_is_left_alone(tmp_path: Path, registry: FaultyRegistry) -> None:
    registry.publish("team/model", "v1", pack())
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "thesis.txt").write_text("chapter 1")

    with pytest.raises(StorageError, match="not a model cache"):
        fetch(Store(folder), registry)

    assert [path.name for path in folder.iterdir()] == ["thesis.txt"]
    assert not any("/blobs/" in path for path in registry.paths())


def test_readers_see_the_old_state_until_the_new_one_is_whole(
    store: Store, registry: FaultyRegistry
) -> None:
    old = registry.publish("team/model", "v1", pack(b"GGUF old"))
    fetch(store, registry)
    new = registry.publish("team/model", "v1", pack(b"GGUF new"))
    pause = Pause()
    registry.spoil(new.layers[0], pause, times=1)
    name = f"{registry.host}/team/model:v1"

    pulling = threading.Thread(target=fetch, args=(store, registry))
    pulling.start()
    try:
        assert pause.reached.wait(30)
        assert str(Store(store.root).get(name).id) == old.id
    finally:
        pause.go_on.set()
        pulling.join(30)

    assert str(Store(store.root).get(name).id) == new.id


def test_a_config_that_no_config_is_as_large_as_is_not_fetched(
    store: Store, registry: FaultyRegistry
) -> None:
    large = b" " * (4 * 1024 * 1024) + b"{}"
    model = pack()
    spoilt = model.altered(lambda m: m["config"].update(size=len(large), digest=digest(large)))
    registry.publish("team/model", "v1", spoilt)

    with pytest.raises(IntegrityError, match="config is larger"):
        fetch(store, registry)

    assert not any("/blobs/" in path for path in registry.paths())


def test_a_further_tag_is_a_change_though_no_layer_was_fetched(
    store: Store, registry: FaultyRegistry
) -> None:
    first = registry.publish("team/model", "v1", pack())
    registry.publish("team/model", "v2", first)
    assert fetch(store, registry).changed

    further = fetch(store, registry, "team/model:v2")

    assert (further.fetched, further.changed) == (0, True)
    assert not fetch(store, registry, "team/model:v2").changed


def test_many_small_layers_do_not_open_as_many_files(
    store: Store, registry: FaultyRegistry
) -> None:
    model = Packed.of_layers(*(b"layer %d" % number for number in range(100)))
    registry.publish("team/model", "v1", model)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = len(list(Path("/proc/self/fd").iterdir())) + 40
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    try:
        pulled = fetch(store, registry)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

    assert store.missing_blobs(store.artifact(pulled.model).manifest) == []
