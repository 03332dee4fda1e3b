"""Hashing the cache again: what is damaged is named, and what is not is not."""

import threading

import pytest

from smolctl.errors import IntegrityError
from smolctl.model.descriptor import Descriptor
from smolctl.model.digest import Digest
from smolctl.store import verification
from smolctl.store.verification import DistrustingBlobs, Fault, file_state, inspect, verify
from tests.store.test_store import WEIGHTS, put

LARGE = b"GGUF" + b"w" * 3_000_000


def weights_of(store, model):
    return store.artifact(model).manifest.layers[0]


def flip(path, position=1_000_000):
    """Change one bit of a file, in place, its times included."""
    with path.open("r+b") as file:
        file.seek(position)
        byte = file.read(1)
        file.seek(position)
        file.write(bytes([byte[0] ^ 1]))


def faults(found):
    return {(damage.part, damage.fault) for damage in found.damages}


def test_a_sound_cache_is_sound_and_every_byte_is_looked_at(store):
    put(store, "one", weights=LARGE)
    put(store, "two", weights=LARGE, license_text=b"others")
    told = []
    found = verify(store, tell=lambda done, total: told.append((done, total)))
    files = [path for path in (store.root / "blobs").rglob("*") if path.is_file()]
    assert found.damages == ()
    assert found.count == len(files)
    assert found.size == sum(path.stat().st_size for path in files)
    assert told[-1] == (found.size, found.size)


def test_an_empty_cache_is_sound(store):
    assert verify(store) == verification.Verification(0, 0, ())


def test_one_flipped_bit_is_found_with_all_models_that_have_it(store):
    models = put(store, "one", weights=LARGE), put(store, "two", weights=LARGE, license_text=b"2")
    put(store, "three", weights=b"GGUF other")
    blob = weights_of(store, models[0])
    flip(store.blobs.path(blob.digest))
    (damage,) = verify(store).damages
    assert (damage.blob, damage.fault, damage.part) == (blob, Fault.digest, "weights")
    assert [model.id for model in damage.models] == [model.id for model in models]
    assert store.blobs.has(blob), "what a pull looks at says nothing of it"
    assert verify(store, [store.get("three")]).damages == ()
    assert verify(store, [models[1]]).damages == (damage,)


def test_each_kind_of_damage_is_told_apart(store, monkeypatch):
    model = put(store, "smollm2", weights=LARGE)
    manifest = store.artifact(model).manifest
    weights, terms = (store.blobs.path(layer.digest) for layer in manifest.layers)
    weights.write_bytes(LARGE[:-1])
    terms.unlink()
    config = store.blobs.path(manifest.config.digest)
    config.write_bytes(b"x" * manifest.config.size)
    assert faults(verify(store)) == {
        ("weights", Fault.size),
        ("license", Fault.missing),
        ("config", Fault.digest),
    }

    def broken_disk(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(verification.os, "readv", broken_disk)
    found = {damage.part: damage for damage in verify(store).damages}
    assert found["config"].fault is Fault.unreadable
    assert "Input/output error" in found["config"].detail


@pytest.mark.parametrize("change", ["missing", "other bytes"])
def test_a_damaged_manifest_is_named_and_what_it_named_is_not_taken_for_damage(store, change):
    model = put(store, "smollm2")
    path = store.blobs.path(model.id)
    if change == "missing":
        path.unlink()
    else:
        path.write_bytes(b"x" * model.manifest.size)
    (damage,) = verify(store).damages
    assert (damage.blob.digest, damage.part) == (model.id, "manifest")
    assert damage.fault is (Fault.missing if change == "missing" else Fault.digest)


def test_a_blob_that_no_model_names_is_looked_at_too(store):
    put(store, "smollm2")
    blob = Descriptor.of(LARGE, "m")
    store.blobs.write_bytes(blob, LARGE)
    assert verify(store).damages == ()
    flip(store.blobs.path(blob.digest))
    (damage,) = verify(store).damages
    assert (damage.blob.digest, damage.models) == (blob.digest, ())
    assert verify(store, store.models()).damages == ()


def test_a_damaged_index_is_an_error_that_says_what_to_do(store):
    put(store, "smollm2")
    store.index_path.write_bytes(b"{")
    with pytest.raises(IntegrityError, match=r"index\.json") as caught:
        verify(store)
    assert "smolctl model verify --repair" in caught.value.hint


def test_a_model_that_is_removed_while_it_is_verified_is_no_damage(store, monkeypatch):
    model = put(store, "smollm2", weights=LARGE)
    other = put(store, "other", weights=b"GGUF other")
    blob = weights_of(store, model)
    real, began = verification.inspect, threading.Event()

    def slow(blobs, each, tell):
        if each.digest == blob.digest and not began.is_set():
            began.set()
            store.remove("smollm2")
        return real(blobs, each, tell)

    monkeypatch.setattr(verification, "inspect", slow)
    assert verify(store).damages == ()
    assert began.is_set()
    store.blobs.path(weights_of(store, other).digest).unlink()
    assert faults(verify(store)) == {("weights", Fault.missing)}


def test_a_file_that_is_replaced_while_it_is_read_is_read_again(store):
    blob = weights_of(store, put(store, "smollm2", weights=LARGE))
    path = store.blobs.path(blob.digest)
    flip(path, len(LARGE) - 1)

    def replace_it(_):
        if file_state(path) == damaged:
            fresh = path.with_name("fresh")
            fresh.write_bytes(LARGE)
            fresh.replace(path)
        return True

    damaged = file_state(path)
    assert inspect(store.blobs, blob)[0] is Fault.digest
    assert inspect(store.blobs, blob, replace_it) is None


def test_a_damaged_file_does_not_count_as_here_until_it_is_replaced(store):
    blob = weights_of(store, put(store, "smollm2", weights=LARGE))
    path = store.blobs.path(blob.digest)
    flip(path)
    distrusting = DistrustingBlobs(store.root, {blob.digest: file_state(path)})
    assert store.blobs.has(blob)
    assert not distrusting.has(blob)
    with path.open("rb") as mapped:
        assert distrusting.write_bytes(blob, LARGE)
        assert mapped.read() != LARGE, "who has the old file open keeps it"
    assert distrusting.has(blob)
    assert path.read_bytes() == LARGE


def test_a_sha512_blob_is_hashed_as_that(store):
    store.prepare()
    digest = Digest.of(WEIGHTS, "sha512")
    blob = Descriptor("m", digest, len(WEIGHTS))
    store.blobs.write_bytes(blob, WEIGHTS)
    assert verify(store).count == 1
    assert verify(store).damages == ()
