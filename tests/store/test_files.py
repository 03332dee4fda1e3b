"""From layers to files: raw blobs, archives unpacked with suspicion, shards under their names."""

import gzip
import hashlib
import io
import sys
import tarfile
from pathlib import Path

import pytest

from smolctl.errors import IntegrityError, NotRunnable
from smolctl.model.config import ConfigSchema, ModelConfig
from smolctl.model.descriptor import Descriptor
from smolctl.model.layer import FILE_PATH
from smolctl.model.manifest import Manifest
from smolctl.model.reference import Reference
from smolctl.store.files import gguf_path, model_files

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

WEIGHTS = b"GGUF" + bytes(range(256)) * 8
PACKERS = {"tar": bytes, "tar+gzip": gzip.compress, "tar+zstd": zstd.compress}


def tar(*members):
    """Return a tar of (name, content) files, or of ready `TarInfo`s."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
                continue
            name, content = member
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def put(store, *layers, schema=ConfigSchema.MODELPACK, diff_ids=()):
    """Put a model of (media type, content, path) layers into `store`."""
    descriptors = [
        Descriptor.of(content, kind, {FILE_PATH: path} if path else {})
        for kind, content, path in layers
    ]
    config = ModelConfig(schema, format="gguf", diff_ids=diff_ids).to_bytes()
    described = Descriptor.of(config, schema.value)
    store.prepare()
    store.blobs.write_bytes(described, config)
    for descriptor, (_, content, _) in zip(descriptors, layers, strict=True):
        store.blobs.write_bytes(descriptor, content)
    model = store.commit(
        Manifest(described, tuple(descriptors)).to_bytes(), Reference.parse("packed")
    )
    assert model is not None
    return model


def weights_of(store, model):
    return model_files(store, store.artifact(model)).weights


def modelpack(kind, packing):
    return f"application/vnd.cncf.model.{kind}.v1.{packing}"


def test_raw_weights_are_the_blob_itself(store):
    model = put(store, (modelpack("weight", "raw"), WEIGHTS, "model.gguf"))
    (path,) = weights_of(store, model)
    assert path == store.blobs.path(Descriptor.of(WEIGHTS, "").digest)


@pytest.mark.parametrize("packing", PACKERS)
def test_an_archive_is_unpacked_once(store, packing):
    content = tar(("./model/model.gguf", WEIGHTS), ("README.md", b"hello"))
    packed = PACKERS[packing](content)
    diff_id = f"sha256:{hashlib.sha256(content).hexdigest()}"
    model = put(store, (modelpack("weight", packing), packed, None), diff_ids=(diff_id,))
    (path,) = weights_of(store, model)
    assert path.read_bytes() == WEIGHTS
    before = path.stat().st_ino
    assert weights_of(store, model)[0].stat().st_ino == before
    store.remove("packed")
    assert not path.exists()


def test_an_archives_projector_is_not_taken_for_weights(store):
    content = tar(("model-mmproj.gguf", b"GGUF projector"), ("z.gguf", WEIGHTS))
    model = put(store, (modelpack("weight", "tar"), content, None))
    assert [path.name for path in weights_of(store, model)] == ["z.gguf"]


def test_a_template_layer_is_read(store):
    docker = "application/vnd.docker.ai."
    model = put(
        store,
        (f"{docker}gguf.v3", WEIGHTS, None),
        (f"{docker}chat.template.jinja", b"{{ messages }}", None),
        schema=ConfigSchema.DOCKER_V01,
    )
    assert model_files(store, store.artifact(model)).chat_template == "{{ messages }}"


def _special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = target
    return info


@pytest.mark.parametrize(
    "member",
    [
        ("../escaped.gguf", WEIGHTS),
        ("/etc/escaped.gguf", WEIGHTS),
        ("a/../../escaped.gguf", WEIGHTS),
        ("a\\..\\escaped.gguf", WEIGHTS),
        _special("link.gguf", tarfile.SYMTYPE, "/etc/passwd"),
        _special("hard.gguf", tarfile.LNKTYPE, "../../index.json"),
        _special("device.gguf", tarfile.CHRTYPE),
        _special("pipe.gguf", tarfile.FIFOTYPE),
    ],
    ids=["up", "absolute", "within", "backslash", "symlink", "hardlink", "device", "pipe"],
)
def test_an_archive_that_reaches_out_is_refused(store, member):
    content = tar(("fine.gguf", WEIGHTS), member)
    model = put(store, (modelpack("weight", "tar"), content, None))
    with pytest.raises(IntegrityError):
        weights_of(store, model)
    assert not list(store.root.parent.rglob("escaped*"))
    assert not store.blobs.unpacked_path(Descriptor.of(content, "").digest).exists()


def test_a_file_that_stands_twice_is_refused(store):
    model = put(
        store, (modelpack("weight", "tar"), tar(("a.gguf", WEIGHTS), ("a.gguf", b"x")), None)
    )
    with pytest.raises(IntegrityError):
        weights_of(store, model)


def test_a_bomb_is_defused_and_leaves_nothing(store):
    bomb = gzip.compress(tar(("a.gguf", bytes(100_000_000))))
    model = put(store, (modelpack("weight", "tar+gzip"), bomb, None))
    with pytest.raises(IntegrityError, match="times its size"):
        weights_of(store, model)
    assert not list((store.root / "unpacked").glob("*/*"))


def _sparse(claimed):
    """Return a tar of one GNU sparse file, all hole, of `claimed` bytes."""
    info = tarfile.TarInfo("hole.gguf")
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[156:157] = tarfile.GNUTYPE_SPARSE
    header[386:410] = b"00000000000\0" * 2  # the first piece: nothing, at the beginning
    header[483:495] = b"%011o\0" % claimed
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + 8 * 32 + sum(header[156:512]))
    return bytes(header) + bytes(1024)


def test_a_sparse_file_cannot_fill_the_disk(store):
    content = _sparse(8_000_000_000)
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        assert [member.size for member in archive] == [8_000_000_000]
    model = put(store, (modelpack("weight", "tar"), content, None))
    with pytest.raises(IntegrityError, match="no file"):
        weights_of(store, model)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_cannot_fill_the_memory(store, kind):
    info = tarfile.TarInfo("header")
    info.type, info.size = kind, 2_000_000_000
    content = info.tobuf(tarfile.GNU_FORMAT) + bytes(4096)
    model = put(store, (modelpack("weight", "tar"), content, None))
    with pytest.raises(IntegrityError, match="a header of 2000000000 bytes"):
        weights_of(store, model)


@pytest.mark.parametrize("name", ["a.gguf/b.gguf", f"{'x' * 300}.gguf"], ids=["within", "long"])
def test_a_name_that_no_folder_can_hold_is_the_archives_fault(store, name):
    content = tar(("a.gguf", WEIGHTS), (name, WEIGHTS))
    model = put(store, (modelpack("weight", "tar"), content, None))
    with pytest.raises(IntegrityError, match="an archive holds"):
        weights_of(store, model)


@pytest.mark.parametrize("packing", PACKERS)
@pytest.mark.parametrize("damage", [lambda c: c[: len(c) // 2], lambda _: b"nonsense" * 200])
def test_a_broken_archive_is_refused(store, packing, damage):
    content = damage(PACKERS[packing](tar(("a.gguf", WEIGHTS * 50))))
    model = put(store, (modelpack("weight", packing), content, None))
    with pytest.raises(IntegrityError):
        weights_of(store, model)


def test_another_archive_than_the_promised_one_is_refused(store):
    model = put(
        store,
        (modelpack("weight", "tar"), tar(("a.gguf", WEIGHTS)), None),
        diff_ids=(f"sha256:{'0' * 64}",),
    )
    with pytest.raises(IntegrityError, match="was promised"):
        weights_of(store, model)


def test_an_archive_without_weights_says_so(store):
    model = put(store, (modelpack("weight", "tar"), tar(("readme", b"x")), None))
    with pytest.raises(NotRunnable, match="no GGUF"):
        weights_of(store, model)


def test_shards_are_linked_under_the_names_llama_cpp_looks_for(store):
    shards = [b"GGUF one", b"GGUF two", b"GGUF three"]
    kind = "application/vnd.docker.ai.gguf.v3"
    model = put(store, *((kind, shard, None) for shard in shards), schema=ConfigSchema.DOCKER_V01)
    files = model_files(store, store.artifact(model))
    assert [path.read_bytes() for path in files.weights] == shards
    first = gguf_path(store, model, files)
    assert first.name == "model-00001-of-00003.gguf"
    assert [path.read_bytes() for path in sorted(first.parent.iterdir())] == shards
    assert gguf_path(store, model, files) == first
    store.remove("packed")
    assert not first.parent.exists()


def test_links_to_shards_may_be_made_by_another_one_meanwhile(store, monkeypatch):
    shards = [b"GGUF first", b"GGUF second"]
    kind = "application/vnd.docker.ai.gguf.v3"
    model = put(store, *((kind, shard, None) for shard in shards), schema=ConfigSchema.DOCKER_V01)
    link = Path.symlink_to

    def link_after_another(path, target):
        link(path, target)
        link(path, target)

    monkeypatch.setattr(Path, "symlink_to", link_after_another)
    first = gguf_path(store, model, model_files(store, store.artifact(model)))
    assert [path.read_bytes() for path in sorted(first.parent.iterdir())] == shards


def test_missing_weights_are_damage(store):
    model = put(store, (modelpack("weight", "raw"), WEIGHTS, None))
    store.blobs.remove(Descriptor.of(WEIGHTS, "").digest)
    with pytest.raises(IntegrityError, match="damaged"):
        weights_of(store, model)
