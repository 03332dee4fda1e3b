"""What each command prints: for people, for scripts (`--json`, `-q`), and on a terminal."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.faulty_registry import (
    Answer,
    FaultyRegistry,
    Packed,
    digest,
    instead,
    pack,
)
from tests.support.gguf_files import file as gguf_file
from tests.support.gguf_files import tiny_llama_pairs
from tests.support.imports import HEAVY, imported_by

if TYPE_CHECKING:
    from tests.support.processes import Smolctl

MODEL = pack(config={"parameters": "361.82 M", "context_size": 8192})
SHORT = MODEL.id[7:19]
SIZE = sum(len(blob) for blob in MODEL.blobs.values())


@pytest.fixture
def name(smolctl: Smolctl, registry: FaultyRegistry) -> str:
    """A model that was pulled, by its name."""
    registry.publish("team/model", "v1", MODEL)
    full = f"{registry.host}/team/model:v1"
    smolctl("model", "pull", full, expect=0)
    return full


def parsed(smolctl: Smolctl, *line: str) -> Any:
    done = smolctl(*line, "--json", expect=0)
    assert done.stderr == ""
    return json.loads(done.stdout)


class TestLs:
    def test_has_the_columns_of_docker_model_list(self, smolctl: Smolctl, name: str) -> None:
        header, line = smolctl("model", "ls", expect=0).stdout.splitlines()

        columns = [
            ("MODEL NAME", name),
            ("PARAMETERS", "361.82M"),
            ("QUANTIZATION", "F16"),
            ("ARCHITECTURE", "llama"),
            ("MODEL ID", SHORT),
            ("CREATED", "ago"),
            ("CONTEXT", "8192"),
            ("SIZE", "kB"),
        ]
        assert re.split(r" {3,}", header) == [title for title, _ in columns]
        for (title, value), cell in zip(columns, re.split(r" {3,}", line), strict=True):
            assert cell.endswith(value)
            assert line.index(cell) == header.index(title)

    def test_as_json_has_bytes_digests_and_utc(self, smolctl: Smolctl, name: str) -> None:
        (model,) = parsed(smolctl, "model", "ls")

        assert model["id"] == MODEL.id
        assert model["tags"] == [name]
        assert model["size"] == SIZE
        assert model["created"] == "2025-03-24T11:33:01Z"
        assert model["config"]["context_size"] == 8192

    def test_quietly_prints_ids_alone(self, smolctl: Smolctl, name: str) -> None:
        assert name
        assert smolctl("model", "ls", "-q", expect=0).stdout == f"{SHORT}\n"

    def test_of_an_empty_cache_prints_the_header_alone_and_makes_nothing(
        self, smolctl: Smolctl
    ) -> None:
        done = smolctl("model", "ls", expect=0)

        assert done.stdout.startswith("MODEL NAME")
        assert len(done.stdout.splitlines()) == 1
        assert done.stderr == ""
        assert smolctl("model", "ls", "-q", expect=0).stdout == ""
        assert parsed(smolctl, "model", "ls") == []
        assert not smolctl.home.exists()

    def test_has_a_line_for_each_name(self, smolctl: Smolctl, name: str) -> None:
        smolctl("model", "tag", name, "mine", expect=0)

        lines = smolctl("model", "ls", expect=0).stdout.splitlines()[1:]

        assert [line.split()[0] for line in lines] == [name, "ai/mine:latest"]
        assert all(SHORT in line for line in lines)

    def test_shows_a_model_without_a_tag(self, smolctl: Smolctl, registry: FaultyRegistry) -> None:
        registry.publish("team/model", "v1", MODEL)
        smolctl("model", "pull", f"{registry.host}/team/model@{MODEL.id}", expect=0)

        line = smolctl("model", "ls", expect=0).stdout.splitlines()[1]

        assert line.startswith(f"{registry.host}/team/model:<none>")
        assert SHORT in line

    def test_lists_the_others_beside_a_damaged_one(
        self, smolctl: Smolctl, registry: FaultyRegistry, name: str
    ) -> None:
        other = registry.publish("team/other", "v1", pack(b"GGUF other"))
        smolctl("model", "pull", f"{registry.host}/team/other:v1", expect=0)
        (smolctl.home / "blobs" / "sha256" / other.config[7:]).write_bytes(b"damaged")

        lines = smolctl("model", "ls", expect=0).stdout.splitlines()[1:]
        listed = {model["id"]: model for model in parsed(smolctl, "model", "ls")}

        assert len(lines) == 2
        assert any(name in line and "llama" in line for line in lines)
        assert any(other.id[7:19] in line and "damaged" in line for line in lines)
        assert "damaged" in listed[other.id]["problem"]
        assert "problem" not in listed[MODEL.id]

    def test_of_one_repository_leaves_the_others_out(
        self, smolctl: Smolctl, registry: FaultyRegistry, name: str
    ) -> None:
        registry.publish("team/other", "v1", pack(b"GGUF other"))
        smolctl("model", "pull", f"{registry.host}/team/other:v1", expect=0)

        bare = name.removesuffix(":v1")

        assert smolctl("model", "ls", "-q", bare, expect=0).stdout == f"{SHORT}\n"
        assert smolctl("model", "ls", "-q", f"{bare}:v2", expect=0).stdout == ""

    def test_of_a_repository_shows_no_names_of_others(self, smolctl: Smolctl, name: str) -> None:
        smolctl("model", "tag", name, "mine:v1", expect=0)
        printed = [
            smolctl("model", "ls", asked, expect=0).stdout.splitlines()
            for asked in ("mine", name.rpartition(":")[0], SHORT)
        ]
        shown = [[line.split()[0] for line in lines] for lines in printed]

        assert shown[:2] == [["MODEL", "ai/mine:v1"], ["MODEL", name]]
        assert {*shown[2]} == {"MODEL", "ai/mine:v1", name}


class TestPull:
    def test_of_several_goes_on_after_one_that_fails(
        self, smolctl: Smolctl, registry: FaultyRegistry
    ) -> None:
        registry.publish("team/model", "v1", MODEL)
        here = f"{registry.host}/team/model:v1"

        done = smolctl("model", "pull", "-q", f"{registry.host}/no/model", here, expect=3)

        assert done.stdout.splitlines() == [MODEL.id]
        assert "no/model" in done.stderr

    def test_tells_json_its_answer_and_people_its_progress(
        self, smolctl: Smolctl, registry: FaultyRegistry
    ) -> None:
        registry.publish("team/model", "v1", MODEL)

        done = smolctl("model", "pull", "--json", f"{registry.host}/team/model:v1", expect=0)

        assert json.loads(done.stdout)[0]["id"] == MODEL.id
        assert "is here, verified" in done.stderr

    def test_takes_no_more_connections_from_its_configuration_than_from_its_flag(
        self, smolctl: Smolctl, registry: FaultyRegistry
    ) -> None:
        smolctl.configure("max-connections = 65")

        done = smolctl("model", "pull", f"{registry.host}/team/model:v1", expect=2)

        assert "at most 64" in done.stderr

    def test_says_what_came_on_stdout_and_how_on_stderr(
        self, smolctl: Smolctl, registry: FaultyRegistry
    ) -> None:
        registry.publish("team/model", "v1", MODEL)

        done = smolctl("model", "pull", f"{registry.host}/team/model:v1", expect=0)

        assert done.stdout.startswith(f"Pulled {registry.host}/team/model:v1 (")
        assert SHORT in done.stdout
        assert len(done.stdout.splitlines()) == 1
        assert MODEL.layers[0][7:19] in done.stderr

    def test_a_second_time_says_that_it_is_here(self, smolctl: Smolctl, name: str) -> None:
        done = smolctl("model", "pull", name, expect=0)

        assert done.stdout.startswith(f"Already here: {name}")
        assert done.stderr == ""

    def test_as_json_tells_what_was_fetched(self, smolctl: Smolctl, name: str) -> None:
        (again,) = parsed(smolctl, "model", "pull", name)

        assert again == {"model": name, "id": MODEL.id, "tags": [name], "size": SIZE, "fetched": 0}

    def test_takes_several_names(self, smolctl: Smolctl, registry: FaultyRegistry) -> None:
        models = [registry.publish("team/model", tag, pack(tag.encode())) for tag in ("a", "b")]
        names = [f"{registry.host}/team/model:{tag}" for tag in ("a", "b")]

        done = smolctl("model", "pull", "-q", *names, expect=0)

        assert done.stdout.split() == [model.id for model in models]
        assert done.stderr == ""

    def test_of_a_tag_that_moved_keeps_the_model_before(
        self, smolctl: Smolctl, registry: FaultyRegistry, name: str
    ) -> None:
        new = registry.publish("team/model", "v1", pack(b"GGUF new"))

        done = smolctl("model", "pull", name, expect=0)

        assert MODEL.id in done.stderr
        listed = {model["id"]: model["tags"] for model in parsed(smolctl, "model", "ls")}
        assert listed == {MODEL.id: [], new.id: [name]}


class TestRm:
    def test_says_what_is_gone(self, smolctl: Smolctl, name: str) -> None:
        done = smolctl("model", "rm", name, expect=0)

        untagged, deleted = done.stdout.splitlines()
        assert untagged == f"Untagged: {name}"
        assert deleted.startswith(f"Deleted: {MODEL.id} (")
        assert list((smolctl.home / "blobs" / "sha256").iterdir()) == []

    def test_quietly_prints_the_digest(self, smolctl: Smolctl, name: str) -> None:
        assert smolctl("model", "rm", "-q", name, expect=0).stdout == f"{MODEL.id}\n"

    def test_as_json_counts_the_bytes(self, smolctl: Smolctl, name: str) -> None:
        (removal,) = parsed(smolctl, "model", "rm", name)

        freed = SIZE + len(MODEL.manifest)
        assert removal == {"untagged": [name], "deleted": MODEL.id, "freed": freed}

    def test_of_one_of_two_names_leaves_the_model(self, smolctl: Smolctl, name: str) -> None:
        smolctl("model", "tag", name, "mine", expect=0)

        done = smolctl("model", "rm", name, expect=0)

        assert done.stdout == f"Untagged: {name}\n"
        assert smolctl("model", "ls", "-q", expect=0).stdout == f"{SHORT}\n"

    def test_goes_on_after_a_name_that_is_not_there(self, smolctl: Smolctl, name: str) -> None:
        done = smolctl("model", "rm", "ai/nothing", name, expect=3)

        assert f"Deleted: {MODEL.id}" in done.stdout
        assert "ai/nothing" in done.stderr

    def test_keeps_the_blobs_that_another_model_uses(
        self, smolctl: Smolctl, registry: FaultyRegistry, name: str
    ) -> None:
        other = MODEL.altered(lambda manifest: manifest.update(annotations={"a": "b"}))
        registry.publish("team/other", "v1", other)
        smolctl("model", "pull", f"{registry.host}/team/other:v1", expect=0)

        smolctl("model", "rm", name, expect=0)

        assert smolctl("model", "resolve", f"{registry.host}/team/other:v1", expect=0).stdout


class TestInspect:
    def test_shows_config_layers_and_the_ggufs_header(self, smolctl: Smolctl, name: str) -> None:
        shown = smolctl("model", "inspect", name, expect=0).stdout

        for part in (MODEL.id, name, "361.82M", "llama", MODEL.layers[0][7:19], "weights"):
            assert part in shown
        assert "general.name: Tiny" in shown

    def test_as_json_has_everything_whole(self, smolctl: Smolctl, name: str) -> None:
        shown = parsed(smolctl, "model", "inspect", name)

        assert shown["id"] == MODEL.id
        assert [layer["digest"] for layer in shown["layers"]] == MODEL.layers
        assert shown["gguf"]["context_length"] == 1024
        assert Path(shown["layers"][0]["blob"]).read_bytes() == MODEL.blobs[MODEL.layers[0]]

    def test_of_weights_that_are_no_gguf_says_so_and_shows_the_rest(
        self, smolctl: Smolctl, registry: FaultyRegistry
    ) -> None:
        registry.publish("team/model", "v1", pack(b"no GGUF at all"))
        name = f"{registry.host}/team/model:v1"
        smolctl("model", "pull", name, expect=0)

        assert "Problem:" in smolctl("model", "inspect", name, expect=0).stdout
        shown = parsed(smolctl, "model", "inspect", name)
        assert shown["gguf"] is None
        assert shown["problem"]


class TestResolve:
    def test_prints_the_path_of_the_weights(self, smolctl: Smolctl, name: str) -> None:
        path = Path(smolctl("model", "resolve", name, expect=0).stdout.removesuffix("\n"))

        assert digest(path.read_bytes()) == MODEL.layers[0]

    def test_as_json(self, smolctl: Smolctl, name: str) -> None:
        shown = parsed(smolctl, "model", "resolve", name)

        assert shown["id"] == MODEL.id
        assert shown["files"] == [shown["path"]]

    def test_pulls_first_when_told_to(self, smolctl: Smolctl, registry: FaultyRegistry) -> None:
        registry.publish("team/model", "v1", MODEL)
        name = f"{registry.host}/team/model:v1"

        smolctl("model", "resolve", name, expect=3)
        done = smolctl("model", "resolve", name, "--pull", "missing", expect=0)

        assert len(done.stdout.splitlines()) == 1
        assert "pulling it" in done.stderr

    def test_of_the_newest_takes_what_is_here_when_the_registry_is_away(
        self, smolctl: Smolctl, registry: FaultyRegistry, name: str
    ) -> None:
        registry.spoil("/manifests/", instead(Answer.of(b"", 500)))

        done = smolctl("model", "resolve", name, "--pull", "newer", expect=0)

        assert MODEL.layers[0][7:] in done.stdout
        assert "Going on with the model that is here" in done.stderr

    def test_of_the_newest_fetches_one_that_moved(
        self, smolctl: Smolctl, registry: FaultyRegistry, name: str
    ) -> None:
        new = registry.publish("team/model", "v1", pack(b"GGUF new"))

        assert MODEL.id not in smolctl("model", "ls", "-q").stdout
        done = smolctl("model", "resolve", name, "--pull", "newer", expect=0)

        assert new.layers[0][7:] in done.stdout

    def test_prints_a_path_that_is_no_text_as_it_is(self, smolctl: Smolctl, name: str) -> None:
        strange = smolctl.home.parent / "caf\udce9"
        smolctl.home.rename(strange)
        smolctl.environment["SMOLCTL_HOME"] = str(strange)
        process = smolctl.start("model", "resolve", name)

        stdout, stderr = process.communicate(timeout=60)

        assert (process.returncode, stderr) == (0, b"")
        assert Path(stdout.decode(errors="surrogateescape").strip()).is_file()


def test_version_as_json(smolctl: Smolctl) -> None:
    shown = parsed(smolctl, "version")

    assert shown["home"] == str(smolctl.home)
    assert smolctl("--version", expect=0).stdout == f"smolctl {shown['smolctl']}\n"
    assert f"smolctl           {shown['smolctl']}\n" in smolctl("version", expect=0).stdout


HOSTILE_TEXT = "lla\x1b]0;owned\x07ma\x1b[2J\x9b31m\u202egnp.exe\r\x08"
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class TestOnATerminal:
    @pytest.fixture
    def hostile(self, smolctl: Smolctl, registry: FaultyRegistry) -> str:
        """A model whose every text is out for the terminal."""
        pairs = [
            (key, kind, HOSTILE_TEXT if key == "general.name" else value)
            for key, kind, value in tiny_llama_pairs()
        ]
        model = pack(
            gguf_file([*pairs, ("x.\x1b[5m", "string", HOSTILE_TEXT)]),
            config=dict.fromkeys(
                ("architecture", "quantization", "parameters", "format", "size"), HOSTILE_TEXT
            ),
            annotations={HOSTILE_TEXT: HOSTILE_TEXT},
        )
        model = model.altered(
            lambda manifest: manifest["layers"][0].update(
                annotations={"org.cncf.model.filepath": f"{HOSTILE_TEXT}.gguf"}
            )
        )
        registry.publish("team/model", "v1", model)
        full = f"{registry.host}/team/model:v1"
        smolctl("model", "pull", full, expect=0)
        return full

    @pytest.mark.parametrize("flags", [(), ("--json",)], ids=["text", "json"])
    @pytest.mark.parametrize("verb", ["ls", "inspect"])
    def test_no_text_of_a_model_controls_it(
        self, smolctl: Smolctl, hostile: str, verb: str, flags: tuple[str, ...]
    ) -> None:
        code, drawn = smolctl.on_a_terminal("model", verb, hostile, *flags, columns=200)

        text = drawn.decode().replace("\r\n", "\n")
        assert code == 0
        assert "gnp.exe" in text  # it was there to be shown
        assert CONTROL.search(text) is None
        assert "\r" not in text

    @pytest.mark.parametrize("verb", ["ls", "inspect"])
    def test_json_still_has_the_text_whole(self, smolctl: Smolctl, hostile: str, verb: str) -> None:
        shown = parsed(smolctl, "model", verb, hostile)

        config = shown[0]["config"] if verb == "ls" else shown["config"]
        assert config["architecture"] == HOSTILE_TEXT

    def test_no_text_of_a_registry_controls_it(
        self, smolctl: Smolctl, registry: FaultyRegistry
    ) -> None:
        document = {"errors": [{"code": HOSTILE_TEXT, "message": HOSTILE_TEXT}]}
        body = json.dumps(document, ensure_ascii=False).encode()
        registry.spoil("/manifests/", instead(Answer.of(body, 500)))

        code, drawn = smolctl.on_a_terminal("model", "pull", "-q", f"{registry.host}/a/b")

        text = drawn.decode().replace("\r\n", "\n")
        assert code == 5
        assert "gnp.exe" in text
        assert CONTROL.search(text) is None

    def test_no_argument_controls_it(self, smolctl: Smolctl) -> None:
        code, drawn = smolctl.on_a_terminal("model", "inspect", HOSTILE_TEXT.replace("\x00", ""))

        assert code == 2
        assert CONTROL.search(drawn.decode().replace("\r\n", "\n")) is None

    def test_a_removed_model_is_named_by_the_beginning_of_its_id(
        self, smolctl: Smolctl, name: str
    ) -> None:
        _, drawn = smolctl.on_a_terminal("model", "rm", name)

        assert f"Deleted: {SHORT} (".encode() in drawn

    def test_an_empty_list_says_how_to_begin(self, smolctl: Smolctl) -> None:
        code, drawn = smolctl.on_a_terminal("model", "ls")

        assert code == 0
        assert b"smolctl model pull" in drawn

    def test_a_pull_draws_bars_and_without_one_it_does_not(
        self, smolctl: Smolctl, registry: FaultyRegistry
    ) -> None:
        registry.publish("team/model", "v1", MODEL)
        full = f"{registry.host}/team/model:v1"
        smolctl.environment["TERM"] = "xterm"

        code, drawn = smolctl.on_a_terminal("model", "pull", full)

        assert code == 0
        assert b"\x1b[" in drawn
        smolctl("model", "rm", full, expect=0)
        again = smolctl("model", "pull", full, expect=0)
        assert CONTROL.search(again.stderr) is None

    def test_a_pull_with_no_color_has_no_colour(
        self, smolctl: Smolctl, registry: FaultyRegistry
    ) -> None:
        registry.publish("team/model", "v1", MODEL)
        smolctl.environment.update(TERM="xterm-256color", NO_COLOR="1")

        code, drawn = smolctl.on_a_terminal("model", "pull", f"{registry.host}/team/model:v1")

        assert code == 0
        colours = re.findall(rb"\x1b\[[0-9;]*m", drawn)
        assert all(re.fullmatch(rb"\x1b\[(0|1|2|3|4)?m", each) for each in colours)

    def test_a_pull_on_a_dumb_one_draws_no_bars(
        self, smolctl: Smolctl, registry: FaultyRegistry
    ) -> None:
        registry.publish("team/model", "v1", MODEL)
        smolctl.environment["TERM"] = "dumb"

        code, drawn = smolctl.on_a_terminal("model", "pull", f"{registry.host}/team/model:v1")

        assert code == 0
        assert b"\x1b" not in drawn


VERBS = [
    "run", "pull", "ps", "unload", "logs", "status", "ls", "inspect", "rm", "tag", "resolve",
]  # fmt: skip


class TestHelp:
    @pytest.mark.parametrize(
        "line", [*(("model", verb) for verb in VERBS), ("demo",), ("version",)]
    )
    def test_of_a_command_ends_with_examples_of_it(
        self, smolctl: Smolctl, line: tuple[str, ...]
    ) -> None:
        shown = smolctl(*line, "-h", expect=0).stdout

        _, _, examples = shown.partition("\nExamples:\n")
        assert shown.startswith(f"Usage: smolctl {' '.join(line)} ")
        assert f"smolctl {' '.join(line)}" in examples
        assert "\x1b" not in shown

    def test_has_two_spellings(self, smolctl: Smolctl) -> None:
        short, long = (smolctl("model", "pull", flag, expect=0) for flag in ("-h", "--help"))

        assert short == long

    def test_names_the_commands_and_the_exit_codes(self, smolctl: Smolctl) -> None:
        shown = smolctl("--help", expect=0).stdout

        for part in ("model", "demo", "version", "Exit codes:", "130  interrupted"):
            assert part in shown
        verbs = smolctl("model", "-h", expect=0).stdout
        assert all(re.search(rf"^  {verb} ", verbs, re.MULTILINE) for verb in VERBS)

    @pytest.mark.parametrize("line", [(), ("model",)])
    def test_comes_without_a_command_too_and_is_a_mistake(
        self, smolctl: Smolctl, line: tuple[str, ...]
    ) -> None:
        done = smolctl(*line, expect=2)

        assert done.stdout == ""
        assert done.stderr.startswith("Usage: ")

    @pytest.mark.parametrize(("alias", "verb"), [("list", "ls"), ("show", "inspect")])
    def test_of_an_alias_is_that_of_its_command(
        self, smolctl: Smolctl, alias: str, verb: str
    ) -> None:
        shown = smolctl("model", alias, "-h", expect=0).stdout

        assert shown.partition("\n")[2] == smolctl("model", verb, "-h").stdout.partition("\n")[2]


@pytest.mark.parametrize(
    "line",
    [
        ("model", "ls"),
        ("model", "ls", "--json"),
        ("model", "ps"),
        ("logs", "path"),
        ("completion", "bash"),
        ("model", "inspect", "NAME"),
        ("model", "resolve", "NAME"),
        ("model", "tag", "NAME", "mine"),
        ("model", "rm", "NAME"),
        ("--version",),
        ("--help",),
        ("model", "--help"),
    ],
    ids=" ".join,
)
def test_a_command_that_needs_no_network_and_no_model_imports_nothing_heavy(
    smolctl: Smolctl, name: str, line: tuple[str, ...]
) -> None:
    words = (name if word == "NAME" else word for word in line)
    assert imported_by(smolctl, *words) & HEAVY == set()


@pytest.mark.slow
def test_the_demo_pulls_lists_and_runs_the_demo_model(smolctl: Smolctl, tmp_path: Path) -> None:
    smolctl.environment.pop("SMOLCTL_HOME")

    done = smolctl("demo", "--home", tmp_path / "demo", expect=0)

    for step in (
        "model pull 127.0.0.1:",
        "model ls",
        "model run 127.0.0.1:",
        "| smolctl model run",
    ):
        assert step in done.stdout
    assert "demo/smolctl-demo:latest" in done.stdout
    assert not (smolctl.user_home / ".local").exists()


@pytest.mark.slow
def test_run_answers_on_stdout_alone(
    smolctl: Smolctl, registry: FaultyRegistry, demo: Packed
) -> None:
    registry.publish("ai/small", "latest", demo)
    smolctl.environment["SMOLCTL_DEFAULT_REGISTRY"] = registry.host
    line = ("model", "run", "small", "What is the capital of France?", "-n", "3")

    first = smolctl(*line, "--temperature", "0", expect=0)
    again = smolctl(*line, "--temperature", "0", expect=0)

    assert first.stdout.strip()
    assert first.stdout.endswith("\n")
    assert "pulling it" in first.stderr
    assert again.stdout == first.stdout
    assert again.stderr == ""


@pytest.fixture(scope="module")
def demo(demo_store: Any) -> Packed:
    """The demo model, as a registry holds it."""
    found = next(m for m in demo_store.models() if any(t.tag == "latest" for t in m.tags))
    return Packed.of(demo_store, found)
