"""`config.toml`: what a person settles once about registries, and every command follows.

    max-connections = 8               # the default of --max-connections
    retries = 7                       # the default of --retries

    [registry."docker.io"]
    mirrors = ["mirror.example.com", "http://cache.lan:5000", "harbor.example.com/dockerhub"]

    [registry."harbor.example.com"]
    ca-file = "company.pem"           # relative to this file's folder
    plain-http = false

Everything is optional, the file too. What is in it and makes no sense is an error that names the
file and the key, because a setting that is skipped in silence looks like one that does not work.
No value is printed that could hold a password.
"""

from __future__ import annotations

import difflib
import json
import re
import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from smolctl.errors import InvalidReference, StorageError, UsageError
from smolctl.model.reference import parse_registry, parse_repository
from smolctl.settings import MAXIMUM_CONNECTIONS, expanded

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCHEMES = {"": None, "http://": True, "https://": False}


@dataclass(frozen=True)
class Mirror:
    """A registry that has what another one has, each repository under `prefix`.

    `plain_http` is what the address says; None when it has no scheme.
    """

    registry: str
    prefix: str = ""
    plain_http: bool | None = None

    def repository(self, repository: str) -> str:
        """Return the path here of what is `repository` in the registry that is mirrored."""
        return f"{self.prefix}/{repository}" if self.prefix else repository


@dataclass(frozen=True)
class RegistryConfiguration:
    """How to reach one registry, and where to ask first.

    `ca_file` holds certificates to trust for it beside the usual ones. Where `plain_http` is
    None, loopback is spoken to over HTTP and everything else over HTTPS.
    """

    mirrors: tuple[Mirror, ...] = ()
    ca_file: Path | None = None
    plain_http: bool | None = None


@dataclass(frozen=True)
class Configuration:
    """What `config.toml` says."""

    max_connections: int | None = None
    retries: int | None = None
    registries: Mapping[str, RegistryConfiguration] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Configuration:
        """Return what the file at `path` says; everything is at its default when there is none.

        Raises `UsageError` for what makes no sense, `StorageError` when it cannot be read.
        """
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return cls()
        except OSError as error:
            raise StorageError(f"cannot read {path}: {error.strerror}") from error
        return cls.parse(content, path)

    @classmethod
    def parse(cls, content: bytes, path: Path) -> Configuration:
        """Return what `content` says; `path` is where it came from. Raises `UsageError`."""
        try:
            document = tomllib.loads(content.decode())
        except UnicodeDecodeError:
            raise UsageError(f"{path} is not UTF-8 text") from None
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise UsageError(f"{path} is not TOML: {error}") from None
        entries = _Entry(path, "", document).table("max-connections", "retries", "registry")
        connections, retries = entries.get("max-connections"), entries.get("retries")
        registry = entries.get("registry")
        return cls(
            connections.number(at_least=1, at_most=MAXIMUM_CONNECTIONS) if connections else None,
            retries.number(at_least=0) if retries else None,
            dict(_registries(registry)) if registry else {},
        )

    def of(self, registry: str) -> RegistryConfiguration:
        """Return what is said of `registry`, or the defaults."""
        return self.registries.get(registry) or RegistryConfiguration()

    def overridden(
        self,
        registry: str,
        *,
        plain_http: bool | None = None,
        ca_file: Path | None = None,
        max_connections: int | None = None,
        retries: int | None = None,
    ) -> Configuration:
        """Return this configuration with what a command's flags say, of `registry` too, on top."""
        said = self.of(registry)
        changed = replace(
            said,
            plain_http=said.plain_http if plain_http is None else plain_http,
            ca_file=ca_file or said.ca_file,
        )
        return Configuration(
            max_connections or self.max_connections,
            self.retries if retries is None else retries,
            {**self.registries, registry: changed},
        )


@dataclass(frozen=True)
class _Entry:
    """A value in the file, and the key it stands under as the person wrote it."""

    file: Path
    key: str
    value: object

    def error(self, message: str, hint: str | None = None) -> UsageError:
        return UsageError(f"{self.file}: {self.key}{message}", hint=hint)

    def unexpected(self, expected: str) -> UsageError:
        kind = _KINDS.get(type(self.value), "something else")
        return self.error(f" is {kind}; {expected} is expected")

    def items(self) -> list[tuple[str, _Entry]]:
        """Return what is in a table, by name."""
        if not isinstance(self.value, dict):
            raise self.unexpected("a table")
        return [(name, _Entry(self.file, self._under(name), v)) for name, v in self.value.items()]

    def table(self, *known: str) -> dict[str, _Entry]:
        """Return what is in a table whose names are all `known`."""
        entries = dict(self.items())
        for name, entry in entries.items():
            if name not in known:
                near = difflib.get_close_matches(name.lower(), known, n=1)
                raise entry.error(
                    " means nothing to smolctl",
                    f"Did you mean {near[0]}?" if near else f"It knows {_listed(known)} here.",
                )
        return entries

    def strings(self) -> list[_Entry]:
        """Return the entries of a list of strings."""
        if not isinstance(self.value, list) or not all(isinstance(v, str) for v in self.value):
            raise self.unexpected("a list of strings")
        return [_Entry(self.file, f"{self.key}[{n}]", v) for n, v in enumerate(self.value)]

    def file_path(self) -> Path:
        """Return a path; a relative one starts at the file's own folder."""
        if not isinstance(self.value, str) or not self.value:
            raise self.unexpected("the path of a file")
        return self.file.parent / expanded(self.value)

    def flag(self) -> bool:
        if not isinstance(self.value, bool):
            raise self.unexpected("true or false")
        return self.value

    def number(self, *, at_least: int, at_most: int | None = None) -> int:
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            raise self.unexpected("a number")
        if self.value < at_least:
            raise self.error(f" is {self.value}; at least {at_least} is expected")
        if at_most is not None and self.value > at_most:
            raise self.error(f" is {self.value}; at most {at_most} is expected")
        return self.value

    def _under(self, name: str) -> str:
        quoted = name if _BARE_KEY.fullmatch(name) else json.dumps(name, ensure_ascii=False)
        return f"{self.key}.{quoted}" if self.key else quoted


_KINDS = {
    bool: "true or false",
    int: "a number",
    float: "a fraction",
    str: "a string",
    list: "a list",
    dict: "a table",
}


def _registries(entry: _Entry) -> Iterable[tuple[str, RegistryConfiguration]]:
    seen: set[str] = set()
    for name, described in entry.items():
        registry = _parse_registry(name, entry)
        if registry in seen:
            raise described.error(f" is there twice, under two names of {registry}")
        seen.add(registry)
        yield registry, _registry(described, name)


def _registry(entry: _Entry, name: str) -> RegistryConfiguration:
    for inner, value in entry.items():
        # A dot outside of quotes parts two keys: [registry.docker.io] is "io" in "docker".
        if isinstance(value.value, dict):
            raise value.error(
                " is a table inside of a registry's",
                f'A name with a dot needs quotes: [registry."{name}.{inner}"]',
            )
    entries = entry.table("mirrors", "ca-file", "plain-http")
    mirrors, ca_file = entries.get("mirrors"), entries.get("ca-file")
    plain_http = entries.get("plain-http")
    return RegistryConfiguration(
        tuple(_mirror(address) for address in mirrors.strings()) if mirrors else (),
        ca_file.file_path() if ca_file else None,
        plain_http.flag() if plain_http else None,
    )


def _mirror(entry: _Entry) -> Mirror:
    """Return the mirror at the address `[http[s]://]host[:port][/prefix]`."""
    address = str(entry.value)
    scheme, slashes, rest = address.rpartition("://")
    scheme = scheme.lower() + slashes
    if scheme not in _SCHEMES:
        raise entry.error(": a mirror's address begins with http://, https://, or its host")
    host, _, path = rest.partition("/")
    registry = _parse_registry(host, entry)
    prefix = path.strip("/")
    try:
        return Mirror(registry, parse_repository(prefix) if prefix else "", _SCHEMES[scheme])
    except InvalidReference:
        raise entry.error(
            f": {prefix!r} is no part of a repository's name",
            "A mirror is HOST, HOST:PORT or HOST/PREFIX, with http:// or https:// before it.",
        ) from None


def _parse_registry(text: str, entry: _Entry) -> str:
    if "@" in text:
        raise entry.error(
            ": no user name or password belongs into a registry's address",
            "They are read from where `docker login` keeps them.",
        )
    try:
        return parse_registry(text)
    except InvalidReference as error:
        raise entry.error(f": {error.message}", "A registry is HOST or HOST:PORT.") from None


def _listed(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
