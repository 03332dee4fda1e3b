"""The README's recipes, run as they stand there, on the demo model under the name they use."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.docker_registry import require
from tests.support.faulty_registry import FaultyRegistry, Packed
from tests.support.processes import Smolctl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from smolctl.store.store import Store

ROOT = Path(__file__).parents[2]
INPUTS = {
    "invoice.txt": "Acme sold one anvil for 40 euros, due on the 1st of May 2026.\n",
    "notes/cake.txt": "Anna baked a cake for her brother. The cake was sweet.\n",
    "notes/day.txt": "Tom read a book after work.\n",
    "questions.txt": "What is the capital of France?\nWhat is the capital of Italy?\n",
    "words.txt": "cat\nit's\nhouse\n",
    "staged.txt": "A line.\n",
}
"""The files that the recipes speak of."""


@dataclass(frozen=True)
class Recipe:
    """A block of shell of the README; `outputs` are the files that it is there to write."""

    number: int
    text: str

    @property
    def outputs(self) -> list[str]:
        return re.findall(r"(?:>|-o) ([a-z]+\.?[a-z]*)$", self.text, re.MULTILINE)


def _recipes() -> list[Recipe]:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.partition("\n## Recipes\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    return [Recipe(number, text) for number, text in enumerate(blocks, 1)]


RECIPES = _recipes()


@dataclass(frozen=True)
class Kitchen:
    """A cache with `ai/smollm2`, its registry, and a folder with the files of the recipes."""

    smolctl: Smolctl
    folder: Path

    def cook(self, text: str) -> subprocess.CompletedProcess[str]:
        """Run `text` as `bash -euo pipefail` does."""
        path = f"{Path(sys.executable).parent}:{self.smolctl.environment['PATH']}"
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=self.folder,
            env={**self.smolctl.environment, "PATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=100,
        )


@pytest.fixture(scope="module")
def kitchen(demo_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kitchen]:
    require("jq", "git", "bash")
    home = tmp_path_factory.mktemp("kitchen")
    folder = home / "here"
    for name, text in INPUTS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    with FaultyRegistry() as registry:
        for model in demo_store.models():
            for tag in model.tags:
                assert tag.tag is not None
                registry.publish("ai/smollm2", tag.tag, Packed.of(demo_store, model))
        with closing(Smolctl(home, SMOLCTL_DEFAULT_REGISTRY=registry.host)) as smolctl:
            smolctl("model", "pull", "ai/smollm2", expect=0)
            made = Kitchen(smolctl, folder)
            assert made.cook("git init -q . && git add staged.txt").returncode == 0
            yield made


def test_the_readme_has_recipes() -> None:
    assert len(RECIPES) >= 10


@pytest.mark.interop
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: str(recipe.number))
def test_a_recipe(kitchen: Kitchen, recipe: Recipe) -> None:
    done = kitchen.cook(recipe.text)
    assert done.returncode == 0, recipe.text + done.stdout + done.stderr
    for name in recipe.outputs:
        assert (kitchen.folder / name).stat().st_size > 0, f"{name} is empty: {done.stderr}"
