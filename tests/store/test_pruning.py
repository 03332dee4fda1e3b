"""What goes from the cache when it is pruned, and what must stay."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from smolctl.model.descriptor import Descriptor
from smolctl.model.reference import Reference
from smolctl.store.importing import scratch_folder
from smolctl.store.leftovers import Kind, unfinished, unpacked
from smolctl.store.pruning import Rule, carry_out, plan
from smolctl.store.store import Store
from smolctl.store.usage import measure
from tests.store.test_store import WEIGHTS, blobs, put

DAY = 86400
CONTENT = b"x" * 3_000_000


def orphan(store, content=CONTENT, age=0):
    """Put a blob that no model names into `store`."""
    store.prepare()
    blob = Descriptor.of(content, "m")
    store.blobs.write_bytes(blob, content)
    make_older(store.blobs.path(blob.digest), age)
    return blob


def broken_off(store, content=CONTENT[1:], age=0):
    """Leave the first third of a blob, as a pull does that was broken off."""
    store.prepare()
    blob = Descriptor.of(content, "m")
    with store.blobs.open_partial(blob) as partial:
        partial.write(0, content[: len(content) // 3])
    path = store.blobs.partial_path(blob.digest)
    for each in (path, path.with_name(f"{path.name}.journal")):
        make_older(each, age)
    return blob


def make_older(path, age):
    then = time.time() - age
    os.utime(path, (then, then))


def prune(store, **rule):
    return carry_out(store, plan(store, Rule(**rule)))


def kinds(done):
    return [each.kind for each in done.leftovers]


def test_a_cache_that_is_not_there_has_nothing_to_prune_and_is_not_made(tmp_path):
    store = Store(tmp_path / "models")
    assert prune(store, everything=True).freed == 0
    assert measure(store).total.size == 0
    assert not store.root.exists()


def test_somebody_elses_folder_is_left_alone(tmp_path):
    theirs = tmp_path / "partial" / f"sha256-{'0' * 64}"
    theirs.parent.mkdir()
    theirs.write_text("mine")
    make_older(theirs, 30 * DAY)
    assert prune(Store(tmp_path), everything=True, age=0).leftovers == ()
    assert theirs.exists()


def test_a_blob_without_a_model_goes_and_those_of_models_stay(store):
    put(store, "smollm2")
    before = blobs(store)
    blob = orphan(store)
    usage = measure(store)
    assert usage.of_blobs.reclaimable == usage.total.reclaimable == len(CONTENT)
    planned = plan(store, Rule())
    assert planned.size == len(CONTENT)
    assert store.blobs.has(blob), "to plan deletes nothing"
    done = carry_out(store, planned)
    assert (kinds(done), done.freed) == ([Kind.blob], len(CONTENT))
    assert blobs(store) == before


def test_what_got_a_name_after_it_was_planned_stays(store):
    put(store, "other")
    blob = orphan(store, WEIGHTS)
    planned = plan(store, Rule())
    put(store, "smollm2", weights=WEIGHTS)
    assert carry_out(store, planned).leftovers == ()
    assert store.blobs.has(blob)


def test_partial_blobs_go_when_they_are_a_week_old_or_as_old_as_one_says(store):
    old = broken_off(store, CONTENT[2:], age=8 * DAY)
    new = broken_off(store, CONTENT[3:], age=6 * DAY)
    assert measure(store).of_unfinished.count == 2
    done = prune(store)
    assert [each.digest for each in done.leftovers] == [old.digest]
    assert prune(store, age=7 * DAY).leftovers == ()
    assert [each.digest for each in prune(store, age=5 * DAY).leftovers] == [new.digest]
    assert list((store.root / "partial").iterdir()) == []


def test_whole_blobs_stay_beside_a_partial_one_that_a_pull_goes_on_with(store):
    put(store, "smollm2")
    partial, whole = broken_off(store, age=DAY), orphan(store, age=DAY)
    planned = plan(store, Rule())
    assert planned.is_empty
    assert {each.digest for each in planned.young} == {partial.digest, whole.digest}
    assert set(kinds(prune(store, age=0))) == {Kind.blob, Kind.partial}


def test_a_partial_blob_that_somebody_writes_stays_whatever_is_asked_for(store):
    put(store, "smollm2")
    blob = broken_off(store, age=30 * DAY)
    with store.blobs.open_partial(blob) as partial:
        assert measure(store).of_unfinished.reclaimable == 0
        done = prune(store, everything=True, age=0)
        assert (done.leftovers, [each.digest for each in done.busy]) == ((), [blob.digest])
        partial.write(0, CONTENT[1:])
        partial.commit()
    assert store.blobs.has(blob)


def test_a_partial_blob_that_was_gone_on_with_after_it_was_planned_stays(store):
    blob = broken_off(store, age=30 * DAY)
    planned = plan(store, Rule())
    with store.blobs.open_partial(blob) as partial:
        partial.write(1_000_000, CONTENT[:1000])
    assert carry_out(store, planned).leftovers == ()
    assert store.blobs.partial_size(blob) > 1_000_000


def test_any_age_is_that_of_what_changed_after_the_prune_began_too(store):
    # Another one pulls meanwhile, or the clock of the disk's machine is ahead.
    model = put(store, "smollm2")
    put(store, "smollm2", weights=CONTENT[4:])
    blob, partial = orphan(store, age=-60), broken_off(store, age=-60)
    make_older(store.blobs.path(model.id), -60)
    planned = plan(store, Rule(everything=True, age=0))
    assert {each.digest for each in planned.leftovers} == {blob.digest, partial.digest}
    assert ([each.id for each, _ in planned.models], planned.young) == ([model.id], ())


def test_what_goes_while_it_is_looked_for_is_not_there(store, monkeypatch):
    blob = broken_off(store)
    folder = store.root / "unpacked" / f"sha256-{'0' * 64}"
    (folder / "inner").mkdir(parents=True)
    scandir, stat = os.scandir, Path.stat

    def gone(look):
        def looked(path, **more):
            if str(path).endswith("inner") or blob.digest.hex in str(path):
                raise FileNotFoundError(2, "No such file or directory")
            return look(path, **more)

        return looked

    monkeypatch.setattr(os, "scandir", gone(scandir))
    monkeypatch.setattr(Path, "stat", gone(stat))
    assert unfinished(store) == []
    assert [each.path for each in unpacked(store)] == [folder]


WRITE = """
import sys
from pathlib import Path
from smolctl.model.descriptor import Descriptor
from smolctl.store.importing import scratch_folder
from smolctl.store.store import Store
store = Store(Path(sys.argv[1]))
store.prepare()
with store.writing():
    store.blobs.write_bytes(Descriptor.of(b"on its way", "m"), b"on its way")
    (scratch_folder(store.blobs) / "import-1").write_bytes(b"half a file")
    print("written", flush=True)
    sys.stdin.read(1)
"""


def test_blobs_of_a_model_on_its_way_stay_until_its_process_has_ended(store):
    put(store, "smollm2")
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITE, str(store.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert writer.stdout.readline() == b"written\n"
        done = prune(store, everything=True, age=0)
        assert done.is_writing
        assert done.leftovers == ()
        assert {each.kind for each in done.busy} == {Kind.blob, Kind.scratch}
    finally:
        writer.kill()
        writer.communicate()
    assert set(kinds(prune(store, everything=True, age=0))) == {Kind.blob, Kind.scratch}
    assert list(scratch_folder(store.blobs).iterdir()) == []


def test_who_begins_to_write_while_somebody_prunes_waits(store):
    store.prepare()
    with store.nobody_writing() as is_quiet:
        assert is_quiet
        with store.nobody_writing() as again:
            assert not again
    with store.writing(), store.writing(), store.nobody_writing() as is_quiet:
        assert not is_quiet


def test_a_model_without_a_tag_goes_only_with_everything_and_while_it_is_not_in_use(store):
    old = put(store, "smollm2", license_text=b"old")
    put(store, "smollm2")
    assert plan(store, Rule()).untagged[0].id == old.id
    assert prune(store).models == ()
    loaded = plan(store, Rule(everything=True, in_use=lambda digest: digest == old.id))
    assert (loaded.models, loaded.loaded[0].id) == ((), old.id)
    expected = measure(store).of_models.reclaimable
    done = prune(store, everything=True)
    assert [model.id for model, _ in done.models] == [old.id]
    assert done.freed == expected > 0
    assert [store.familiar(name) for model in store.models() for name in model.names] == [
        "ai/smollm2:latest"
    ]
    assert store.missing_blobs(store.artifact(store.get("smollm2")).manifest) == []


def test_a_model_that_got_a_tag_after_it_was_planned_stays(store):
    old = put(store, "smollm2", weights=b"GGUF old")
    put(store, "smollm2")
    planned = plan(store, Rule(everything=True))
    store.tag(old, Reference.parse("mine"))
    assert carry_out(store, planned).models == ()
    assert store.missing_blobs(store.artifact(store.get("mine")).manifest) == []


def test_while_a_manifest_cannot_be_read_no_blob_goes_but_what_is_unfinished_does(store):
    put(store, "one", weights=b"GGUF one")
    damaged = put(store, "two", weights=b"GGUF two")
    store.blobs.path(damaged.id).write_bytes(b"damaged")
    orphan(store)
    broken_off(store, age=8 * DAY)
    before = blobs(store)
    planned = plan(store, Rule(everything=True))
    assert [model.id for model in planned.unreadable] == [damaged.id]
    assert kinds(carry_out(store, planned)) == [Kind.partial]
    assert blobs(store) == before
    assert measure(store).of_blobs.reclaimable == 0


def test_models_whose_index_was_lost_are_not_taken_for_waste(store):
    model = put(store, "smollm2")
    orphan(store)
    store.index_path.unlink()
    before = blobs(store)
    assert plan(store, Rule(age=0)).is_unindexed
    assert prune(store).leftovers == ()
    assert prune(store, everything=True, age=0).leftovers == ()
    assert measure(store).total.reclaimable == 0
    assert blobs(store) == before
    assert [each.id for each in store.remake_index()] == [model.id]
    assert store.remake_index() is None
    assert [each.digest for each in prune(store).leftovers] == [Descriptor.of(CONTENT, "m").digest]
    assert store.missing_blobs(store.artifact(store.get(model.id.short)).manifest) == []


def test_what_a_first_pull_left_that_never_ended_is_waste_though_there_is_no_index(store):
    blob = orphan(store)
    assert not store.index_path.exists()
    assert [each.digest for each in prune(store).leftovers] == [blob.digest]
    assert store.remake_index() is None


def test_a_damaged_index_is_kept_beside_the_new_one(store):
    models = {put(store, name, weights=b"GGUF " + name.encode()).id for name in ("one", "two")}
    store.index_path.write_bytes(b"[1,")
    assert {model.id for model in store.remake_index()} == models
    assert store.index_path.with_name("index.json.damaged").read_bytes() == b"[1,"
    assert {model.names for model in store.models()} == {()}


def test_unpacked_archives_go_with_their_models(store):
    model = put(store, "smollm2")
    kept = store.blobs.unpacked_path(store.artifact(model).manifest.layers[0].digest)
    loose = store.blobs.unpacked_path(Descriptor.of(b"gone", "m").digest)
    unfinished = loose.with_suffix(".new")
    for folder in (kept, loose, unfinished):
        folder.mkdir(parents=True)
        (folder / "model.gguf").write_bytes(b"GGUF" * 1000)
    assert measure(store).of_archives.count == 3
    done = prune(store)
    assert {each.path for each in done.leftovers} == {loose, unfinished}
    assert list(kept.parent.iterdir()) == [kept]


def test_what_models_share_is_counted_once(store):
    one, two = put(store, "one", license_text=b"one"), put(store, "two", license_text=b"two")
    usage = measure(store)
    first, second = usage.models
    assert first.size == sum(path.stat().st_size for path in map(store.blobs.path, first.digests))
    shared = len(WEIGHTS)
    assert usage.own(first) == first.size - shared
    assert usage.of_models.size == first.size + second.size - shared
    assert [each.model.id for each in usage.models] == [one.id, two.id]
    assert store.remove("one").freed == usage.own(first)


@pytest.mark.parametrize("name", ["notes.txt", "sha256-abc", "0" * 63])
def test_files_that_are_not_ours_are_left_alone(store, name):
    put(store, "smollm2")
    places = [store.root / folder / name for folder in ("blobs/sha256", "partial", "unpacked")]
    for path in places:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
        make_older(path, 30 * DAY)
    assert prune(store, everything=True, age=0).leftovers == ()
    assert all(path.exists() for path in places)
