"""Answering a registry's challenges: one `Authorization` header, shared by all its connections.

Sources: the distribution project's "Token Authentication Specification" (GET with the Basic
scheme) and "OAuth2 Token Authentication" (POST with a refresh token); RFC 7617 for Basic.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from smolctl.errors import AccessDenied, RegistryUnavailable
from smolctl.model import document
from smolctl.registry.credentials import Credentials, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from smolctl.registry.challenge import Challenge

CLIENT_ID = "smolctl"
"""How we name ourselves to token servers; Docker Hub's wants at least four letters."""

_REFUSALS = frozenset({401, 403})
_GRANT_REFUSALS = _REFUSALS | {400}
"""400 is what OAuth2 servers say of a refresh token that they do not take (RFC 6749, 5.2)."""


@dataclass(frozen=True)
class TokenAnswer:
    """What a token server said: the status, and the body, whole. Printing it shows no token."""

    status: int
    content: bytes

    def __repr__(self) -> str:
        return f"TokenAnswer(status={self.status}, {len(self.content)} bytes)"


class AskForToken(Protocol):
    """Sends one request to a token server, following no redirect.

    Raises `RegistryUnavailable` when the network fails, and for what is neither a token nor a
    refusal if it has something better to say of it than its status.
    """

    def __call__(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        params: Sequence[tuple[str, str]] = (),
        data: Mapping[str, str] | None = None,
    ) -> TokenAnswer:
        """Return the answer, whatever its status."""


class Authorizer:
    """What lets us into one registry. Any number of threads may use it.

    `plain_http` says that a person allowed plain HTTP for this registry. `find_credentials` is
    asked once, when the registry first wants some. A challenge names what one request needs;
    `scope`, where it is given, is what all of them need, so that one token serves them.
    """

    def __init__(
        self,
        registry: str,
        ask: AskForToken,
        find_credentials: Callable[[], Credentials | None],
        *,
        plain_http: bool = False,
        scope: str | None = None,
    ) -> None:
        self._registry = registry
        self._ask = ask
        self._find_credentials = find_credentials
        self._plain_http = plain_http
        self._scope = scope
        self._lock = threading.Lock()
        self._asked = False
        self._credentials: Credentials | None = None
        self._header: str | None = None
        self._refusal: tuple[Challenge, AccessDenied] | None = None

    @property
    def header(self) -> str | None:
        """The `Authorization` value to send now; None as long as the registry wanted none."""
        return self._header

    @property
    def has_credentials(self) -> bool:
        """Whether credentials were found. False until the registry wanted some."""
        return self._credentials is not None

    def renew(self, challenge: Challenge, rejected: str | None) -> str:
        """Return the header to try after `rejected` (None: without any) met `challenge`.

        Of the connections that hold the same expired token one renews it, and the others wait
        and get what it got; when it is refused, so are they, without asking again: every wrong
        password counts where accounts get locked. Raises `AccessDenied` when the challenge cannot
        be met, `RegistryUnavailable` and `IntegrityError` when the token server fails.
        """
        with self._lock:
            if self._header is not None and self._header != rejected:
                return self._header
            if self._refusal is not None and self._refusal[0] == challenge:
                error = self._refusal[1]
                raise AccessDenied(error.message, hint=error.hint)
            try:
                self._header = self._meet(challenge, rejected)
            except AccessDenied as error:
                self._refusal = challenge, error
                raise
            return self._header

    def denied(self, what: str = "") -> AccessDenied:
        """Return the error for a registry that does not let us have `what`."""
        did = "refused the credentials" if self._credentials else "wants credentials"
        return AccessDenied(
            f"{self._registry} {did}{f' for {what}' if what else ''}",
            hint=f"Log in with `smolctl login {self._registry}`.",
        )

    def _meet(self, challenge: Challenge, rejected: str | None) -> str:
        if not self._asked:
            self._credentials = self._find_credentials()
            self._asked = True
        credentials = self._credentials
        if challenge.scheme == "basic":
            header = self._basic()
        elif credentials is not None and credentials.kind is Kind.REGISTRY_TOKEN:
            if not _is_token(credentials.secret):
                raise AccessDenied(f"the token stored for {self._registry} is not a usable one")
            header = f"Bearer {credentials.secret}"
        else:
            return f"Bearer {self._fetch_token(challenge)}"
        if header == rejected:  # it never changes: a second try is a second failure
            raise self.denied()
        return header

    def _basic(self) -> str:
        if self._credentials is None:
            raise self.denied()
        if self._credentials.kind is not Kind.PASSWORD:
            raise AccessDenied(
                f"{self._registry} wants a user name and a password, and what is stored is a token",
                hint=f"Log in with `smolctl login {self._registry}`.",
            )
        return self._credentials.basic

    def _fetch_token(self, challenge: Challenge) -> str:
        realm = challenge.realm(self._registry, plain_http=self._plain_http)
        service = challenge.parameters.get("service")
        scope = self._scope or challenge.parameters.get("scope")
        credentials = self._credentials
        if credentials is not None and credentials.kind is Kind.IDENTITY_TOKEN:
            form = {"grant_type": "refresh_token", "client_id": CLIENT_ID}
            form |= {"service": service} if service else {}
            form |= {"scope": scope} if scope else {}
            form["refresh_token"] = credentials.secret
            answer, refusals = self._ask("POST", realm, headers={}, data=form), _GRANT_REFUSALS
        else:
            query = [("service", service)] if service else []
            # Several scopes stand in one parameter of the challenge, and each in its own here.
            query += [("scope", each) for each in (scope or "").split()]
            headers = {"Authorization": credentials.basic} if credentials else {}
            answer, refusals = self._ask("GET", realm, headers=headers, params=query), _REFUSALS
        if answer.status in refusals:
            raise self.denied()
        if answer.status != 200:
            raise RegistryUnavailable(
                f"the token server of {self._registry} answered {answer.status}"
            )
        value = document.parse_object(answer.content, "token answer")
        # `token` is the older name; servers that speak OAuth2 send the other one, or both.
        token = document.text(value, "token", "token answer") or document.text(
            value, "access_token", "token answer"
        )
        if token is None or not _is_token(token):
            raise AccessDenied(f"{self._registry} granted no usable token")
        return token


def _is_token(text: str) -> bool:
    """Whether `text` can stand in a header as it is."""
    return text.isascii() and text.isprintable() and bool(text) and " " not in text
