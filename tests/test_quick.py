"""The short way of a one-shot: what it takes, that it asks what the usual way asks, its notes."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from smolctl import quick
from smolctl.cli import boundary, prompt, run
from smolctl.notes import state_of
from smolctl.quick import Note, Question
from smolctl.runner import workers
from smolctl.runner.chat_fields import parse_chat
from tests.support.fake_worker import FakeWorker, Hanging, streaming

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from smolctl.engine.conversation import ChatRequest


@pytest.mark.parametrize(
    "arguments",
    [
        "model ls",
        "model run",
        "model run --help",
        "model run m --debug hi",
        "model run m --local hi",
        "model run m --pull always hi",
        "model run m --temperature",
        "model run m hi --system",
        "model run m --temperature warm hi",
        "model run m --temperature nan hi",
        "model run m --temperature inf hi",
        "model run m -n 1.5 hi",
        "model run m -n=5 hi",
        "model run m -n5 hi",
        "model run m -n -1 hi",
        "model run m -n 1_000 hi",
        "model run m --seed 4294967299 hi",
        "model run m --seed -1 hi",
        "model run m --temperature 1e-1 hi",
        "model run m --max-token 5 hi",
        "model run ./m.gguf hi",
        "model run m.gguf hi",
        "model run ~/m hi",
        "model run m -c hi",
        "model run m --continue hi",
        "model run m --session trip hi",
        "--debug model run m hi",
    ],
)
def test_what_is_not_plain_goes_the_usual_way(arguments: str) -> None:
    assert Question.read(arguments.split()) is None


def test_flags_may_stand_anywhere_and_words_after_two_dashes_are_words() -> None:
    arguments = ["model", "run", "--no-stream", "m", "a", "-n", "3", "b", "--seed=7", "--", "-n"]
    question = Question.read(arguments)
    assert question is not None
    assert (question.model, question.words, question.stream) == ("m", ["a", "b", "-n"], False)
    assert question.numbers == {"max_tokens": 3, "seed": 7}


def test_a_prompt_is_written_as_json_whatever_is_in_it() -> None:
    question = Question.read(["model", "run", "m", "--system", 'say "no"\n'])
    assert question is not None
    prompt = 'quotes " and \\ and \x00 \x7f é \U0001f600 \n'
    messages = json.loads(question.body(prompt))["messages"]
    assert messages == [
        {"role": "system", "content": 'say "no"\n'},
        {"role": "user", "content": prompt},
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ["m", "hi"],
        ["m", "two", "words"],
        ["m", "hi", "-n", "5"],
        ["--max-tokens=5", "m", "hi", "--seed", "7"],
        ["m", "--temperature", "0", "--top-k", "1", "--top-p", ".5", "--min-p", "0", "hi"],
        ["m", "--temperature=.1", "--repeat-penalty", "1.1", "hi"],
        ["m", "--temperature", "0.8", "hi"],
        ["m", "--system", "Be brief.", "hi"],
        ["m", "--system", "", "hi"],
        ["m", "--no-stream", "hi", "--", "--temperature", "0"],
        ["m", 'caf\u00e9 "quoted" \\ \n'],
    ],
    ids=" ".join,
)
def test_it_asks_what_the_usual_way_asks(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[ChatRequest] = []

    class Silence(list[object]):
        finish_reason = usage = timings = None

    class Model:
        name = "m"

        @contextmanager
        def reply(self, chat: ChatRequest) -> Iterator[Silence]:
            asked.append(chat)
            yield Silence()

    @contextmanager
    def open_chat(*_: object, **__: object) -> Iterator[Model]:
        yield Model()

    monkeypatch.setattr(prompt, "_read", [b""])
    monkeypatch.setattr(run, "open_chat", open_chat)
    assert boundary.run(["model", "run", *arguments]) == 0
    question = Question.read(["model", "run", *arguments])
    assert question is not None
    body = question.body(prompt.read_prompt(question.words, sys.stderr))  # type: ignore[arg-type]
    assert asked == [parse_chat(json.loads(body)).chat]


@pytest.fixture
def index(tmp_path: Path) -> Path:
    path = tmp_path / "index.json"
    path.write_text("{}")
    return path


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    folder = tmp_path / "smolctl"
    folder.mkdir(mode=0o700)
    return {"XDG_RUNTIME_DIR": str(tmp_path), "HOME": "/home/somebody", "LANG": "C"}


def note(index: Path) -> Note:
    state = state_of(str(index))
    assert state is not None
    marker = index.with_name("log-prompts")
    return Note(str(index), state, "/run/a\udcffb.sock", "/log", "POST /v1\r\n", str(marker))


def test_a_note_is_found_again(index: Path, environment: dict[str, str], tmp_path: Path) -> None:
    note(index).write(f"{tmp_path}/smolctl", "m", environment)
    found = Note.find("m", {**environment, "LANG": "another"})
    assert found is not None
    assert (found.socket, found.head) == ("/run/a\udcffb.sock", "POST /v1\r\n")


def test_notes_do_not_gather(index: Path, environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "smolctl" / "a.sock").touch()
    for number in range(100):
        note(index).write(f"{tmp_path}/smolctl", f"m{number}", environment)
    left = len(list((tmp_path / "smolctl").glob("note-*")))
    assert 32 <= left <= 64
    assert Note.find("m99", environment) is not None
    assert (tmp_path / "smolctl" / "a.sock").exists()


@pytest.mark.parametrize(
    "changed",
    [
        {"SMOLCTL_HOME": "/another"},
        {"HOME": "/home/else"},
        {"XDG_DATA_HOME": "/data"},
        {"SMOLCTL_KEEP_ALIVE": "0"},
        {"SMOLCTL_HOST": "localhost:1"},
    ],
)
def test_a_note_is_for_one_environment(
    index: Path, environment: dict[str, str], tmp_path: Path, changed: dict[str, str]
) -> None:
    note(index).write(f"{tmp_path}/smolctl", "m", environment)
    assert Note.find("m", {**environment, **changed}) is None
    assert Note.find("n", environment) is None


def test_a_note_does_not_hold_once_the_index_changed(
    index: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    note(index).write(f"{tmp_path}/smolctl", "m", environment)
    changed = index.with_name("new")
    changed.write_text("{}")
    changed.replace(index)
    assert Note.find("m", environment) is None
    index.unlink()
    assert Note.find("m", environment) is None


def test_a_note_does_not_hold_while_prompts_are_to_be_kept(
    index: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    note(index).write(f"{tmp_path}/smolctl", "m", environment)
    assert Note.find("m", environment) is not None
    marker = index.with_name("log-prompts")
    marker.touch()
    assert Note.find("m", environment) is None
    marker.unlink()
    assert Note.find("m", environment) is not None


def test_a_worker_that_hangs_is_an_error(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt, "read_prompt", lambda *_: "hi")
    monkeypatch.setattr(quick, "_SILENCE_SECONDS", 0.1)
    monkeypatch.setattr(workers, "_PATIENCE_SECONDS", 0.1)
    hanging = Hanging()
    chunk = b'data: {"choices":[{"delta":{"content":"Pa"}}]}\n\n'
    found = note(index)
    found.socket = str(tmp_path / "w.sock")
    with FakeWorker(tmp_path / "w.sock", streaming(chunk, hanging), hanging):
        stream = quick._Stream.ask(found, Question())
        assert stream is not None
        assert list(stream.texts()) == ["Pa"]
        hanging.over.set()
    stream.close()
    assert "does not answer" in quick._reason(stream, found).message


def test_a_folder_that_others_may_enter_is_not_believed(
    index: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    note(index).write(f"{tmp_path}/smolctl", "m", environment)
    (tmp_path / "smolctl").chmod(0o755)
    assert Note.find("m", environment) is None


@pytest.mark.parametrize("content", ["", '"only a line"\n', "no JSON\n" * 5, '"a"\n' * 9])
def test_a_damaged_note_is_none(
    index: Path, environment: dict[str, str], tmp_path: Path, content: str
) -> None:
    note(index).write(f"{tmp_path}/smolctl", "m", environment)
    (file,) = (tmp_path / "smolctl").iterdir()
    file.write_text(content)
    assert Note.find("m", environment) is None
