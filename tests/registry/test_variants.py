"""Every tag of a repository is known from its documents, and one that fails hides no other."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from smolctl.configuration import Configuration, Mirror, RegistryConfiguration
from smolctl.errors import ModelNotFound
from smolctl.model.reference import Reference
from smolctl.registry.source import open_sources
from smolctl.registry.variants import Variants, read_variants
from tests.support.faulty_registry import (
    SAFETENSORS,
    Answer,
    FaultyRegistry,
    Packed,
    Request,
    error,
    image_index,
    instead,
    pack,
    wrong_bytes,
)
from tests.support.gguf_files import shard, tiny_llama
from tests.support.large_blob import LargeBlob, wordy_header
from tests.support.pulling import HASTY, fetch

if TYPE_CHECKING:
    from smolctl.store.store import Store

REPOSITORY = "team/model"
MIB = 1024 * 1024

STATED = {
    "general.architecture": "llama",
    "llama.context_length": "2048",
    "llama.block_count": "2",
    "llama.embedding_length": "64",
    "llama.feed_forward_length": "128",
    "llama.attention.head_count": "4",
    "llama.attention.head_count_kv": "2",
    "llama.vocab_size": "32",
}


def variants(
    registry: FaultyRegistry,
    store: Store,
    *,
    limit: int = 100,
    configuration: Configuration | None = None,
) -> Variants:
    reference = Reference.parse(f"{registry.host}/{REPOSITORY}")
    configuration = configuration or Configuration()
    with open_sources(reference, configuration, connections=8, retries=HASTY) as sources:
        return read_variants(sources, reference, store.blobs, limit=limit, threads=8)


def test_725_megabytes_are_known_from_less_than_32(registry: FaultyRegistry, store: Store) -> None:
    blob = LargeBlob(wordy_header(49_152), serves_ranges=False)
    model = blob.publish(registry, REPOSITORY, "latest")

    (found,) = variants(registry, store).found

    assert (found.tags, str(found.digest)) == (("latest",), model.id)
    assert (found.quantization, found.context, found.architecture) == ("F16", 1024, "llama")
    assert found.weights_bytes == 725_000_000
    assert found.header is not None
    assert found.header.vocabulary_size == 49_152
    assert sum(registry.sent.values()) < 32 * MIB


def test_what_the_config_says_is_not_read_from_the_weights(
    registry: FaultyRegistry, store: Store
) -> None:
    registry.publish(REPOSITORY, "v1", pack(config={"gguf": STATED}))

    (found,) = variants(registry, store).found

    assert (found.parameters, found.quantization, found.context) == ("2.1K", "F16", 2048)
    assert found.header is not None
    assert len(registry.paths()) == 3  # the tags, a manifest, a config


def test_tags_of_one_model_are_one_variant(registry: FaultyRegistry, store: Store) -> None:
    model = pack()
    for tag in ("latest", "v1"):
        registry.publish(REPOSITORY, tag, model)
    registry.publish(REPOSITORY, "v2", pack(config={"parameters": "3 K"}))

    found = variants(registry, store).found

    assert [variant.tags for variant in found] == [("latest", "v1"), ("v2",)]
    assert [variant.parameters for variant in found] == ["2.1K", "3K"]


def test_one_that_fails_hides_no_other(registry: FaultyRegistry, store: Store) -> None:
    good = registry.publish(REPOSITORY, "a", pack())
    registry.publish(REPOSITORY, "b", image_index())
    registry.publish(REPOSITORY, "c", pack(config_type="application/vnd.oci.image.config.v1+json"))
    registry.publish(REPOSITORY, "d", pack(layer_type=SAFETENSORS))
    broken = registry.publish(REPOSITORY, "e", pack(b"GGUFnonsense" * 9))
    registry.publish(REPOSITORY, "f", pack(config={"format": "gguf", "parameters": 3}))
    registry.publish(REPOSITORY, "g", pack(config={"quantization": "Q8_0"}))
    registry.spoil("/manifests/g", instead(error(500, "UNKNOWN")))

    found = {variant.tags[0]: variant for variant in variants(registry, store).found}

    assert str(found["a"].digest) == good.id
    assert found["a"].problem is None
    problems = [
        ("b", "index of 0 models"),
        ("c", "not a model artifact"),
        ("d", "llama.cpp runs GGUF"),
        ("e", "GGUF version"),
        ("f", "parameters is not a string"),
        ("g", "500"),
    ]
    for tag, problem in problems:
        assert problem in (found[tag].problem or ""), tag
        assert found[tag].header is None
    assert found["e"].size == sum(len(blob) for blob in broken.blobs.values())


def test_a_config_of_wrong_bytes_is_a_problem(registry: FaultyRegistry, store: Store) -> None:
    model = registry.publish(REPOSITORY, "v1", pack())
    registry.spoil(model.config, wrong_bytes)

    (found,) = variants(registry, store).found

    assert "sha256" in (found.problem or "")
    assert found.size is None


def test_shards_are_counted_together(registry: FaultyRegistry, store: Store) -> None:
    files = [shard(number, 3) for number in range(3)]
    registry.publish(REPOSITORY, "v1", Packed.of_layers(*files))

    (found,) = variants(registry, store).found

    assert found.weights_bytes == sum(map(len, files))
    assert found.parameters is None  # the first file has only a third of them


def test_what_is_here_is_not_asked_for(registry: FaultyRegistry, store: Store) -> None:
    model = registry.publish(REPOSITORY, "v1", pack())
    fetch(store, registry, f"{REPOSITORY}:v1")
    registry.requests.clear()

    (found,) = variants(registry, store).found

    assert found.context == 1024
    assert not [path for path in registry.paths() if "/blobs/" in path]
    assert str(found.digest) == model.id


def test_many_are_asked_for_side_by_side(registry: FaultyRegistry, store: Store) -> None:
    for number in range(50):
        registry.publish(REPOSITORY, f"v{number}", pack(config={"parameters": f"{number} M"}))
    together = threading.Barrier(8, timeout=5)

    def wait_for_the_others(_: Request, answer: Answer) -> Answer:
        return Answer(
            answer.status, answer.headers, answer.body, answer.length, before=together.wait
        )

    registry.spoil("/manifests/", wait_for_the_others, times=8)

    assert len(variants(registry, store).found) == 50
    assert not together.broken


def test_ten_thousand_tags_are_not_all_looked_at(registry: FaultyRegistry, store: Store) -> None:
    model = pack()
    for number in range(10_000):
        registry.publish(REPOSITORY, f"v{number:05}", model)

    found = variants(registry, store, limit=20)

    assert found.more
    assert len(found.found[0].tags) == 20
    assert len(registry.requests) < 30


def test_exactly_as_many_as_the_limit_are_all(registry: FaultyRegistry, store: Store) -> None:
    for number in range(20):
        registry.publish(REPOSITORY, f"v{number:05}", pack())

    assert not variants(registry, store, limit=20).more


def test_a_mirror_is_asked_first_and_need_not_have_everything(
    registry: FaultyRegistry, elsewhere: FaultyRegistry, store: Store
) -> None:
    model = pack()
    for each in (registry, elsewhere):
        each.publish(REPOSITORY, "v1", model)
    elsewhere.publish(REPOSITORY, "v2", model)
    elsewhere.spoil(f"{REPOSITORY}/manifests/v2", instead(error(404, "MANIFEST_UNKNOWN")))
    registry.publish(REPOSITORY, "v2", model)
    mirrors = (Mirror(elsewhere.host),)
    configuration = Configuration(registries={registry.host: RegistryConfiguration(mirrors)})

    (found,) = variants(registry, store, configuration=configuration).found

    assert found.tags == ("v1", "v2")
    assert registry.paths() == [f"/v2/{REPOSITORY}/manifests/v2"]


def test_no_such_repository_is_said(registry: FaultyRegistry, store: Store) -> None:
    with pytest.raises(ModelNotFound):
        variants(registry, store)


def test_a_layer_that_lies_about_its_size_is_a_problem(
    registry: FaultyRegistry, store: Store
) -> None:
    content = tiny_llama()
    model = pack(content).altered(lambda value: value["layers"][0].update(size=10**15))
    registry.publish(REPOSITORY, "v1", model)

    (found,) = variants(registry, store).found

    assert found.problem is not None
    assert found.header is None
