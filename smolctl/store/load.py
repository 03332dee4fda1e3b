"""Models taken into the cache from an OCI image layout: a tar, as it streams in, or a folder.

Nothing of it is unpacked by its name. A blob goes where its digest says, when its bytes have been
checked, and everything else that may lie in a tar (links, devices, names that lead elsewhere) is
refused or never looked at. What no model of the index needs does not stay, nor does anything when
the archive turns out broken.
"""

from __future__ import annotations

import re
import tarfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smolctl.errors import IntegrityError, InvalidReference, ModelNotFound, UsageError
from smolctl.model import document
from smolctl.model.artifact import Artifact
from smolctl.model.config import ConfigSchema
from smolctl.model.descriptor import Descriptor
from smolctl.model.digest import Digest
from smolctl.model.layer import checked_path
from smolctl.model.manifest import ImageIndex, Manifest, is_index
from smolctl.store.importing import scratch_folder
from smolctl.store.names import REF_NAME
from smolctl.store.save import IMAGE_NAME
from smolctl.store.storage import check_room, storage_errors
from smolctl.store.unpack import BoundedMember

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import IO

    from smolctl.model.reference import Reference
    from smolctl.store.store import Store, StoredModel

_BLOB = re.compile(r"blobs/(?P<algorithm>sha256|sha512)/(?P<hex>[0-9a-f]{64,128})")
_INDEX = "index.json"
_PIECE = 1024 * 1024
_MAXIMUM_MEMBERS = 100_000
_GZIP = b"\x1f\x8b"
_TAR_BLOCK = 512


@dataclass(frozen=True)
class Wanted:
    """Which models of a layout to take, and under which name.

    With `tag`, the one whose name, or whose name's tag, is that; with `name`, it is called so.
    """

    tag: str | None = None
    name: Reference | None = None


class Loading:
    """One layout on its way into `store`. `tell` hears how many bytes of blobs have come.

    `names` are what the models of the layout are called, in the order in which they are returned.
    """

    def __init__(
        self, store: Store, wanted: Wanted, tell: Callable[[int], None] = lambda _: None
    ) -> None:
        self._store = store
        self._wanted = wanted
        self._tell = tell
        self.names: list[Reference] = []
        self._done = 0
        self._written: list[Digest] = []

    def from_tar(self, stream: IO[bytes]) -> list[StoredModel]:
        """Take in the layout that is `stream`, a tar that need not be seekable.

        Raises `IntegrityError` for one that is broken or hostile, `NotRunnable` for what is no
        model, `ModelNotFound` when it does not hold what is wanted, and `StorageError`.
        """
        with self._writing():
            try:
                with tarfile.open(  # type: ignore[call-overload]
                    fileobj=_Tar(stream), mode="r|", tarinfo=BoundedMember
                ) as archive:
                    index = self._read_members(archive)
            except (tarfile.TarError, EOFError) as error:
                raise IntegrityError(f"not a tar, or a broken one: {error}") from None
            if index is None:
                raise IntegrityError("the archive is no OCI image layout: it has no index.json")
            return self._name_models(index, lambda _: None)

    def from_folder(self, folder: Path) -> list[StoredModel]:
        """Take in the layout in `folder`; raises as `from_tar` does."""

        def fetch(blob: Descriptor) -> None:
            path = folder / "blobs" / blob.digest.algorithm / blob.digest.hex
            with storage_errors(path):
                if not path.is_file():
                    raise IntegrityError(f"{folder} lacks blob {blob.digest}")
                with path.open("rb") as file:
                    self._keep(blob.digest, path.stat().st_size, file)

        path = folder / _INDEX
        with self._writing():
            with storage_errors(path):
                if not path.is_file():
                    raise ModelNotFound(f"{folder} is no OCI image layout: it has no {_INDEX}")
                with path.open("rb") as file:
                    content = file.read(document.MAXIMUM_SIZE + 1)
            return self._name_models(ImageIndex.parse(content), fetch)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Have blobs without a name yet left alone, and in the end none that no model needs."""
        self._store.prepare()
        with self._store.writing():
            try:
                yield
            finally:
                self._store.drop_unreferenced(self._written)

    def _read_members(self, archive: tarfile.TarFile) -> ImageIndex | None:
        """Keep every blob of `archive`; returns its index, if it has one."""
        index: ImageIndex | None = None
        for number, member in enumerate(archive):
            if number >= _MAXIMUM_MEMBERS:
                raise IntegrityError(f"the archive has more than {_MAXIMUM_MEMBERS} files")
            name = member.name.removeprefix("./").rstrip("/")
            if name in ("", "."):
                continue
            checked_path(name)
            blob = _BLOB.fullmatch(name)
            if blob is None and name != _INDEX:
                continue  # what Docker adds for its older self
            # A sparse file is as long as its header claims, whatever the archive's own size.
            source = (
                archive.extractfile(member) if member.isreg() and not member.issparse() else None
            )
            if source is None:
                raise IntegrityError(f"in the archive, {name[:100]!r} is not a plain file")
            with source:
                if blob is not None:
                    self._keep(
                        Digest.parse(f"{blob['algorithm']}:{blob['hex']}"), member.size, source
                    )
                elif index is not None:
                    raise IntegrityError(f"the archive has {_INDEX} twice")
                else:
                    index = ImageIndex.parse(source.read(document.MAXIMUM_SIZE + 1))
        return index

    def _keep(self, digest: Digest, size: int, source: IO[bytes]) -> None:
        """Put a blob of `size` bytes under its digest, checked, unless it is here already."""
        blob = Descriptor("application/octet-stream", digest, size)
        blobs = self._store.blobs
        if not blobs.has(blob):
            check_room(scratch_folder(blobs), size)
            # Noted first: an interrupt between the two must not leave it.
            self._written.append(digest)
            blobs.write(blob, self._pieces(source))
        self._done += size
        self._tell(self._done)

    def _pieces(self, source: IO[bytes]) -> Iterator[bytes]:
        came = 0
        while piece := source.read(_PIECE):
            came += len(piece)
            self._tell(self._done + came)
            yield piece

    def _name_models(
        self, index: ImageIndex, fetch: Callable[[Descriptor], None]
    ) -> list[StoredModel]:
        """Check all models that are wanted, then name them: all or none."""
        chosen = self._choose(index)
        ready = [
            (self._read_manifest(entry, fetch), self._reference(entry, alone=len(chosen) == 1))
            for entry in chosen
        ]
        models = []
        for content, reference in ready:
            model = self._store.commit(content, reference)
            if model is None:
                raise IntegrityError("a blob was removed while the model was loaded: load it again")
            models.append(model)
            self.names.append(reference)
        return models

    def _choose(self, index: ImageIndex) -> list[Descriptor]:
        entries = list(index.manifests)
        if self._wanted.tag is not None:
            names = [_name_in(entry) for entry in entries]
            entries = [
                entry
                for entry, name in zip(entries, names, strict=True)
                if self._is_called(self._wanted.tag, name, entry)
            ]
            if not entries:
                there = ", ".join(name for name in names if name) or "none with a name"
                raise ModelNotFound(
                    f"no {self._wanted.tag!r} in the layout", hint=f"It has {there[:500]}."
                )
        if not entries:
            raise ModelNotFound("there is no model in the layout")
        if self._wanted.name is not None and len(entries) > 1:
            raise UsageError(f"the layout has {len(entries)} models, and --name names one")
        return entries

    def _is_called(self, tag: str, name: str, entry: Descriptor) -> bool:
        """Whether `tag` is the entry's `name` in any spelling, or the tag in it."""
        if tag in (name, name.rpartition(":")[2], entry.annotations.get(REF_NAME)):
            return True
        try:
            return bool(name) and self._store.parse(tag) == self._store.parse(name)
        except InvalidReference:
            return False

    def _reference(self, entry: Descriptor, *, alone: bool) -> Reference:
        if self._wanted.name is not None:
            return self._wanted.name
        name = _name_in(entry)
        try:
            # `v1` alone is a tag, and says nothing about whose.
            if "/" in name or ":" in name:
                return self._store.parse(name)
        except InvalidReference:
            pass
        hint = "Name it with --name NAME:TAG." if alone else "Load it alone: --tag and --name."
        raise UsageError(f"a model in the layout has no name, but {name[:100]!r}", hint=hint)

    def _read_manifest(self, entry: Descriptor, fetch: Callable[[Descriptor], None]) -> bytes:
        """Return the manifest that `entry` leads to, with its blobs here and its config checked."""
        content = self._read(entry, fetch)
        if is_index(entry.media_type):
            inner = ImageIndex.parse(content).choices
            if len(inner) != 1:
                raise IntegrityError(f"an image index in the layout holds {len(inner)} models")
            content = self._read(inner[0], fetch)
        manifest = Manifest.parse(content)
        ConfigSchema.of(manifest.config.media_type)
        Artifact.of(manifest, self._read(manifest.config, fetch))
        for blob in self._store.missing_blobs(manifest):
            fetch(blob)
        if missing := self._store.missing_blobs(manifest):
            raise IntegrityError(f"the layout lacks blob {missing[0].digest}")
        return content

    def _read(self, blob: Descriptor, fetch: Callable[[Descriptor], None]) -> bytes:
        if not self._store.blobs.has(blob):
            fetch(blob)
        if not self._store.blobs.has(blob):
            raise IntegrityError(f"the layout lacks blob {blob.digest}")
        return self._store.blobs.read(blob, "document of the layout")


class _Tar:
    """A stream that is read as a tar; what is another kind of archive is said to be."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._is_checked = False

    def read(self, size: int) -> bytes:
        """Read up to `size` bytes, as files do."""
        content = self._stream.read(size)
        if not self._is_checked:
            self._is_checked = True
            if content.startswith(_GZIP):
                raise IntegrityError(
                    "the archive is compressed",
                    hint="gunzip -c FILE | smolctl model load -",
                )
            if len(content) < _TAR_BLOCK:
                raise IntegrityError("not a tar: it is too short")
        return content


def _name_in(entry: Descriptor) -> str:
    return entry.annotations.get(IMAGE_NAME) or entry.annotations.get(REF_NAME) or ""
