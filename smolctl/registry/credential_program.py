"""Programs that keep credentials in a keychain: `docker-credential-NAME`.

Source: the docker-credential-helpers protocol. The verb is the argument; the registry's key, or a
JSON document with a secret in it, goes in on stdin, so that no process list shows one.
"""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass

from smolctl.errors import AccessDenied

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_SECONDS = 30
_NOT_STORED = "credentials not found"
"""The protocol has no code for "nothing stored"; all programs share this sentence."""


@dataclass(frozen=True)
class CredentialProgram:
    """The program `docker-credential-NAME` on the search path.

    Every method raises `AccessDenied` when the program is missing or fails. What it printed is
    never quoted: a secret may be in it.
    """

    name: str

    def get(self, key: str) -> tuple[str, str] | None:
        """Return the user name and the secret stored under `key`, or None."""
        output = self._run("get", key)
        if output is None:
            return None
        try:
            answer = json.loads(output)
            return str(answer["Username"]), str(answer["Secret"])
        except (ValueError, KeyError, TypeError):
            raise AccessDenied(f"{self} gave no credentials", hint=self._hint) from None

    def store(self, key: str, username: str, secret: str) -> None:
        """Store `username` and `secret` under `key`, in place of what is there."""
        entry = {"ServerURL": key, "Username": username, "Secret": secret}
        if self._run("store", json.dumps(entry)) is None:
            raise AccessDenied(f"{self} stored nothing", hint=self._hint)

    def erase(self, key: str) -> None:
        """Forget what is stored under `key`, if anything is."""
        self._run("erase", key)

    def __str__(self) -> str:
        return f"docker-credential-{self.name}"

    @property
    def _hint(self) -> str:
        return f"Mend {self}, or take it out of Docker's config.json."

    def _run(self, verb: str, text: str) -> bytes | None:
        """Return what the program printed; None when it has nothing stored."""
        if _NAME.fullmatch(self.name) is None:
            raise AccessDenied(f"not the name of a credential program: {self.name!r}")
        try:
            done = subprocess.run(
                [str(self), verb], input=text.encode(), capture_output=True, timeout=_SECONDS
            )
        except FileNotFoundError:
            raise AccessDenied(f"{self} is not installed", hint=self._hint) from None
        except (OSError, subprocess.TimeoutExpired) as error:
            raise AccessDenied(f"{self} failed: {type(error).__name__}", hint=self._hint) from None
        if not done.returncode:
            return done.stdout
        if _NOT_STORED in done.stdout.decode(errors="replace"):
            return None
        raise AccessDenied(f"{self} failed with exit code {done.returncode}", hint=self._hint)
