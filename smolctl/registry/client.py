"""The distribution client: manifests and blobs of one registry, over HTTP.

Built on oras-py's `Registry` (its session, its URLs, its paging and uploads), with one method of
it replaced: every request goes through `do_request`, which adds what oras leaves out: timeouts, a
token that is renewed when it expires, redirects that never carry credentials to another host, and
errors of our own tree. Source: OCI distribution specification 1.1.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urljoin

from oras.container import Container
from oras.provider import Registry
from urllib3.util import parse_url

from smolctl import __version__
from smolctl.errors import IntegrityError, ModelNotFound, RegistryUnavailable
from smolctl.model import document
from smolctl.model.descriptor import Descriptor
from smolctl.model.digest import Digest
from smolctl.model.manifest import ACCEPTED_TYPES
from smolctl.model.reference import DOCKER_HUB, Reference, is_loopback, is_repository, is_tag
from smolctl.registry.authorization import Authorizer, TokenAnswer
from smolctl.registry.blob_stream import BlobStream, refused_range
from smolctl.registry.challenge import Challenge
from smolctl.registry.failures import network_errors, status_error
from smolctl.registry.name_list import PAGE, NameList
from smolctl.registry.retry import RetryPolicy, TransientFailure, retrying
from smolctl.registry.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import requests

    from smolctl.registry.credentials import Credentials

_T = TypeVar("_T")

_DOCKER_HUB_HOST = "registry-1.docker.io"
_TIMEOUTS = (10.0, 30.0)
"""Seconds to wait for a connection, and for the next byte."""

_DOCUMENT_SECONDS = 60.0
"""How long a manifest, a list or a token may take in all: a trickle would not end otherwise."""

_PORTS = {"http": 80, "https": 443}
_MAXIMUM_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_EXPIRED = (400, 401, 403, 404, 410)
"""What storage behind a registry says to a signed address whose time is over."""

_MAXIMUM_TOKEN_ANSWER = 1024 * 1024


@dataclass(frozen=True)
class RemoteManifest:
    """A manifest or an index as a registry served it, checked against its digest."""

    descriptor: Descriptor
    content: bytes


class RegistryClient(Registry):  # type: ignore[misc]  # oras ships without types
    """One registry. `find_credentials` is asked once, when the registry first wants some.

    `plain_http` says whether to speak HTTP; where it is None, loopback registries are spoken to
    that way unless there is a `ca_file` for them. `ca_file` and `ca_bundle` are the certificates
    to trust, beside the system's and instead of them (`Transport`).

    The client keeps its connections open, `connections` of them: use it as a context manager, or
    call `close`. Blobs may be asked for from as many threads. Manifests and tags are asked for
    again as `retries` says when a failure may pass; `tell` hears of it. `scope` is what tokens are
    asked for, in place of what each challenge says.
    """

    def __init__(
        self,
        registry: str,
        *,
        plain_http: bool | None = None,
        ca_file: Path | None = None,
        ca_bundle: Path | None = None,
        find_credentials: Callable[[], Credentials | None] = lambda: None,
        retries: RetryPolicy = RetryPolicy(),  # noqa: B008 - it is frozen
        connections: int = 1,
        timeouts: tuple[float, float] = _TIMEOUTS,
        tell: Callable[[str], None] = lambda text: None,  # noqa: ARG005
        scope: str | None = None,
    ) -> None:
        self.registry = registry
        on_loopback = is_loopback(registry) and ca_file is None
        self.plain_http = on_loopback if plain_http is None else plain_http
        host = _DOCKER_HUB_HOST if registry == DOCKER_HUB else registry
        super().__init__(hostname=host, insecure=self.plain_http)
        self._origin = _origin(f"{self.prefix}://{host}")
        transport = Transport(ca_bundle=ca_bundle, ca_file=ca_file, pool_maxsize=connections)
        for scheme in ("https://", "http://"):
            self.session.mount(scheme, transport)
        # An `auth` of the session's own keeps requests from looking into ~/.netrc, whose
        # passwords would go along to wherever a redirect leads.
        self.session.auth = _no_authentication
        # `_follow` does it. Left to itself requests reads a redirect's body first, however long.
        self.session.get_redirect_target = _no_redirect
        self.session.headers["User-Agent"] = f"smolctl/{__version__}"
        # A blob's bytes are hashed as they arrive: compression on the way would change them.
        self.session.headers["Accept-Encoding"] = "identity"
        self._authorizer = Authorizer(
            registry,
            self._ask_for_token,
            find_credentials,
            plain_http=plain_http is True,
            scope=scope,
        )
        self.retries = retries
        self._timeouts = timeouts
        self._tell = tell
        self._has_answered = False
        self._locations: dict[Digest, str] = {}

    def __enter__(self) -> RegistryClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def used_credentials(self) -> bool:
        """Whether the registry has wanted credentials, and got some."""
        return self._authorizer.has_credentials

    def close(self) -> None:
        """Close the connections."""
        self.session.close()

    def fetch_manifest(self, reference: Reference) -> RemoteManifest:
        """Return the manifest or index that `reference` names, by digest when it has one.

        Raises `ModelNotFound`, `AccessDenied`, `RegistryUnavailable`; `IntegrityError` when the
        bytes are not those of the digest asked for, or announced.
        """
        return self._retrying(lambda: self._fetch_manifest(reference))

    def _fetch_manifest(self, reference: Reference) -> RemoteManifest:
        response = self._request_manifest(reference, "GET")
        with response:
            content = self._read(response, document.MAXIMUM_SIZE, "manifest")
        announced = self._announced_digest(response)
        wanted = reference.digest or announced
        if wanted is not None:
            actual = Digest.of(content, wanted.algorithm)
            if actual != wanted:
                raise IntegrityError(
                    f"{self.registry} served a manifest that is {actual}, not {wanted}"
                )
        value = document.parse_object(content, "manifest")
        media_type = document.text(value, "mediaType", "manifest")
        served = response.headers.get("Content-Type", "").partition(";")[0].strip()
        return RemoteManifest(Descriptor.of(content, media_type or served), content)

    def resolve(self, reference: Reference) -> Digest:
        """Return the digest that `reference` stands for now, without fetching the manifest.

        Raises as `fetch_manifest` does.
        """
        with self._retrying(lambda: self._request_manifest(reference, "HEAD")) as response:
            announced = self._announced_digest(response) if response.status_code == 200 else None
        # The header is optional, and not every registry knows HEAD: then the body is hashed.
        return announced or self.fetch_manifest(reference).descriptor.digest

    def open_blob(self, repository: str, blob: Descriptor, start: int, end: int) -> BlobStream:
        """Ask for the bytes of `blob` from offset `start` up to `end`; the caller verifies them.

        Where a redirect leads is remembered, so that the next part is asked for there; an
        address that has expired meanwhile is asked for anew. Raises `ModelNotFound` when the
        registry does not have the blob, `TransientFailure` when it may be worth another try,
        `RangeIgnored` and `IntegrityError` as `BlobStream` does. Not retried here.
        """
        headers = {} if (start, end) == (0, blob.size) else {"Range": f"bytes={start}-{end - 1}"}
        response = self._ask_again_there(blob, headers)
        if response is None:
            path = self._container(repository).get_blob_url(str(blob.digest))
            response = self.do_request(f"{self.prefix}://{path}", headers=headers, stream=True)
            if _origin(response.url) != self._origin:
                self._locations[blob.digest] = response.url
        if response.status_code == 416 and headers:
            response.close()
            raise refused_range(response, blob)
        try:
            self._check(response, f"blob {blob.digest}", expected=(200, 206))
        except RegistryUnavailable:
            self._locations.pop(blob.digest, None)
            raise
        errors = partial(self._network_errors, response.url)
        return BlobStream(response, blob, start, end, errors)

    def forget_location(self, blob: Descriptor) -> None:
        """Ask the registry itself for `blob` the next time: it may redirect to another place."""
        self._locations.pop(blob.digest, None)

    def _ask_again_there(
        self, blob: Descriptor, headers: dict[str, str]
    ) -> requests.Response | None:
        """Ask where the registry sent us for `blob` before; None when that leads nowhere now."""
        location = self._locations.get(blob.digest)
        if location is None:
            return None
        try:
            response = self._follow("GET", location, headers, stream=True)
        except RegistryUnavailable:
            self._locations.pop(blob.digest, None)
            raise
        if response.status_code in _EXPIRED:
            response.close()
            self._locations.pop(blob.digest, None)
            return None
        return response

    def tags(self, repository: str, limit: int = PAGE, *, once: bool = False) -> list[str]:
        """Return the repository's tags in the registry's order, the first `limit` of them.

        Pages are followed (distribution specification, "Listing Tags") as long as each has tags
        that those before it had not. With `once` no failure is waited out, for who can do without
        them. Raises `ModelNotFound`, `AccessDenied`,
        `RegistryUnavailable`, and `IntegrityError` for what is no list of tags.
        """
        path = self._container(repository).tags_url(N=min(limit, PAGE))
        names = NameList("tags", f"list of tags of {repository}", is_tag)
        page = partial(self._page, names, repository, once=once)
        return names.read(page, f"{self.prefix}://{path}", limit)

    def repositories(self, limit: int) -> list[str]:
        """Return the registry's repositories in its order, the first `limit` of them.

        Raises as `tags` does; of a registry that does not list them, any of it.
        """
        url = f"{self.prefix}://{self.hostname}/v2/_catalog?n={min(limit, PAGE)}"
        names = NameList("repositories", "list of repositories", is_repository)
        return names.read(partial(self._page, names, None), url, limit)

    def _page(
        self, names: NameList, repository: str | None, url: str, *, once: bool = False
    ) -> tuple[bytes, str | None]:
        """Return a page of `names` and the address of the next one, if this registry has it."""

        def ask() -> tuple[bytes, str | None]:
            with self.do_request(url, stream=True) as response:
                if repository is not None:
                    self._check_is_there(response, repository)
                self._check(response, f"the {names.what}")
                link = response.links.get("next", {}).get("url")
                following = self._redirected(url, link) if link else None
                is_ours = following is not None and _origin(following) == self._origin
                content = self._read(response, document.MAXIMUM_SIZE, names.what)
                return content, following if is_ours else None

        return ask() if once else self._retrying(ask)

    def do_request(
        self,
        url: str,
        method: str = "GET",
        data: dict[str, Any] | bytes | Iterable[bytes] | None = None,
        headers: dict[str, str] | None = None,
        json: dict[str, Any] | None = None,
        stream: bool = False,
    ) -> requests.Response:
        """Send one request, meeting the registry's challenge if it makes one.

        Replaces the method of the same name in oras. The answer may have any status; only a
        challenge that cannot be met (`AccessDenied`) and a network that fails
        (`RegistryUnavailable`) are errors here. `data` may be iterated over several times.
        """
        send = partial(
            self._follow, method, url, headers or {}, data=data, json=json, stream=stream
        )
        response = send()
        # A host that a redirect led to has no say in where our credentials go.
        if response.status_code == 401 and _origin(response.url) == self._origin:
            challenge = Challenge.parse(response.headers.get("WWW-Authenticate", ""))
            if challenge is None:
                return response
            response.close()
            # Whatever was sent was missing, stale or for another repository: begin anew, once.
            self._authorizer.renew(challenge, response.request.headers.get("Authorization"))
            response = send()
        return response

    def _follow(
        self, method: str, url: str, headers: dict[str, str], **send: Any
    ) -> requests.Response:
        for _ in range(_MAXIMUM_REDIRECTS + 1):
            sent = dict(headers)
            authorization = self._authorizer.header
            if authorization is not None and _origin(url) == self._origin:
                sent["Authorization"] = authorization
            with self._network_errors(url):
                response: requests.Response = self.session.request(
                    method, url, headers=sent, allow_redirects=False, timeout=self._timeouts, **send
                )
            self._has_answered = True
            location = response.headers.get("Location")
            if response.status_code not in _REDIRECTS or not location or method == "POST":
                return response
            response.close()
            url = self._redirected(url, location)
        raise RegistryUnavailable(f"{self.registry} redirects more than {_MAXIMUM_REDIRECTS} times")

    def _redirected(self, url: str, location: str) -> str:
        """Return where `location`, in an answer from `url`, leads."""
        try:
            target = urljoin(url, location)
            parts = parse_url(target)
        except ValueError:
            parts = None
        # A backslash ends the host for some programs and not for others.
        if parts is None or not parts.host or parts.auth or "\\" in target:
            raise RegistryUnavailable(f"{self.registry} redirects to what is no address")
        if parts.scheme not in ("https", parse_url(url).scheme):
            raise RegistryUnavailable(
                f"{self.registry} redirects from {url.partition(':')[0]} to {parts.scheme}"
            )
        return target

    def _ask_for_token(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        params: Sequence[tuple[str, str]] = (),
        data: Mapping[str, str] | None = None,
    ) -> TokenAnswer:
        with (
            self._network_errors(url),
            self.session.request(
                method,
                url,
                headers=headers,
                params=params,
                data=data,
                allow_redirects=False,
                timeout=self._timeouts,
                stream=True,
            ) as response,
        ):
            if response.status_code in (408, 429) or response.status_code >= 500:
                self._check(response, "a token")
            content = self._read(response, _MAXIMUM_TOKEN_ANSWER, "token")
        return TokenAnswer(response.status_code, content)

    def _request_manifest(self, reference: Reference, method: str) -> requests.Response:
        wanted = str(reference.digest or reference.tag)
        # Built here: oras' own manifest_url() prefers the tag where both are given.
        path = f"{self.hostname}/v2/{reference.repository}/manifests/{wanted}"
        response = self.do_request(
            f"{self.prefix}://{path}",
            method,
            headers={"Accept": ", ".join(ACCEPTED_TYPES)},
            stream=True,
        )
        self._check_is_there(response, reference.familiar())
        if method == "GET":
            self._check(response, reference.familiar())
        return response

    def _check_is_there(self, response: requests.Response, name: str) -> None:
        """Raise `ModelNotFound` for what Docker Hub says of a repository that does not exist."""
        if response.status_code in (401, 403) and self.registry == DOCKER_HUB:
            # The token was granted; Docker Hub says 401 for what does not exist, too.
            response.close()
            raise ModelNotFound(
                f"{name} was not found on Docker Hub, or it is private",
                hint="Check the spelling (`smolctl model search` looks for models);"
                " for a private one, log in with `smolctl login`.",
            )

    def _announced_digest(self, response: requests.Response) -> Digest | None:
        header = response.headers.get("Docker-Content-Digest")
        return Digest.parse(header.strip()) if header else None

    def _check(
        self, response: requests.Response, what: str, *, expected: tuple[int, ...] = (200,)
    ) -> None:
        """Raise the error that the answer's status stands for, if it is one."""
        if response.status_code in expected:
            return
        who = self._called(response.url)
        with response:
            if response.status_code in (401, 403) and who == self.registry:
                raise self._authorizer.denied(what)
            raise status_error(who, response, what)

    def _retrying(self, ask: Callable[[], _T]) -> _T:
        return retrying(ask, self.retries, tell=self._tell_of)

    def _tell_of(self, failure: TransientFailure, seconds: float) -> None:
        self._tell(f"{failure.message}; trying again in {seconds:.0f} s")

    def _read(self, response: requests.Response, limit: int, what: str) -> bytes:
        """Return a whole body of at most `limit` bytes. Raises `IntegrityError` past that."""
        content = bytearray()
        deadline = time.monotonic() + _DOCUMENT_SECONDS
        with self._network_errors(response.url):
            for chunk in response.iter_content(64 * 1024):
                content += chunk
                if time.monotonic() > deadline:
                    raise TransientFailure(
                        f"{self._called(response.url)} took more than {_DOCUMENT_SECONDS:.0f} s"
                        f" for a {what}"
                    )
                if len(content) > limit:
                    raise IntegrityError(
                        f"{self.registry} served a {what} of more than {limit} bytes"
                    )
        return bytes(content)

    def _network_errors(self, url: str) -> AbstractContextManager[None]:
        return network_errors(self._called(url), self._timeouts, has_answered=self._has_answered)

    def _called(self, url: str) -> str:
        """Return what to call the host of `url` in an error: it may be one we were sent to."""
        if _origin(url) == self._origin:
            return self.registry
        parts = parse_url(url)
        return f"{parts.netloc}, where {self.registry} sends us,"

    def _container(self, repository: str) -> Container:
        return Container(f"{self.hostname}/{repository}")


def _no_authentication(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _no_redirect(response: requests.Response) -> None:
    del response


def _origin(url: str) -> tuple[str | None, str | None, int | None]:
    """Return scheme, host and port, as the one reads them who connects: urllib3."""
    parts = parse_url(url)
    return parts.scheme, parts.host, parts.port or _PORTS.get(parts.scheme or "")
