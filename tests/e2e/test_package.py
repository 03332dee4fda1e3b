"""`smolctl model package`: a file becomes a model, goes out, comes back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.faulty_registry import FaultyRegistry
    from tests.support.processes import Smolctl


def test_a_file_becomes_a_model_that_is_pushed_and_pulled(
    smolctl: Smolctl, registry: FaultyRegistry, gguf: str
) -> None:
    name = f"{registry.host}/team/model:v1"
    done = smolctl("model", "package", "--gguf", gguf, "--context-size", "512", name, "--push",
                   expect=0)  # fmt: skip
    packaged, pushed = done.stdout.splitlines()
    assert packaged.startswith(f"Packaged {name} (")
    assert pushed.startswith(f"Pushed {name} (")
    (before,) = json.loads(smolctl("model", "ls", "--json").stdout)

    smolctl("model", "rm", name, expect=0)
    assert smolctl("model", "pull", "-q", name, expect=0).stdout == f"{before['id']}\n"

    (after,) = json.loads(smolctl("model", "ls", "--json").stdout)
    assert after == before
    assert after["config"]["context_size"] == 512


def test_a_push_that_fails_leaves_the_model_here(
    smolctl: Smolctl, gguf: str, unused_tcp_port: int
) -> None:
    name = f"127.0.0.1:{unused_tcp_port}/team/model:v1"
    done = smolctl("model", "package", "--gguf", gguf, name, "--push", expect=5)
    assert f"`smolctl model push {name}` sends it." in done.stderr_lines[-1]
    smolctl("model", "inspect", name, expect=0)


def test_a_model_that_is_here_is_quantized(smolctl: Smolctl, demo_f16: str) -> None:
    smolctl("model", "package", "-q", "--gguf", demo_f16, "mine:F16", expect=0)

    done = smolctl("model", "package", "--json", "--from", "mine:F16", "--quantize", "q4_k_m",
                   "mine:Q4", expect=0)  # fmt: skip

    found = json.loads(done.stdout)
    listed = {each["id"]: each for each in json.loads(smolctl("model", "ls", "--json").stdout)}
    assert listed[found["id"]]["config"]["quantization"] == "Q4_K_M"
    assert not list((smolctl.home / "partial").iterdir())

    again = smolctl(
        "model", "package", "--from", "mine:Q4", "--quantize", "q4_0", "mine:x", expect=7
    )
    assert again.stderr_lines[-2].endswith(
        "mine:Q4 is quantized already, and llama.cpp does not do that twice"
    )


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        ([], 2, "there is nothing to package"),
        (["--gguf", "GGUF", "--from", "x"], 2, "contradict"),
        (["--from", "x"], 3, "no such model here: x"),
        (["--gguf", "TEXT"], 7, "not a GGUF file"),
        (["--gguf", "NONE"], 2, "no such file"),
        (["--gguf", "GGUF", "--chat-template", "BROKEN"], 7, "template"),
        (["--gguf", "GGUF", "--quantize", "Q99"], 2, "Q4_K_M"),
        (["--gguf", "GGUF", "--annotation", "x"], 2, "KEY=VALUE"),
        (["--gguf", "GGUF", "--created", "now"], 2, "--created"),
    ],
)
def test_what_cannot_be_packaged_is_said(
    smolctl: Smolctl, gguf: str, tmp_path: Path, flags: list[str], code: int, said: str
) -> None:
    (tmp_path / "text").write_text("no model")
    (tmp_path / "broken").write_text("{% for %}")
    files = {
        "GGUF": gguf,
        "TEXT": str(tmp_path / "text"),
        "NONE": str(tmp_path / "none"),
        "BROKEN": str(tmp_path / "broken"),
    }
    done = smolctl("model", "package", *(files.get(flag, flag) for flag in flags), "mine:v1")

    assert (done.code, done.stdout) == (code, "")
    assert said in done.stderr
    assert len(done.stderr_lines) <= 2
