"""A read-only registry: the pull half of the distribution API, over one cache.

Serves manifests, blobs (with Range), tag lists and the catalog. Source: OCI distribution
specification 1.1, "Pull" and "Content Discovery". A repository here is the path of a name in the
cache, whichever registry that name is of.
"""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from smolctl.errors import IntegrityError, RegistryUnavailable, SmolctlError
from smolctl.model.digest import Digest
from smolctl.model.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

    from smolctl.store.store import Store, StoredModel

_START_SECONDS = 10.0


def registry_app(store: Store) -> Starlette:
    """Return the ASGI application that serves `store`."""
    return Starlette(
        routes=[
            Route("/v2/", _Endpoint(store).version),
            Route("/v2/_catalog", _Endpoint(store).catalog),
            Route("/v2/{repository:path}/tags/list", _Endpoint(store).tags),
            Route("/v2/{repository:path}/manifests/{reference}", _Endpoint(store).manifest),
            Route("/v2/{repository:path}/blobs/{digest}", _Endpoint(store).blob),
        ],
        exception_handlers={404: _unknown, 405: _read_only},
    )


@contextmanager
def serving(store: Store, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve `store` from a thread while the block runs; gives the registry as `host:port`.

    Port 0 takes a free one. Raises `RegistryUnavailable` when the address cannot be had.
    """
    try:
        listener = socket.create_server((host, port))
    except OSError as error:
        raise RegistryUnavailable(f"cannot listen on {host}:{port}: {error.strerror}") from error
    config = uvicorn.Config(
        registry_app(store), log_level="critical", access_log=False, lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        # The socket listens already: connections made before the server runs wait in its queue.
        yield f"{host}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(_START_SECONDS)
        listener.close()


class _Endpoint:
    """The endpoints, each a coroutine from a request to a response."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def version(self, request: Request) -> Response:
        """Answer the version check (`GET /v2/`)."""
        del request
        return JSONResponse({}, headers={"Docker-Distribution-API-Version": "registry/2.0"})

    async def catalog(self, request: Request) -> Response:
        """List the repositories."""
        del request
        names = {name.repository for model in self._store.models() for name in model.names}
        return JSONResponse({"repositories": sorted(names)})

    async def tags(self, request: Request) -> Response:
        """List a repository's tags."""
        repository = request.path_params["repository"]
        models = self._models(repository)
        if not models:
            return _error(404, "NAME_UNKNOWN", "no such repository")
        tags = {
            name.tag
            for model in models
            for name in model.tags
            if name.repository == repository and name.tag is not None
        }
        return JSONResponse({"name": repository, "tags": sorted(tags)})

    async def manifest(self, request: Request) -> Response:
        """Serve a manifest by tag or by digest."""
        wanted = request.path_params["reference"]
        repository = request.path_params["repository"]
        for model in self._models(repository):
            tags = {name.tag for name in model.tags if name.repository == repository}
            if wanted in tags or wanted == str(model.id):
                return self._file(model.id, model.manifest.media_type)
        return _error(404, "MANIFEST_UNKNOWN", "no such manifest in this repository")

    async def blob(self, request: Request) -> Response:
        """Serve a config or a layer of a model of this repository, or the range asked for."""
        try:
            digest = Digest.parse(request.path_params["digest"])
        except IntegrityError as error:
            return _error(400, "DIGEST_INVALID", error.message)
        for model in self._models(request.path_params["repository"]):
            try:
                content = self._store.blobs.read(model.manifest, "manifest")
                if any(blob.digest == digest for blob in Manifest.parse(content).blobs):
                    return self._file(digest, "application/octet-stream")
            except SmolctlError:
                continue  # one damaged model must not hide the others' blobs
        return _error(404, "BLOB_UNKNOWN", "no such blob in this repository")

    def _models(self, repository: str) -> list[StoredModel]:
        return [
            model
            for model in self._store.models()
            if any(name.repository == repository for name in model.names)
        ]

    def _file(self, digest: Digest, media_type: str) -> Response:
        path = self._store.blobs.path(digest)
        if not path.is_file():
            return _error(404, "BLOB_UNKNOWN", "the blob is missing from this cache")
        headers = {"Docker-Content-Digest": str(digest)}
        return FileResponse(path, media_type=media_type, headers=headers)


async def _unknown(request: Request, error: Exception) -> Response:
    del request, error
    return _error(404, "NAME_UNKNOWN", "no such address in a registry")


async def _read_only(request: Request, error: Exception) -> Response:
    del request, error
    return _error(405, "UNSUPPORTED", "this registry is read-only")


def _error(status: int, code: str, message: str) -> Response:
    """Return an error document (distribution specification, "Error Codes")."""
    return JSONResponse({"errors": [{"code": code, "message": message}]}, status_code=status)
