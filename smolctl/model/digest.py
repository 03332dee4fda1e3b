"""Content digests: `algorithm:hex`, the name by which OCI knows every blob.

Grammar and algorithms are those of the OCI image specification, "Descriptors: Digests". Only the
registered algorithms are accepted, because a digest nobody here can compute verifies nothing.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, NamedTuple

from smolctl.errors import IntegrityError

_HEX_LENGTH = {"sha256": 64, "sha512": 128}
_DIGEST = re.compile(r"(?P<algorithm>sha256|sha512):(?P<hex>[0-9a-f]{64,128})")

SHORT_LENGTH = 12
"""Hex digits in the short form of a model ID, as Docker prints it."""


class Digest(NamedTuple):
    """A digest that parsed; `str()` gives the canonical `algorithm:hex`.

    Both parts are lower-case letters and digits alone, so they are safe as names of files.
    """

    algorithm: str
    hex: str

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Return the digest that `text` spells.

        Raises `IntegrityError` for anything else, upper-case hex and unregistered algorithms
        included: such a name would come from a registry and would end up as a path.
        """
        match = _DIGEST.fullmatch(text)
        if match is None or len(match["hex"]) != _HEX_LENGTH[match["algorithm"]]:
            raise IntegrityError(f"not a digest: {text[:100]!r}")
        return cls(match["algorithm"], match["hex"])

    @classmethod
    def of(cls, content: bytes, algorithm: str = "sha256") -> Digest:
        """Return the digest of `content`."""
        return cls(algorithm, hashlib.new(algorithm, content).hexdigest())

    def hasher(self) -> Any:
        """Return a fresh `hashlib` object for this digest's algorithm."""
        return hashlib.new(self.algorithm)

    @property
    def short(self) -> str:
        """The first 12 hex digits, as model IDs are shown to people."""
        return self.hex[:SHORT_LENGTH]

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"
