"""The names of models: `[registry/][namespace/]name[:tag][@digest]`.

The grammar is that of the distribution project's `reference` package; the defaults are those of
Docker Model Runner (registry Docker Hub, namespace `ai`, tag `latest`). A `Reference` that exists
is valid: every part has been checked, so it can go into a URL or a path as it stands.
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

from smolctl.errors import IntegrityError, InvalidReference
from smolctl.model.digest import SHORT_LENGTH, Digest

DOCKER_HUB = "docker.io"
"""The registry a name without one belongs to, under the name people write."""

DEFAULT_NAMESPACE = "ai"
DEFAULT_TAG = "latest"

_DOCKER_HUB_ALIASES = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_HOST_LABELS = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_HEX = re.compile(r"[0-9a-f]+")
_MAXIMUM_REPOSITORY_LENGTH = 255
_MAXIMUM_NAME_LENGTH = 1024


class Reference(NamedTuple):
    """One model in one registry, by tag, by digest, or by both.

    `repository` is the path inside the registry, namespace included (`ai/smollm2`). At least one
    of `tag` and `digest` is set; when both are, the digest decides and the tag is decoration.
    """

    registry: str
    repository: str
    tag: str | None = None
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str, *, default_registry: str = DOCKER_HUB) -> Reference:
        """Return the reference that `text` names, with the defaults filled in.

        Upper case in the registry and the repository is lowered; a tag keeps its case. Raises
        `InvalidReference` for everything else that is not a name.
        """
        name = text.strip()
        if not name:
            raise InvalidReference("the model name is empty", hint="Name a model: ai/smollm2")
        if len(name) > _MAXIMUM_NAME_LENGTH:
            raise InvalidReference(f"the model name is longer than {_MAXIMUM_NAME_LENGTH} letters")
        if ModelId.parse(name) is not None and len(name) > SHORT_LENGTH:
            raise InvalidReference(
                f"{name} is a model ID, not a name", hint="An ID names only a model that is here."
            )
        rest, digest = _split_digest(name)
        rest, tag = _split_tag(rest, name)
        registry, path = _split_registry(rest, default_registry)
        repository = path.lower()
        # Docker Hub has no repository without a namespace, so there a bare name gets the default
        # one also when the registry was spelled out; elsewhere `registry/name` is complete.
        if "/" not in repository and (registry == DOCKER_HUB or path == rest):
            repository = f"{DEFAULT_NAMESPACE}/{repository}"
        _check_repository(repository, name)
        if tag is None and digest is None:
            tag = DEFAULT_TAG
        return cls(registry, repository, tag, digest)

    @property
    def canonical(self) -> str:
        """The name in full: `docker.io/ai/smollm2:latest`. Parses back to this reference."""
        return f"{self.registry}/{self.repository}{self._suffix}"

    def familiar(self, *, default_registry: str = DOCKER_HUB) -> str:
        """Return the shortest unambiguous name: `ai/smollm2:latest`.

        Parses back to this reference under the same `default_registry`.
        """
        # Without its registry `name` would gain the default namespace when parsed again, and
        # `a.b/name` would be taken for a registry.
        ambiguous = "/" not in self.repository or _looks_like_registry(self.repository)
        if self.registry != default_registry or ambiguous:
            return self.canonical
        return f"{self.repository}{self._suffix}"

    @property
    def name(self) -> str:
        """Registry and repository without tag and digest: `docker.io/ai/smollm2`."""
        return f"{self.registry}/{self.repository}"

    def with_tag(self, tag: str) -> Reference:
        """Return the same repository under `tag`, without a digest. `InvalidReference` if bad."""
        if _TAG.fullmatch(tag) is None:
            raise InvalidReference(f"not a tag: {tag!r}")
        return self._replace(tag=tag, digest=None)

    def pinned(self, digest: Digest) -> Reference:
        """Return the same repository at exactly `digest`, without a tag."""
        return self._replace(tag=None, digest=digest)

    @property
    def is_loopback(self) -> bool:
        """Whether the registry is this machine, where plain HTTP is tried without asking."""
        return is_loopback(self.registry)

    @property
    def _suffix(self) -> str:
        tag = f":{self.tag}" if self.tag is not None else ""
        digest = f"@{self.digest}" if self.digest is not None else ""
        return tag + digest

    def __str__(self) -> str:
        return self.canonical


class ModelId(NamedTuple):
    """The ID of a model in the cache: its manifest's SHA-256, whole or its first 12 digits."""

    hex: str

    @classmethod
    def parse(cls, text: str) -> ModelId | None:
        """Return the ID that `text` spells, or None when it does not look like one.

        IDs are 12 or 64 lower-case hex digits, the long form also with `sha256:` before it, as in
        Docker Model Runner. Twelve hex digits may be a name too: look for the ID first.
        """
        digits = text.removeprefix("sha256:")
        lengths = (64,) if digits != text else (SHORT_LENGTH, 64)
        if len(digits) in lengths and _HEX.fullmatch(digits):
            return cls(digits)
        return None

    def matches(self, digest: Digest) -> bool:
        """Whether `digest` is the manifest digest that this ID names."""
        return digest.algorithm == "sha256" and digest.hex.startswith(self.hex)


def is_tag(text: str) -> bool:
    """Whether `text` is a tag as the distribution specification writes them."""
    return _TAG.fullmatch(text) is not None


def is_repository(text: str) -> bool:
    """Whether `text` is a path inside a registry, as the distribution specification writes them."""
    if len(text) > _MAXIMUM_REPOSITORY_LENGTH:
        return False
    return all(_COMPONENT.fullmatch(component) for component in text.split("/"))


def is_loopback(registry: str) -> bool:
    """Whether `registry` (`host[:port]`) is on this machine: localhost, 127.0.0.0/8 or [::1]."""
    host = re.sub(r":\d+$", "", registry).strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def parse_registry(text: str) -> str:
    """Return `text` as a registry name (`host[:port]`, lower case, Docker Hub's aliases folded).

    Raises `InvalidReference` when it is not one.
    """
    registry = text.lower()
    if registry in _DOCKER_HUB_ALIASES:
        return DOCKER_HUB
    match = re.fullmatch(r"(?P<host>\[[0-9a-f:.]+\]|[^:\[\]]+)(?::(?P<port>\d{1,5}))?", registry)
    if match is None or (match["port"] is not None and not 0 < int(match["port"]) < 65536):
        raise InvalidReference(f"not a registry: {text!r}", hint="A registry is HOST or HOST:PORT.")
    host = match["host"]
    if host.startswith("["):
        try:
            ipaddress.IPv6Address(host.strip("[]"))
        except ValueError:
            raise InvalidReference(f"not an IPv6 address: {host!r}") from None
    elif _HOST_LABELS.fullmatch(host) is None:
        raise InvalidReference(f"not a registry: {text!r}", hint="A registry is HOST or HOST:PORT.")
    return registry


def parse_repository(text: str) -> str:
    """Return `text` as a path inside a registry (`team/model`), in lower case.

    Raises `InvalidReference` when it is not one.
    """
    repository = text.lower()
    _check_repository(repository, text)
    return repository


def _looks_like_registry(path: str) -> bool:
    first, slash, _ = path.partition("/")
    return bool(slash) and ("." in first or ":" in first or first.lower() == "localhost")


def _split_digest(name: str) -> tuple[str, Digest | None]:
    rest, at, digest = name.partition("@")
    if not at:
        return rest, None
    try:
        parsed = Digest.parse(digest)
        # A model's ID is the SHA-256 of its manifest; under another digest it would have two.
        if parsed.algorithm == "sha256":
            return rest, parsed
    except IntegrityError:
        pass
    raise InvalidReference(
        f"{digest[:100]!r} is not a digest",
        hint="A digest is sha256: and 64 hex digits in lower case.",
    )


def _split_tag(rest: str, name: str) -> tuple[str, str | None]:
    path, colon, tag = rest.rpartition(":")
    if not colon or "/" in tag or "]" in tag:
        return rest, None
    if _TAG.fullmatch(tag) is None:
        raise InvalidReference(
            f"{name!r} has a bad tag: {tag!r}",
            hint="A tag is up to 128 letters, digits, dots, dashes and underscores.",
        )
    return path, tag


def _split_registry(rest: str, default_registry: str) -> tuple[str, str]:
    if _looks_like_registry(rest):
        first, _, path = rest.partition("/")
        return parse_registry(first), path
    return default_registry, rest


def _check_repository(repository: str, name: str) -> None:
    if len(repository) > _MAXIMUM_REPOSITORY_LENGTH:
        raise InvalidReference(
            f"the repository's name is longer than {_MAXIMUM_REPOSITORY_LENGTH} letters"
        )
    if not is_repository(repository):
        raise InvalidReference(
            f"{name!r} is not a model name",
            hint="Names look like ai/smollm2, ai/smollm2:360M-F16 or registry.example/team/m.",
        )
