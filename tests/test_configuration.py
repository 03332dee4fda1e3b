"""`config.toml`: what it may say, and how its mistakes are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from smolctl.configuration import Configuration, Mirror, RegistryConfiguration
from smolctl.errors import StorageError, UsageError

FILE = Path("/home/me/.config/smolctl/config.toml")


def parse(text: str) -> Configuration:
    return Configuration.parse(text.encode(), FILE)


def mirror(address: str) -> Mirror:
    configuration = parse(f"[registry.'docker.io']\nmirrors = ['{address}']")
    (found,) = configuration.of("docker.io").mirrors
    return found


def test_a_missing_or_empty_file_leaves_everything_at_its_default(tmp_path: Path) -> None:
    assert Configuration.read(tmp_path / "none" / "config.toml") == Configuration()
    assert parse("# nothing yet\n") == Configuration()
    assert Configuration().of("docker.io") == RegistryConfiguration()


def test_everything_there_is_to_say() -> None:
    configuration = parse(
        """
        max-connections = 8

        [registry."Docker.io"]
        mirrors = ["mirror.example.com", "http://cache.lan:5000"]
        ca-file = "/etc/ssl/company.pem"
        plain-http = false

        [registry.localhost]
        ca-file = "certificates/local.pem"
        """
    )
    assert configuration.max_connections == 8
    assert configuration.registries == {
        "docker.io": RegistryConfiguration(
            (Mirror("mirror.example.com"), Mirror("cache.lan:5000", plain_http=True)),
            Path("/etc/ssl/company.pem"),
            plain_http=False,
        ),
        "localhost": RegistryConfiguration(ca_file=FILE.parent / "certificates" / "local.pem"),
    }


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("cache", Mirror("cache")),
        ("mirror.example.com/", Mirror("mirror.example.com")),
        ("HTTPS://Mirror.example.com", Mirror("mirror.example.com", plain_http=False)),
        ("http://[::1]:5000", Mirror("[::1]:5000", plain_http=True)),
        ("harbor.example.com/dockerhub", Mirror("harbor.example.com", "dockerhub")),
        ("https://x.example:8443/a/b_c/", Mirror("x.example:8443", "a/b_c", plain_http=False)),
    ],
)
def test_addresses_of_mirrors(address: str, expected: Mirror) -> None:
    assert mirror(address) == expected


def test_a_prefix_comes_before_the_repository() -> None:
    assert Mirror("m.example").repository("ai/smollm2") == "ai/smollm2"
    assert Mirror("m.example", "hub/x").repository("ai/smollm2") == "hub/x/ai/smollm2"


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ftp://m.example",
        "http://",
        "http://http://m.example",
        "m example",
        "m.example:99999",
        "m.example/../x",
        "m.example/a b",
        "m.example/a?ns=b",
    ],
)
def test_what_is_no_address_of_a_mirror(address: str) -> None:
    with pytest.raises(UsageError, match=r"config\.toml: registry\.\"docker\.io\"\.mirrors\[0\]"):
        mirror(address)


@pytest.mark.parametrize(
    "text",
    [
        "[registry.'docker.io']\nmirrors = ['https://me:s3cret@mirror.example.com']",
        "[registry.'docker.io']\nmirrors = 'https://me:s3cret@mirror.example.com'",
        "[registry.'me:s3cret@docker.io']",
    ],
)
def test_a_password_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert "s3cret" not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("max_connections = 8", "max_connections means nothing", "Did you mean max-connections?"),
        (
            "colour = 1",
            "colour means nothing",
            "It knows max-connections, retries and registry here.",
        ),
        ("max-connections = '8'", "max-connections is a string; a number is expected", None),
        ("max-connections = true", "max-connections is true or false; a number", None),
        ("max-connections = 0", "max-connections is 0; at least 1 is expected", None),
        ("registry = 'docker.io'", "registry is a string; a table is expected", None),
        ("[registry]\nlocalhost = 1", "registry.localhost is a number; a table", None),
        (
            "[registry.'docker.io']\nmirror = []",
            'registry."docker.io".mirror means nothing',
            "Did you mean mirrors?",
        ),
        (
            "[registry.docker.io]\nmirrors = []",
            "registry.docker.io is a table inside of a registry's",
            'A name with a dot needs quotes: [registry."docker.io"]',
        ),
        (
            "[registry.'docker.io']\nmirrors = 'm.example'",
            'registry."docker.io".mirrors is a string; a list of strings is expected',
            None,
        ),
        (
            "[registry.'docker.io']\nplain-http = 'no'",
            'registry."docker.io".plain-http is a string; true or false is expected',
            None,
        ),
        (
            "[registry.'docker.io']\nca-file = ''",
            'registry."docker.io".ca-file is a string; the path of a file is expected',
            None,
        ),
        (
            "[registry.'https://docker.io']",
            "registry: not a registry: 'https://docker.io'",
            "A registry is HOST or HOST:PORT.",
        ),
        (
            "[registry.'docker.io']\n[registry.'index.docker.io']",
            'registry."index.docker.io" is there twice, under two names of docker.io',
            None,
        ),
    ],
)
def test_mistakes_are_named_with_their_file_and_key(
    text: str, message: str, hint: str | None
) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert caught.value.message.startswith(f"{FILE}: {message}")
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"max-connections 8", "is not TOML: .*line 1"),
        (b"a = " + b"[" * 100_000, "is not TOML"),
        (b"\xff", "is not UTF-8"),
    ],
)
def test_what_cannot_be_parsed(content: bytes, message: str) -> None:
    with pytest.raises(UsageError, match=rf"config\.toml {message}"):
        Configuration.parse(content, FILE)


def test_what_cannot_be_read_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot read"):
        Configuration.read(tmp_path)


def test_flags_come_before_what_the_file_says_and_touch_no_other_registry() -> None:
    said = parse(
        """
        [registry."a.example"]
        mirrors = ["m.example"]
        ca-file = "/a.pem"
        plain-http = true
        """
    )
    assert said.overridden("a.example") == said
    changed = said.overridden("a.example", plain_http=False, ca_file=Path("/b.pem"))
    assert changed.of("a.example") == RegistryConfiguration(
        (Mirror("m.example"),), Path("/b.pem"), plain_http=False
    )
    other = said.overridden("b.example", plain_http=True)
    assert other.of("a.example") == said.of("a.example")
    assert other.of("b.example").plain_http is True
    assert other.of("m.example") == RegistryConfiguration()
