"""`login` and `logout`: what they ask, what they try out, and what they leave in which file."""

from __future__ import annotations

import base64
import json
import os
import pty
import select
import stat
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.faulty_registry import Answer, FaultyRegistry, basic, error, instead, pack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.processes import Finished, Smolctl

ME, SECRET = "me", "s3cret:of mine"
AUTH = base64.b64encode(f"{ME}:{SECRET}".encode()).decode()
_LIMIT_SECONDS = 60

PROGRAM = """#!{python}
import json, pathlib, sys
verb, text = sys.argv[1], sys.stdin.read()
here = pathlib.Path(__file__)
with here.with_name("asked").open("a") as log:
    print(*sys.argv[1:], file=log)
kept_at = here.with_name("kept.json")
kept = json.loads(kept_at.read_text()) if kept_at.exists() else {{}}
if {broken} and verb in {broken}:
    print("the keychain is locked:", text)
    sys.exit(1)
if verb == "store":
    entry = json.loads(text)
    kept[entry["ServerURL"]] = entry
elif text not in kept:
    print("credentials not found in native keychain")
    sys.exit(1)
elif verb == "erase":
    del kept[text]
else:
    print(json.dumps(kept[text]))
kept_at.write_text(json.dumps(kept))
"""


@pytest.fixture
def guarded(registry: FaultyRegistry) -> FaultyRegistry:
    """A registry with a model, behind a password."""
    registry.publish("team/model", "v1", pack())
    registry.want_token({ME: SECRET})
    return registry


def log_in(smolctl: Smolctl, host: str, password: str = SECRET, **expect: int) -> Finished:
    return smolctl("login", "-u", ME, "--password-stdin", host, stdin=password, **expect)


def config_of(smolctl: Smolctl) -> Path:
    return smolctl.docker_config / "config.json"


def content(file: Path) -> Any:
    return json.loads(file.read_bytes())


def install(smolctl: Smolctl, name: str = "test", *broken: str) -> Path:
    """Put a credential program on the path; gives the folder where it keeps what it is given."""
    folder = smolctl.user_home / "bin"
    folder.mkdir()
    program = folder / f"docker-credential-{name}"
    program.write_text(PROGRAM.format(python=sys.executable, broken=list(broken)))
    program.chmod(0o755)
    smolctl.environment["PATH"] = f"{folder}{os.pathsep}{smolctl.environment['PATH']}"
    return folder


class TestLogin:
    def test_opens_a_registry_until_logout(self, smolctl: Smolctl, guarded: FaultyRegistry) -> None:
        model = f"{guarded.host}/team/model:v1"
        refused = smolctl("model", "pull", model, expect=4)
        assert f"smolctl login {guarded.host}" in refused.stderr

        done = log_in(smolctl, guarded.host, expect=0)

        assert done.stdout == f"Logged in to {guarded.host} as {ME}\n"
        smolctl("model", "pull", model, expect=0)
        out = smolctl("logout", guarded.host, expect=0)
        assert out.stdout == f"Logged out of {guarded.host}\n"
        assert out.stderr == ""
        smolctl("model", "rm", model, expect=0)
        smolctl("model", "pull", model, expect=4)

    def test_writes_what_docker_writes(self, smolctl: Smolctl, guarded: FaultyRegistry) -> None:
        log_in(smolctl, guarded.host, expect=0)

        assert content(config_of(smolctl)) == {"auths": {guarded.host: {"auth": AUTH}}}
        assert stat.S_IMODE(config_of(smolctl).stat().st_mode) == 0o600

    def test_says_once_that_the_password_is_stored_in_the_clear(
        self, smolctl: Smolctl, guarded: FaultyRegistry
    ) -> None:
        done = log_in(smolctl, guarded.host, expect=0)

        (warning,) = done.stderr_lines
        assert "unencrypted" in warning
        assert str(config_of(smolctl)) in warning

    def test_leaves_everything_else_as_it_was(
        self, smolctl: Smolctl, guarded: FaultyRegistry
    ) -> None:
        before = {
            "psFormat": "x",
            "auths": {
                "z.example": {"auth": "eDp5"},
                f"{guarded.host}/team/other": {"auth": "eDp5"},
                guarded.host: {"auth": "b2xkOnB3", "identitytoken": "old"},
                "https://index.docker.io/v1/": {"auth": "eDp5"},
            },
            "HttpHeaders": {"a": [1, 2.5, None]},
        }
        config_of(smolctl).write_text(json.dumps(before))

        log_in(smolctl, guarded.host, expect=0)

        before["auths"][guarded.host] = {"auth": AUTH}  # type: ignore[index]
        assert json.dumps(content(config_of(smolctl))) == json.dumps(before)

    def test_replaces_the_older_spellings(self, smolctl: Smolctl, guarded: FaultyRegistry) -> None:
        auths = {f"https://{guarded.host}/v1/": {"auth": "b2xkOnB3"}}
        config_of(smolctl).write_text(json.dumps({"auths": auths}))

        log_in(smolctl, guarded.host, expect=0)

        assert content(config_of(smolctl)) == {"auths": {guarded.host: {"auth": AUTH}}}

    @pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
    def test_drops_the_end_of_the_line(
        self, smolctl: Smolctl, guarded: FaultyRegistry, ending: str
    ) -> None:
        log_in(smolctl, guarded.host, SECRET + ending, expect=0)

    def test_takes_the_registry_as_a_url(self, smolctl: Smolctl, unused_tcp_port: int) -> None:
        done = log_in(smolctl, f"https://127.0.0.1:{unused_tcp_port}/v2/", expect=5)

        assert f"127.0.0.1:{unused_tcp_port}: " in done.stderr

    def test_with_the_basic_scheme(self, smolctl: Smolctl, registry: FaultyRegistry) -> None:
        registry.want_basic(ME, SECRET)

        log_in(smolctl, registry.host, "wr0ng", expect=4)
        log_in(smolctl, registry.host, expect=0)

        # Without, then once with each: the wrong password was not tried twice.
        sent = [request.authorization for request in registry.requests]
        assert sent == [None, basic(ME, "wr0ng"), None, basic(ME, SECRET)]

    def test_to_a_registry_that_is_open_says_that_nothing_was_checked(
        self, smolctl: Smolctl, registry: FaultyRegistry
    ) -> None:
        done = log_in(smolctl, registry.host, expect=0)

        assert "did not check the credentials" in done.stderr
        assert entry_of(smolctl, registry.host) == {"auth": AUTH}

    def test_keeps_a_link_to_the_file(self, smolctl: Smolctl, guarded: FaultyRegistry) -> None:
        real = smolctl.user_home / "dotfiles.json"
        real.write_text("{}")
        config_of(smolctl).symlink_to(real)

        log_in(smolctl, guarded.host, expect=0)

        assert config_of(smolctl).is_symlink()
        assert content(real)["auths"] == {guarded.host: {"auth": AUTH}}

    def test_goes_to_podmans_file_where_one_is_named(
        self, smolctl: Smolctl, guarded: FaultyRegistry
    ) -> None:
        file = smolctl.user_home / "run" / "auth.json"
        smolctl.environment["REGISTRY_AUTH_FILE"] = str(file)

        log_in(smolctl, guarded.host, expect=0)

        assert content(file) == {"auths": {guarded.host: {"auth": AUTH}}}
        assert not config_of(smolctl).exists()
        smolctl("model", "pull", f"{guarded.host}/team/model:v1", expect=0)


def entry_of(smolctl: Smolctl, host: str) -> Any:
    return content(config_of(smolctl))["auths"].get(host)


class TestLoginFails:
    """And then it writes nothing."""

    @pytest.fixture(autouse=True)
    def _nothing_is_written(self, smolctl: Smolctl) -> Iterator[None]:
        yield
        assert not config_of(smolctl).exists()

    def test_with_a_wrong_password(self, smolctl: Smolctl, guarded: FaultyRegistry) -> None:
        done = log_in(smolctl, guarded.host, "wr0ng", expect=4)

        assert done.stdout == ""
        assert done.stderr_lines[0] == f"smolctl: {guarded.host} refused the credentials"
        assert "Check the user name" in done.stderr_lines[1]
        assert guarded.paths().count("/token") == 1

    def test_with_a_token_that_opens_nothing(
        self, smolctl: Smolctl, guarded: FaultyRegistry
    ) -> None:
        refused = error(403, "DENIED")
        guarded.spoil("/v2/", lambda request, a: refused if request.authorization else a)

        done = log_in(smolctl, guarded.host, expect=4)

        assert "refused the credentials" in done.stderr

    def test_with_nothing_listening(self, smolctl: Smolctl, unused_tcp_port: int) -> None:
        done = log_in(smolctl, f"127.0.0.1:{unused_tcp_port}", expect=5)

        assert "refused" in done.stderr

    @pytest.mark.parametrize("status", [404, 500, 204])
    def test_with_what_is_no_registry(
        self, smolctl: Smolctl, registry: FaultyRegistry, status: int
    ) -> None:
        registry.spoil("/v2/", instead(Answer(status)))

        done = log_in(smolctl, registry.host, expect=5)

        assert f"answered {status}" in done.stderr

    def test_offline(self, smolctl: Smolctl, guarded: FaultyRegistry) -> None:
        smolctl.environment["SMOLCTL_OFFLINE"] = "1"

        log_in(smolctl, guarded.host, expect=2)

        assert guarded.requests == []

    @pytest.mark.parametrize(
        ("flags", "missing"),
        [
            ([], ["--username", "--password-stdin"]),
            (["-u", ME], ["--password-stdin"]),
            (["--password-stdin"], ["--username"]),
        ],
    )
    def test_without_a_terminal_and_without_the_flags(
        self, smolctl: Smolctl, guarded: FaultyRegistry, flags: list[str], missing: list[str]
    ) -> None:
        done = smolctl("login", *flags, guarded.host, stdin="x", expect=2)

        for flag in ("--username", "--password-stdin"):
            assert (flag in done.stderr_lines[0]) is (flag in missing)
        assert guarded.requests == []

    @pytest.mark.parametrize("flag", ["-p", "--password"])
    def test_with_a_password_in_the_process_list(self, smolctl: Smolctl, flag: str) -> None:
        smolctl("login", "-u", ME, flag, SECRET, "localhost:1", expect=2)

    @pytest.mark.parametrize(
        ("username", "password"),
        [("", "x"), ("a:b", "x"), ("a\nb", "x"), (ME, ""), (ME, "\n"), (ME, "a\nb\n")],
    )
    def test_with_what_cannot_be_sent(
        self, smolctl: Smolctl, guarded: FaultyRegistry, username: str, password: str
    ) -> None:
        line = ("login", "-u", username, "--password-stdin", guarded.host)

        done = smolctl(*line, stdin=password, expect=2)

        assert len(done.stderr_lines) <= 2
        assert guarded.requests == []

    @pytest.mark.parametrize("name", ["not a registry", "host:port", "http://x", "x/team", ""])
    def test_with_a_name_that_is_none(self, smolctl: Smolctl, name: str) -> None:
        done = log_in(smolctl, name, expect=2)

        assert "not a registry" in done.stderr


@pytest.mark.parametrize("text", ["{not json", "[]", '{"auths": 1}'])
def test_a_broken_file_is_refused_and_left_alone(
    smolctl: Smolctl, guarded: FaultyRegistry, text: str
) -> None:
    config_of(smolctl).write_text(text)

    done = log_in(smolctl, guarded.host, expect=8)

    assert str(config_of(smolctl)) in done.stderr
    assert config_of(smolctl).read_text() == text


def test_two_logins_at_once_lose_nothing(
    smolctl: Smolctl, guarded: FaultyRegistry, elsewhere: FaultyRegistry
) -> None:
    hosts = [guarded.host, elsewhere.host, f"localhost:{guarded.host.partition(':')[2]}"]
    processes = [
        smolctl.start("login", "-u", ME, "--password-stdin", host, stdin=subprocess.PIPE)
        for host in hosts
    ]
    for process in processes:
        process.communicate(SECRET.encode(), timeout=_LIMIT_SECONDS)

    assert [process.returncode for process in processes] == [0, 0, 0]
    assert set(content(config_of(smolctl))["auths"]) == set(hosts)


class TestACredentialProgram:
    @pytest.mark.parametrize("where", ["credsStore", "credHelpers"])
    def test_keeps_gives_and_forgets(
        self, smolctl: Smolctl, guarded: FaultyRegistry, where: str
    ) -> None:
        folder = install(smolctl)
        configured = {where: "test" if where == "credsStore" else {guarded.host: "test"}}
        config_of(smolctl).write_text(json.dumps(configured))

        done = log_in(smolctl, guarded.host, expect=0)

        assert done.stderr == ""  # no warning: it is safe
        assert content(config_of(smolctl)) == {**configured, "auths": {guarded.host: {}}}
        kept = content(folder / "kept.json")
        entry = {"ServerURL": guarded.host, "Username": ME, "Secret": SECRET}
        assert kept == {guarded.host: entry}
        smolctl("model", "pull", f"{guarded.host}/team/model:v1", expect=0)

        smolctl("logout", guarded.host, expect=0)

        assert content(folder / "kept.json") == {}
        assert content(config_of(smolctl)) == {**configured, "auths": {}}
        assert SECRET not in (folder / "asked").read_text()

    def test_replaces_the_password_in_the_file(
        self, smolctl: Smolctl, guarded: FaultyRegistry
    ) -> None:
        install(smolctl)
        before = {"auths": {guarded.host: {"auth": "b2xkOnB3"}}, "credsStore": "test"}
        config_of(smolctl).write_text(json.dumps(before))

        log_in(smolctl, guarded.host, expect=0)

        assert entry_of(smolctl, guarded.host) == {}

    def test_that_fails_fails_the_login(self, smolctl: Smolctl, guarded: FaultyRegistry) -> None:
        install(smolctl, "test", "store")
        config_of(smolctl).write_text('{"credsStore": "test"}')

        done = log_in(smolctl, guarded.host, expect=4)

        assert "docker-credential-test failed" in done.stderr
        assert SECRET not in done.stderr  # it printed what it was given
        assert config_of(smolctl).read_text() == '{"credsStore": "test"}'

    def test_that_is_missing_fails_the_login(
        self, smolctl: Smolctl, guarded: FaultyRegistry
    ) -> None:
        config_of(smolctl).write_text('{"credsStore": "gone"}')

        done = log_in(smolctl, guarded.host, expect=4)

        assert "docker-credential-gone is not installed" in done.stderr

    def test_that_fails_fails_the_logout(self, smolctl: Smolctl, guarded: FaultyRegistry) -> None:
        install(smolctl, "test", "erase")
        config_of(smolctl).write_text('{"credsStore": "test"}')
        log_in(smolctl, guarded.host, expect=0)

        smolctl("logout", guarded.host, expect=4)

        assert entry_of(smolctl, guarded.host) == {}


class TestLogout:
    def test_says_when_there_was_nothing(self, smolctl: Smolctl) -> None:
        done = smolctl("logout", "registry.example.com", expect=0)

        assert done.stdout == ""
        assert "not logged in to registry.example.com" in done.stderr
        assert not config_of(smolctl).exists()

    def test_of_docker_hub_is_the_default_and_forgets_all_its_names(self, smolctl: Smolctl) -> None:
        others = {"docker.io.example.com": {"auth": "eDp5"}, "docker.io/ai": {"auth": "eDp5"}}
        hub = ["https://index.docker.io/v1/", "docker.io", "registry-1.docker.io"]
        auths = {**others, **{key: {"auth": AUTH} for key in hub}}
        config_of(smolctl).write_text(json.dumps({"auths": auths}))

        done = smolctl("logout", expect=0)

        assert done.stdout == "Logged out of docker.io\n"
        assert content(config_of(smolctl)) == {"auths": others}

    def test_leaves_a_broken_file_alone(self, smolctl: Smolctl) -> None:
        config_of(smolctl).write_text("{")

        smolctl("logout", expect=8)

        assert config_of(smolctl).read_text() == "{"


class TestTheEnvironment:
    def test_gives_docker_hubs_account_to_no_other_registry(
        self, smolctl: Smolctl, guarded: FaultyRegistry
    ) -> None:
        smolctl.environment |= {"DOCKER_USERNAME": ME, "DOCKER_PASSWORD": SECRET}

        smolctl("model", "pull", f"{guarded.host}/team/model:v1", expect=4)

        assert [request.authorization for request in guarded.requests] == [None, None]

    def test_that_goes_before_the_file_is_named(self, smolctl: Smolctl) -> None:
        smolctl.environment |= {"DOCKER_USERNAME": ME, "DOCKER_PASSWORD": SECRET}

        done = smolctl("logout", expect=0)

        assert "DOCKER_USERNAME" in done.stderr

    def test_names_a_file_with_an_entry_for_a_namespace(
        self, smolctl: Smolctl, guarded: FaultyRegistry
    ) -> None:
        file = smolctl.user_home / "auth.json"
        auths = {guarded.host: {"auth": "eDp5"}, f"{guarded.host}/team": {"auth": AUTH}}
        file.write_text(json.dumps({"auths": auths}))
        smolctl.environment["REGISTRY_AUTH_FILE"] = str(file)
        smolctl.log_in(guarded.host, ME, "wr0ng")  # in Docker's file, which is not read

        smolctl("model", "pull", f"{guarded.host}/team/model:v1", expect=0)


class Conversation:
    """A command on a terminal; `hear` waits for what it says, and `say` types a line."""

    def __init__(self, process: subprocess.Popen[bytes], terminal: int) -> None:
        self.process = process
        self._terminal = terminal
        self.heard = b""

    def hear(self, text: bytes) -> None:
        before = len(self.heard)
        while text not in self.heard[before:]:
            assert self._read(), self.heard

    def say(self, line: str) -> None:
        os.write(self._terminal, line.encode() + b"\n")

    def end(self) -> int:
        while self._read():
            pass
        return self.process.wait(_LIMIT_SECONDS)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._terminal], [], [], _LIMIT_SECONDS)
        assert ready, self.heard
        try:
            piece = os.read(self._terminal, 4096)
        except OSError:  # Linux's end of file when the other side is closed
            return False
        self.heard += piece
        return bool(piece)


@contextmanager
def talking(smolctl: Smolctl, *arguments: str) -> Iterator[Conversation]:
    ours, theirs = pty.openpty()
    process = smolctl.start(*arguments, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    try:
        yield Conversation(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


class TestOnATerminal:
    def test_the_name_is_asked_and_shown_and_the_password_is_asked_and_not_shown(
        self, smolctl: Smolctl, guarded: FaultyRegistry
    ) -> None:
        with talking(smolctl, "login", guarded.host) as person:
            person.hear(b"Username: ")
            person.say(ME)
            person.hear(b"Password: ")
            person.say(SECRET)
            assert person.end() == 0

        assert f"Username: {ME}\r\n".encode() in person.heard
        assert b"Logged in to" in person.heard
        assert SECRET.encode() not in person.heard
        assert entry_of(smolctl, guarded.host) == {"auth": AUTH}

    def test_a_name_that_was_given_is_not_asked(
        self, smolctl: Smolctl, guarded: FaultyRegistry
    ) -> None:
        with talking(smolctl, "login", "-u", ME, guarded.host) as person:
            person.hear(b"Password: ")
            person.say("wr0ng")
            assert person.end() == 4

        assert b"Username" not in person.heard
        assert b"wr0ng" not in person.heard

    @pytest.mark.parametrize(
        ("key", "code"), [(b"\x04", 2), (b"\x03", 130)], ids=["Ctrl-D", "Ctrl-C"]
    )
    def test_who_thinks_better_of_it_leaves_the_terminal_as_it_was(
        self, smolctl: Smolctl, guarded: FaultyRegistry, key: bytes, code: int
    ) -> None:
        import termios

        ours, theirs = pty.openpty()
        try:
            before = termios.tcgetattr(theirs)
            process = smolctl.start(
                *("login", "-u", ME, guarded.host),
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                # Ctrl-C reaches those whose controlling terminal it is typed on.
                start_new_session=True,
                terminal=True,
            )
            person = Conversation(process, ours)
            person.hear(b"Password: ")
            assert not termios.tcgetattr(theirs)[3] & termios.ECHO
            os.write(ours, key)
            assert process.wait(_LIMIT_SECONDS) == code
            assert termios.tcgetattr(theirs) == before
        finally:
            process.kill()
            process.wait()
            os.close(ours)
            os.close(theirs)

        assert guarded.requests == []
        assert not config_of(smolctl).exists()
