"""The cache: names, sharing, removal, damage, and several processes at once."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from smolctl.errors import IntegrityError, ModelNotFound, StorageError, UsageError
from smolctl.model.config import ConfigSchema, ModelConfig
from smolctl.model.descriptor import Descriptor
from smolctl.model.manifest import Manifest
from smolctl.model.reference import Reference
from smolctl.store.store import Store
from tests.support.docker_registry import require

WEIGHTS = b"GGUF weights"


def put(store, name, weights=WEIGHTS, license_text=b"terms"):
    """Put a small model into `store` under `name`, and return it."""
    layers = [
        Descriptor.of(weights, "application/vnd.docker.ai.gguf.v3"),
        Descriptor.of(license_text, "application/vnd.docker.ai.license"),
    ]
    config = ModelConfig(
        ConfigSchema.DOCKER_V01, format="gguf", diff_ids=tuple(str(la.digest) for la in layers)
    ).to_bytes()
    described = Descriptor.of(config, ConfigSchema.DOCKER_V01.value)
    store.prepare()
    for descriptor, content in zip(
        (described, *layers), (config, weights, license_text), strict=True
    ):
        store.blobs.write_bytes(descriptor, content)
    model = store.commit(Manifest(described, tuple(layers)).to_bytes(), Reference.parse(name))
    assert model is not None
    return model


def names(store):
    return sorted(store.familiar(name) for model in store.models() for name in model.names)


def blobs(store):
    return {path.name for path in (store.root / "blobs").rglob("*") if path.is_file()}


def test_a_cache_that_is_not_there_is_empty_and_is_not_made(tmp_path):
    store = Store(tmp_path / "models")
    assert store.models() == []
    assert store.find("smollm2") is None
    with pytest.raises(ModelNotFound):
        store.get("smollm2")
    assert not store.root.exists()


def test_it_is_an_oci_image_layout(store):
    model = put(store, "smollm2")
    assert json.loads((store.root / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    index = json.loads((store.root / "index.json").read_bytes())
    (entry,) = index["manifests"]
    assert entry["digest"] == str(model.id)
    assert entry["annotations"] == {"org.opencontainers.image.ref.name": "ai/smollm2:latest"}
    assert blobs(store) >= {model.id.hex}


@pytest.mark.interop
def test_skopeo_reads_it_as_it_stands(store):
    require("skopeo")
    model = put(store, "smollm2:v1")
    put(store, "localhost:5000/team/other:X", weights=b"GGUF others")
    for name in ("ai/smollm2:v1", "localhost:5000/team/other:X"):
        done = subprocess.run(
            ["skopeo", "inspect", "--raw", f"oci:{store.root}:{name}"],
            capture_output=True,
            check=True,
        )
        found = store.get(name)
        assert done.stdout == store.blobs.read(found.manifest, "manifest")
    assert store.get("ai/smollm2:v1").id == model.id


def test_every_spelling_finds_the_model_and_a_wrong_digest_never_does(store):
    model = put(store, "smollm2")
    for name in (
        "smollm2", "ai/smollm2", "docker.io/ai/smollm2:latest", f"smollm2@{model.id}",
        f"smollm2:whatever@{model.id}", model.id.short, model.id.hex, str(model.id),
    ):  # fmt: skip
        assert store.get(name).id == model.id
    wrong = "0" * 64
    for name in (f"smollm2@sha256:{wrong}", f"smollm2:latest@sha256:{wrong}", wrong[:12], wrong,
                 f"sha256:{wrong}", f"other@{model.id}", "smollm2:v2"):  # fmt: skip
        with pytest.raises(ModelNotFound):
            store.get(name)


def test_a_missing_name_suggests_the_nearest(store):
    put(store, "smollm2")
    with pytest.raises(ModelNotFound) as caught:
        store.get("ai/smolm2:latest")
    assert caught.value.hint == "Did you mean ai/smollm2:latest?"


def test_twelve_digits_that_are_no_id_are_a_name(store):
    model = put(store, "ai/abcdef012345")
    assert store.get("abcdef012345").id == model.id


def test_a_moved_tag_leaves_the_old_model_under_its_digest(store):
    old = put(store, "smollm2")
    new = put(store, "smollm2", weights=b"GGUF newer")
    assert store.get("smollm2").id == new.id
    assert store.get(f"smollm2@{old.id}").id == old.id
    assert store.get(old.id.short).tags == ()
    assert names(store) == ["ai/smollm2:latest", f"ai/smollm2@{old.id}"]


def test_an_old_model_with_another_tag_needs_no_pin(store):
    put(store, "smollm2")
    store.tag(store.get("smollm2"), Reference.parse("mine:v1"))
    put(store, "smollm2", weights=b"GGUF newer")
    assert names(store) == ["ai/mine:v1", "ai/smollm2:latest"]


def test_a_pull_by_digest_moves_no_tag(store):
    old = put(store, "smollm2")
    digest = put(Store(store.root.with_name("other")), "smollm2", weights=b"GGUF newer").id
    new = put(store, f"smollm2:latest@{digest}", weights=b"GGUF newer")
    assert new.id == digest
    assert store.get("smollm2").id == old.id
    assert names(store) == ["ai/smollm2:latest", f"ai/smollm2@{digest}"]


def test_a_tag_replaces_the_pin_of_its_repository(store):
    digest = put(Store(store.root.with_name("other")), "smollm2").id
    put(store, f"smollm2@{digest}")
    put(store, "smollm2")
    put(store, f"smollm2@{digest}")
    assert names(store) == ["ai/smollm2:latest"]


def test_a_digest_is_no_name_to_give(store):
    model = put(store, "smollm2")
    with pytest.raises(UsageError):
        store.tag(model, Reference.parse(f"x@{model.id}"))


def test_a_name_goes_and_the_model_stays_until_its_last(store):
    model = put(store, "smollm2")
    store.tag(model, Reference.parse("mine"))
    removal = store.remove("smollm2")
    assert (removal.deleted, removal.freed) == (None, 0)
    assert store.get("mine").id == model.id
    removal = store.remove("mine")
    assert removal.deleted == model.id
    assert removal.freed > len(WEIGHTS)
    assert blobs(store) == set()
    assert store.models() == []


@pytest.mark.parametrize("spelling", ["{id.short}", "{id.hex}", "{id}", "smollm2@{id}"])
def test_a_model_with_several_tags_is_removed_by_id_only_with_force(store, spelling):
    model = put(store, "smollm2")
    store.tag(model, Reference.parse("mine"))
    name = spelling.format(id=model.id)
    with pytest.raises(UsageError, match="several names"):
        store.remove(name)
    assert len(names(store)) == 2
    assert len(store.remove(name, force=True).untagged) == 2
    assert blobs(store) == set()


def test_blobs_that_another_model_uses_stay(store):
    put(store, "one", license_text=b"one")
    other = put(store, "two", license_text=b"two")
    store.remove("one")
    assert store.blobs.has(store.artifact(other).manifest.layers[0])
    assert store.missing_blobs(store.artifact(other).manifest) == []


def test_a_damaged_neighbour_makes_removal_careful(store):
    put(store, "one", license_text=b"one")
    other = put(store, "two", license_text=b"two")
    store.blobs.path(other.id).write_bytes(b"damaged")
    before = blobs(store)
    assert store.remove("one").freed == 0
    assert blobs(store) == before


def test_a_commit_without_a_blob_changes_nothing(store):
    model = put(store, "smollm2")
    content = store.blobs.read(model.manifest, "manifest")
    store.blobs.remove(Manifest.parse(content).layers[0].digest)
    before = (store.root / "index.json").read_bytes()
    assert store.commit(content, Reference.parse("other")) is None
    assert (store.root / "index.json").read_bytes() == before


def test_a_damaged_index_is_an_error_and_stays_as_it_is(store):
    put(store, "smollm2")
    path = store.root / "index.json"
    path.write_bytes(path.read_bytes()[:-5])
    damaged = path.read_bytes()
    with pytest.raises(IntegrityError, match=r"index\.json"):
        store.models()
    with pytest.raises(IntegrityError):
        put(store, "other")
    assert path.read_bytes() == damaged


def test_a_damaged_manifest_is_named_and_mended_by_writing_it_again(store):
    model = put(store, "smollm2")
    store.blobs.path(model.id).write_bytes(b"x" * model.manifest.size)
    with pytest.raises(IntegrityError, match="cache is damaged"):
        store.artifact(model)
    put(store, "smollm2")
    store.artifact(store.get("smollm2"))


def test_entries_of_other_tools_are_kept(store):
    put(store, "smollm2")
    path = store.root / "index.json"
    index = json.loads(path.read_bytes())
    foreign = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": f"sha256:{'1' * 64}",
        "size": 1,
        "annotations": {"org.opencontainers.image.ref.name": "not a name!"},
    }
    index["manifests"].append(foreign)
    path.write_text(json.dumps(index))
    store.tag(store.get("smollm2"), Reference.parse("mine"))
    assert foreign in json.loads(path.read_bytes())["manifests"]


def test_somebody_elses_folder_is_refused_and_left_alone(tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(StorageError, match="not a model cache"):
        put(Store(tmp_path), "smollm2")
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]


def test_a_layout_file_that_was_lost_is_written_again(store):
    model = put(store, "smollm2")
    layout = store.root / "oci-layout"
    written = layout.read_bytes()
    layout.unlink()
    assert store.is_made
    put(store, "other", weights=b"GGUF other")
    assert layout.read_bytes() == written
    layout.unlink()
    assert store.remake_index() is None
    assert layout.read_bytes() == written
    assert store.missing_blobs(store.artifact(model).manifest) == []


@pytest.mark.parametrize("index", ["", "{}", '{"manifests": []}', '["mine"]'])
def test_a_page_of_somebody_elses_is_no_cache_that_lost_its_layout_file(tmp_path, index):
    (tmp_path / "blobs").mkdir()
    (tmp_path / "index.json").write_text(index)
    with pytest.raises(StorageError, match="not a model cache"):
        put(Store(tmp_path), "smollm2")
    assert not Store(tmp_path).is_made
    assert (tmp_path / "index.json").read_text() == index


def test_a_disk_of_its_own_is_taken(tmp_path):
    (tmp_path / "lost+found").mkdir()
    put(Store(tmp_path), "smollm2")
    assert Store(tmp_path).find("smollm2") is not None


def test_a_model_can_be_removed_from_a_full_disk(store, monkeypatch):
    put(store, "other")
    model = put(store, "smollm2", weights=b"GGUF own")
    own = store.blobs.path(Descriptor.of(b"GGUF own", "").digest)
    sync = os.fsync

    def full(handle):
        if own.exists():
            raise OSError(28, "No space left on device")
        assert store.blobs.path(model.id).exists(), "or it could not be removed again"
        sync(handle)

    monkeypatch.setattr(os, "fsync", full)
    removal = store.remove("smollm2")
    assert removal.deleted == model.id
    assert removal.freed > model.manifest.size + len(b"GGUF own")
    assert names(store) == ["ai/other:latest"]
    assert not store.blobs.path(model.id).exists()
    assert store.missing_blobs(store.artifact(store.get("other")).manifest) == []


def test_a_full_disk_leaves_the_index_as_it_was(store, monkeypatch):
    put(store, "smollm2")
    before = (store.root / "index.json").read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(StorageError, match="disk is full"):
            store.tag(store.get("smollm2"), Reference.parse("mine"))
    assert (store.root / "index.json").read_bytes() == before
    assert names(store) == ["ai/smollm2:latest"]


TAG = """
import sys
from pathlib import Path
from smolctl.model.reference import Reference
from smolctl.store.store import Store
store = Store(Path(sys.argv[1]))
sys.stdin.read(1)
for number in range(5):
    store.tag(store.get("smollm2"), Reference.parse(f"copy{sys.argv[2]}:v{number}"))
"""


def test_processes_that_tag_at_once_lose_nothing(store):
    put(store, "smollm2")
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", TAG, str(store.root), str(number)], stdin=subprocess.PIPE
        )
        for number in range(4)
    ]
    for worker in workers:
        worker.stdin.write(b"x")
        worker.stdin.flush()
    for worker in workers:
        worker.communicate()
        assert worker.returncode == 0
    assert len(names(store)) == 1 + 4 * 5


WRITE = """
import sys
from pathlib import Path
from smolctl.model.descriptor import Descriptor
from smolctl.store.blobs import Blobs
content = b"x" * 3_000_000
def chunks():
    yield content[:1_000_000]
    print("half", flush=True)
    sys.stdin.read(1)
    yield content[1_000_000:]
print(Blobs(Path(sys.argv[1])).write(Descriptor.of(content, "m"), chunks()), flush=True)
"""


def _writer(folder):
    return subprocess.Popen(
        [sys.executable, "-c", WRITE, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


def test_of_two_that_write_one_blob_the_second_waits_and_writes_nothing(tmp_path):
    first = _writer(tmp_path)
    assert first.stdout.readline() == b"half\n"
    second = _writer(tmp_path)
    out, _ = first.communicate(b"x")
    assert out == b"True\n"
    out, _ = second.communicate(b"x")
    assert out == b"False\n"


def test_a_killed_writer_leaves_no_blob_and_the_next_one_succeeds(tmp_path):
    killed = _writer(tmp_path)
    assert killed.stdout.readline() == b"half\n"
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert not (tmp_path / "blobs").exists()
    assert len(list((tmp_path / "partial").iterdir())) == 1
    again = _writer(tmp_path)
    out, _ = again.communicate(b"x")
    assert out == b"half\nTrue\n"
    assert list((tmp_path / "partial").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_said(store, monkeypatch):
    def refuse(*_, **__):
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(Path, "mkdir", refuse)  # as /proc does
    with pytest.raises(StorageError, match="cannot be created") as caught:
        store.prepare()
    assert "SMOLCTL_HOME" in str(caught.value.hint)
