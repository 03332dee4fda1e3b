"""`smolctl share`: one machine has the models, and the others pull them from it."""

from __future__ import annotations

import json
import re
import signal
import socket
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from smolctl.model.descriptor import Descriptor
from smolctl.model.reference import Reference
from smolctl.store.store import Store
from tests.support.faulty_registry import CONFIG, GGUF, Packed, pack
from tests.support.processes import Smolctl
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WAIT_SECONDS = 30
SMALL, OTHER = pack(), pack(b"GGUF other")
LARGE = Packed.of_layers(bytes(range(256)) * 4096 * 40)
"""Of more than one part."""


def put(store: Store, model: Packed, name: str) -> None:
    store.prepare()
    for digest, content in model.blobs.items():
        kind = CONFIG if digest == model.config else GGUF
        store.blobs.write_bytes(Descriptor.of(content, kind), content)
    assert store.commit(model.manifest, Reference.parse(name))


class Share:
    """A `smolctl share` that runs, at `host`."""

    def __init__(self, smolctl: Smolctl, *flags: str) -> None:
        self.process = smolctl.start("share", "--port", "0", "--json", *flags)
        self.listening = self.event()
        assert self.listening["event"] == "listening"
        self.host: str = self.listening["addresses"][0]
        self.port = int(self.host.rpartition(":")[2])

    def event(self) -> dict[str, Any]:
        """The next line on its stdout."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate()
        value: dict[str, Any] = json.loads(line)
        return value

    def said(self, words: str) -> str:
        """The next lines on its stderr, up to one with `words` in it."""
        assert self.process.stderr is not None
        lines = [self.process.stderr.readline().decode()]
        while words not in lines[-1]:
            assert lines[-1], f"it ended, and did not say {words}: {lines}"
            lines.append(self.process.stderr.readline().decode())
        return "".join(lines)

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """End it by a signal; gives its exit code and what it said on stderr."""
        self.process.send_signal(number)
        _, stderr = self.process.communicate(timeout=WAIT_SECONDS)
        return self.process.returncode, stderr.decode()


@pytest.fixture
def teacher(tmp_path: Path) -> Iterator[Smolctl]:
    """The machine that has the models."""
    with closing(Smolctl(tmp_path / "teacher")) as made:
        put(Store(made.home), SMALL, "ai/small")
        put(Store(made.home), OTHER, "ai/other:v1")
        yield made


def pull(smolctl: Smolctl, name: str) -> str:
    return smolctl("model", "pull", "-q", name, expect=0).stdout.strip()


def test_a_model_is_pulled_and_told_of(teacher: Smolctl, smolctl: Smolctl) -> None:
    share = Share(teacher)

    assert pull(smolctl, f"{share.host}/ai/small") == SMALL.id

    event = share.event()
    assert event.pop("time")
    assert event.pop("seconds") >= 0
    assert event == {
        "event": "pull",
        "peer": "127.0.0.1",
        "model": "docker.io/ai/small:latest",
        "id": SMALL.id,
        "bytes": sum(map(len, SMALL.blobs.values())),
        "whole": True,
    }
    assert share.end()[0] == 143


def test_what_is_pulled_and_removed_meanwhile_shows_at_once(
    teacher: Smolctl, smolctl: Smolctl
) -> None:
    share = Share(teacher)
    put(Store(teacher.home), LARGE, "ai/large")

    assert pull(smolctl, f"{share.host}/ai/large") == LARGE.id
    teacher("model", "rm", "ai/small", expect=0)
    smolctl("model", "pull", f"{share.host}/ai/small", expect=3)
    assert pull(smolctl, f"{share.host}/ai/other:v1") == OTHER.id


def test_a_pull_that_broke_off_goes_on_from_it(teacher: Smolctl, smolctl: Smolctl) -> None:
    put(Store(teacher.home), LARGE, "ai/large")
    share = Share(teacher)
    name = f"{share.host}/ai/large"
    store = Store(smolctl.home)
    blob = Descriptor.of(LARGE.blobs[LARGE.layers[0]], GGUF)
    # As a pull leaves it that broke off: the first megabytes, and no more.
    store.prepare()
    kept = 24 * 1024 * 1024
    partial = store.blobs.open_partial(blob)
    assert partial is not None
    with partial:
        partial.write(0, LARGE.blobs[LARGE.layers[0]][:kept])
    assert store.blobs.partial_size(blob) == kept

    assert pull(smolctl, name) == LARGE.id

    assert store.blobs.partial_size(blob) == 0


def test_it_is_a_mirror_of_docker_hub(teacher: Smolctl, smolctl: Smolctl) -> None:
    share = Share(teacher)
    smolctl.configure(
        "retries = 0\n[registry.'docker.io']\n"
        f"mirrors = ['http://{share.host}/docker.io']\nplain-http = true"
    )

    assert pull(smolctl, "ai/small") == SMALL.id
    assert "docker.io/ai/small:latest" in smolctl("model", "ls", "--json", expect=0).stdout


def test_models_that_are_named_are_shared_alone(teacher: Smolctl, smolctl: Smolctl) -> None:
    share = Share(teacher, "ai/other:v1")

    assert share.listening["models"] == 1
    assert pull(smolctl, f"{share.host}/ai/other:v1") == OTHER.id
    smolctl("model", "pull", f"{share.host}/ai/small", expect=3)


class TestWhatItSays:
    def said(self, teacher: Smolctl, *flags: str) -> list[str]:
        process = teacher.start("share", "--port", "0", *flags)
        assert process.stderr is not None
        lines = [process.stderr.readline().decode()]
        while "mirrors = " not in lines[-1]:
            lines.append(process.stderr.readline().decode())
        process.send_signal(signal.SIGINT)
        stdout, rest = process.communicate(timeout=WAIT_SECONDS)
        assert (process.returncode, stdout, rest) == (130, b"", b"")
        return lines

    def test_on_loopback(self, teacher: Smolctl) -> None:
        said = "".join(self.said(teacher))
        found = re.search(r"Sharing 2 models, read-only, at http://(127\.0\.0\.1:\d+)\.", said)
        assert found
        assert "--host 0.0.0.0" in said
        assert f"  smolctl model pull {found[1]}/ai/small\n" in said
        assert f'  mirrors = ["http://{found[1]}/docker.io"]\n' in said

    def test_beyond_loopback(self, teacher: Smolctl) -> None:
        said = "".join(self.said(teacher, "--host", "0.0.0.0"))
        assert "Anyone who reaches this machine can pull every model here (2)" in said
        assert "no password" in said
        assert re.search(r"  smolctl model pull \S+:\d+/ai/small --plain-http\n", said)

    def test_of_a_few(self, teacher: Smolctl) -> None:
        said = "".join(self.said(teacher, "--host", "0.0.0.0", "ai/other:v1"))
        assert "Anyone who reaches this machine can pull the 1 model named" in said
        assert "/ai/other:v1 --plain-http" in said

    def test_of_two_registries_with_one_name(self, teacher: Smolctl) -> None:
        teacher("model", "tag", "ai/other:v1", "ghcr.io/ai/small", expect=0)
        share = Share(teacher)
        said = share.said("Two registries")
        assert f"That of ghcr.io is {share.host}/ghcr.io/ai/small:latest." in said

    def test_on_a_terminal_a_line_for_each_pull(self, teacher: Smolctl) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        with ThreadPoolExecutor(1) as pool:
            dialogue = [(rb"\d pulled .*\r\n", signal.SIGINT)]
            seen = pool.submit(
                teacher.on_a_terminal, "share", "--port", str(port), dialogue=dialogue
            )
            wait_until(lambda: fetched(port, "manifests/latest"), WAIT_SECONDS)
            for blob in SMALL.blobs:
                assert fetched(port, f"blobs/{blob}")
            code, drawn = seen.result()

        assert code == 130
        assert re.search(rb"\d\d:\d\d:\d\d 127\.0\.0\.1 pulled ai/small:latest \(", drawn)
        assert b"\x1b" not in drawn


def fetched(port: int, path: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/ai/small/{path}") as answer:
            return bool(answer.read())
    except urllib.error.URLError:
        return False


class TestWhatCannotBe:
    @pytest.mark.parametrize(
        ("flags", "code", "words"),
        [
            (["ai/nothing"], 3, "no such model here: ai/nothing"),
            (["--host", "no such host"], 2, "--host"),
            (["--port", "65536"], 2, "--port"),
            (["NO//NAME"], 2, "not a model name"),
        ],
    )
    def test_is_said(self, teacher: Smolctl, flags: list[str], code: int, words: str) -> None:
        done = teacher("share", *flags, expect=code)
        assert words in done.stderr
        assert len(done.stderr_lines) <= 2

    def test_a_port_that_is_taken(self, teacher: Smolctl, unused_tcp_port: int) -> None:
        done = teacher("share", "--port", str(unused_tcp_port), expect=2)
        assert f"cannot listen on 127.0.0.1:{unused_tcp_port}" in done.stderr_lines[0]
        assert "--port 0" in done.stderr_lines[1]

    def test_a_damaged_cache(self, teacher: Smolctl) -> None:
        (teacher.home / "index.json").write_text("{")
        assert "damaged" in teacher("share", "--port", "0", expect=6).stderr

    def test_nobody_reads_what_it_says(self, teacher: Smolctl, smolctl: Smolctl) -> None:
        share = Share(teacher)
        assert share.process.stdout is not None
        share.process.stdout.close()

        share.process.stdout = None

        pull(smolctl, f"{share.host}/ai/small")

        share.process.communicate(timeout=WAIT_SECONDS)
        assert share.process.returncode == 141


def test_a_folder_without_a_cache_shares_nothing_and_makes_nothing(smolctl: Smolctl) -> None:
    share = Share(smolctl)
    assert share.listening["models"] == 0
    share.said("What is pulled here meanwhile is shared at once.")
    assert share.end()[0] == 143
    assert not smolctl.home.exists()
