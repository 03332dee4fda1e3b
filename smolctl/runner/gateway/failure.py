"""What the gateway answers for an error: the API's words for it, and those for registries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

from smolctl.errors import (
    AccessDenied,
    EngineBusy,
    NotRunnable,
    PromptTooLong,
    RegistryUnavailable,
    SmolctlError,
    StorageError,
)
from smolctl.runner.api.failure import Failure, failure_of
from smolctl.runner.fields import sentence

if TYPE_CHECKING:
    from collections.abc import Mapping

_SERVER = "server_error"
_STATUSES: tuple[tuple[type[SmolctlError], int, str], ...] = (
    (AccessDenied, 401, "registry_access_denied"),
    (RegistryUnavailable, 502, "registry_unavailable"),
    (NotRunnable, 503, "model_not_runnable"),
    (StorageError, 507, "storage_failed"),
)


def gateway_failure(error: SmolctlError) -> Failure:
    """Return what a client is told of `error`."""
    if not isinstance(error, (PromptTooLong, EngineBusy)):
        for kind, status, code in _STATUSES:
            if isinstance(error, kind):
                return Failure(status, sentence(error), _SERVER, code=code)
    return failure_of(error)


def response(failure: Failure, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return the answer that `failure` is."""
    more = dict(headers or {})
    if failure.retry_after is not None:
        more["Retry-After"] = str(failure.retry_after)
    return JSONResponse(failure.document, failure.status, more)
