"""Models and files that are not here: what a command says of them, and what it guesses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from smolctl.cli import boundary
from smolctl.model.descriptor import Descriptor
from smolctl.model.reference import Reference
from tests.support.faulty_registry import FaultyRegistry, pack

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from smolctl.store.store import Store

Told = tuple[int, list[str]]


@pytest.fixture
def told(
    tmp_path: Path,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[[str], Told]:
    """Run a command; gives its exit code and the lines on stderr."""
    monkeypatch.setenv("SMOLCTL_HOME", str(store.root))
    monkeypatch.setenv("SMOLCTL_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.delenv("SMOLCTL_OFFLINE", raising=False)
    (tmp_path / "config.toml").write_text("retries = 0\n")

    def run(line: str) -> Told:
        code = boundary.run(line.split())
        return code, capsys.readouterr().err.splitlines()

    return run


def keep(store: Store, name: str) -> None:
    """Have a model in the cache under `name`."""
    packed = pack()
    store.prepare()
    for content in packed.blobs.values():
        store.blobs.write_bytes(Descriptor.of(content, "application/octet-stream"), content)
    store.commit(packed.manifest, Reference.parse(name))


class TestNamesake:
    """A model that is here, under another namespace, registry or tag."""

    def test_is_asked_about_offline(self, told: Callable[[str], Told], store: Store) -> None:
        keep(store, "team/small:v1")

        assert told("model run --offline small hi") == (
            3,
            [
                "smolctl: no such model here: small, and --offline keeps smolctl off the network",
                "  Did you mean team/small:v1, which is here?",
            ],
        )

    def test_with_the_same_tag_first(self, told: Callable[[str], Told], store: Store) -> None:
        for name in ("team/small:v1", "host:5000/small:v2", "other/smaller:v2"):
            keep(store, name)

        _, lines = told("model run --pull never small:v2 hi")
        assert lines[1].endswith("Did you mean host:5000/small:v2, which is here?")
        assert "model pull ai/small:v2" in lines[1]

    def test_is_asked_about_when_the_registry_has_none(
        self, told: Callable[[str], Told], store: Store, registry: FaultyRegistry
    ) -> None:
        keep(store, "team/small")

        code, lines = told(f"model run {registry.host}/small hi")
        assert code == 3
        assert lines[-1] == "  Did you mean team/small:latest, which is here?"

    def test_is_asked_about_when_a_letter_is_missing(
        self, told: Callable[[str], Told], store: Store, registry: FaultyRegistry
    ) -> None:
        keep(store, "team/smallest")

        code, lines = told(f"model pull {registry.host}/team/smalest")
        assert code == 3
        assert lines[0] == f"smolctl: {registry.host}/team/smalest:latest was not found"
        assert lines[1].startswith("  Did you mean team/smallest:latest, which is here? `smolctl")
        assert "Did you mean" not in told(f"model pull {registry.host}/team/other")[1][1]

    def test_is_not_made_up(self, told: Callable[[str], Told], store: Store) -> None:
        keep(store, "team/small")

        assert "`smolctl model ls`" in told("model run --offline other hi")[1][1]


def test_a_file_is_asked_about(
    told: Callable[[str], Told], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words.txt").touch()

    code, lines = told("model run --offline words.txt hi")
    assert (code, lines[1]) == (3, "  A file is named by its path: ./words.txt")


@pytest.mark.parametrize("name", ["https://huggingface.co/x/y", "hf.co/x/y:Q4_K_M"])
@pytest.mark.parametrize("verb", ["run --detach", "pull", "variants", "resolve"])
def test_hugging_face_is_no_registry(told: Callable[[str], Told], verb: str, name: str) -> None:
    code, lines = told(f"model {verb} {name}")

    assert code == 2
    assert lines[0].endswith("is on Hugging Face, whose repositories are no OCI registries")
    assert "./model.gguf" in lines[1]


def test_a_model_that_is_called_so_is_found(told: Callable[[str], Told], store: Store) -> None:
    keep(store, "hf.co/x/y")

    assert told("model pull --offline hf.co/x/y")[0] == 0


def test_resolve_and_inspect_say_the_same(told: Callable[[str], Told]) -> None:
    lines = [told(f"model {verb} nosuch")[1][0] for verb in ("resolve", "inspect")]
    assert lines == ["smolctl: no such model here: nosuch"] * 2


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("model run m -f none hi", 2),
        ("model run m --prompt-file none", 2),
        ("model run m --grammar none hi", 2),
        ("model batch m none", 2),
        ("model load none", 2),
        ("model package --gguf none m", 2),
        ("model package --from m --license none m", 2),
        ("serve --api-key-file none", 2),
        # These are models, and not there.
        ("model run ./none hi", 3),
        ("model pull oci:none:v1", 3),
    ],
)
def test_a_file_that_is_not_there(told: Callable[[str], Told], line: str, code: int) -> None:
    told_code, (first, *_) = told(line)

    assert told_code == code
    assert "no such" in first
    assert "none" in first


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("model run ./{} hi", 8),
        ("model run {}/m.gguf hi", 2),  # it may be a repository, and its name is too long for one
        ("model run m --schema {}.json hi", 8),
        ("model run m -f {} hi", 8),
        ("model load {}", 8),
        ("model pull oci:{}:v1", 8),
        ("model package --gguf {} m", 8),
        ("model batch --offline m /dev/null -o {}", 8),
    ],
)
def test_a_path_that_cannot_be_looked_at_is_no_bug(
    told: Callable[[str], Told], line: str, code: int
) -> None:
    assert told(line.format("x" * 5000))[0] == code


def test_what_keeps_it_offline_is_named(
    told: Callable[[str], Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert told("model variants m --offline")[1][0].startswith("smolctl: --offline keeps")

    monkeypatch.setenv("SMOLCTL_OFFLINE", "1")
    for line in ("model variants m", "model run m hi", "model run --pull always m hi"):
        _, lines = told(line)
        assert "SMOLCTL_OFFLINE" in lines[0]
        assert "--offline" not in lines[0]
