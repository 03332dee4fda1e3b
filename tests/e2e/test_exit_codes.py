"""Every way to fail, end to end: its exit code, one or two lines on stderr, nothing on stdout."""

from __future__ import annotations

import json
import os
import resource
import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.faulty_registry import (
    SAFETENSORS,
    FaultyRegistry,
    Pause,
    error,
    image_index,
    instead,
    pack,
    wrong_bytes,
)
from tests.support.gguf_files import tiny_llama
from tests.support.processes import Finished, Smolctl
from tests.support.small_disk import small_disk

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path


def assert_fails(done: Finished, code: int, *words: str) -> None:
    assert done.code == code, done
    assert done.stdout == ""
    assert len(done.stderr_lines) in (1, 2), done.stderr
    assert done.stderr.startswith("smolctl: ")
    assert done.stderr.endswith("\n")
    for word in words:
        assert word in done.stderr


def finish(process: subprocess.Popen[bytes]) -> Finished:
    stdout, stderr = process.communicate(timeout=60)
    return Finished(process.returncode, stdout.decode(), stderr.decode())


@pytest.fixture
def name(registry: FaultyRegistry) -> str:
    """The name of a small model in the test's registry."""
    registry.publish("team/model", "v1", pack())
    return f"{registry.host}/team/model:v1"


class TestUsage:
    @pytest.mark.parametrize("bad", ["", " ", "a b", "ai//x", "../x", "x:", "x@sha256:12", "-x-"])
    def test_a_bad_name(self, smolctl: Smolctl, bad: str) -> None:
        assert_fails(smolctl("model", "pull", "--", bad), 2)

    @pytest.mark.parametrize("verb", ["frobnicate", "Pull", "s"])
    def test_no_such_verb(self, smolctl: Smolctl, verb: str) -> None:
        assert_fails(smolctl("model", verb), 2, "no such command", "smolctl model --help")

    def test_a_verb_that_was_nearly_right(self, smolctl: Smolctl) -> None:
        assert_fails(smolctl("model", "pul", "x"), 2, "did you mean `smolctl model pull`?")

    @pytest.mark.parametrize("verb", ["pull", "run", "ls", "list", "rm", "inspect", "show"])
    def test_a_verb_without_its_group(self, smolctl: Smolctl, verb: str) -> None:
        assert_fails(smolctl(verb), 2, f"did you mean `smolctl model {verb}`?")

    def test_no_such_flag(self, smolctl: Smolctl) -> None:
        assert_fails(smolctl("model", "ls", "--frobnicate"), 2, "--frobnicate")

    def test_a_missing_argument(self, smolctl: Smolctl) -> None:
        assert_fails(smolctl("model", "pull"), 2, "MODEL", "smolctl model pull --help")

    def test_a_bad_value(self, smolctl: Smolctl) -> None:
        assert_fails(smolctl("model", "resolve", "x", "--pull", "maybe"), 2, "maybe")

    def test_a_registry_that_can_be_none(self, smolctl: Smolctl) -> None:
        smolctl.environment["SMOLCTL_DEFAULT_REGISTRY"] = "bad/reg"
        assert_fails(
            smolctl("model", "inspect", "small"),
            2,
            "SMOLCTL_DEFAULT_REGISTRY is 'bad/reg'",
            "A registry is HOST or HOST:PORT.",
        )

    def test_a_variable_that_makes_no_sense(self, smolctl: Smolctl) -> None:
        smolctl.environment["SMOLCTL_OFFLINE"] = "maybe"

        assert_fails(smolctl("model", "ls"), 2, "SMOLCTL_OFFLINE", "maybe")

    def test_a_default_registry_that_is_none(self, smolctl: Smolctl) -> None:
        smolctl.environment["SMOLCTL_DEFAULT_REGISTRY"] = "not a registry"

        assert_fails(smolctl("model", "ls"), 2, "not a registry")

    def test_flags_that_contradict_each_other(self, smolctl: Smolctl) -> None:
        done = smolctl("model", "resolve", "x", "--offline", "--pull", "always")

        assert_fails(done, 2, "--offline", "--pull always")

    @pytest.mark.parametrize("verb", ["card", "cp", "inspect", "package --from", "variants"])
    def test_a_layout_where_one_has_to_be_here_or_in_a_registry(
        self, smolctl: Smolctl, verb: str
    ) -> None:
        target = ["mine:v1"] if verb in ("cp", "package --from") else []
        done = smolctl("model", *verb.split(), "oci-archive:model.tar:v1", *target)

        assert_fails(done, 2, "smolctl model pull oci-archive:model.tar:v1")

    def test_no_prompt(self, smolctl: Smolctl) -> None:
        assert_fails(smolctl("model", "run", "x"), 2, "the prompt is empty")


class TestNoSuchModel:
    def test_in_the_registry(self, smolctl: Smolctl, registry: FaultyRegistry) -> None:
        done = smolctl("model", "pull", f"{registry.host}/team/nothing")

        assert_fails(done, 3, "was not found", "smolctl model search --registry", registry.host)

    @pytest.mark.parametrize("verb", ["pull", "card", "variants", "cp", "inspect --remote"])
    def test_in_the_registry_says_what_to_do_next(
        self, smolctl: Smolctl, registry: FaultyRegistry, name: str, verb: str
    ) -> None:
        target = [f"{registry.host}/team/copy"] if verb == "cp" else []
        nothing = f"{registry.host}/team/nothing"

        assert_fails(smolctl("model", *verb.split(), nothing, *target), 3, "model search")
        if verb != "variants":
            other = name.rpartition(":")[0] + ":other"
            done = smolctl("model", *verb.split(), other, *target)
            assert_fails(done, 3, "Tags there: ", "smolctl model variants")

    @pytest.mark.parametrize("verb", ["inspect", "rm", "resolve"])
    def test_here(self, smolctl: Smolctl, verb: str) -> None:
        assert_fails(smolctl("model", verb, "ai/nothing"), 3, "smolctl model ls")

    def test_here_but_one_with_a_name_like_it(self, smolctl: Smolctl, name: str) -> None:
        smolctl("model", "pull", name, expect=0)

        done = smolctl("model", "inspect", name.replace("model", "modle"))

        assert_fails(done, 3, f"Did you mean {name}?")

    def test_to_tag(self, smolctl: Smolctl) -> None:
        assert_fails(smolctl("model", "tag", "ai/nothing", "mine"), 3)

    @pytest.mark.parametrize("verb", ["pull", "resolve", "run"])
    def test_offline(self, smolctl: Smolctl, verb: str) -> None:
        words = ["Hello"] if verb == "run" else []

        assert_fails(smolctl("model", verb, "x", *words, "--offline"), 3)

    def test_offline_by_the_environment(self, smolctl: Smolctl, name: str) -> None:
        smolctl.environment["SMOLCTL_OFFLINE"] = "1"

        assert_fails(smolctl("model", "pull", name), 3, "SMOLCTL_OFFLINE")

    def test_but_an_index_of_several(self, smolctl: Smolctl, registry: FaultyRegistry) -> None:
        registry.publish("team/model", "v1", image_index())

        assert_fails(smolctl("model", "pull", f"{registry.host}/team/model:v1"), 3, "index")

    def test_no_such_file(self, smolctl: Smolctl) -> None:
        assert_fails(smolctl("model", "run", "./nothing.gguf", "Hello"), 3, "./nothing.gguf")


class TestCredentials:
    def test_that_nobody_gave(self, smolctl: Smolctl, registry: FaultyRegistry, name: str) -> None:
        registry.want_token({"me": "s3cret"})

        assert_fails(smolctl("model", "pull", name), 4, "wants credentials", "smolctl login")

    def test_that_are_wrong(self, smolctl: Smolctl, registry: FaultyRegistry, name: str) -> None:
        registry.want_token({"me": "s3cret"})
        smolctl.log_in(registry.host, "me", "wr0ng")

        assert_fails(smolctl("model", "pull", name), 4, "refused the credentials")

    def test_that_are_right_open(
        self, smolctl: Smolctl, registry: FaultyRegistry, name: str
    ) -> None:
        registry.want_token({"me": "s3cret"})
        smolctl.log_in(registry.host, "me", "s3cret")

        smolctl("model", "pull", name, expect=0)

    def test_that_do_not_reach_so_far(
        self, smolctl: Smolctl, registry: FaultyRegistry, name: str
    ) -> None:
        registry.spoil("/manifests/", instead(error(403, "DENIED")))

        assert_fails(smolctl("model", "pull", name), 4)

    def test_in_a_file_that_is_malformed(
        self, smolctl: Smolctl, registry: FaultyRegistry, name: str
    ) -> None:
        registry.want_basic("me", "s3cret")
        (smolctl.docker_config / "config.json").write_text("{not json")

        assert_fails(smolctl("model", "pull", name), 8, "config.json", "DOCKER_CONFIG")

    def test_are_not_shown_with_debug(
        self, smolctl: Smolctl, registry: FaultyRegistry, name: str
    ) -> None:
        registry.want_token({"me": "s3cret"})
        smolctl.log_in(registry.host, "me", "s3cret")
        registry.spoil("/manifests/", lambda r, a: error(404, "X") if r.authorization else a)

        done = smolctl("--debug", "model", "pull", name, expect=3)

        assert "Traceback" in done.stderr
        for secret in ("s3cret", "bWU6czNjcmV0", "token-0"):
            assert secret not in done.stderr


class TestTheNetwork:
    def test_with_nothing_listening(self, smolctl: Smolctl, unused_tcp_port: int) -> None:
        done = smolctl("model", "pull", f"127.0.0.1:{unused_tcp_port}/team/model")

        assert_fails(done, 5, f"127.0.0.1:{unused_tcp_port}", "refused")

    def test_with_a_registry_that_fails(
        self, smolctl: Smolctl, registry: FaultyRegistry, name: str
    ) -> None:
        registry.spoil("/manifests/", instead(error(500, "UNKNOWN")))

        assert_fails(smolctl("model", "pull", name), 5, "500")


class TestIntegrity:
    def test_of_what_a_registry_serves(
        self, smolctl: Smolctl, registry: FaultyRegistry, name: str
    ) -> None:
        registry.spoil("/blobs/", wrong_bytes)

        done = smolctl("model", "pull", "-q", name)

        assert_fails(done, 6, "wrong bytes")
        assert smolctl("model", "ls", "-q", expect=0).stdout == ""

    @pytest.mark.parametrize("verb", ["inspect", "resolve"])
    def test_of_a_damaged_config(self, smolctl: Smolctl, name: str, verb: str) -> None:
        smolctl("model", "pull", name, expect=0)
        config = smolctl.home / "blobs" / "sha256" / pack().config[7:]
        config.write_bytes(b"damaged")

        assert_fails(smolctl("model", verb, name), 6, "damaged", "smolctl model verify --repair")

    def test_of_missing_weights(self, smolctl: Smolctl, name: str) -> None:
        smolctl("model", "pull", name, expect=0)
        (smolctl.home / "blobs" / "sha256" / pack().layers[0][7:]).unlink()

        assert_fails(smolctl("model", "resolve", name), 6, "smolctl model verify --repair")
        assert_fails(smolctl("model", "run", name, "Hello"), 6, "smolctl model verify --repair")

    def test_of_a_damaged_index(self, smolctl: Smolctl, name: str) -> None:
        smolctl("model", "pull", name, expect=0)
        (smolctl.home / "index.json").write_text("{damaged")

        assert_fails(smolctl("model", "ls"), 6, "index.json", "smolctl model verify --repair")


class TestNotRunnable:
    def test_a_text_file(self, smolctl: Smolctl, tmp_path: Path) -> None:
        path = tmp_path / "notes.gguf"
        path.write_text("Dear diary,\n" * 100)

        assert_fails(smolctl("model", "run", path, "Hello"), 7, "notes.gguf")

    def test_an_empty_file(self, smolctl: Smolctl, tmp_path: Path) -> None:
        path = tmp_path / "empty.gguf"
        path.touch()

        assert_fails(smolctl("model", "run", path, "Hello"), 7, "empty.gguf")

    @pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
    def test_a_truncated_file(self, smolctl: Smolctl, tmp_path: Path, part: float) -> None:
        content = tiny_llama()
        path = tmp_path / "cut.gguf"
        path.write_bytes(content[: int(len(content) * part)])

        assert_fails(smolctl("model", "run", path, "Hello"), 7, "cut.gguf")

    def test_a_truncated_model(self, smolctl: Smolctl, registry: FaultyRegistry) -> None:
        registry.publish("team/model", "v1", pack(tiny_llama()[:2000]))

        done = smolctl("model", "run", f"{registry.host}/team/model:v1", "Hello")

        assert done.code == 7, done
        assert done.stdout == ""
        assert done.stderr_lines[-1].startswith(("smolctl: ", "  "))

    def test_a_model_in_safetensors(self, smolctl: Smolctl, registry: FaultyRegistry) -> None:
        model = pack(b"{}", layer_type=SAFETENSORS, config={"format": "safetensors"})
        registry.publish("team/model", "v1", model)
        name = f"{registry.host}/team/model:v1"
        smolctl("model", "pull", name, expect=0)

        assert_fails(smolctl("model", "run", name, "Hello"), 7, "safetensors", "GGUF")
        assert_fails(smolctl("model", "resolve", name), 7, "safetensors", "GGUF")
        inspected = smolctl("model", "inspect", name, expect=0)
        assert "safetensors" in inspected.stdout

    def test_an_image_of_a_container(self, smolctl: Smolctl, registry: FaultyRegistry) -> None:
        image = pack(config_type="application/vnd.oci.image.config.v1+json")
        registry.publish("library/alpine", "latest", image)

        done = smolctl("model", "pull", f"{registry.host}/library/alpine")

        assert_fails(done, 7, "not a model artifact")


class TestStorage:
    def test_a_full_disk(self, smolctl: Smolctl, registry: FaultyRegistry, tmp_path: Path) -> None:
        registry.publish("team/model", "v1", pack(b"GGUF" * 1_000_000))
        with small_disk(tmp_path / "disk") as disk:
            smolctl.environment["SMOLCTL_HOME"] = str(disk.folder / "models")

            done = smolctl("model", "pull", "-q", f"{registry.host}/team/model:v1")

        assert_fails(done, 8)

    def test_a_limit_on_the_size_of_files(self, smolctl: Smolctl, registry: FaultyRegistry) -> None:
        registry.publish("team/model", "v1", pack(b"GGUF" * 1_000_000))
        process = smolctl.start(
            "model",
            "pull",
            "-q",
            f"{registry.host}/team/model:v1",
            prepare=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
        )

        assert_fails(finish(process), 8, "full", "SMOLCTL_HOME")

    def test_another_programs_folder(self, smolctl: Smolctl, name: str) -> None:
        smolctl.home.mkdir()
        (smolctl.home / "thesis.txt").write_text("chapter 1")

        assert_fails(smolctl("model", "pull", name), 8, "not a model cache", "SMOLCTL_HOME")
        assert [path.name for path in smolctl.home.iterdir()] == ["thesis.txt"]

    @pytest.mark.parametrize("verb", ["pull", "ls"])
    def test_a_file_where_the_cache_should_be(self, smolctl: Smolctl, name: str, verb: str) -> None:
        smolctl.home.write_text("no folder")

        assert_fails(smolctl("model", verb, name), 8, str(smolctl.home))

    def test_an_answer_that_cannot_be_written(self, smolctl: Smolctl) -> None:
        with open("/dev/full", "wb") as full:  # noqa: PTH123
            process = smolctl.start("model", "ls", stdout=full, anew=True)
            _, stderr = process.communicate(timeout=60)

        assert process.returncode == 8
        assert stderr.decode().splitlines() == [
            "smolctl: cannot write the answer: No space left on device"
        ]


class TestInterruption:
    @pytest.mark.parametrize(
        ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
    )
    def test_of_a_pull_keeps_a_sound_cache_and_says_how_to_go_on(
        self,
        smolctl: Smolctl,
        registry: FaultyRegistry,
        name: str,
        number: signal.Signals,
        code: int,
    ) -> None:
        pause = Pause()
        registry.spoil(pack().layers[0], pause, times=1)
        process = smolctl.start("model", "pull", "-q", name, anew=True)
        try:
            assert pause.reached.wait(30)
            process.send_signal(number)
            done = finish(process)
        finally:
            process.kill()
            pause.go_on.set()

        assert done.code == code
        assert done.stdout == ""
        assert done.stderr.strip().splitlines() == [
            f"Interrupted. What was fetched is kept; `smolctl model pull {name}` fetches the rest."
        ]
        assert smolctl("model", "ls", "-q", expect=0).stdout == ""
        assert smolctl("model", "pull", "-q", name, expect=0).stdout == f"{pack().id}\n"

    def test_of_a_pull_by_the_machine_leaves_a_sound_cache(
        self, smolctl: Smolctl, registry: FaultyRegistry, name: str
    ) -> None:
        pause = Pause()
        registry.spoil(pack().layers[0], pause, times=1)
        process = smolctl.start("model", "pull", "-q", name)
        try:
            assert pause.reached.wait(30)
        finally:
            process.kill()
            process.communicate()
            pause.go_on.set()

        assert smolctl("model", "ls", "-q", expect=0).stdout == ""
        assert smolctl("model", "pull", "-q", name, expect=0).stdout == f"{pack().id}\n"


class TestStreams:
    @pytest.mark.parametrize("line", [("model", "ls"), ("version", "--json"), ("--version",)])
    @pytest.mark.parametrize("unbuffered", ["", "1"])
    def test_a_reader_that_has_gone_ends_it_quietly(
        self, smolctl: Smolctl, line: tuple[str, ...], unbuffered: str
    ) -> None:
        smolctl.environment["PYTHONUNBUFFERED"] = unbuffered
        reading, writing = os.pipe()
        os.close(reading)
        try:
            process = smolctl.start(*line, stdout=writing)
        finally:
            os.close(writing)
        _, stderr = process.communicate(timeout=60)

        assert stderr == b""
        assert process.returncode == 141

    def test_that_are_closed_do_no_harm(self, smolctl: Smolctl, name: str) -> None:
        def close_all() -> None:
            os.closerange(0, 3)

        process = smolctl.start("model", "pull", name, prepare=close_all)
        process.communicate(timeout=60)

        assert process.returncode == 8  # that it is here could not be said
        listed = json.loads(smolctl("model", "ls", "--json", expect=0).stdout)
        assert listed[0]["id"] == pack().id
        for path in (smolctl.home / "blobs" / "sha256").iterdir():
            assert b"fetching" not in path.read_bytes()

    @pytest.mark.parametrize("line", ["model ls", "model ls --json", "--version", "logs --help"])
    def test_an_answer_to_a_closed_stdout_fails(self, smolctl: Smolctl, line: str) -> None:
        process = smolctl.start(*line.split(), stdout=None, prepare=lambda: os.close(1))
        _, stderr = process.communicate(timeout=60)

        assert process.returncode == 8
        assert stderr == b"smolctl: cannot write the answer: Bad file descriptor\n"

    def test_nothing_to_print_needs_no_stdout(self, smolctl: Smolctl) -> None:
        process = smolctl.start("logs", "on", stdout=None, prepare=lambda: os.close(1))
        process.communicate(timeout=60)

        assert process.returncode == 0

    def test_a_letter_that_the_encoding_lacks_is_replaced(
        self, smolctl: Smolctl, registry: FaultyRegistry
    ) -> None:
        registry.publish("team/model", "v1", pack(config={"architecture": "łama\ud800"}))
        name = f"{registry.host}/team/model:v1"
        smolctl("model", "pull", name, expect=0)
        smolctl.environment["PYTHONIOENCODING"] = "latin-1"

        assert "?ama" in smolctl("model", "ls", expect=0).stdout
        smolctl("model", "inspect", name, expect=0)
        listed = json.loads(smolctl("model", "ls", "--json", expect=0).stdout)
        assert listed[0]["id"].startswith("sha256:")


def test_a_bug_is_told_from_a_failure(smolctl: Smolctl, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "import smolctl.settings\n"
        "def broken(_): raise ZeroDivisionError('oops')\n"
        "smolctl.settings.Settings.from_environment = broken\n"
    )
    smolctl.environment["PYTHONPATH"] = str(site)

    assert_fails(smolctl("model", "ls"), 1, "a bug in smolctl: ZeroDivisionError: oops", "--debug")
    debug = smolctl("model", "ls", "--debug", expect=1)
    assert "Traceback" in debug.stderr
