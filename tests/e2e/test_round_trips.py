"""Published, forgotten, fetched again, run: through registries and tools that are not ours."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.docker_registry import docker_registry, require
from tests.support.random_model import write_random_model
from tests.support.skopeo import skopeo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.processes import Smolctl

pytestmark = pytest.mark.interop

QUESTION, ANSWER = "What is the capital of France?", "The capital of France is Paris.\n"
README = "---\nlicense: mit\nlanguage: [en]\n---\n\n# A card\n\n## Intended uses\n\nTests.\n"
PLAIN = ("--src-tls-verify=false", "--dest-tls-verify=false")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Debian's `docker-registry`, empty."""
    require("docker-registry", "skopeo")
    with docker_registry(tmp_path_factory.mktemp("registry") / "registry") as started:
        yield started


def listed(smolctl: Smolctl) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(smolctl("model", "ls", "--json", expect=0).stdout)
    return found


def blobs(smolctl: Smolctl) -> list[Path]:
    return [*(smolctl.home / "blobs" / "sha256").iterdir()]


def assert_answers(smolctl: Smolctl, name: str) -> None:
    done = smolctl("model", "run", "--local", "--temperature", "0", name, QUESTION, expect=0)
    assert done.stdout == ANSWER


@contextmanager
def forgotten(smolctl: Smolctl) -> Iterator[None]:
    """Remove all models, to the last blob; what is there after the block is what was there."""
    before = listed(smolctl)
    smolctl("model", "rm", "--force", *(model["id"] for model in before), expect=0)
    assert (listed(smolctl), blobs(smolctl)) == ([], [])
    yield
    assert listed(smolctl) == before


@pytest.mark.parametrize("form", ["docker", "cncf"])
def test_a_package_comes_back_from_dockers_registry_and_answers(
    smolctl: Smolctl, host: str, gguf: str, tmp_path: Path, form: str
) -> None:
    (tmp_path / "card.md").write_text(README)
    (tmp_path / "LICENSE").write_text("You may.\n")
    name = f"{host}/{form}/demo:v1"
    flags = ("--license", tmp_path / "LICENSE", "--card", tmp_path / "card.md", "--format", form)
    smolctl("model", "package", "--gguf", gguf, *flags, name, expect=0)
    (made,) = listed(smolctl)
    pushed = json.loads(smolctl("model", "push", "--json", name, expect=0).stdout)
    assert (pushed[0]["id"], pushed[0]["changed"]) == (made["id"], True)

    with forgotten(smolctl):
        assert smolctl("model", "pull", "-q", name, expect=0).stdout == f"{made['id']}\n"

    assert_answers(smolctl, name)
    shown = json.loads(smolctl("model", "card", "--json", name, expect=0).stdout)
    assert shown["facts"]["license"] == {"value": "mit", "source": "README front matter"}
    assert shown["sections"]["intended_uses"] == {"value": "Tests.", "source": "README"}
    assert smolctl("model", "inspect", "--license", name, expect=0).stdout == "You may.\n"


def test_a_quantized_one_made_of_a_model_that_is_here_does_too(
    smolctl: Smolctl, host: str, demo_f16: str
) -> None:
    whole, smaller = (f"{host}/quantized/demo:{tag}" for tag in ("F16", "Q8_0"))
    smolctl("model", "package", "-q", "--gguf", demo_f16, whole, expect=0)
    flags = ("--from", whole, "--quantize", "Q8_0", "--push")
    packaged = smolctl("model", "package", "-q", *flags, smaller, expect=0)
    smolctl("model", "rm", whole, expect=0)
    (made,) = listed(smolctl)
    assert packaged.stdout == f"{made['id']}\n"
    assert made["config"]["quantization"] == "Q8_0"

    with forgotten(smolctl):
        assert smolctl("model", "pull", "-q", smaller, expect=0).stdout == packaged.stdout

    assert_answers(smolctl, smaller)


def test_one_in_shards_does_too(smolctl: Smolctl, host: str, tmp_path: Path) -> None:
    write_random_model(tmp_path / "big.gguf", tensors_in_a_shard=5)
    first = min(tmp_path.glob("big-*.gguf"))
    asked = ("hello", "--local", "--temperature", "0", "-n", "5")
    answer = smolctl("model", "run", str(first), *asked, expect=0).stdout
    name = f"{host}/shards/big:v1"
    smolctl("model", "package", "--gguf", first, name, "--push", expect=0)

    with forgotten(smolctl):
        smolctl("model", "pull", name, expect=0)

    assert len(blobs(smolctl)) == 3 + 2
    assert smolctl("model", "run", name, *asked, expect=0).stdout == answer


def test_skopeo_carries_one_from_registry_to_registry_and_into_a_layout(
    smolctl: Smolctl, host: str, gguf: str, tmp_path: Path
) -> None:
    first, second = f"{host}/carried/from:v1", f"{host}/carried/to:v2"
    smolctl("model", "package", "--gguf", gguf, first, "--push", expect=0)
    (made,) = listed(smolctl)
    smolctl("model", "rm", first, expect=0)

    skopeo("copy", *PLAIN, f"docker://{first}", f"docker://{second}")
    assert smolctl("model", "pull", "-q", second, expect=0).stdout == f"{made['id']}\n"
    assert_answers(smolctl, second)
    smolctl("model", "rm", second, expect=0)
    assert blobs(smolctl) == []

    # A layout, in which the model has a tag and no more, is run from as it stands.
    layout = f"oci:{tmp_path / 'layout'}:team/carried:v3"
    skopeo("copy", *PLAIN, f"docker://{second}", layout)
    assert_answers(smolctl, layout)
    assert [model["id"] for model in listed(smolctl)] == [made["id"]]
