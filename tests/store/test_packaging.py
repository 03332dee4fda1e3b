"""Packaging: what an artifact is made of, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from smolctl.errors import InvalidGGUF, NotRunnable, SmolctlError, StorageError, UsageError
from smolctl.model.layer import Role
from smolctl.model.packaging import Format
from smolctl.model.reference import Reference
from smolctl.store.packaging import Recipe, package, shards_of
from smolctl.store.store import Store
from tests.support.gguf_files import shard, tiny_llama

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAME = Reference.parse("team/model:v1")


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    return written(tmp_path / "tiny.gguf", tiny_llama())


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def documents(store: Store, name: str = "team/model:v1") -> tuple[Mapping[str, Any], Any]:
    """The manifest and the config of a model, as they are stored."""
    model = store.get(name)
    manifest = json.loads(store.blobs.read(model.manifest, "manifest"))
    config = store.artifact(model).manifest.config
    return manifest, json.loads(store.blobs.read(config, "config"))


class TestAPackage:
    def test_is_what_docker_model_runner_writes(self, store: Store, gguf: Path) -> None:
        package(store, Recipe(weights=(gguf,)), NAME)

        manifest, config = documents(store)
        assert "artifactType" not in manifest
        assert manifest["config"]["mediaType"] == "application/vnd.docker.ai.model.config.v0.1+json"
        (layer,) = manifest["layers"]
        assert layer["mediaType"] == "application/vnd.docker.ai.gguf.v3"
        assert layer["annotations"]["org.cncf.model.filepath"] == "tiny.gguf"
        assert json.loads(layer["annotations"]["org.cncf.model.file.metadata+json"]) == {
            "name": "tiny.gguf",
            "mode": 420,
            "uid": 0,
            "gid": 0,
            "size": gguf.stat().st_size,
            "mtime": "1970-01-01T00:00:00Z",
            "typeflag": 0,
        }
        assert config["rootfs"] == {"type": "rootfs", "diff_ids": [layer["digest"]]}
        assert config["config"]["format"] == "gguf"
        assert config["config"]["architecture"] == "llama"
        assert config["config"]["gguf"]["general.architecture"] == "llama"
        assert config["config"]["size"].endswith(("B", "KiB"))
        assert config["descriptor"] == {}

    def test_has_the_same_digest_each_time(self, store: Store, gguf: Path, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir()
        copy = written(tmp_path / "elsewhere" / "tiny.gguf", gguf.read_bytes())
        first = package(store, Recipe(weights=(gguf,)), NAME)
        again = package(Store(tmp_path / "other"), Recipe(weights=(copy,)), NAME)

        assert first.id == again.id

    def test_has_a_time_when_it_is_given_one(self, store: Store, gguf: Path) -> None:
        when = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
        package(store, Recipe(weights=(gguf,), created=when), NAME)

        manifest, config = documents(store)
        assert config["descriptor"] == {"created": "2026-01-31T12:00:00Z"}
        metadata = manifest["layers"][0]["annotations"]["org.cncf.model.file.metadata+json"]
        assert json.loads(metadata)["mtime"] == "2026-01-31T12:00:00Z"

    def test_takes_everything_that_belongs_to_it(
        self, store: Store, gguf: Path, tmp_path: Path
    ) -> None:
        recipe = Recipe(
            weights=(gguf,),
            licenses=(written(tmp_path / "A", b"a"), written(tmp_path / "B", b"b")),
            chat_template=written(tmp_path / "chat.jinja", b"{{ messages }}"),
            card=written(tmp_path / "README.md", b"# It"),
            context_size=77,
            annotations={"z": "1", "a": "2"},
        )
        model = package(store, recipe, NAME)

        artifact = store.artifact(model)
        assert [layer.role for layer in artifact.layers] == [
            Role.WEIGHTS,
            Role.CHAT_TEMPLATE,
            Role.LICENSE,
            Role.LICENSE,
            Role.DOCUMENT,
        ]
        assert artifact.config.context_size == 77
        assert list(artifact.manifest.annotations) == ["a", "z"]
        assert not list((store.root / "partial").iterdir())

    def test_of_modelpack_says_the_same_in_its_words(
        self, store: Store, gguf: Path, tmp_path: Path
    ) -> None:
        recipe = Recipe(
            weights=(gguf,),
            form=Format.cncf,
            licenses=(written(tmp_path / "terms.txt", b"a"),),
            chat_template=written(tmp_path / "chat.txt", b"{{ messages }}"),
        )
        model = package(store, recipe, NAME)

        manifest, config = documents(store)
        assert manifest["artifactType"] == "application/vnd.cncf.model.manifest.v1+json"
        assert set(config) == {"descriptor", "config", "modelfs"}
        assert config["config"]["paramSize"]
        # What has no media type of its own is told by its name.
        roles = [layer.role for layer in store.artifact(model).layers]
        assert roles == [Role.WEIGHTS, Role.CHAT_TEMPLATE, Role.LICENSE]

    def test_of_shards_has_all_of_them_in_order(self, store: Store, tmp_path: Path) -> None:
        paths = [
            written(tmp_path / f"big-{number:05}-of-00003.gguf", shard(number - 1, 3))
            for number in (1, 2, 3)
        ]
        model = package(store, Recipe(weights=shards_of(paths[0])), NAME)

        names = [str(layer.path) for layer in store.artifact(model).layers]
        assert names == [path.name for path in paths]


class TestABase:
    def test_keeps_what_nothing_takes_the_place_of(
        self, store: Store, gguf: Path, tmp_path: Path
    ) -> None:
        first = Recipe(
            weights=(gguf,),
            licenses=(written(tmp_path / "A", b"a"),),
            chat_template=written(tmp_path / "old.jinja", b"old"),
        )
        base = package(store, first, NAME)
        second = Recipe(
            base=base,
            licenses=(written(tmp_path / "B", b"b"),),
            chat_template=written(tmp_path / "new.jinja", b"new"),
            context_size=99,
        )
        model = package(store, second, Reference.parse("team/model:v2"))

        artifact = store.artifact(model)
        names = [(layer.role, str(layer.path)) for layer in artifact.layers]
        assert names == [
            (Role.WEIGHTS, "tiny.gguf"),
            (Role.CHAT_TEMPLATE, "new.jinja"),
            (Role.LICENSE, "A"),
            (Role.LICENSE, "B"),
        ]
        assert artifact.config.context_size == 99
        assert artifact.config.architecture == "llama"

    def test_that_nothing_is_changed_in_is_the_same_model(self, store: Store, gguf: Path) -> None:
        base = package(store, Recipe(weights=(gguf,)), NAME)

        again = package(store, Recipe(base=base), Reference.parse("team/model:v2"))

        assert again.id == base.id

    def test_goes_from_one_family_into_the_other_and_back(self, store: Store, gguf: Path) -> None:
        base = package(store, Recipe(weights=(gguf,)), NAME)
        other = package(store, Recipe(base=base, form=Format.cncf), Reference.parse("a/b:v2"))
        back = package(store, Recipe(base=other, form=Format.docker), Reference.parse("a/b:v3"))

        weights = [store.artifact(model).layers[0].descriptor.digest for model in (base, other)]
        assert weights[0] == weights[1]
        assert store.artifact(back).layers == store.artifact(base).layers


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("content", "error"),
        [(b"no model at all", InvalidGGUF), (b"", InvalidGGUF), (tiny_llama()[:-8], InvalidGGUF)],
    )
    def test_a_file_that_is_no_gguf(
        self, store: Store, tmp_path: Path, content: bytes, error: type[SmolctlError]
    ) -> None:
        path = written(tmp_path / "broken.gguf", content)

        with pytest.raises(error, match=r"broken\.gguf"):
            package(store, Recipe(weights=(path,)), NAME)

        assert store.models() == []

    def test_a_file_that_is_not_there(self, store: Store, gguf: Path, tmp_path: Path) -> None:
        for recipe in (
            Recipe(weights=(tmp_path / "none",)),
            Recipe(weights=(gguf,), licenses=(tmp_path / "none",)),
            Recipe(weights=(gguf,), projector=tmp_path / "none"),
        ):
            with pytest.raises(StorageError, match="none"):
                package(store, recipe, NAME)

    def test_a_model_in_the_projectors_place(self, store: Store, gguf: Path) -> None:
        with pytest.raises(NotRunnable, match="not a multimodal projector"):
            package(store, Recipe(weights=(gguf,), projector=gguf), NAME)

    def test_an_empty_license(self, store: Store, gguf: Path, tmp_path: Path) -> None:
        recipe = Recipe(weights=(gguf,), licenses=(written(tmp_path / "A", b""),))
        with pytest.raises(UsageError, match="is empty"):
            package(store, recipe, NAME)

    def test_a_context_size_in_modelpack(self, store: Store, gguf: Path) -> None:
        recipe = Recipe(weights=(gguf,), context_size=5, form=Format.cncf)
        with pytest.raises(UsageError, match="--context-size"):
            package(store, recipe, NAME)

    def test_another_shard_than_the_first_or_too_few(self, tmp_path: Path) -> None:
        second = written(tmp_path / "big-00002-of-00002.gguf", shard(1, 2))
        with pytest.raises(UsageError, match="not the first shard"):
            shards_of(second)
        with pytest.raises(UsageError, match="is missing"):
            shards_of(tmp_path / "big-00001-of-00002.gguf")

    def test_a_shard_under_another_name(self, store: Store, tmp_path: Path) -> None:
        path = written(tmp_path / "renamed.gguf", shard(0, 2))
        with pytest.raises(NotRunnable, match="shard 1 of 2"):
            package(store, Recipe(weights=(path,)), NAME)

    def test_a_base_whose_weights_are_gone(self, store: Store, gguf: Path) -> None:
        base = package(store, Recipe(weights=(gguf,)), NAME)
        store.blobs.remove(store.artifact(base).layers[0].descriptor.digest)

        with pytest.raises(SmolctlError, match="damaged") as caught:
            package(store, replace(Recipe(), base=base), NAME)
        assert caught.value.exit_code == 6
