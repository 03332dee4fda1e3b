"""A registry in this process that does what it is told, wrong things too, and notes what it sees.

`FaultyRegistry` serves the artifacts that were published to it. A fault changes the answer to the
requests whose path holds a given text, for as many of them as the test says: the same script
gives the same answers each time. Nothing here knows the client under test.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import ssl
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from tests.support.gguf_files import tiny_llama

if TYPE_CHECKING:
    from pathlib import Path

    from smolctl.store.store import Store, StoredModel

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.docker.ai.model.config.v0.1+json"
GGUF = "application/vnd.docker.ai.gguf.v3"
SAFETENSORS = "application/vnd.docker.ai.safetensors"

Json = dict[str, Any]


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def descriptor(content: bytes, media_type: str, **more: Any) -> Json:
    return {"mediaType": media_type, "size": len(content), "digest": digest(content), **more}


@dataclass(frozen=True)
class Packed:
    """An artifact as a registry holds it: its manifest, and the blobs by digest."""

    manifest: bytes
    blobs: Mapping[str, bytes]
    media_type: str = MANIFEST

    @property
    def id(self) -> str:
        return digest(self.manifest)

    @property
    def layers(self) -> list[str]:
        return [layer["digest"] for layer in json.loads(self.manifest)["layers"]]

    @property
    def config(self) -> str:
        found: str = json.loads(self.manifest)["config"]["digest"]
        return found

    @classmethod
    def of(cls, store: Store, model: StoredModel) -> Packed:
        """Take a model out of a cache."""
        content = store.blobs.read(model.manifest, "manifest")
        document = json.loads(content)
        names = [each["digest"] for each in (document["config"], *document["layers"])]
        folder = store.root / "blobs" / "sha256"
        blobs = {name: (folder / name.partition(":")[2]).read_bytes() for name in names}
        return cls(content, blobs)

    @classmethod
    def of_layers(cls, *layers: bytes, media_type: str = GGUF) -> Packed:
        """A model of these layers, in this order; one may be there several times."""
        config = json.dumps({"config": {"format": "gguf"}, "rootfs": {"type": "rootfs"}}).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(config, CONFIG),
            "layers": [descriptor(layer, media_type) for layer in layers],
        }
        blobs = {digest(blob): blob for blob in (config, *layers)}
        return cls(json.dumps(manifest).encode(), blobs)

    def altered(self, change: Callable[[Json], object]) -> Packed:
        """The same blobs under a manifest that `change` has been at."""
        document = json.loads(self.manifest)
        change(document)
        return replace(self, manifest=json.dumps(document).encode())


def pack(
    weights: bytes | None = None,
    *,
    layer_type: str = GGUF,
    config_type: str = CONFIG,
    config: Json | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Packed:
    """A small model: a config, one layer of weights, a license."""
    content = tiny_llama() if weights is None else weights
    terms = b"You may.\n"
    facts = {
        "format": "gguf",
        "quantization": "F16",
        "parameters": "2.1 K",
        "architecture": "llama",
        "size": "0.01 MiB",
        **(config or {}),
    }
    document = json.dumps(
        {
            "config": facts,
            "descriptor": {"created": "2025-03-24T11:33:01Z"},
            "rootfs": {"type": "rootfs", "diff_ids": [digest(content), digest(terms)]},
        }
    ).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(document, config_type),
        "layers": [
            descriptor(content, layer_type),
            descriptor(terms, "application/vnd.docker.ai.license"),
        ],
    }
    if annotations:
        manifest["annotations"] = dict(annotations)
    blobs = {digest(blob): blob for blob in (document, content, terms)}
    return Packed(json.dumps(manifest).encode(), blobs)


def image_index(*entries: Json) -> Packed:
    document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": list(entries)}
    return Packed(json.dumps(document).encode(), {}, INDEX)


@dataclass(frozen=True)
class Request:
    """What a client asked."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    form: Mapping[str, list[str]] = field(default_factory=dict)
    body: bytes = b""

    @property
    def authorization(self) -> str | None:
        return self.headers.get("authorization")


@dataclass(frozen=True)
class Answer:
    """What the registry answers. `length` is the Content-Length; None leaves it out.

    `before` is called before the first byte goes out.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Iterable[bytes] = b""
    length: int | None = 0
    before: Callable[[], object] = lambda: None

    @classmethod
    def of(cls, body: bytes, status: int = 200, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(status, named, body, len(body))

    @property
    def content(self) -> bytes:
        assert isinstance(self.body, bytes)
        return self.body


Change = Callable[[Request, Answer], Answer]
Condition = Callable[[Request], bool]


@dataclass
class _Fault:
    where: str
    change: Change
    left: int | None
    when: Condition

    def takes(self, request: Request) -> bool:
        return self.left != 0 and self.where in request.path and self.when(request)


class FaultyRegistry:
    """A registry on a free loopback port; use it as a context manager.

    With `certificate`, a PEM file that holds its key as well, it speaks HTTPS. `sent` counts, by
    path, the bytes of good answers' bodies that went out; `connections` how many were made.
    """

    def __init__(self, certificate: Path | None = None) -> None:
        self.requests: list[Request] = []
        self.sent: Counter[str] = Counter()
        self.connections = 0
        self.uploads: dict[str, bytes] = {}
        """What arrived of uploads under way, by session."""
        self.pushed: dict[str, dict[str, bytes]] = {}
        """The blobs that were pushed, by repository and digest."""
        self._artifacts: dict[tuple[str, str], Packed] = {}
        self._faults: list[_Fault] = []
        self._access: _Access = _Everybody()
        self._lock = threading.Lock()
        handler = type("_BoundHandler", (_Handler,), {"registry": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            # Each connection shakes hands in its own thread: one that never does stops nobody.
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> FaultyRegistry:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def port(self) -> int:
        return self._server.server_port

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def publish(self, repository: str, tag: str, artifact: Packed) -> Packed:
        self._artifacts[repository, tag] = artifact
        self._artifacts[repository, artifact.id] = artifact
        return artifact

    def spoil(
        self,
        where: str,
        change: Change,
        *,
        times: int | None = None,
        when: Condition = lambda request: True,  # noqa: ARG005
    ) -> None:
        """Change the answers to the next `times` requests with `where` in their path; or all.

        With `when`, only to those requests of which it is true. The first fault that fits wins.
        """
        self._faults.append(_Fault(where, change, times, when))

    def heal(self) -> None:
        """From here on everything is right."""
        self._faults.clear()

    def want_basic(self, username: str, password: str) -> None:
        self._access = _Basic(username, password)

    def want_token(self, accounts: Mapping[str, str] | None = None) -> TokenAccess:
        """Ask for tokens; with no `accounts`, everybody gets one who asks."""
        self._access = TokenAccess(self, accounts)
        return self._access

    def sent_of(self, name: str) -> int:
        """How many bytes of the blob `name` went out so far."""
        return sum(count for path, count in self.sent.items() if path.endswith(name))

    def paths(self, method: str = "GET") -> list[str]:
        return [request.path for request in self.requests if request.method == method]

    def count(self, path: str, sent: int) -> None:
        with self._lock:
            self.sent[path] += sent

    def count_connection(self) -> None:
        with self._lock:
            self.connections += 1

    def answer(self, request: Request) -> Answer:
        with self._lock:
            self.requests.append(request)
            answer = self._access.refusal(request) or self._good(request)
            for fault in self._faults:
                if fault.takes(request):
                    if fault.left is not None:
                        fault.left -= 1
                    return fault.change(request, answer)
            return answer

    def _good(self, request: Request) -> Answer:
        if request.path == "/v2/":
            return Answer.of(b"{}")
        repository, _, rest = request.path.removeprefix("/v2/").rpartition("/manifests/")
        if repository and request.method == "PUT":
            return self._put_manifest(repository, rest, request)
        if repository:
            return self._manifest(repository, rest)
        repository = request.path.removeprefix("/v2/").removesuffix("/tags/list")
        if request.path.endswith("/tags/list"):
            return self._tags(repository, request)
        repository, uploads, session = request.path.removeprefix("/v2/").rpartition(
            "/blobs/uploads/"
        )
        if uploads:
            return self._upload(repository, session, request)
        repository, _, rest = request.path.removeprefix("/v2/").rpartition("/blobs/")
        if rest in self.pushed.get(repository, {}):
            return _ranged(request, self.pushed[repository][rest])
        for (owner, _), artifact in self._artifacts.items():
            if owner == repository and rest in artifact.blobs:
                return _ranged(request, artifact.blobs[rest])
        return error(404, "BLOB_UNKNOWN")

    def _tags(self, repository: str, request: Request) -> Answer:
        """A page of the repository's tags, and where the next one is."""
        named = [tag for owner, tag in self._artifacts if owner == repository and ":" not in tag]
        if not named:
            return error(404, "NAME_UNKNOWN")
        last = request.query.get("last", [""])[0]
        left = sorted(tag for tag in named if tag > last)
        page = left[: int(request.query.get("n", ["1000"])[0])]
        more = {}
        if len(page) < len(left):
            where = f"{request.path}?last={page[-1]}&n={len(page)}"
            more = {"Link": f'<{where}>; rel="next"'}
        return Answer.of(json.dumps({"name": repository, "tags": page}).encode(), **more)

    def _upload(self, repository: str, session: str, request: Request) -> Answer:
        """Uploads as the distribution specification has them, sessions kept in memory."""
        query = {name: values[0] for name, values in request.query.items()}
        if request.method == "POST":
            blob = self.pushed.get(query.get("from", ""), {}).get(query.get("mount", ""))
            if blob is not None:
                self.pushed.setdefault(repository, {})[query["mount"]] = blob
                return Answer.of(b"", 201, Docker_Content_Digest=query["mount"])
            session = f"session-{len(self.requests)}"
            self.uploads[session] = b""
            return self._where(202, repository, session)
        if session not in self.uploads:
            return error(404, "BLOB_UPLOAD_UNKNOWN")
        if request.method == "GET":
            return self._where(204, repository, session)
        if request.method == "DELETE":
            del self.uploads[session]
            return Answer.of(b"", 204)
        had = self.uploads[session]
        asked = request.headers.get("content-range", "").partition("-")[0]
        if asked and int(asked) != len(had):
            return error(416, "RANGE_INVALID")
        self.uploads[session] = had + request.body
        if request.method == "PATCH":
            return self._where(202, repository, session)
        content = self.uploads.pop(session)
        if digest(content) != query["digest"]:
            return error(400, "DIGEST_INVALID")
        self.pushed.setdefault(repository, {})[query["digest"]] = content
        return Answer.of(b"", 201, Docker_Content_Digest=query["digest"])

    def _where(self, status: int, repository: str, session: str) -> Answer:
        """Where an upload goes on (relative, with a query) and how far it has come."""
        location = f"/v2/{repository}/blobs/uploads/{session}?state=of-{session}"
        last = max(0, len(self.uploads[session]) - 1)
        return Answer.of(b"", status, Location=location, Range=f"0-{last}")

    def _put_manifest(self, repository: str, reference: str, request: Request) -> Answer:
        document = json.loads(request.body)
        blobs = self.pushed.get(repository, {})
        wanted = [each["digest"] for each in (document["config"], *document["layers"])]
        if not all(name in blobs for name in wanted):
            return error(400, "MANIFEST_BLOB_UNKNOWN")
        media_type = request.headers["content-type"]
        packed = Packed(request.body, {name: blobs[name] for name in wanted}, media_type)
        self.publish(repository, reference, packed)
        return Answer.of(b"", 201, Docker_Content_Digest=packed.id)

    def _manifest(self, repository: str, reference: str) -> Answer:
        artifact = self._artifacts.get((repository, reference))
        if artifact is None:
            return error(404, "MANIFEST_UNKNOWN")
        return Answer.of(
            artifact.manifest,
            Content_Type=artifact.media_type,
            Docker_Content_Digest=artifact.id,
        )


def _ranged(request: Request, content: bytes) -> Answer:
    """The blob, or the range of it that was asked for (RFC 9110, section 14)."""
    asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
    if asked is None:
        return Answer.of(content, Content_Type="application/octet-stream")
    start, last = int(asked[1]), int(asked[2] or len(content) - 1)
    if start >= len(content):
        return error(416, "RANGE_INVALID", Content_Range=f"bytes */{len(content)}")
    part = content[start : last + 1]
    said = f"bytes {start}-{start + len(part) - 1}/{len(content)}"
    return Answer.of(part, 206, Content_Type="application/octet-stream", Content_Range=said)


class _Access:
    """Who may read. `refusal` is the answer to somebody who may not."""

    def refusal(self, request: Request) -> Answer | None:
        raise NotImplementedError


class _Everybody(_Access):
    def refusal(self, request: Request) -> Answer | None:
        del request
        return None


class _Basic(_Access):
    def __init__(self, username: str, password: str) -> None:
        self._wanted = basic(username, password)

    def refusal(self, request: Request) -> Answer | None:
        if request.authorization == self._wanted:
            return None
        return unauthorized('Basic realm="test"')


class TokenAccess(_Access):
    """Tokens from `/token` of the same server, each for the scope it was asked for."""

    def __init__(self, registry: FaultyRegistry, accounts: Mapping[str, str] | None) -> None:
        self._registry = registry
        self._accounts = accounts
        self._valid: dict[str, str] = {}
        self.granted: list[str] = []
        self.refresh_tokens: set[str] = set()
        """What the OAuth2 POST changes into tokens."""
        self.most = "pull,push"
        """The actions that are granted, whatever is asked for."""

    def expire(self) -> None:
        """Take back every token that was granted."""
        self._valid.clear()

    def refusal(self, request: Request) -> Answer | None:
        if request.path == "/token":
            return self._grant(request)
        token = (request.authorization or "").removeprefix("Bearer ")
        realm = f"http://{self._registry.host}/token"
        if request.path == "/v2/":
            known = token in self._valid
            return None if known else unauthorized(f'Bearer realm="{realm}",service="test"')
        path = request.path.removeprefix("/v2/").replace("/blobs/uploads/", "/blobs/")
        repository = path.rpartition("/")[0].rpartition("/")[0]
        writes = request.method not in ("GET", "HEAD")
        scope = f"repository:{repository}:{'pull,push' if writes else 'pull'}"
        if self._covers(self._valid.get(token, ""), repository, "push" if writes else "pull"):
            return None
        return unauthorized(f'Bearer realm="{realm}",service="test",scope="{scope}"')

    def _grant(self, request: Request) -> Answer:
        if request.method == "POST":
            return self._exchange(request)
        if self._accounts is not None:
            known = {basic(name, password) for name, password in self._accounts.items()}
            if request.authorization not in known:
                return error(401, "UNAUTHORIZED")
        token = self._new_token(request.query)
        return Answer.of(json.dumps({"token": token, "expires_in": 60}).encode())

    def _exchange(self, request: Request) -> Answer:
        """OAuth2: a refresh token for an access token, which has another name here."""
        form = {name: values[0] for name, values in request.form.items()}
        right = form.get("grant_type") == "refresh_token" and form.get("client_id")
        if not right or form.get("refresh_token") not in self.refresh_tokens:
            return Answer.of(b'{"error": "invalid_grant"}', 400)
        token = self._new_token(request.form)
        return Answer.of(json.dumps({"access_token": token, "expires_in": 60}).encode())

    def _covers(self, granted: str, repository: str, action: str) -> bool:
        """Whether a token for the scopes `granted` lets its bearer do `action`."""
        scopes = (each.rpartition(":") for each in granted.split())
        return action in self.most and any(
            name == f"repository:{repository}" and action in actions.split(",")
            for name, _, actions in scopes
        )

    def _new_token(self, asked: Mapping[str, list[str]]) -> str:
        token = f"token-{len(self.granted)}"
        self.granted.append(token)
        self._valid[token] = " ".join(asked.get("scope", []))
        return token


def basic(username: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"


def error(status: int, code: str, **headers: str) -> Answer:
    body = json.dumps({"errors": [{"code": code, "message": "as the test wants it"}]}).encode()
    return Answer.of(body, status, Content_Type="application/json", **headers)


def unauthorized(challenge: str) -> Answer:
    return error(401, "UNAUTHORIZED", WWW_Authenticate=challenge)


def instead(answer: Answer) -> Change:
    """Answer this, whatever would have been right."""
    return lambda _, __: answer


def wrong_bytes(_: Request, answer: Answer) -> Answer:
    """As many bytes as there should be, and one of them another."""
    content = answer.content
    return replace(answer, body=bytes([content[0] ^ 1]) + content[1:])


def short_of_its_length(_: Request, answer: Answer) -> Answer:
    """End in the middle, after a Content-Length for the whole."""
    return replace(answer, body=answer.content[: len(answer.content) // 2])


def short_without_length(_: Request, answer: Answer) -> Answer:
    """End in the middle, without having said how long it would be."""
    return replace(answer, body=answer.content[: len(answer.content) // 2], length=None)


def too_long(_: Request, answer: Answer) -> Answer:
    content = answer.content + b"and more"
    return replace(answer, body=content, length=len(content))


def redirect(to: Callable[[Request], str], status: int = 307) -> Change:
    return lambda request, _: Answer(status, {"Location": to(request)})


def no_authorization_allowed(request: Request, answer: Answer) -> Answer:
    """What storage behind signed addresses does: it refuses a second way of proving oneself."""
    return error(400, "InvalidArgument") if request.authorization else answer


@dataclass
class Pause:
    """An answer that stops half-way: `reached` is set there, and `go_on` lets it end.

    With `after`, it stops after so many bytes instead.
    """

    after: int | None = None
    reached: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    def __call__(self, _: Request, answer: Answer) -> Answer:
        return replace(answer, body=self._parts(answer.content))

    def _parts(self, content: bytes) -> Iterator[bytes]:
        after = len(content) // 2 if self.after is None else self.after
        yield content[:after]
        self.reached.set()
        self.go_on.wait(60)
        yield content[after:]


@dataclass
class Endless:
    """A body of `size` bytes, made as it is sent; `sent` says how much of it was taken."""

    size: int
    sent: int = 0

    def __call__(self, _: Request, answer: Answer) -> Answer:
        return replace(answer, body=self.pieces(), length=self.size)

    def pieces(self) -> Iterator[bytes]:
        while self.sent < self.size:
            yield b" " * 65_536
            self.sent += 65_536


def _pieces(content: bytes) -> Iterator[bytes]:
    return (content[start : start + 65_536] for start in range(0, len(content), 65_536))


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that breaks off is part of many a test; anything else is a bug in this file.
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    registry: FaultyRegistry
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer waits 40 ms for an acknowledgement

    def setup(self) -> None:
        super().setup()
        self.registry.count_connection()

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        length = int(headers.get("content-length", 0))
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True  # the client broke off: that was no request
            return
        is_form = "urlencoded" in headers.get("content-type", "")
        form = parse_qs(body.decode()) if is_form else {}
        request = Request(self.command, parts.path, parse_qs(parts.query), headers, form, body)
        try:
            self._send(self.registry.answer(request), parts.path)
        except OSError:
            self.close_connection = True  # the client has had enough

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the base class's names

    def _send(self, answer: Answer, path: str) -> None:
        answer.before()
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        whole = isinstance(answer.body, bytes) and answer.length == len(answer.body)
        if answer.length is not None:
            self.send_header("Content-Length", str(answer.length))
        if not whole:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command == "HEAD":
            return
        pieces = _pieces(answer.body) if isinstance(answer.body, bytes) else answer.body
        for piece in pieces:
            self.wfile.write(piece)
            if answer.status < 300:
                self.registry.count(path, len(piece))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        del format, args
