"""Workers as people and scripts meet them: started, shared, killed, replaced, gone when idle."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from smolctl.runner.workers import running_workers
from smolctl.store.storage import locked
from tests.support.imports import HEAVY, OTHER_SIDE, imported_by
from tests.support.processes import Smolctl
from tests.support.random_model import CHATML, Geometry, write_random_model
from tests.support.waiting import wait_for_end, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from smolctl.runner.worker_status import Worker

FRANCE = ("What is the capital of France?", "--temperature", "0")
PARIS = "The capital of France is Paris.\n"
ENDLESS = ("hello", "--temperature", "0")
LIMIT = 30  # seconds
MAXIMUM_GROWTH = 8_000_000  # bytes


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, gguf: str) -> Iterator[Smolctl]:
    """The command, and a worker of the demo model that nobody may end."""
    with closing(Smolctl(tmp_path_factory.mktemp("shared"))) as made:
        loaded = made("model", "run", "--detach", gguf, expect=0)
        assert loaded.stderr.startswith("Loaded ")
        assert loaded.stderr.endswith(" after its last use.\n")
        yield made


def worker(smolctl: Smolctl) -> Worker:
    """The one worker there is."""
    (only,) = running_workers(smolctl.settings)
    return only


def begun(smolctl: Smolctl, *arguments: str) -> subprocess.Popen[bytes]:
    """Start an answer that has no end, and wait for its first piece."""
    process = smolctl.start("model", "run", *arguments)
    assert process.stdout is not None
    assert os.read(process.stdout.fileno(), 1)
    return process


def wait_for_a_waiter(lock: Path) -> None:
    """Wait until some process waits for `lock`: the kernel lists it with an arrow."""
    inode = f":{lock.stat().st_ino} "
    wait_until(
        lambda: any(
            "-> FLOCK" in line and inode in line
            for line in Path("/proc/locks").read_text().splitlines()
        )
    )


def rows(text: str) -> list[str]:
    return [line.split("   ")[0] for line in text.splitlines()[1:]]


class TestOneForAll:
    def test_the_second_call_finds_the_worker_of_the_first(
        self, shared: Smolctl, gguf: str
    ) -> None:
        before = worker(shared)
        assert shared("model", "run", gguf, *FRANCE, expect=0).stdout == PARIS
        after = worker(shared)
        assert after.pid == before.pid
        assert after.last_used > before.last_used

    def test_two_that_start_at_once_get_one_worker(self, smolctl: Smolctl, gguf: str) -> None:
        processes = [smolctl.start("model", "run", gguf, *FRANCE, anew=True) for _ in range(3)]
        answers = [process.communicate(timeout=LIMIT) for process in processes]
        assert answers == [(PARIS.encode(), b"")] * 3
        assert worker(smolctl).name == Path(gguf).name
        # One that had been started in vain would have its own beginning in the log.
        assert smolctl("model", "logs").stdout.count("loaded in") == 1
        assert len(log_of(smolctl).read_text().split("--- ")) == 2

    def test_callers_of_another_cache_have_their_own(self, shared: Smolctl, tmp_path: Path) -> None:
        elsewhere = {**shared.environment, "SMOLCTL_HOME": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-m", "smolctl", "model", "ps", "-q"],
            env=elsewhere,
            capture_output=True,
            timeout=LIMIT,
        )
        assert (done.returncode, done.stdout) == (0, b"")

    def test_nothing_of_the_caller_is_held_open(self, smolctl: Smolctl, gguf: str) -> None:
        """Neither its pipes nor what it inherited itself: a shell's `9>lock` for example."""
        reading, writing = os.pipe()
        process = smolctl.start("model", "run", gguf, *FRANCE, pass_fds=[writing])
        os.close(writing)
        assert process.communicate(timeout=LIMIT) == (PARIS.encode(), b"")
        assert os.read(reading, 1) == b""  # the end: nobody has the other side
        os.close(reading)
        assert os.getsid(worker(smolctl).pid) == worker(smolctl).pid

    def test_a_shell_that_captures_or_cuts_the_answer_does_not_hang(
        self, smolctl: Smolctl, gguf: str, endless: str
    ) -> None:
        line = f"{sys.executable} -m smolctl model run"
        script = f"""
            out=$({line} {gguf} 'What is the capital of France?' --temperature 0)
            echo "<$out>"
            {line} {endless} hello | head -c 1 | wc -c
        """
        done = subprocess.run(
            ["bash", "-c", script],
            env=smolctl.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LIMIT,
        )
        assert done.stdout.decode().split("\n") == [f"<{PARIS.strip()}>", "1", ""]
        assert done.stderr == b""


class TestDeath:
    def test_a_socket_that_nobody_serves_is_replaced(self, smolctl: Smolctl, gguf: str) -> None:
        smolctl("model", "run", "-d", gguf, expect=0)
        killed = worker(smolctl)
        os.kill(killed.pid, signal.SIGKILL)
        wait_for_end(killed.pid)
        assert killed.socket.exists()
        assert smolctl("model", "ps", "-q", expect=0).stdout == ""
        assert smolctl("model", "run", gguf, *FRANCE, expect=0).stdout == PARIS
        assert worker(smolctl).pid != killed.pid

    def test_in_the_middle_of_an_answer_it_is_an_error_and_what_came_stays(
        self, smolctl: Smolctl, endless: str
    ) -> None:
        process = begun(smolctl, endless, *ENDLESS)
        os.kill(worker(smolctl).pid, signal.SIGKILL)
        out, err = process.communicate(timeout=LIMIT)
        assert process.returncode == 7
        assert out.endswith(b"\n")
        assert err.decode().splitlines() == [
            "smolctl: the model's process ended in the middle of the answer",
            f"  Its log is {log_of(smolctl)}",
        ]
        assert smolctl("model", "run", endless, "hello", "-n", "2", expect=0).stdout

    def test_a_file_that_llama_cpp_refuses_gives_its_reason(
        self, smolctl: Smolctl, tmp_path: Path
    ) -> None:
        path = write_random_model(tmp_path / "odd.gguf", architecture="nonsense")
        done = smolctl("model", "run", path, "hello", expect=7)
        assert done.stdout == ""
        assert "nonsense" in done.stderr
        assert len(done.stderr_lines) <= 2
        assert smolctl("model", "ps", "-q").stdout == ""


class TestTheShortWay:
    """A script's plain question to a worker that is up: see `quick.py`."""

    def test_answers_alike_and_gives_way_when_the_worker_is_gone(self, filled: Smolctl) -> None:
        first = filled("model", "run", "small", *FRANCE, expect=0)
        (note,) = (filled.runtime / "smolctl").glob("note-*")
        written = note.stat().st_mtime_ns
        assert filled("model", "run", "small", *FRANCE, expect=0).stdout == first.stdout
        assert note.stat().st_mtime_ns == written  # the usual way writes it
        os.kill(worker(filled).pid, signal.SIGKILL)
        assert filled("model", "run", "small", *FRANCE, expect=0).stdout == first.stdout
        assert note.stat().st_mtime_ns > written

    def test_what_it_does_not_take_imports_nothing_heavy_either(self, filled: Smolctl) -> None:
        filled("model", "run", "small", *FRANCE, expect=0)
        line = ("model", "run", "small", *FRANCE, "--json", "--schema", "name, age int")
        assert imported_by(filled, *line) & (HEAVY | OTHER_SIDE) == set()

    def test_a_flag_is_for_one_call(self, filled: Smolctl) -> None:
        filled("model", "run", "small", "--ctx-size", "512", *FRANCE, expect=0)
        filled("model", "run", "small", "--keep-alive", "1h", *FRANCE, expect=0)
        assert list((filled.runtime / "smolctl").glob("note-*")) == []


class TestLeaving:
    def test_a_keep_alive_of_nothing_ends_with_the_answer(
        self, smolctl: Smolctl, gguf: str
    ) -> None:
        smolctl.environment["SMOLCTL_KEEP_ALIVE"] = "0"
        process = smolctl.start("model", "run", gguf, *FRANCE)
        assert process.communicate(timeout=LIMIT)[0] == PARIS.encode()
        for left in running_workers(smolctl.settings):
            wait_for_end(left.pid)
        assert running_workers(smolctl.settings) == []
        assert list(smolctl.runtime.rglob("*.sock")) == []

    def test_a_short_keep_alive_takes_that_long(self, smolctl: Smolctl, gguf: str) -> None:
        smolctl("model", "run", "--keep-alive", "1h", gguf, *FRANCE, expect=0)
        found = worker(smolctl)
        assert found.keep_alive == 3600
        smolctl("model", "run", "--keep-alive", "500ms", gguf, *FRANCE, expect=0)
        wait_for_end(found.pid)

    def test_for_ever_is_for_ever(self, smolctl: Smolctl, gguf: str) -> None:
        smolctl("model", "run", "-d", "--keep-alive", "-1", gguf, expect=0)
        assert "Forever" in smolctl("model", "ps").stdout
        assert worker(smolctl).expires_at is None

    def test_sigterm_lets_the_answer_under_way_end(self, smolctl: Smolctl, gguf: str) -> None:
        line = ("Hello", "--temperature", "2", "--seed", "1", "-n", "400")
        process = begun(smolctl, gguf, *line)
        pid = worker(smolctl).pid
        os.kill(pid, signal.SIGTERM)
        _, err = process.communicate(timeout=LIMIT)
        assert (process.returncode, err) == (0, b"")
        wait_for_end(pid)
        assert list(smolctl.runtime.rglob("*.sock")) == []

    def test_who_asks_while_one_leaves_gets_another(self, smolctl: Smolctl, gguf: str) -> None:
        smolctl.environment["SMOLCTL_KEEP_ALIVE"] = "0"
        processes = [smolctl.start("model", "run", gguf, *FRANCE) for _ in range(2)]
        for _ in range(4):
            processes += [smolctl.start("model", "run", gguf, *FRANCE)]
            assert processes.pop(0).communicate(timeout=LIMIT) == (PARIS.encode(), b"")
        for process in processes:
            assert process.communicate(timeout=LIMIT) == (PARIS.encode(), b"")

    def test_who_hangs_up_makes_room_for_the_next(self, smolctl: Smolctl, endless: str) -> None:
        process = begun(smolctl, "--parallel", "1", endless, *ENDLESS)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=LIMIT)
        assert process.returncode == 130
        # With one sequence it would wait for an answer that has no end.
        assert smolctl("model", "run", endless, "hello", "-n", "2", expect=0).stdout
        assert worker(smolctl).busy == 0

    def test_a_folder_that_vanished_is_made_anew(self, smolctl: Smolctl, gguf: str) -> None:
        smolctl("model", "run", "-d", gguf, expect=0)
        lost = worker(smolctl)
        lost.socket.unlink()
        assert smolctl("model", "run", gguf, *FRANCE, expect=0).stdout == PARIS
        assert worker(smolctl).pid != lost.pid
        os.kill(lost.pid, signal.SIGTERM)
        wait_for_end(lost.pid)
        assert worker(smolctl).socket.exists()  # it removed its own alone


class TestOptions:
    def test_an_idle_worker_is_replaced_for_the_options_that_are_named(
        self, smolctl: Smolctl, gguf: str
    ) -> None:
        smolctl("model", "run", "-d", "--ctx-size", "512", gguf, expect=0)
        first = worker(smolctl)
        assert (first.context_size, first.sequences) == (512, 4)
        # What is not named is taken as it is,
        assert smolctl("model", "run", gguf, *FRANCE, expect=0).stderr == ""
        assert worker(smolctl).pid == first.pid
        # unless the prompt needs the context that it would have had.
        done = smolctl("model", "run", gguf, "a " * 900, "-n", "1", expect=0)
        assert "--ctx-size 512" in done.stderr
        first = worker(smolctl)
        assert (first.context_size, first.sequences) == (2048, 4)
        done = smolctl(
            "model", "run", "--ctx-size", "768", "--parallel", "2", gguf, *FRANCE, expect=0
        )
        assert done.stdout == PARIS
        assert "--ctx-size 2048, --parallel 4" in done.stderr
        second = worker(smolctl)
        assert (second.context_size, second.sequences) == (768, 2)
        # Sequences that a person asks for have a cache each; others share one.
        assert (first.shared_cache, second.shared_cache) == (True, False)
        assert "2 x 768" in smolctl("model", "ps").stdout

    @pytest.mark.slow
    def test_a_busy_one_is_not(self, smolctl: Smolctl, endless: str) -> None:
        process = begun(smolctl, endless, *ENDLESS)
        done = smolctl("model", "run", endless, "--ctx-size", "256", "hello", expect=7)
        assert "busy" in done.stderr
        assert "--local" in done.stderr_lines[1]
        assert process.poll() is None

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            (("--detach", "--local", "x"), "--detach"),
            (("--keep-alive", "1m", "--local", "x", "hi"), "--keep-alive"),
            (("--keep-alive", "soon", "x", "hi"), "--keep-alive is 'soon'"),
            (("--detach", "x", "hi"), "--detach"),
            (("--gpu-layers", "all", "x", "hi"), "--gpu-layers is all"),
            (("--cache-type-k", "q9", "x", "hi"), "--cache-type-k is q9"),
        ],
    )
    def test_what_makes_no_sense_is_refused(
        self, smolctl: Smolctl, line: tuple[str, ...], said: str
    ) -> None:
        done = smolctl("model", "run", *line, expect=2)
        assert said in done.stderr
        assert len(done.stderr_lines) <= 2


class TestCommands:
    def test_ps_lists_what_is_loaded(self, shared: Smolctl, gguf: str) -> None:
        name = Path(gguf).name
        shown = shared("model", "ps", expect=0).stdout
        assert shown.splitlines()[0].split() == [
            "MODEL", "NAME", "BACKEND", "MODE", "UNTIL", "CONTEXT", "MEMORY",
        ]  # fmt: skip
        assert rows(shown) == [name]
        assert re.search("llama.cpp   completion   [45] minutes from now   2048  ", shown)
        found = worker(shared)
        assert shared("model", "ps", "-q", expect=0).stdout == f"{found.id[7:19]}\n"
        (listed,) = json.loads(shared("model", "ps", "--json", expect=0).stdout)
        assert (listed["name"], listed["pid"], listed["id"]) == (name, found.pid, found.id)
        assert listed["expires_at"].endswith("Z")
        assert listed["memory"] > 1_000_000

    def test_a_model_of_the_cache_is_shown_and_unloaded_by_its_names(self, filled: Smolctl) -> None:
        filled("model", "run", "-d", "small", expect=0)
        assert rows(filled("model", "ps").stdout) == [worker(filled).names[0]]
        assert "loaded in" in filled("model", "logs", "small:latest", expect=0).stdout
        idle = filled("model", "unload", "small:decoy", expect=0)
        assert (idle.stdout, idle.stderr) == ("", "small:decoy is not loaded.\n")
        missed = filled("model", "unload", "smal", expect=3)
        assert missed.stderr_lines[0] == "smolctl: smal is neither loaded nor here"
        done = filled("model", "unload", "small", worker(filled).id[7:19], expect=0)
        assert done.stdout == "Unloaded 1 model.\n"
        assert filled("model", "stop", "--all", expect=0).stdout == "No models are running.\n"

    def test_a_model_that_is_removed_leaves_the_memory(self, filled: Smolctl) -> None:
        filled("model", "run", "-d", "small", expect=0)
        pid = worker(filled).pid
        assert "Deleted" in filled("model", "rm", "small", expect=0).stdout
        wait_for_end(pid)

    def test_what_loads_is_listed_as_that(self, smolctl: Smolctl, gguf: str) -> None:
        smolctl("model", "run", "-d", gguf, expect=0)
        found = worker(smolctl)
        smolctl("model", "unload", "--all", expect=0)
        with locked(found.socket.with_suffix(".lock")):
            assert "Loading..." in smolctl("model", "ps", expect=0).stdout
        assert "Loading..." not in smolctl("model", "ps", expect=0).stdout

    def test_who_waits_for_a_model_to_load_may_leave(self, smolctl: Smolctl, gguf: str) -> None:
        smolctl("model", "run", "-d", gguf, expect=0)
        found = worker(smolctl)
        smolctl("model", "unload", "--all", expect=0)
        lock = found.socket.with_suffix(".lock")
        with locked(lock):
            process = smolctl.start("model", "run", gguf, *FRANCE)
            wait_for_a_waiter(lock)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=LIMIT)
        assert process.returncode == 130

    def test_unload_waits_until_it_is_gone(self, smolctl: Smolctl, gguf: str) -> None:
        smolctl("model", "run", "-d", gguf, expect=0)
        handle = os.pidfd_open(worker(smolctl).pid)
        assert smolctl("model", "unload", gguf, expect=0).stdout == "Unloaded 1 model.\n"
        assert select.select([handle], [], [], 0)[0]
        os.close(handle)

    @pytest.mark.slow
    def test_unload_all_ends_one_that_does_not_answer(self, smolctl: Smolctl, gguf: str) -> None:
        smolctl("model", "run", "-d", gguf, expect=0)
        pid = worker(smolctl).pid
        os.kill(pid, signal.SIGSTOP)
        assert smolctl("model", "unload", "--all", expect=0).stdout == "Unloaded 1 model.\n"
        wait_for_end(pid)

    def test_unload_needs_a_model(self, smolctl: Smolctl) -> None:
        smolctl("model", "unload", expect=2)
        smolctl("model", "unload", "x", "--all", expect=2)

    def test_logs_show_the_last_worker(self, shared: Smolctl, gguf: str, tmp_path: Path) -> None:
        lines = shared("model", "logs", gguf, expect=0).stdout.splitlines()
        assert f"pid {worker(shared).pid}: loading {Path(gguf).name}" in lines[0]
        assert "loaded in" in lines[1]
        assert shared("model", "logs", tmp_path / "no.gguf", expect=3).stdout == ""

    def test_followed_logs_go_on(self, shared: Smolctl, gguf: str) -> None:
        process = shared.start("model", "logs", "-f", gguf)
        assert process.stdout is not None
        assert b"loading" in process.stdout.readline()
        assert b"loaded in" in process.stdout.readline()
        with log_of(shared).open("a") as file:
            file.write("a line of the test\n")
        while b"a line of the test" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=LIMIT)
        assert process.returncode == 130

    def test_status_says_what_runs_and_where(self, shared: Smolctl, unused_tcp_port: int) -> None:
        shared.environment["SMOLCTL_HOST"] = f"127.0.0.1:{unused_tcp_port}"
        try:
            shown = shared("model", "status", expect=0).stdout
            found: dict[str, Any] = json.loads(shared("model", "status", "--json").stdout)
        finally:
            del shared.environment["SMOLCTL_HOST"]
        assert f"{unused_tcp_port} does not answer" in shown
        assert "smolctl serve: not running" in shared("model", "status", expect=0).stdout
        assert worker(shared).name in shown
        assert found["gateway"]["running"] is False
        assert [each["pid"] for each in found["workers"]] == [worker(shared).pid]
        assert Path(found["sockets"]) == worker(shared).socket.parent


def test_only_its_owner_can_reach_a_worker(shared: Smolctl) -> None:
    socket = worker(shared).socket
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600
    for folder in (socket.parent, socket.parent.parent, log_of(shared).parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(log_of(shared).stat().st_mode) == 0o600


def test_a_folder_that_others_may_enter_is_not_used(smolctl: Smolctl, gguf: str) -> None:
    (smolctl.runtime / "smolctl").mkdir()
    (smolctl.runtime / "smolctl").chmod(0o755)
    done = smolctl("model", "run", gguf, *FRANCE, expect=8)
    assert "others may enter" in done.stderr
    assert "chmod 700" in done.stderr_lines[1]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_thousand_requests_leave_nothing_behind(smolctl: Smolctl, tmp_path: Path) -> None:
    path = write_random_model(tmp_path / "tiny.gguf", Geometry(), chat_template=CHATML)
    smolctl("model", "run", "-d", path, expect=0)
    found = worker(smolctl)

    def ask(count: int) -> None:
        for number in range(count):
            body = {"messages": [{"role": "user", "content": f"{number}"}], "max_tokens": 4}
            headers = {"X-Smolctl-Model-ID": found.id}
            with found.endpoint.request(
                "POST", "/v1/chat/completions", body, headers=headers, timeout=LIMIT
            ) as response:
                assert response.status == 200
                assert response.json()["usage"]["completion_tokens"] == 4

    ask(100)
    before, files = worker(smolctl).memory, open_files(found.pid)
    ask(1000)
    assert worker(smolctl).memory - before < MAXIMUM_GROWTH
    assert open_files(found.pid) <= files


def open_files(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def log_of(smolctl: Smolctl) -> Path:
    (log,) = (smolctl.user_home / "state" / "smolctl" / "logs").rglob("*.log")
    return log


def test_a_folder_with_modules_of_its_own_does_not_break_a_worker(
    smolctl: Smolctl, gguf: str, tmp_path: Path
) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    for name in ("json", "queue", "types"):
        (folder / f"{name}.py").write_text("raise SystemExit('not the module you want')\n")
    # The installed script: `python -m` looks in the current folder itself.
    script = Path(sys.executable).with_name("smolctl")
    done = subprocess.run(
        [script, "model", "run", "--detach", gguf],
        cwd=folder,
        env=smolctl.environment,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert b"it stays for 5 minutes" in done.stderr


def test_a_model_that_is_loaded_does_not_leave_for_what_cannot_be(
    smolctl: Smolctl, gguf: str
) -> None:
    smolctl("model", "run", "--detach", gguf, expect=0)
    before = worker(smolctl)
    done = smolctl("model", "run", "--ctx-size", "1000000000", gguf, "hi", expect=7)
    assert len(done.stderr_lines) == 2
    assert worker(smolctl).pid == before.pid
