"""Docker's `config.json`, podman's `auth.json`, and the programs they name."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from smolctl.errors import AccessDenied, StorageError
from smolctl.registry.credentials import Credentials, Kind, find_credentials

REGISTRY = "registry.example.com"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config.json"


def write(config: Path, document: Any) -> None:
    config.write_text(json.dumps(document))


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where `docker-credential-test` is to be; it writes what it was asked beside itself."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return folder / "docker-credential-test"


def write_program(program: Path, answer: str, code: int = 0) -> None:
    program.write_text(
        f"#!/bin/sh\necho \"$1\" > '{program}.asked'; cat >> '{program}.asked'\n"
        f"cat <<'END'\n{answer}\nEND\nexit {code}\n"
    )
    program.chmod(0o755)


def test_no_file_means_no_credentials(config: Path) -> None:
    assert find_credentials(config, REGISTRY) is None


@pytest.mark.parametrize("content", [b"", b"\n"])
def test_an_empty_file_means_no_credentials(config: Path, content: bytes) -> None:
    config.write_bytes(content)

    assert find_credentials(config, REGISTRY) is None


@pytest.mark.parametrize("document", [{}, {"auths": {}}, {"auths": None}, [], {"auths": []}])
def test_a_file_without_the_registry_means_no_credentials(config: Path, document: Any) -> None:
    write(config, document)

    assert find_credentials(config, REGISTRY) is None


@pytest.mark.parametrize(
    "key",
    [
        REGISTRY,
        f"https://{REGISTRY}",
        f"https://{REGISTRY}/",
        f"https://{REGISTRY}/v1/",
        f"http://{REGISTRY}/v2",
    ],
)
def test_an_entry_is_found_under_each_spelling_of_the_registry(config: Path, key: str) -> None:
    write(config, {"auths": {key: {"auth": encoded("me:s3cret:with:colons")}}})

    assert find_credentials(config, REGISTRY) == Credentials("me", "s3cret:with:colons")


@pytest.mark.parametrize(
    "key", ["https://index.docker.io/v1/", "docker.io", "index.docker.io", "registry-1.docker.io"]
)
def test_docker_hub_is_found_under_its_old_names(config: Path, key: str) -> None:
    write(config, {"auths": {key: {"auth": encoded("me:s3cret")}}})

    assert find_credentials(config, "docker.io") == Credentials("me", "s3cret")


def test_the_usual_spelling_is_preferred(config: Path) -> None:
    keys = [f"https://{REGISTRY}/v1/", f"https://{REGISTRY}", REGISTRY]
    write(config, {"auths": {key: {"auth": encoded(f"{key}:s3cret")} for key in keys[:2]}})
    first = find_credentials(config, REGISTRY)
    write(config, {"auths": {key: {"auth": encoded(f"{len(key)}:s3cret")} for key in keys}})

    assert first is not None
    assert find_credentials(config, REGISTRY) == Credentials(str(len(REGISTRY)), "s3cret")


@pytest.mark.parametrize(
    "key",
    [
        "registry.example",
        f"{REGISTRY}:443",
        f"{REGISTRY}.evil.example",
        f"evil.example/{REGISTRY}",
        f"https://evil.example/{REGISTRY}",
        f"https://evil.example?https://{REGISTRY}/",
        f"{REGISTRY}/other/repository",
        f"{REGISTRY}/team/mod",
        f"{REGISTRY}/team/model/more",
        "docker.io",
        "*.example.com",
    ],
)
def test_another_registrys_or_repositorys_entry_is_not_used(config: Path, key: str) -> None:
    write(config, {"auths": {key: {"auth": encoded("me:s3cret")}}})

    assert find_credentials(config, REGISTRY, "team/model") is None


class TestRepositories:
    KEYS = (
        f"{REGISTRY}/team/sub/model",
        f"{REGISTRY}/team/sub",
        f"{REGISTRY}/team",
        REGISTRY,
    )

    @pytest.mark.parametrize("longest", range(4))
    def test_get_the_entry_with_the_longest_key(self, config: Path, longest: int) -> None:
        keys = reversed(self.KEYS[longest:])
        write(config, {"auths": {key: {"auth": encoded(f"{len(key)}:s3cret")} for key in keys}})

        found = find_credentials(config, REGISTRY, "team/sub/model")

        assert found == Credentials(str(len(self.KEYS[longest])), "s3cret")

    def test_of_docker_hub_are_written_with_its_short_name(self, config: Path) -> None:
        auths = {
            "https://index.docker.io/v1/": {"auth": encoded("all:s3cret")},
            "docker.io/ai": {"auth": encoded("ai:s3cret")},
        }
        write(config, {"auths": auths})

        assert find_credentials(config, "docker.io", "ai/smollm2") == Credentials("ai", "s3cret")
        assert find_credentials(config, "docker.io", "me/mine") == Credentials("all", "s3cret")

    def test_do_not_matter_to_who_asks_for_the_registry(self, config: Path) -> None:
        write(config, {"auths": {self.KEYS[0]: {"auth": encoded("me:s3cret")}}})

        assert find_credentials(config, REGISTRY) is None

    def test_come_before_the_program_for_all_registries(self, config: Path, program: Path) -> None:
        write_program(program, '{"Username": "kept", "Secret": "safe"}')
        auths = {self.KEYS[2]: {"auth": encoded("me:s3cret")}}
        write(config, {"credsStore": "test", "auths": auths})

        assert find_credentials(config, REGISTRY, "team/x") == Credentials("me", "s3cret")
        assert find_credentials(config, REGISTRY, "x") == Credentials("kept", "safe")


class TestTokens:
    @pytest.mark.parametrize(
        ("name", "kind"),
        [("identitytoken", Kind.IDENTITY_TOKEN), ("registrytoken", Kind.REGISTRY_TOKEN)],
    )
    def test_of_an_entry_are_told_apart(self, config: Path, name: str, kind: Kind) -> None:
        write(config, {"auths": {REGISTRY: {"auth": encoded("me:"), name: "s3cret"}}})

        assert find_credentials(config, REGISTRY) == Credentials("", "s3cret", kind)

    @pytest.mark.parametrize("token", ["", None, 1, ["x"]])
    def test_that_are_none_are_passed_over(self, config: Path, token: Any) -> None:
        write(config, {"auths": {REGISTRY: {"auth": encoded("me:pw"), "identitytoken": token}}})

        assert find_credentials(config, REGISTRY) == Credentials("me", "pw")

    def test_from_a_program_are_marked_by_the_name(self, config: Path, program: Path) -> None:
        write_program(program, '{"Username": "<token>", "Secret": "s3cret"}')
        write(config, {"credsStore": "test"})

        found = find_credentials(config, REGISTRY)

        assert found is not None
        assert (found.secret, found.kind) == ("s3cret", Kind.IDENTITY_TOKEN)


class TestAnAccountForDockerHub:
    ACCOUNT = Credentials("me", "from the environment")

    def test_goes_before_the_file(self, config: Path) -> None:
        write(config, {"auths": {"docker.io": {"auth": encoded("other:s3cret")}}})

        assert find_credentials(config, "docker.io", docker_hub=self.ACCOUNT) == self.ACCOUNT

    @pytest.mark.parametrize("registry", [REGISTRY, "docker.io.example.com", "localhost:5000"])
    def test_goes_to_no_other_registry(self, config: Path, registry: str) -> None:
        assert find_credentials(config, registry, "ai/x", docker_hub=self.ACCOUNT) is None


def test_a_name_and_a_password_in_the_clear_are_taken(config: Path) -> None:
    write(config, {"auths": {REGISTRY: {"username": "me", "password": "s3cret"}}})

    assert find_credentials(config, REGISTRY) == Credentials("me", "s3cret")


@pytest.mark.parametrize("auth", ["not base64!", encoded("no colon"), "/w=="])
def test_a_broken_entry_is_named_and_not_shown(config: Path, auth: str) -> None:
    write(config, {"auths": {REGISTRY: {"auth": auth}}})

    with pytest.raises(AccessDenied, match=REGISTRY) as caught:
        find_credentials(config, REGISTRY)

    assert auth not in caught.value.message


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"{'auths': 1}", b"[" * 99_999])
def test_a_malformed_file_is_named(config: Path, content: bytes) -> None:
    config.write_bytes(content)

    with pytest.raises(StorageError, match=str(config)):
        find_credentials(config, REGISTRY)


def test_a_file_that_cannot_be_read_is_named(config: Path) -> None:
    config.mkdir()

    with pytest.raises(StorageError, match=str(config)):
        find_credentials(config, REGISTRY)


class TestPrograms:
    @pytest.mark.parametrize(
        "document", [{"credsStore": "test"}, {"credHelpers": {REGISTRY: "test"}}]
    )
    def test_are_asked_for_the_registry(
        self, config: Path, program: Path, document: dict[str, Any]
    ) -> None:
        write_program(program, '{"ServerURL": "x", "Username": "me", "Secret": "s3cret"}')
        write(config, document)

        assert find_credentials(config, REGISTRY) == Credentials("me", "s3cret")
        assert Path(f"{program}.asked").read_text().split() == ["get", REGISTRY]

    def test_are_not_asked_for_a_registry_that_is_exempted(
        self, config: Path, program: Path
    ) -> None:
        write_program(program, "the keychain is locked", 1)
        auths = {REGISTRY: {"auth": encoded("me:s3cret")}}
        helpers = {REGISTRY: ""}
        write(config, {"credsStore": "test", "credHelpers": helpers, "auths": auths})

        assert find_credentials(config, REGISTRY) == Credentials("me", "s3cret")

    def test_come_before_entries(self, config: Path, program: Path) -> None:
        write_program(program, '{"Username": "kept", "Secret": "safe"}')
        auths = {REGISTRY: {"auth": encoded("me:s3cret")}}
        write(config, {"auths": auths, "credHelpers": {REGISTRY: "test"}})

        assert find_credentials(config, REGISTRY) == Credentials("kept", "safe")

    def test_that_have_nothing_leave_it_to_the_entries(self, config: Path, program: Path) -> None:
        write_program(program, "credentials not found in native keychain", 1)
        auths = {REGISTRY: {"auth": encoded("me:s3cret")}}
        write(config, {"auths": auths, "credsStore": "test"})

        assert find_credentials(config, REGISTRY) == Credentials("me", "s3cret")

    def test_of_another_registry_are_not_asked(self, config: Path, program: Path) -> None:
        write_program(program, "", 1)
        write(config, {"credHelpers": {"other.example.com": "test"}})

        assert find_credentials(config, REGISTRY) is None
        assert not Path(f"{program}.asked").exists()

    @pytest.mark.parametrize(
        ("answer", "code"),
        [
            ("the keychain is locked", 1),
            ("", 0),
            ("{}", 0),
            ("[]", 0),
            ('{"Username": "me"}', 0),
            ("null", 0),
        ],
    )
    def test_that_fail_are_named_and_not_passed_over(
        self, config: Path, program: Path, answer: str, code: int
    ) -> None:
        write_program(program, answer, code)
        auths = {REGISTRY: {"auth": encoded("me:s3cret")}}
        write(config, {"auths": auths, "credsStore": "test"})

        with pytest.raises(AccessDenied, match="docker-credential-test"):
            find_credentials(config, REGISTRY)

    def test_that_are_not_installed_are_named(self, config: Path, program: Path) -> None:
        assert not program.exists()
        write(config, {"credsStore": "test"})

        with pytest.raises(AccessDenied, match="docker-credential-test is not installed"):
            find_credentials(config, REGISTRY)

    def test_that_may_not_be_run_are_named(self, config: Path, program: Path) -> None:
        program.write_text("no program")
        program.chmod(0o755)
        write(config, {"credsStore": "test"})

        with pytest.raises(AccessDenied, match="docker-credential-test"):
            find_credentials(config, REGISTRY)

    @pytest.mark.parametrize("name", ["../../bin/sh", "a b", "x;y", "/bin/true"])
    def test_are_not_started_by_a_path(self, config: Path, name: str) -> None:
        write(config, {"credsStore": name})

        with pytest.raises(AccessDenied, match="not the name"):
            find_credentials(config, REGISTRY)

    def test_that_say_more_on_failing_are_not_quoted(self, config: Path, program: Path) -> None:
        write_program(program, "s3cret was refused", 1)
        write(config, {"credsStore": "test"})

        with pytest.raises(AccessDenied) as caught:
            find_credentials(config, REGISTRY)

        assert "s3cret" not in f"{caught.value.message}{caught.value.hint}"


def test_printing_credentials_shows_no_secret() -> None:
    credentials = Credentials("me", "s3cret")

    assert "s3cret" not in repr(credentials)
    assert credentials.basic == f"Basic {encoded('me:s3cret')}"


def test_letters_outside_of_ascii_are_sent_as_utf_8() -> None:
    assert Credentials("Zoë", "пароль").basic == f"Basic {encoded('Zoë:пароль')}"
