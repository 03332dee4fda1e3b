"""The demo model as a registry would hold it: one repository with three tags.

`latest` and `…-Q4_K_M` are one artifact, `…-F16` the other, as on Docker Hub's `ai/smollm2`. The
F16 file comes with the package; the quantized one is made from it by llama.cpp's own quantizer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.resources import as_file, files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from smolctl.engine.quantize import quantize
from smolctl.model.reference import Reference
from smolctl.store.packaging import Recipe, package

if TYPE_CHECKING:
    from smolctl.store.store import Store

REPOSITORY = "demo/smolctl-demo"
"""The demo model's repository; its name says that it is not SmolLM2."""

_F16_FILE = "smolctl-demo-F16.gguf"
_LICENSE_FILE = "LICENSE.txt"
_CREATED = datetime(2026, 11, 24, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Variant:
    """One quantization of the demo model, and the tags that name it."""

    quantization: str
    tags: tuple[str, ...]


F16 = Variant("F16", ("3.5M-F16",))
Q4_K_M = Variant("Q4_K_M", ("3.5M-Q4_K_M", "latest"))


def publish(store: Store) -> None:
    """Put both variants of the demo model into `store`, under all their tags.

    Takes a second or two: the quantizer runs. Raises `StorageError` and `NotRunnable`.
    """
    folder = files("smolctl.demo")
    with (
        as_file(folder / _F16_FILE) as original,
        as_file(folder / _LICENSE_FILE) as license_file,
        TemporaryDirectory() as temporary,
    ):
        quantized = Path(temporary) / "smolctl-demo-Q4_K_M.gguf"
        quantize(original, quantized, Q4_K_M.quantization)
        for variant, path in ((F16, original), (Q4_K_M, quantized)):
            _publish_variant(store, variant, path, license_file)


def _publish_variant(store: Store, variant: Variant, path: Path, license_file: Path) -> None:
    recipe = Recipe(
        weights=(path,),
        name=f"smolctl-demo-{variant.quantization}.gguf",
        licenses=(license_file,),
        created=_CREATED,
    )
    for tag in variant.tags:
        package(store, recipe, Reference("docker.io", REPOSITORY, tag))
