"""What a read-only registry answers: the pull half of the distribution API, and the lists.

Source: OCI distribution specification 1.1, "Pull", "Content Discovery" and "Error Codes"; what
containerd and Docker's registry do beyond it is named where it is done. A request is a method, a
target and headers here, an answer a status, headers, and bytes or a span of a file.
"""

from __future__ import annotations

import json
import re
import stat
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, unquote

from smolctl.errors import IntegrityError, SmolctlError
from smolctl.model.digest import Digest
from smolctl.model.manifest import INDEX_TYPE, MANIFEST_TYPE
from smolctl.registry.sharing.byte_range import NotSatisfiable, wanted_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from smolctl.registry.sharing.shared_models import Shared, SharedModels

MAXIMUM_PAGE = 1000
"""Names in one answer that lists some; the rest is at the address in its `Link`."""

_PATHS = re.compile(
    r"/v2/(?P<repository>.+)/"
    r"(?:(?P<tags>tags)/list|(?P<what>manifests|blobs|referrers)/(?P<reference>[^/]+))"
)
_ABSOLUTE = re.compile(r"https?://[^/?#]*", re.IGNORECASE)
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}")
_NUMBER = re.compile(r"\d{1,9}")
_MAXIMUM_PARAMETERS = 32


@dataclass(frozen=True)
class Request:
    """A request's head; names of headers in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Span:
    """Bytes of an open file, from `start` on. Whoever gets it closes the file."""

    file: IO[bytes]
    start: int
    count: int


@dataclass(frozen=True)
class Taken:
    """What an answer gives away: the manifest of a model (`blob` is None), or one of its blobs."""

    shared: Shared
    blob: Digest | None = None


@dataclass(frozen=True)
class Answer:
    """An answer, with `body` or with a span of a file; `taken` where it is a part of a model."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""
    span: Span | None = None
    taken: Taken | None = None


class ReadOnlyRegistry:
    """The registry over `models`. Asked from many threads."""

    def __init__(self, models: SharedModels) -> None:
        self._models = models

    def answer(self, request: Request) -> Answer:
        """Return the answer to `request`; there is one to everything."""
        if request.method not in ("GET", "HEAD"):
            return error(405, "UNSUPPORTED", "this registry is read-only", ("Allow", "GET, HEAD"))
        target = _ABSOLUTE.sub("", request.target)
        raw_path, _, raw_query = target.partition("?")
        path = unquote(raw_path, errors="replace")
        try:
            query = parse_qs(raw_query, True, max_num_fields=_MAXIMUM_PARAMETERS)
        except ValueError:
            return error(400, "UNSUPPORTED", "too many parameters")
        parameters = {name: values[0] for name, values in query.items()}
        try:
            return self._route(path, parameters, request)
        except SmolctlError:  # the index, or the disk; its error names paths of this machine
            return error(500, "UNKNOWN", "the cache that is served cannot be read")

    def _route(self, path: str, parameters: Mapping[str, str], request: Request) -> Answer:
        if path in ("/v2/", "/v2"):
            return _json({})
        if path == "/v2/_catalog":
            return _page("repositories", self._repositories(parameters), path, parameters)
        match = _PATHS.fullmatch(path)
        if match is None:
            return error(404, "NAME_UNKNOWN", "no such address in a registry")
        repository = match["repository"]
        found = self._models.in_repository(repository, parameters.get("ns"))
        if match["tags"]:
            if not found:
                return error(404, "NAME_UNKNOWN", "no such repository")
            tags = {entry.name.tag for entry in found if entry.name.tag is not None}
            return _page("tags", sorted(tags), path, parameters, name=repository)
        if match["what"] == "manifests":
            return self._manifest(found, match["reference"], request)
        try:
            digest = Digest.parse(match["reference"])
        except IntegrityError as failure:
            return error(400, "DIGEST_INVALID", failure.message)
        if match["what"] == "blobs":
            return self._blob(found, digest, request)
        if not found:
            return error(404, "NAME_UNKNOWN", "no such repository")
        return _json({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": []}, INDEX_TYPE)

    def _repositories(self, parameters: Mapping[str, str]) -> list[str]:
        paths = self._models.repositories
        namespace = parameters.get("ns")
        if namespace is None:
            return paths
        return [path for path in paths if self._models.in_repository(path, namespace)]

    def _manifest(self, found: Sequence[Shared], wanted: str, request: Request) -> Answer:
        # Whatever the request accepts: a manifest has one form, and its bytes are its digest.
        for entry in found:
            if wanted not in (entry.name.tag, str(entry.model.id)):
                continue
            try:
                content = self._models.store.blobs.read(entry.model.manifest, "manifest")
            except SmolctlError:
                return error(404, "MANIFEST_UNKNOWN", "the manifest is damaged in this cache")
            # It comes from the manifest, and so from a stranger.
            media_type = entry.model.manifest.media_type
            if _MEDIA_TYPE.fullmatch(media_type) is None:
                media_type = MANIFEST_TYPE
            headers = _content_headers(entry.model.id, media_type)
            if _is_known(request, entry.model.id):
                return Answer(304, headers)
            taken = Taken(entry) if request.method == "GET" else None
            return Answer(200, (*headers, _length(len(content))), content, taken=taken)
        return error(404, "MANIFEST_UNKNOWN", "no such manifest in this repository")

    def _blob(self, found: Sequence[Shared], digest: Digest, request: Request) -> Answer:
        for entry in found:
            size = self._models.blobs(entry.model).get(digest)
            if size is not None:
                return self._file(Taken(entry, digest), digest, size, request)
        return error(404, "BLOB_UNKNOWN", "no such blob in this repository")

    def _file(self, taken: Taken, digest: Digest, size: int, request: Request) -> Answer:
        headers = (
            *_content_headers(digest, "application/octet-stream"),
            ("Accept-Ranges", "bytes"),
        )
        if _is_known(request, digest):
            return Answer(304, headers)
        asked = request.headers.get
        try:
            wanted = wanted_bytes(
                asked("range"), size, if_range=asked("if-range"), etag=_etag(digest)
            )
        except NotSatisfiable:
            beyond = ("Content-Range", f"bytes */{size}")
            return error(416, "SIZE_INVALID", f"the blob has {size} bytes", beyond)
        path = self._models.store.blobs.path(digest)
        missing = error(404, "BLOB_UNKNOWN", "the blob is damaged in this cache")
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode) or status.st_size != size:
                return missing
            file = path.open("rb", buffering=0) if request.method == "GET" else None
        except OSError:
            return missing  # removed this moment, or not ours to read
        start, end = wanted or (0, size)
        if wanted is not None:
            headers = (*headers, ("Content-Range", f"bytes {start}-{end - 1}/{size}"))
        headers = (*headers, _length(end - start))
        code = 206 if wanted is not None else 200
        if file is None:
            return Answer(code, headers)
        return Answer(code, headers, span=Span(file, start, end - start), taken=taken)


def error(status: int, code: str, message: str, *headers: tuple[str, str]) -> Answer:
    """Return the answer with an error document."""
    return _json({"errors": [{"code": code, "message": message}]}, None, *headers, status=status)


def _page(
    key: str, names: Sequence[str], path: str, parameters: Mapping[str, str], **more: str
) -> Answer:
    """Return the names after `last`, at most `n`, and where those after them are."""
    given = parameters.get("n")
    if given is not None and _NUMBER.fullmatch(given) is None:
        # The code is Docker's registry's: the specification has none.
        return error(400, "PAGINATION_NUMBER_INVALID", "n is a number")
    count = MAXIMUM_PAGE if given is None else min(int(given), MAXIMUM_PAGE)
    last = parameters.get("last")
    rest = [name for name in names if last is None or name > last]
    shown = rest[:count]
    links = []
    if shown and len(rest) > count:
        namespace = parameters.get("ns")
        ns = f"&ns={quote(namespace, safe='')}" if namespace is not None else ""
        where = f"{quote(path)}?n={count}&last={quote(shown[-1], safe='')}{ns}"
        links.append(("Link", f'<{where}>; rel="next"'))
    return _json({**more, key: shown}, None, *links)


def _json(
    value: dict[str, Any],
    media_type: str | None = None,
    *headers: tuple[str, str],
    status: int = 200,
) -> Answer:
    body = json.dumps(value).encode()
    kind = ("Content-Type", media_type or "application/json")
    return Answer(status, (kind, *headers, _length(len(body))), body)


def _content_headers(digest: Digest, media_type: str) -> tuple[tuple[str, str], ...]:
    return (
        ("Content-Type", media_type),
        ("Docker-Content-Digest", str(digest)),
        ("ETag", _etag(digest)),
    )


def _etag(digest: Digest) -> str:
    return f'"{digest}"'


def _is_known(request: Request, digest: Digest) -> bool:
    """Whether the client says that it has this already (RFC 9110, If-None-Match)."""
    known = request.headers.get("if-none-match", "")
    return _etag(digest) in (each.strip().removeprefix("W/") for each in known.split(","))


def _length(count: int) -> tuple[str, str]:
    return "Content-Length", str(count)
