"""A blob of any size that nobody has to hold: a GGUF header, and then zeros as they are sent."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support import gguf_files
from tests.support.faulty_registry import (
    CONFIG,
    GGUF,
    MANIFEST,
    Answer,
    FaultyRegistry,
    Json,
    Packed,
    Request,
    descriptor,
    digest,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PIECE = 65_536


def wordy_header(words: int, *, file_type: int = 1) -> bytes:
    """The header of a model of the llama architecture with a vocabulary of so many `words`."""
    pairs = [
        ("general.file_type", "uint32", file_type) if key == "general.file_type" else (key, kind, v)
        for key, kind, v in gguf_files.tiny_llama_pairs()
        if not key.startswith("tokenizer.ggml.t")
    ]
    tokens = [f"token{number:08}" for number in range(words)]
    pairs.append(("tokenizer.ggml.tokens", "[string]", tokens))
    return gguf_files.header(pairs, gguf_files.TINY_TENSORS)


@dataclass
class LargeBlob:
    """`size` bytes that begin with `beginning`. It has the digest of its beginning alone.

    A request that asks for a range gets it, unless `serves_ranges` says otherwise.
    """

    beginning: bytes
    size: int = 725_000_000
    serves_ranges: bool = True

    @property
    def digest(self) -> str:
        return digest(self.beginning)

    def described(self) -> Packed:
        """A model of it without itself, whose config says no more than that it is one."""
        config = json.dumps({"config": {"format": "gguf"}}).encode()
        layer: Json = {"mediaType": GGUF, "size": self.size, "digest": self.digest}
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(config, CONFIG),
            "layers": [layer],
        }
        return Packed(json.dumps(manifest).encode(), {digest(config): config})

    def publish(self, registry: FaultyRegistry, repository: str, *tags: str) -> Packed:
        """Publish that model, and the blob."""
        model = self.described()
        for tag in tags:
            registry.publish(repository, tag, model)
        registry.spoil(f"/blobs/{self.digest}", self._answer)
        return model

    def _answer(self, request: Request, _: Answer) -> Answer:
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("range", ""))
        if asked is None or not self.serves_ranges:
            return Answer(200, {}, self._pieces(0, self.size), self.size)
        start, end = int(asked[1]), int(asked[2]) + 1
        said = {"Content-Range": f"bytes {start}-{end - 1}/{self.size}"}
        return Answer(206, said, self._pieces(start, end), end - start)

    def _pieces(self, start: int, end: int) -> Iterator[bytes]:
        while start < end:
            piece: Sequence[int] = self.beginning[start : min(end, start + _PIECE)]
            yield bytes(piece) or bytes(min(end - start, _PIECE))
            start += len(piece) or _PIECE
