"""Paths and environment variables, read in this one module.

The rest of the library gets a `Settings` and never looks at the environment itself.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from smolctl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAXIMUM_CONNECTIONS = 64
"""Connections to one registry at once: more are unkind to it, and gain nothing."""

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"", "0", "false", "no", "off"})
_DURATION = r"-?(?:\d+(?:\.\d+)?(?:ms|s|m|h))+|-?\d+(?:\.\d+)?"
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_LONGEST_SECONDS = 10 * 365 * 24 * 3600.0
_TEMPORARY_LETTERS = 60
"""A socket's path may have 104 letters on macOS, 108 on Linux; some are for what we add."""
_LINUX_FOLDERS = {"data": ".local/share", "config": ".config", "state": ".local/state"}
_CA_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")

ENVIRONMENT: dict[str, str] = {
    "SMOLCTL_HOME": "where the models are; by default your platform's data folder",
    "SMOLCTL_OFFLINE": "`1` keeps every command off the network",
    "SMOLCTL_DEFAULT_REGISTRY": "the registry of names without one, instead of Docker Hub",
    "SMOLCTL_KEEP_ALIVE": "how long an idle model stays loaded: `5m`, `0`, `-1` for ever",
    "SMOLCTL_HOST": "a running `smolctl serve` that `run` is to ask: `127.0.0.1:12434`, or a URL",
    "SMOLCTL_API_KEY": "the key that `serve` wants, and that `run` sends with `SMOLCTL_HOST`",
    "SMOLCTL_NOHISTORY": "`1` keeps nothing of what is typed in a chat",
    "DOCKER_CONFIG": "the folder of Docker's `config.json`, whose credentials are used",
    "REGISTRY_AUTH_FILE": "podman's file with credentials, in place of Docker's",
    "DOCKER_USERNAME, DOCKER_PASSWORD": (
        "an account for Docker Hub alone; goes before what is stored"
    ),
    "SMOLCTL_CONFIG": (
        "the configuration file; by default `config.toml` in your platform's folder"
    ),
    "HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY": (
        "as usual, in either case; loopback is never proxied"
    ),
    "REQUESTS_CA_BUNDLE": (
        "certificates to trust instead of the system's (also `CURL_CA_BUNDLE`, `SSL_CERT_FILE`)"
    ),
    "NO_COLOR": "no colours",
}
"""What each variable does, `code` in it as in Markdown; the manual shows it, and the README."""


@dataclass(frozen=True)
class Settings:
    """What the environment says, checked.

    `home` is the cache (an OCI image layout); `docker_config` is Docker's `config.json`, where
    the credentials are, and `registry_auth_file` podman's file, which takes its place where one
    is named; `docker_hub_account` is a user name and a password for Docker Hub;
    `default_registry` is the registry of names that have none, as written; `configuration` is
    our own `config.toml`; `ca_bundle` has the certificates to trust instead of the system's, in
    a PEM file or a folder of them. `state` is where logs go, and `runtime` where the sockets of
    running workers are. `keep_alive` is for how many seconds an idle worker stays, negative for
    ever, None where nobody says. `host` is a running gateway, as written, and `api_key` its key.
    `keep_input` is whether what a person types in a chat is kept for the next one.
    """

    home: Path
    docker_config: Path
    registry_auth_file: Path | None
    docker_hub_account: tuple[str, str] | None = field(repr=False)
    default_registry: str
    offline: bool
    configuration: Path
    ca_bundle: Path | None
    state: Path
    runtime: Path
    keep_alive: float | None = None
    host: str | None = None
    api_key: str | None = field(default=None, repr=False)
    keep_input: bool = True
    source_date_epoch: str | None = None
    """The time that what is made here is to have, as written (reproducible-builds.org)."""

    @property
    def credential_file(self) -> Path:
        """The file that credentials are read from and written to."""
        return self.registry_auth_file or self.docker_config

    @property
    def offline_by(self) -> str:
        """What keeps a command off the network, where something does: the variable, or its flag."""
        return "SMOLCTL_OFFLINE" if self.offline else "--offline"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Read the settings from `environ`. Raises `UsageError` for a value that makes no sense.

        An empty variable counts as unset, and quotes around a value are dropped, because that is
        what service files and `.env` files leave behind.
        """

        def value(name: str) -> str:
            return environ.get(name, "").strip().strip("\"'")

        home = value("SMOLCTL_HOME")
        docker_config = value("DOCKER_CONFIG")
        configuration = value("SMOLCTL_CONFIG")
        # The first two are those of requests and curl, the third is OpenSSL's.
        bundle = next(filter(None, map(value, _CA_BUNDLES)), None)
        auth_file = value("REGISTRY_AUTH_FILE")
        # A password is taken as it is: what looks like a quote may be a part of it.
        keep_alive = value("SMOLCTL_KEEP_ALIVE")
        account = value("DOCKER_USERNAME"), environ.get("DOCKER_PASSWORD", "")
        return cls(
            home=expanded(home).absolute()
            if home
            else _user_folder("data", value("XDG_DATA_HOME")),
            docker_config=_docker_config_folder(docker_config) / "config.json",
            registry_auth_file=expanded(auth_file) if auth_file else None,
            docker_hub_account=account if all(account) else None,
            default_registry=value("SMOLCTL_DEFAULT_REGISTRY") or "docker.io",
            offline=_flag("SMOLCTL_OFFLINE", value("SMOLCTL_OFFLINE")),
            configuration=(
                expanded(configuration).absolute()
                if configuration
                else _user_folder("config", value("XDG_CONFIG_HOME")) / "config.toml"
            ),
            ca_bundle=expanded(bundle) if bundle else None,
            state=_user_folder("state", value("XDG_STATE_HOME")),
            runtime=_runtime(value("XDG_RUNTIME_DIR"), value("TMPDIR")),
            keep_alive=keep_alive_seconds(keep_alive, "SMOLCTL_KEEP_ALIVE") if keep_alive else None,
            host=value("SMOLCTL_HOST") or None,
            api_key=value("SMOLCTL_API_KEY") or None,
            keep_input=not _flag("SMOLCTL_NOHISTORY", value("SMOLCTL_NOHISTORY")),
            source_date_epoch=value("SOURCE_DATE_EPOCH") or None,
        )


def keep_alive_seconds(text: str, name: str) -> float:
    """Return the seconds of a duration as Go writes it (`5m`, `1h30m`) or in plain seconds.

    A negative one means for ever, and so does one of more than ten years. `name` is the flag or
    the variable that has it, for the `UsageError` that anything else raises.
    """
    if re.fullmatch(_DURATION, text, re.ASCII) is None:
        raise UsageError(
            f"{name} is {text!r}", hint="It is a duration: 5m, 90s, 1h30m; 0 for none, -1 for ever."
        )
    if text.startswith("-"):
        return -1.0
    parts = re.findall(r"([\d.]+)([a-z]*)", text)
    seconds = sum(float(number) * _UNIT_SECONDS[unit or "s"] for number, unit in parts)
    return seconds if seconds <= _LONGEST_SECONDS else -1.0


def expanded(path: str) -> Path:
    """Return `path` with a leading `~` or `~user` in full. Raises `UsageError` for no such user."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UsageError(f"there is no home folder for {path}") from None


def _user_folder(kind: str, xdg: str) -> Path:
    """Return our folder for `data`, `config` or `state`; `xdg` is its variable's value.

    On Linux without platformdirs, which takes 20 ms to import. Source: XDG base directory
    specification.
    """
    if xdg.startswith("/"):
        return Path(xdg) / "smolctl"
    if sys.platform == "linux" and (home := os.path.expanduser("~")) != "~":  # noqa: PTH111
        return Path(home) / _LINUX_FOLDERS[kind] / "smolctl"
    import platformdirs

    place = {
        "data": platformdirs.user_data_path,
        "config": platformdirs.user_config_path,
        "state": platformdirs.user_state_path,
    }
    return place[kind]("smolctl", appauthor=False)


def _runtime(xdg: str, temporary: str) -> Path:
    """Return the folder for sockets; it need not exist. Source: XDG base directory specification.

    A job without `XDG_RUNTIME_DIR` (cron, ssh) gets the folder that the user's other processes
    have. platformdirs' own choice differs by its version, and it warns on stderr.
    """
    user = os.getuid()
    for folder in (xdg, f"/run/user/{user}"):
        if folder.startswith("/") and _is_own_folder(folder, user):
            return Path(folder) / "smolctl"
    short = temporary.startswith("/") and len(temporary) <= _TEMPORARY_LETTERS
    return Path(temporary if short else "/tmp") / f"smolctl-{user}"  # noqa: S108 - checked at use


def _is_own_folder(folder: str, user: int) -> bool:
    try:
        status = os.stat(folder)  # noqa: PTH116
    except OSError:
        return False
    return status.st_uid == user and stat.S_ISDIR(status.st_mode)


def _docker_config_folder(value: str) -> Path:
    if value:
        return expanded(value)
    try:
        return Path.home() / ".docker"
    except RuntimeError:  # a user without a home has no credentials there
        return Path("/nonexistent/.docker")


def _flag(name: str, value: str) -> bool:
    if value.lower() in _TRUE:
        return True
    if value.lower() in _FALSE:
        return False
    raise UsageError(f"{name} is {value!r}", hint=f"Set {name} to 1 or to 0.")
