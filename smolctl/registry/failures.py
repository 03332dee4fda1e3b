"""What goes wrong between us and a registry, as errors of our own tree.

The texts of requests and urllib3 hold whole URLs, and the query of a redirect's is often a
signature that grants access: what is said here is the innermost cause alone, without the URL.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING

import requests
import urllib3

from smolctl.errors import ModelNotFound, RegistryUnavailable, SmolctlError
from smolctl.registry.redaction import redacted
from smolctl.registry.retry import TransientFailure, parse_retry_after

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHOWN = 200
"""Letters of a stranger's message that are repeated."""


@contextmanager
def network_errors(
    registry: str, timeouts: tuple[float, float], *, has_answered: bool
) -> Iterator[None]:
    """Turn what requests and urllib3 raise in the block into errors of our own tree.

    `registry` is what to call the host that was asked; `timeouts` are those of the requests, for
    connecting and for the next byte, in seconds. What may pass is a `TransientFailure`. A host
    that has never answered, whose name does not resolve, or that refuses or does not take the
    connection, is most likely misspelled or down: that is said at once (`RegistryUnavailable`).
    """
    try:
        yield
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
        cause = _innermost(error)
        never_connected = isinstance(error, requests.exceptions.ConnectTimeout) or isinstance(
            cause, (ConnectionRefusedError, socket.gaierror)
        )
        is_final = not has_answered and never_connected
        is_final = is_final or isinstance(error, requests.exceptions.InvalidURL)
        failure = RegistryUnavailable if is_final else TransientFailure
        if isinstance(cause, ssl.SSLCertVerificationError) or (
            isinstance(cause, ssl.SSLError) and not has_answered
        ):
            raise RegistryUnavailable(
                f"no trusted TLS connection to {registry}: {_text(cause)}",
                hint="Name the registry's certificates with --ca-file, or use --plain-http.",
            ) from cause
        if isinstance(error, requests.exceptions.ConnectTimeout):
            raise failure(f"{registry} did not answer within {timeouts[0]:.0f} s") from cause
        # In the middle of a body, requests has no Timeout for it.
        if isinstance(error, requests.exceptions.Timeout) or isinstance(cause, TimeoutError):
            raise failure(f"{registry} sent nothing for {timeouts[1]:.0f} s") from cause
        if isinstance(error, requests.exceptions.ProxyError):
            raise failure(
                f"cannot reach {registry} through the proxy: {_text(cause)}",
                hint="Check HTTP_PROXY and HTTPS_PROXY; NO_PROXY names hosts that need none.",
            ) from cause
        if isinstance(cause, http.client.IncompleteRead):
            raise failure(f"{registry} broke off in the middle of an answer") from cause
        raise failure(
            f"cannot reach {registry}: {_text(cause)}",
            hint="Check the name, the network and the proxy settings.",
        ) from cause


def status_error(registry: str, response: requests.Response, what: str) -> SmolctlError:
    """Return the error that the status of `response` to a request for `what` stands for.

    408, 429 and what begins with 5 may pass, but for 501, of what a registry cannot do; the rest
    will not. Reads the body's beginning.
    """
    status = response.status_code
    if status == 404:
        where = "" if what.startswith(f"{registry}/") else f" in {registry}"
        return ModelNotFound(f"{what} was not found{where}")
    retry_after = parse_retry_after(response.headers.get("Retry-After"))
    if status == 429:
        return TransientFailure(
            f"{registry} says there were too many requests",
            hint="Wait a while, or log in: registries allow more to those they know.",
            retry_after=retry_after,
        )
    message = f"{registry} answered {status} for {what}{stated_reason(response)}"
    if status == 408 or (status >= 500 and status != 501):
        return TransientFailure(message, retry_after=retry_after)
    return RegistryUnavailable(message)


def _innermost(error: BaseException) -> BaseException:
    """Return the cause that requests and urllib3 wrap in several layers."""
    while True:
        inner = getattr(error, "reason", None) or error.__cause__ or error.__context__
        if inner is None and error.args:
            inner = error.args[0]  # all that urllib3's has of a TLS error behind a proxy
        if not isinstance(inner, BaseException):
            return error
        error = inner


def _text(cause: BaseException) -> str:
    """Say what `cause` is, without the URL it was about."""
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return redacted(str(cause).rpartition(": ")[2])[:_SHOWN] or type(cause).__name__


def stated_reason(response: requests.Response) -> str:
    """Return the first error of an OCI error document, in brackets, or nothing."""
    try:
        # What has come so far: a whole one could be a trickle.
        first = json.loads(response.raw.read1(8192))["errors"][0]
        return f" ({first.get('code')}: {redacted(str(first.get('message')))[:_SHOWN]})"
    except (ValueError, LookupError, TypeError, AttributeError, OSError, RecursionError):
        return ""
