"""What a shell gets when it asks for names: which, in what order, and never a word of trouble."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import smolctl
from smolctl.cli.complete import _NAMESPACE, complete
from smolctl.engine.conversation import Message
from smolctl.history.conversations import write
from smolctl.history.database import writing
from smolctl.history.location import HistoryFiles
from smolctl.model.reference import DEFAULT_NAMESPACE
from smolctl.runner.address import WorkerFolder
from smolctl.settings import Settings
from smolctl.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Ask = Callable[..., list[str]]

ROOT = Path(smolctl.__file__).parent.parent
IDS = [digit * 64 for digit in "abc"]
NAMES = {
    "localhost:5000/team/m:v1": IDS[0],
    "ai/smollm2:latest": IDS[0],
    "ai/smollm2:360M-Q4_K_M": IDS[1],
    f"ai/smollm2@sha256:{IDS[2]}": IDS[2],
    "[::1]:5000/m:v1": IDS[0],
}
HOSTILE = [
    "$(touch x)",
    "a;b",
    "a b",
    "a\tb",
    "a\x1b]0;b\x07",
    "a\nb",
    "`a`",
    "-rf",
    "é",
    "a'b",
    "",
    7,
]


@pytest.fixture
def runtime() -> Iterator[Path]:
    """A folder for sockets, whose path must be short."""
    with tempfile.TemporaryDirectory(prefix="smolctl-") as folder:
        yield Path(folder)


@pytest.fixture
def home(tmp_path: Path, runtime: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("SMOLCTL_DEFAULT_REGISTRY", "REGISTRY_AUTH_FILE", "SMOLCTL_KEEP_ALIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SMOLCTL_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    write_index(tmp_path, NAMES)
    return tmp_path


def write_index(home: Path, names: dict[str, str]) -> None:
    entries = [entry(name, digits) for name, digits in names.items()]
    (home / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))


def entry(name: object, digits: str) -> dict[str, object]:
    return {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": f"sha256:{digits}",
        "size": 1,
        "annotations": {"org.opencontainers.image.ref.name": name},
    }


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str], home: Path) -> Ask:
    del home

    def ask(kind: str, prefix: str = "") -> list[str]:
        assert complete([kind, prefix]) == 0
        shown = capsys.readouterr()
        assert shown.err == ""
        return shown.out.splitlines()

    return ask


def test_models_are_their_names_and_those_without_a_tag_their_id(ask: Ask) -> None:
    assert ask("models") == [
        "[::1]:5000/m:v1\taaaaaaaaaaaa",
        "ai/smollm2:360M-Q4_K_M\tbbbbbbbbbbbb",
        "ai/smollm2:latest\taaaaaaaaaaaa",
        "localhost:5000/team/m:v1\taaaaaaaaaaaa",
        "cccccccccccc\tai/smollm2",
    ]


@pytest.mark.parametrize(
    ("prefix", "names"),
    [
        ("ai/smollm2:3", ["ai/smollm2:360M-Q4_K_M"]),
        ("localhost:5000/", ["localhost:5000/team/m:v1"]),
        ("smollm2:l", ["smollm2:latest"]),
        ("team", []),
        ("bb", ["bbbbbbbbbbbb"]),
        ("aa", ["aaaaaaaaaaaa"]),
        ("c", ["cccccccccccc"]),
        ("ghcr.io/some/model", []),
        ("$(touch x)", []),
    ],
)
def test_models_begin_with_what_is_typed(ask: Ask, prefix: str, names: list[str]) -> None:
    assert sorted({line.partition("\t")[0] for line in ask("models", prefix)}) == names


def test_the_short_names_are_names_of_the_same_models(ask: Ask) -> None:
    assert f"{DEFAULT_NAMESPACE}/" == _NAMESPACE
    assert len(ask("models", "smol")) == 2


def test_names_are_as_ls_shows_them(ask: Ask, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for registry in ("docker.io", "localhost:5000"):
        monkeypatch.setenv("SMOLCTL_DEFAULT_REGISTRY", registry)
        store = Store(home, default_registry=registry)
        listed = {store.familiar(tag) for model in store.models() for tag in model.tags}
        assert {line.partition("\t")[0] for line in ask("models")} == {*listed, "c" * 12}


@pytest.mark.parametrize("name", HOSTILE, ids=repr)
def test_what_is_no_name_is_not_offered(ask: Ask, home: Path, name: str) -> None:
    write_index(home, {name: IDS[0], "a/fine:one": IDS[1]})
    assert ask("models") == ["a/fine:one\tbbbbbbbbbbbb"]


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"manifests": 7}', '{"manifests": [7, {}, {"annotations": 1}]}', "[" * 9999],
)
def test_a_damaged_index_has_no_names(ask: Ask, home: Path, content: str) -> None:
    (home / "index.json").write_text(content)
    assert ask("models") == []


def test_an_empty_machine_has_nothing_to_offer(ask: Ask, home: Path) -> None:
    (home / "index.json").unlink()
    for kind in ("models", "running", "sessions", "registries", "unheard-of"):
        assert ask(kind) == []


def test_names_are_noted_until_the_cache_changes(
    ask: Ask, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ask("models")
    with monkeypatch.context() as patched:
        patched.setattr("smolctl.store.names.named_manifests", lambda _: [])
        assert ask("models") == first
        assert ask("models", "smollm2:l") == ["smollm2:latest\taaaaaaaaaaaa"]
    write_index(home, {"a/new:one": IDS[1]})
    assert ask("models") == ["a/new:one\tbbbbbbbbbbbb"]


def test_a_setting_that_makes_no_sense_is_not_complained_about(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMOLCTL_OFFLINE", "perhaps")
    assert ask("models") == []


def test_running_models_are_those_that_listen(ask: Ask, home: Path) -> None:
    del home
    folder = WorkerFolder.of(Settings.from_environment(os.environ))
    folder.make()
    with socket.socket(socket.AF_UNIX) as named, socket.socket(socket.AF_UNIX) as unnamed:
        for listening, digits in ((named, "b" * 12), (unnamed, "d" * 12)):
            listening.bind(str(folder.folder / f"{digits}.sock"))
            listening.listen()
        with socket.socket(socket.AF_UNIX) as gone:
            gone.bind(str(folder.folder / f"{'a' * 12}.sock"))
        assert ask("running") == [
            "ai/smollm2:360M-Q4_K_M\tbbbbbbbbbbbb",
            "dddddddddddd\ta model file",
        ]
        assert ask("running", "smol") == ["smollm2:360M-Q4_K_M\tbbbbbbbbbbbb"]
        assert ask("running", "bb") == ["bbbbbbbbbbbb\tai/smollm2:360M-Q4_K_M"]


def test_conversations_are_named(ask: Ask, home: Path) -> None:
    with writing(HistoryFiles(home / "state" / "smolctl")) as connection:
        for name in ("garden", "home"):
            messages = [Message("user", "Hello")]
            write(connection, None, name=name, model="ai/smollm2", messages=messages)
    assert ask("sessions", "g") == ["garden\tai/smollm2"]


def test_registries_are_those_with_credentials(ask: Ask, home: Path) -> None:
    stored = {"auths": {"https://index.docker.io/v1/": {}, "ghcr.io": {}, "a b": {}}}
    (home / "config.json").write_text(json.dumps({**stored, "credHelpers": {"gcr.io": "x"}}))
    assert [line.partition("\t")[0] for line in ask("registries")] == [
        "gcr.io",
        "ghcr.io",
        "index.docker.io",
    ]


def test_it_is_answered_before_anything_is_loaded(ask: Ask, home: Path) -> None:
    del home
    ask("models")
    program = (
        "import sys; sys.argv[1:] = ['__complete', 'models', 'ai/']\n"
        "from smolctl.__main__ import main\n"
        "try: main()\n"
        "finally: sys.stderr.write(' '.join(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", program], capture_output=True, text=True, cwd=ROOT
    )
    assert len(done.stdout.splitlines()) == 2
    loaded = set(done.stderr.split())
    heavy = {"typer", "typing", "re", "json", "dataclasses", "pathlib", "smolctl.settings"}
    assert "smolctl.cli.complete" in loaded
    assert not heavy & loaded
