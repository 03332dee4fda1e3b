"""Tars of models: out of one cache, into another, and what strangers may put into one."""

from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from smolctl.errors import IntegrityError, ModelNotFound, SmolctlError, UsageError
from smolctl.model.descriptor import Descriptor
from smolctl.model.reference import Reference
from smolctl.store.load import Loading, Wanted
from smolctl.store.save import save
from smolctl.store.store import Store
from tests.support.faulty_registry import GGUF, MANIFEST, Packed, descriptor, pack

if TYPE_CHECKING:
    from pathlib import Path

FIRST = Packed.of_layers(b"shared weights", b"one license")
SECOND = Packed.of_layers(b"shared weights", b"another license")
NAMES = ("team/first:v1", "registry.example.com/team/second:v2")


@pytest.fixture
def filled(tmp_path: Path) -> Store:
    made = Store(tmp_path / "filled")
    made.prepare()
    for packed, name in zip((FIRST, SECOND), NAMES, strict=True):
        for blob in packed.blobs.values():
            made.blobs.write_bytes(Descriptor.of(blob, GGUF), blob)
        assert made.commit(packed.manifest, Reference.parse(name)) is not None
    return made


class Pipe:
    """A stream that cannot seek."""

    def __init__(self, content: bytes) -> None:
        self._stream = io.BytesIO(content)

    def read(self, size: int = -1) -> bytes:
        return self._stream.read(min(size, 1000))


def saved(store: Store, *names: str) -> bytes:
    target = io.BytesIO()
    save(store, [(store.get(name), Reference.parse(name)) for name in names], target)
    return target.getvalue()


def load(store: Store, content: bytes, **wanted: Any) -> list[str]:
    """Load a tar as a pipe would bring it; gives the names of what it held."""
    models = Loading(store, Wanted(**wanted)).from_tar(Pipe(content))  # type: ignore[arg-type]
    return [tag.familiar() for model in models for tag in model.tags]


def blob_names(store: Store) -> set[str]:
    return {path.name for path in (store.root / "blobs" / "sha256").glob("*")}


def tar(*members: tuple[str | tarfile.TarInfo, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for member, content in members:
            info = tarfile.TarInfo(member) if isinstance(member, str) else member
            info.size = info.size or len(content)
            archive.addfile(info, io.BytesIO(content))
    return target.getvalue()


def layout(packed: Packed, name: str | None = "team/m:v1") -> list[tuple[str, bytes]]:
    """The members of a layout as skopeo orders them: the blobs before the index."""
    more = {} if name is None else {"annotations": {"org.opencontainers.image.ref.name": name}}
    entry = descriptor(packed.manifest, MANIFEST, **more)
    index = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
    blobs = [(f"blobs/sha256/{each[7:]}", content) for each, content in packed.blobs.items()]
    return [*blobs, (f"blobs/sha256/{packed.id[7:]}", packed.manifest), ("index.json", index)]


class TestATar:
    def test_brings_its_models_with_their_names(self, filled: Store, store: Store) -> None:
        assert load(store, saved(filled, *NAMES)) == list(NAMES)

        assert [str(model.id) for model in store.models()] == [FIRST.id, SECOND.id]
        assert blob_names(store) == blob_names(filled)

    def test_has_what_models_share_once_and_is_always_the_same(self, filled: Store) -> None:
        content = saved(filled, *NAMES)

        assert content == saved(filled, *NAMES)
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            names = archive.getnames()
        assert len(names) == len(set(names))
        assert names[:2] == ["oci-layout", "index.json"]

    def test_as_skopeo_writes_it_is_read(self, store: Store) -> None:
        assert load(store, tar(("./", b""), *layout(FIRST))) == ["team/m:v1"]

    def test_of_which_one_model_is_wanted_brings_that(self, filled: Store, store: Store) -> None:
        content = saved(filled, *NAMES)

        assert load(store, content, tag="v2", name=Reference.parse("mine:it")) == ["ai/mine:it"]

        (model,) = store.models()
        assert str(model.id) == SECOND.id
        # What the other model alone needs is not kept.
        assert FIRST.id[7:] not in blob_names(store)
        with pytest.raises(ModelNotFound, match="v3"):
            load(store, content, tag="v3")

    def test_without_a_name_in_it_wants_one(self, store: Store) -> None:
        for name in (None, "v1"):
            with pytest.raises(UsageError, match="no name"):
                load(store, tar(*layout(FIRST, name)))
        assert not blob_names(store)
        assert load(store, tar(*layout(FIRST, None)), name=Reference.parse("a/b:c")) == ["a/b:c"]

    def test_is_not_written_with_a_damaged_blob(self, filled: Store) -> None:
        path = filled.root / "blobs" / "sha256" / FIRST.layers[0][7:]
        path.write_bytes(b"SHARED weights")

        with pytest.raises(IntegrityError, match="damaged"):
            saved(filled, NAMES[0])


class TestAFolder:
    def test_brings_its_models(self, filled: Store, store: Store) -> None:
        models = Loading(store, Wanted()).from_folder(filled.root)

        assert [str(model.id) for model in models] == [FIRST.id, SECOND.id]

    def test_that_is_no_layout_is_refused(self, store: Store, tmp_path: Path) -> None:
        with pytest.raises(ModelNotFound, match="no OCI image layout"):
            Loading(store, Wanted()).from_folder(tmp_path)


def special(name: str, kind: bytes, target: str = "/etc/passwd") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


_BLOB = f"blobs/sha256/{FIRST.layers[0][7:]}"


class TestAHostileTar:
    @pytest.mark.parametrize(
        "members",
        [
            [("../outside", b"x")],
            [("/tmp/outside", b"x")],
            [("blobs/../../outside", b"x")],
            [(special(_BLOB, tarfile.SYMTYPE), b"")],
            [(special(_BLOB, tarfile.LNKTYPE), b"")],
            [(special(_BLOB, tarfile.CHRTYPE), b"")],
            [(special(_BLOB, tarfile.FIFOTYPE), b"")],
            [(special("index.json", tarfile.SYMTYPE), b"")],
            [(_BLOB, b"other bytes")],
            [(f"blobs/sha256/{'0' * 65}", b"x")],
            [("index.json", b"{}"), ("index.json", b"{}")],
            [("index.json", b"[" * 100_000)],
            [("index.json", b" " * 5_000_000)],
        ],
    )
    def test_leaves_nothing(
        self, store: Store, tmp_path: Path, members: list[tuple[Any, bytes]]
    ) -> None:
        before = {path for path in tmp_path.rglob("*") if store.root not in path.parents}

        with pytest.raises(SmolctlError) as caught:
            load(store, tar(*layout(SECOND)[:2], *members, *layout(SECOND)))

        assert caught.value.exit_code in (3, 6)
        assert store.models() == []
        assert not blob_names(store)
        assert not [path for path in (store.root / "partial").glob("*") if path.is_file()]
        after = {path for path in tmp_path.rglob("*") if store.root not in path.parents}
        assert after - before <= {store.root}

    @pytest.mark.parametrize("cut", [0, 100, 700, 2000, 4000])
    def test_that_is_cut_short_leaves_nothing(self, store: Store, cut: int) -> None:
        with pytest.raises(SmolctlError) as caught:
            load(store, tar(*layout(FIRST))[:cut])

        assert caught.value.exit_code == 6
        assert store.models() == []
        assert not blob_names(store)

    def test_that_claims_to_be_huge_is_refused_by_the_disk(self, store: Store) -> None:
        member = tarfile.TarInfo(_BLOB)
        member.size = 2**60
        content = tarfile.TarInfo.tobuf(member, tarfile.GNU_FORMAT) + b"x" * 2000

        with pytest.raises(SmolctlError, match="disk is too small"):
            load(store, content)

    def test_that_is_compressed_says_how_to_read_it(self, store: Store) -> None:
        with pytest.raises(IntegrityError) as caught:
            load(store, b"\x1f\x8b" + b"x" * 1000)

        assert "gunzip" in (caught.value.hint or "")

    def test_of_something_else_than_a_model_is_refused(self, store: Store) -> None:
        image = pack(config_type="application/vnd.oci.image.config.v1+json")

        with pytest.raises(SmolctlError) as caught:
            load(store, tar(*layout(image)))

        assert caught.value.exit_code == 7
        assert not blob_names(store)
