from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.errors import InvalidReference
from smolctl.model.digest import Digest
from smolctl.model.reference import ModelId, Reference, is_loopback, parse_registry

HEX = "0123456789abcdef" * 4
DIGEST = f"sha256:{HEX}"

COMPONENT = st.from_regex(r"[a-z0-9]+(?:(?:\.|_|__|-{1,3})[a-z0-9]+){0,2}", fullmatch=True)
REGISTRIES = st.sampled_from(
    ["docker.io", "ghcr.io", "localhost", "localhost:5000", "127.0.0.1:80", "[::1]:5000", "a.b:1"]
)
REFERENCES = st.builds(
    lambda registry, parts, tag, digest: Reference(
        registry,
        "/".join(["ai", *parts] if registry == "docker.io" else parts),
        tag if tag or digest else "latest",
        digest,
    ),
    REGISTRIES,
    st.lists(COMPONENT, min_size=1, max_size=3),
    st.none() | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True),
    st.none() | st.just(Digest.parse(DIGEST)),
)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("smollm2", "docker.io/ai/smollm2:latest"),
        ("ai/smollm2", "docker.io/ai/smollm2:latest"),
        ("docker.io/ai/smollm2:latest", "docker.io/ai/smollm2:latest"),
        ("docker.io/smollm2", "docker.io/ai/smollm2:latest"),
        ("index.docker.io/ai/smollm2", "docker.io/ai/smollm2:latest"),
        ("registry-1.docker.io/ai/smollm2", "docker.io/ai/smollm2:latest"),
        ("ai/smollm2:360M-Q4_K_M", "docker.io/ai/smollm2:360M-Q4_K_M"),
        ("SmolLM2:360M-F16", "docker.io/ai/smollm2:360M-F16"),
        ("myorg/m", "docker.io/myorg/m:latest"),
        ("registry.example.com/m", "registry.example.com/m:latest"),
        ("Registry.Example.com/Team/M:V1", "registry.example.com/team/m:V1"),
        ("localhost/m", "localhost/m:latest"),
        ("localhost:5000/ai/m:t", "localhost:5000/ai/m:t"),
        ("[::1]:5000/m", "[::1]:5000/m:latest"),
        ("host:443/a/b/c", "host:443/a/b/c:latest"),
        (f"ai/smollm2@{DIGEST}", f"docker.io/ai/smollm2@{DIGEST}"),
        (f"ai/smollm2:v1@{DIGEST}", f"docker.io/ai/smollm2:v1@{DIGEST}"),
        ("  smollm2\n", "docker.io/ai/smollm2:latest"),
        ("354bf30d0aa3", "docker.io/ai/354bf30d0aa3:latest"),
    ],
)
def test_names_get_their_defaults(text, canonical):
    assert Reference.parse(text).canonical == canonical


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "/", "a/", "/a", "a//b", "..", "../x", "a/../b", "a/./b", "-a", "a-", "a..b",
        "a b", "a\0b", "a\nb", "ä", "a:", "a:b c", "a:-x", f"a:{'x' * 129}", "a@", "a@sha256:12",
        f"a@{DIGEST.upper()}", "a@sha512:" + "0" * 128, f"{DIGEST}", HEX, f"a@{DIGEST}@{DIGEST}",
        "host:0/a", "host:99999/a", "host:x/a", "[::1/a", "[zz]:1/a", "http://host/a", "a?b",
        "x.y-/a", "a" * 256, "a/" * 600 + "a", "--help", "hf.co/", "a\\b",
    ],
)  # fmt: skip
def test_what_is_no_name_says_so(text):
    with pytest.raises(InvalidReference):
        Reference.parse(text)


@given(REFERENCES)
def test_the_canonical_form_parses_back(reference):
    assert Reference.parse(reference.canonical) == reference


@given(REFERENCES, REGISTRIES)
def test_the_familiar_form_parses_back_under_its_default_registry(reference, default):
    familiar = reference.familiar(default_registry=default)
    assert Reference.parse(familiar, default_registry=default) == reference
    assert len(familiar) <= len(reference.canonical)


@given(st.text(max_size=80) | st.text(alphabet="aB0./:@-_[]~%\\\0 ", max_size=60))
def test_whatever_parses_round_trips_and_cannot_climb_out_of_a_folder(text):
    try:
        reference = Reference.parse(text)
    except InvalidReference:
        return
    assert Reference.parse(reference.canonical) == reference
    parts = (reference.registry, reference.repository, reference.tag or "", str(reference.digest))
    for part in parts:
        path = PurePosixPath(part)
        assert not path.is_absolute()
        assert ".." not in path.parts
        assert not set(part) & set("\\\0\n ~%?#")


def test_the_default_registry_holds_only_for_names_without_one():
    here = "127.0.0.1:5000"
    assert Reference.parse("m", default_registry=here).canonical == f"{here}/ai/m:latest"
    assert Reference.parse("docker.io/m", default_registry=here).registry == "docker.io"
    assert Reference.parse(f"{here}/m", default_registry=here).repository == "m"


def test_familiar_names_are_the_shortest_that_mean_the_same():
    assert Reference.parse("smollm2").familiar() == "ai/smollm2:latest"
    assert Reference.parse("ghcr.io/a/b:c").familiar() == "ghcr.io/a/b:c"
    # Without the registry, these would mean something else.
    assert Reference.parse("ghcr.io/b").familiar(default_registry="ghcr.io") == "ghcr.io/b:latest"
    dotted = Reference("ghcr.io", "x.y/b", "c")
    assert dotted.familiar(default_registry="ghcr.io") == "ghcr.io/x.y/b:c"


def test_ids_are_12_or_64_digits():
    digest = Digest.parse(DIGEST)
    for text in (HEX[:12], HEX, DIGEST):
        found = ModelId.parse(text)
        assert found is not None
        assert found.matches(digest)
    for text in (HEX[:11], HEX[:13], HEX[:12].upper(), f"sha256:{HEX[:12]}", "smollm2"):
        assert ModelId.parse(text) is None
    other = ModelId.parse("f" * 12)
    assert other is not None
    assert not other.matches(digest)


@pytest.mark.parametrize(
    ("registry", "loopback"),
    [
        ("localhost", True), ("localhost:5000", True), ("127.0.0.1", True), ("127.9.9.9:1", True),
        ("[::1]:5000", True), ("docker.io", False), ("10.0.0.1:5000", False),
        ("localhost.example.com", False), ("127.0.0.1.example.com", False),
        ("[2001:db8::1]", False),
    ],
)  # fmt: skip
def test_loopback_is_this_machine_and_nothing_else(registry, loopback):
    assert is_loopback(registry) is loopback
    assert Reference(parse_registry(registry), "a", "b").is_loopback is loopback


def test_another_tag_is_checked():
    reference = Reference.parse(f"a@{DIGEST}")
    assert reference.with_tag("v1").canonical == "docker.io/ai/a:v1"
    with pytest.raises(InvalidReference):
        reference.with_tag("../x")
