"""Content descriptors: media type, digest and size of one blob.

Source: OCI image specification, "Content Descriptors".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from smolctl.errors import IntegrityError
from smolctl.model import document
from smolctl.model.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Descriptor:
    """A blob as a manifest or an index names it. `size` is in bytes.

    `artifact_type` and `platform` are only met on the entries of an image index.
    """

    media_type: str
    digest: Digest
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict)
    artifact_type: str | None = None
    platform: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def from_json(cls, value: document.JsonObject, what: str = "descriptor") -> Descriptor:
        """Return the descriptor in `value`. Raises `IntegrityError` when a part is missing."""
        media_type = document.text(value, "mediaType", what)
        digest = document.text(value, "digest", what)
        size = document.integer(value, "size", what)
        if media_type is None or digest is None or size is None:
            raise IntegrityError(f"the {what} lacks its mediaType, digest or size")
        return cls(
            media_type=media_type,
            digest=Digest.parse(digest),
            size=size,
            annotations=document.text_map(value, "annotations", what),
            artifact_type=document.text(value, "artifactType", what),
            platform=document.child(value, "platform", what),
        )

    @classmethod
    def of(
        cls, content: bytes, media_type: str, annotations: Mapping[str, str] | None = None
    ) -> Descriptor:
        """Return the descriptor of `content`."""
        return cls(media_type, Digest.of(content), len(content), dict(annotations or {}))

    def to_json(self) -> document.JsonObject:
        """Return the descriptor as the specification writes it, empty parts left out."""
        value: document.JsonObject = {
            "mediaType": self.media_type,
            "size": self.size,
            "digest": str(self.digest),
        }
        if self.annotations:
            value["annotations"] = dict(self.annotations)
        if self.platform:
            value["platform"] = dict(self.platform)
        if self.artifact_type:
            value["artifactType"] = self.artifact_type
        return value

    def verify(self, content: bytes, what: str) -> None:
        """Check that `content` is this blob. Raises `IntegrityError` naming `what` if not."""
        if len(content) != self.size:
            raise IntegrityError(
                f"the {what} has {len(content)} bytes where its descriptor says {self.size}"
            )
        actual = Digest.of(content, self.digest.algorithm)
        if actual != self.digest:
            raise IntegrityError(f"the {what} is {actual} where {self.digest} was asked for")
