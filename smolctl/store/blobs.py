"""The blobs of the cache: written once, under their digest, after the digest was checked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from smolctl.errors import IntegrityError, StorageError
from smolctl.model import document
from smolctl.model.digest import Digest
from smolctl.store.storage import check_room, lock_file, storage_errors

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from smolctl.model.descriptor import Descriptor
    from smolctl.store.partial import PartialBlob

REPAIR_HINT = "`smolctl model verify --repair` fetches what is damaged again."
"""What to do about a damaged cache."""

_SMALL = 1024 * 1024
"""Bytes up to which a blob that is here is hashed again before it counts as here."""


class Blobs:
    """The blobs of the OCI image layout at `root`, and the unfinished ones beside them."""

    def __init__(self, root: Path) -> None:
        self.root = root

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

    def check(self, descriptors: Iterable[Descriptor]) -> None:
        """Raise `IntegrityError` for the first blob of `descriptors` that is not here (`has`)."""
        for descriptor in descriptors:
            if not self.has(descriptor):
                raise IntegrityError(
                    f"the cache is damaged: blob {descriptor.digest} is missing or has changed",
                    hint=REPAIR_HINT,
                )

    def read(self, descriptor: Descriptor, what: str) -> bytes:
        """Return a small blob (a manifest, a config, a template), checked against its digest.

        Raises `IntegrityError` when it is missing or damaged; `what` names it there.
        """
        if descriptor.size > document.MAXIMUM_SIZE:
            raise IntegrityError(f"the {what} is larger than {document.MAXIMUM_SIZE} bytes")
        path = self.path(descriptor.digest)
        with storage_errors(path):
            try:
                with path.open("rb") as file:
                    # One byte more than there should be tells a blob that grew.
                    content = file.read(descriptor.size + 1)
            except FileNotFoundError:
                raise IntegrityError(
                    f"the {what} is missing from the cache", hint=REPAIR_HINT
                ) from None
        try:
            descriptor.verify(content, what)
        except IntegrityError as error:
            raise IntegrityError(
                f"the cache is damaged: {error.message}", hint=REPAIR_HINT
            ) from None
        return content

    def open_partial(self, descriptor: Descriptor, *, wait: bool = True) -> PartialBlob | None:
        """Return the blob of `descriptor` to be written on, locked; close it afterwards.

        None, without `wait`, when another process (or thread) is writing it. Look whether the
        blob `has` come meanwhile before you write.
        """
        from smolctl.store.partial import PartialBlob  # who only reads has none

        path = self.partial_path(descriptor.digest)
        handle = lock_file(path, wait=wait)
        if handle is None:
            return None
        try:
            return PartialBlob(descriptor, path, self.path(descriptor.digest), handle)
        except StorageError:
            os.close(handle)
            raise

    def partial_size(self, descriptor: Descriptor) -> int:
        """Return how many bytes of an unfinished blob its journal speaks of; 0 if none can say."""
        from smolctl.store.journal import boot_id, read_journal
        from smolctl.store.partial import journal_path

        path = journal_path(self.partial_path(descriptor.digest))
        try:
            return read_journal(path, descriptor, boot_id()).total
        except (OSError, IntegrityError):
            return 0

    def check_space(self, missing: Iterable[Descriptor]) -> None:
        """Raise `StorageError` when the disk cannot hold the blobs `missing`.

        What is there of unfinished ones counts as there.
        """
        needed = 0
        for descriptor in missing:
            path = self.partial_path(descriptor.digest)
            with storage_errors(path):
                needed += descriptor.size - min(_allocated(path), descriptor.size)
        check_room(self.root, needed, "fetched")

    def write(self, descriptor: Descriptor, chunks: Iterable[bytes]) -> bool:
        """Store the blob that `chunks` make up, in order, unless it is here already.

        Returns whether anything was written: when another process stores the same blob
        meanwhile, this one waits for it and writes nothing. Raises `IntegrityError` when the
        bytes are not the ones described (they are then dropped), at the first byte too many, and
        `StorageError` when they cannot be kept.
        """
        if self.has(descriptor):
            return False
        partial = self.open_partial(descriptor)
        assert partial is not None  # noqa: S101 - it waited
        with partial:
            if self.has(descriptor):
                partial.discard()
                return False
            partial.restart()
            position = 0
            try:
                for chunk in chunks:
                    partial.write(position, chunk)
                    position += len(chunk)
                partial.commit()
            except IntegrityError:
                partial.discard()
                raise
        return True

    def write_bytes(self, descriptor: Descriptor, content: bytes) -> bool:
        """Store `content` under `descriptor`, as `write` does."""
        return self.write(descriptor, (content,))

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


def _allocated(path: Path) -> int:
    """Return the bytes of disk that a file with holes takes, 0 when there is none."""
    try:
        return path.stat().st_blocks * 512
    except FileNotFoundError:
        return 0
