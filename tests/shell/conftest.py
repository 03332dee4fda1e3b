"""A machine with a `smolctl` in PATH, models to name, files, and nobody's configuration."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parent.parent.parent
COMPLETIONS = ROOT / "completions"

MODELS = ("ai/smollm2:360M-Q4_K_M", "ai/smollm2:latest", "localhost:5000/team/m:v1")


@dataclass(frozen=True)
class Machine:
    """`work` is where the shell is; `asked` has a line for each time that `smolctl` was started."""

    folder: Path

    @property
    def work(self) -> Path:
        return self.folder / "work"

    @property
    def asked(self) -> list[str]:
        log = self.folder / "asked"
        return log.read_text().splitlines() if log.exists() else []

    @property
    def environment(self) -> Mapping[str, str]:
        home = self.folder / "home"
        return {
            "PATH": f"{self.folder / 'bin'}:/usr/bin:/bin",
            "HOME": str(home),
            "ZDOTDIR": str(home),
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_DATA_HOME": str(home / "data"),
            "XDG_STATE_HOME": str(home / "state"),
            "SMOLCTL_HOME": str(self.folder / "models"),
            "LANG": "C.UTF-8",
            "PS1": "$ ",
            "PROMPT": "$ ",
        }

    def answer(self, *lines: str) -> None:
        """Have `smolctl` say this, whatever it is asked, in the place of the real one."""
        said = self.folder / "said"
        said.write_text("".join(f"{line}\n" for line in lines))
        self._command(f"cat {shlex.quote(str(said))}")

    def answer_really(self) -> None:
        """Have `smolctl` be the real one."""
        python, path = shlex.quote(sys.executable), shlex.quote(str(ROOT))
        self._command(f'PYTHONPATH={path} exec {python} -m smolctl "$@"')

    def _command(self, line: str) -> None:
        command = self.folder / "bin" / "smolctl"
        log = shlex.quote(str(self.folder / "asked"))
        command.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >>{log}\n{line}\n')
        command.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine with three models in its cache."""
    made = Machine(tmp_path)
    for folder in ("bin", "home", "models", "work/notes"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("model.gguf", "my grammar.gbnf", "--odd"):
        (made.work / name).touch()
    entries = [
        {"digest": f"sha256:{'a' * 64}", "annotations": {"org.opencontainers.image.ref.name": name}}
        for name in MODELS
    ]
    (tmp_path / "models" / "index.json").write_text(json.dumps({"manifests": entries}))
    made.answer_really()
    return made


HOSTILE = (
    "$(touch${IFS}ran)",
    "`touch ran`",
    "; touch ran;",
    "a' ; touch ran; '",
    'b" ; touch ran; "',
    "<(touch ran)",
    "${x:=$(touch ran)}",
    "ai/fine:one",
)
"""Names that no registry could give a model, should `smolctl` let them through all the same."""
