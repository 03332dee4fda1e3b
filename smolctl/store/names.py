"""The names in `index.json`, for who wants those alone and at once: a shell that completes.

Nothing is checked but the letters, and nothing heavy is imported: `index.py` takes 40 ms for what
takes 5 here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REF_NAME = "org.opencontainers.image.ref.name"
"""Annotation of an index entry: its name. OCI image specification, "Annotations"."""

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:@[]")
"""What a reference consists of; a name with anything else is none, whoever wrote it."""


def named_manifests(index: Path) -> Iterator[tuple[str, str]]:
    """Yield each name in the index (`ai/smollm2:latest`) and the digest of its manifest.

    A name of a model that no tag names has its digest in it. An index that is damaged or cannot be
    read has no names.
    """
    try:
        document = json.loads(index.read_bytes())
        entries = document["manifests"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return
    for entry in entries if isinstance(entries, list) else ():
        try:
            name, digest = entry["annotations"][REF_NAME], entry["digest"]
        except (KeyError, TypeError):
            continue
        if is_plain(name) and is_plain(digest):
            yield name, digest


def is_plain(text: object) -> bool:
    """Whether `text` has the letters of a name alone: no terminal and no shell minds those."""
    if not isinstance(text, str) or not _LETTERS.issuperset(text):
        return False
    return text[:1].isalnum() or text.startswith("[")  # an IPv6 address
