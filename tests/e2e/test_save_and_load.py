"""`smolctl model save` and `load`, as a script uses them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

from tests.support.processes import Smolctl

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import World


def test_models_go_through_a_file_and_a_pipe(filled: Smolctl, world: World, tmp_path: Path) -> None:
    file = tmp_path / "models.tar"
    filled("model", "save", "small", "small:decoy", "-o", file, expect=0)
    piped = subprocess.run(
        [sys.executable, "-m", "smolctl", "model", "save", "small", "small:decoy"],
        env=filled.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    assert piped.stdout == file.read_bytes()

    (tmp_path / "other").mkdir()
    with closing(Smolctl(tmp_path / "other", SMOLCTL_DEFAULT_REGISTRY=world.host)) as other:
        with file.open("rb") as stdin:
            process = other.start("model", "load", "-q", "-", stdin=stdin)
            stdout, stderr = process.communicate(timeout=60)
        assert stdout.decode().split() == [world.model.id, world.decoy.id]
        assert stderr == b""
        assert "Loaded ai/small:latest" in other("model", "load", file, expect=0).stdout


def test_what_is_loaded_is_called_as_in_the_file(filled: Smolctl, tmp_path: Path) -> None:
    filled("model", "save", "small", "-o", tmp_path / "a.tar", expect=0)
    filled("model", "rm", "small", expect=0)
    filled("model", "load", tmp_path / "a.tar", "--name", "ai/a:first", expect=0)

    loaded = filled("model", "load", tmp_path / "a.tar", expect=0)
    pulled = filled("model", "pull", f"oci-archive:{tmp_path / 'a.tar'}:latest", expect=0)

    assert loaded.stdout.startswith("Loaded ai/small:latest (")
    assert pulled.stdout.startswith("Already here: ai/small:latest (")


def test_a_script_is_told_what_was_saved_and_named(
    filled: Smolctl, world: World, tmp_path: Path
) -> None:
    file = tmp_path / "one.tar"
    saved = json.loads(filled("model", "save", "small", "-o", file, "--json", expect=0).stdout)
    assert saved["file"] == str(file)
    (only,) = saved["models"]
    assert only["id"] == world.model.id
    filled("model", "save", "small", "--json", expect=2)

    first = json.loads(filled("model", "tag", "small", "mine:v1", "--json", expect=0).stdout)
    then = json.loads(filled("model", "tag", "small:decoy", "mine:v1", "--json", expect=0).stdout)
    assert first == {"tag": then["tag"], "id": world.model.id, "before": None}
    assert (then["id"], then["before"]) == (world.decoy.id, world.model.id)


def test_what_cannot_be_saved_or_loaded_is_said(filled: Smolctl, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no tar at all")

    assert "no such model here" in filled("model", "save", "nothing", expect=3).stderr
    assert "no such file" in filled("model", "load", tmp_path / "none", expect=2).stderr
    broken = filled("model", "load", tmp_path / "text", expect=6)
    assert broken.stderr.startswith(f"smolctl: {tmp_path / 'text'}: not a tar")
    filled("model", "save", "small", "-o", tmp_path / "none" / "x.tar", expect=8)
    full = filled("model", "save", "small", "-o", "/dev/full", expect=8)
    assert full.stderr_lines == [
        "smolctl: the disk is full: cannot write /dev/full",
        "  Name a file in another folder, or on another disk, with -o.",
    ]
    code, drawn = filled.on_a_terminal("model", "save", "small")
    assert code == 2
    assert b"-o FILE.tar" in drawn


def test_an_interrupted_save_says_what_became_of_the_tar(filled: Smolctl) -> None:
    process = filled.start("model", "save", "small")
    assert process.stdout is not None
    process.stdout.read(1)  # the rest is more than a pipe holds
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)

    assert process.returncode == 130
    assert stderr == b"\nInterrupted. The tar is not whole.\n"


def test_a_layout_is_pulled_from_as_a_registry_is(
    filled: Smolctl, world: World, tmp_path: Path
) -> None:
    file = tmp_path / "models.tar"
    filled("model", "save", "small", "small:decoy", "-o", file, expect=0)
    (tmp_path / "other").mkdir()
    with closing(Smolctl(tmp_path / "other", SMOLCTL_DEFAULT_REGISTRY=world.host)) as other:
        done = other("model", "pull", "-q", f"oci:{filled.home}:decoy", expect=0)
        assert done.stdout == f"{world.decoy.id}\n"
        done = other("model", "pull", f"oci-archive:{file}:latest", expect=0)
        assert done.stdout.startswith("Pulled ai/small:latest (")
        assert "no 'v9'" in other("model", "pull", f"oci:{filled.home}:v9", expect=3).stderr
