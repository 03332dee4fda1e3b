"""The blobs of the cache: written once, under their digest, after the digest was checked."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smolctl.errors import IntegrityError
from smolctl.model.digest import Digest
from smolctl.store.storage import locked, storage_errors, sync_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from smolctl.model.descriptor import Descriptor

_SMALL = 1024 * 1024
"""Bytes up to which a blob that is here is hashed again before it counts as here."""


@dataclass(frozen=True)
class Blobs:
    """The blobs of the OCI image layout at `root`, and the unfinished ones beside them."""

    root: Path

    def path(self, digest: Digest) -> Path:
        """Return where the blob of `digest` is or would be."""
        return self.root / "blobs" / digest.algorithm / digest.hex

    def partial_path(self, digest: Digest) -> Path:
        """Return where the blob of `digest` grows until it is whole and checked."""
        return self.root / "partial" / f"{digest.algorithm}-{digest.hex}"

    def unpacked_path(self, digest: Digest) -> Path:
        """Return the folder for the files of the archive, or of the sharded model, `digest`."""
        return self.root / "unpacked" / f"{digest.algorithm}-{digest.hex}"

    def has(self, descriptor: Descriptor) -> bool:
        """Whether the blob is here with the size its descriptor says.

        A small one is hashed as well, so that a pull mends damaged manifests, configs and
        templates; hashing gigabytes of weights each time would cost more than it finds.
        """
        path = self.path(descriptor.digest)
        with storage_errors(path):
            try:
                if path.stat().st_size != descriptor.size:
                    return False
                if descriptor.size > _SMALL:
                    return True
                content = path.read_bytes()
            except FileNotFoundError:
                return False
        return Digest.of(content, descriptor.digest.algorithm) == descriptor.digest

    def read(self, descriptor: Descriptor, what: str) -> bytes:
        """Return a small blob (a manifest, a config, a template), checked against its digest.

        Raises `IntegrityError` when it is missing or damaged; `what` names it there.
        """
        path = self.path(descriptor.digest)
        try:
            with storage_errors(path), path.open("rb") as file:
                # One byte more than there should be tells a blob that grew.
                content = file.read(descriptor.size + 1)
        except FileNotFoundError:
            content = None
        if content is None:
            raise IntegrityError(f"the {what} is missing from the cache", hint=_REPAIR)
        try:
            descriptor.verify(content, what)
        except IntegrityError as error:
            raise IntegrityError(f"the cache is damaged: {error.message}", hint=_REPAIR) from None
        return content

    def write(self, descriptor: Descriptor, fetch: Callable[[], Iterable[bytes]]) -> bool:
        """Store the blob that `fetch` gives in chunks, unless it is here already.

        `fetch` is only called when the bytes are needed. Every byte is hashed as it is written,
        and one that goes past the descriptor's size ends the transfer at once. Returns whether
        anything was written: when another process stored the same blob meanwhile, this one
        waits for it and writes nothing. Raises `IntegrityError` when the bytes are not the ones
        described (they are then dropped) and `StorageError` when they cannot be kept.
        """
        if self.has(descriptor):
            return False
        target = self.path(descriptor.digest)
        partial = self.partial_path(descriptor.digest)
        with locked(partial) as handle:
            if self.has(descriptor):
                partial.unlink(missing_ok=True)
                return False
            try:
                self._receive(descriptor, fetch(), handle, partial)
            except IntegrityError:
                partial.unlink(missing_ok=True)
                raise
            with storage_errors(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                partial.replace(target)
                sync_folder(target.parent)
        return True

    def write_bytes(self, descriptor: Descriptor, content: bytes) -> bool:
        """Store `content` under `descriptor`, as `write` does."""
        return self.write(descriptor, lambda: (content,))

    def remove(self, digest: Digest) -> int:
        """Delete a blob; returns the bytes freed, 0 when it was not here."""
        path = self.path(digest)
        with storage_errors(path):
            try:
                size = path.stat().st_size
                path.unlink()
            except FileNotFoundError:
                return 0
        return size

    def _receive(
        self, descriptor: Descriptor, chunks: Iterable[bytes], handle: int, partial: Path
    ) -> None:
        hasher = descriptor.digest.hasher()
        received = 0
        with storage_errors(partial):
            os.ftruncate(handle, 0)
        for chunk in chunks:
            received += len(chunk)
            if received > descriptor.size:
                raise IntegrityError(
                    f"blob {descriptor.digest} is longer than the {descriptor.size} bytes"
                    " its descriptor says"
                )
            hasher.update(chunk)
            with storage_errors(partial):
                _write_all(handle, chunk)
        if received < descriptor.size:
            raise IntegrityError(
                f"blob {descriptor.digest} ended after {received} of {descriptor.size} bytes"
            )
        if hasher.hexdigest() != descriptor.digest.hex:
            actual = f"{descriptor.digest.algorithm}:{hasher.hexdigest()}"
            raise IntegrityError(
                f"the registry served wrong bytes: {actual} where {descriptor.digest} was asked for"
            )
        with storage_errors(partial):
            os.fsync(handle)


_REPAIR = "Pull the model again to repair it."


def _write_all(handle: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(handle, view) :]
