"""The chat: questions, answers, and what goes wrong between them."""

from __future__ import annotations

import json
import resource
from typing import TYPE_CHECKING

import pytest

from smolctl.cli.chat.dialogue import Dialogue
from smolctl.engine.conversation import Delta, Message
from smolctl.engine.generation import Timings, Usage
from smolctl.engine.sampling import Sampling
from smolctl.errors import (
    ModelNotFound,
    NotRunnable,
    PromptTooLong,
    RegistryUnavailable,
    StorageError,
)
from tests.cli.chat.conftest import Kept, Model, Opened, Reply

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.chat.conftest import Talk

    Talks = Callable[..., Talk]

SYSTEM = Dialogue("Be brief.")


def test_what_was_said_goes_with_the_next_question(talk: Talks) -> None:
    model = Model(Reply(("Ro", "me.")), Reply())
    done = talk(model, "Italy's capital?", "Sure?", dialogue=SYSTEM)
    assert model.sent[1] == ["Be brief.", "Italy's capital?", "Rome.", "Sure?"]
    assert done.out == "Rome.\nYes.\n"
    whole, exchange = done.record.kept[-1]
    assert whole == ["Be brief.", "Italy's capital?", "Rome.", "Sure?", "Yes."]
    assert exchange is not None
    assert (exchange.prompt, exchange.reply, exchange.system) == ("Sure?", "Yes.", "Be brief.")


@pytest.mark.parametrize(
    "error",
    [NotRunnable("its process ended", hint="Its log is here"), RegistryUnavailable("it is gone")],
)
def test_a_failure_is_told_and_the_chat_goes_on(talk: Talks, error: Exception) -> None:
    model = Model(Reply(("Ro", error)), Reply(("Rome.",)))
    done = talk(model, "Italy's capital?", "/retry")
    assert done.out == "Ro\nRome.\n"
    assert f"smolctl: {error}\n" in done.err
    assert model.sent == [["Italy's capital?"]] * 2  # an answer that broke off is no part of it
    assert len(done.record.kept) == 1


def test_a_stopped_answer_is_kept_as_far_as_it_came(talk: Talks) -> None:
    model = Model(Reply(("Ro", KeyboardInterrupt())), Reply())
    done = talk(model, "Italy's capital?", "Go on.")
    assert model.sent[1] == ["Italy's capital?", "Ro", "Go on."]
    assert done.out == "Ro\nYes.\n"


def test_one_stopped_before_it_began_leaves_nothing(talk: Talks) -> None:
    model = Model(Reply((Delta(reasoning="hm"), KeyboardInterrupt())), Reply())
    done = talk(model, "one", "two")
    assert model.sent[1] == ["two"]
    assert "Stopped before the answer began." in done.err


def test_ctrl_c_at_the_prompt_says_how_to_leave(talk: Talks) -> None:
    assert "/bye or Ctrl-D leaves." in talk(Model(), KeyboardInterrupt()).err


def test_a_terminal_that_is_gone_ends_the_chat(talk: Talks) -> None:
    done = talk(Model(), OSError(5, "Input/output error"), "not read")
    assert done.typing.prompts == ["> "]


@pytest.mark.parametrize("leave", ["/bye", "/exit", "/quit"])
def test_leaving_asks_for_nothing_more(talk: Talks, leave: str) -> None:
    assert talk(Model(), leave, "not read").typing.prompts == ["> "]


def test_retry_takes_the_place_of_the_last_answer(talk: Talks) -> None:
    model = Model(Reply(("Oslo.",)), Reply(("Rome.",)))
    done = talk(model, "Italy's capital?", "/retry")
    assert model.sent == [["Italy's capital?"]] * 2
    assert done.record.kept[-1][0] == ["Italy's capital?", "Rome."]


def test_a_retry_that_fails_keeps_the_answer_there_was(talk: Talks) -> None:
    model = Model(Reply(("Rome.",)), Reply((NotRunnable("no"),)))
    done = talk(model, "Italy's capital?", "/retry")
    assert [turn.answer for turn in done.chat.dialogue.turns] == ["Rome."]


def test_a_retry_that_failed_may_be_tried_again(talk: Talks) -> None:
    model = Model(Reply(), Reply((KeyboardInterrupt(),)), Reply(("No.",)))
    done = talk(model, "Sure?", "/retry", "/retry")
    assert model.sent == [["Sure?"]] * 3
    assert done.record.kept[-1][0] == ["Sure?", "No."]


def test_undo_takes_back_a_turn_and_then_says_there_is_none(talk: Talks) -> None:
    done = talk(Model(Reply()), "one", "/undo", "/undo", "/retry")
    assert done.chat.dialogue == Dialogue()
    assert done.record.kept[-1] == ([], None)
    assert "Taken back: one" in done.err
    assert "smolctl: there is nothing to undo\n" in done.err
    assert "smolctl: there is no question yet\n" in done.err


def test_undo_takes_back_what_had_no_answer_first(talk: Talks) -> None:
    model = Model(Reply(), Reply((NotRunnable("no"),)))
    done = talk(model, "one", "two", "/undo")
    assert "It had no answer, and is taken back: two\n" in done.err
    assert [turn.question for turn in done.chat.dialogue.turns] == ["one"]


@pytest.mark.parametrize("word", ["exit", "Quit "])
def test_a_word_that_leaves_elsewhere_is_no_question(talk: Talks, word: str) -> None:
    model = Model()
    assert "/bye or Ctrl-D leaves." in talk(model, word).err
    assert model.sent == []


def test_what_was_cleared_comes_back(talk: Talks) -> None:
    model = Model(Reply(), Reply())
    done = talk(model, "one", "/clear", "/undo", "two", dialogue=SYSTEM)
    assert model.sent[1] == ["Be brief.", "one", "Yes.", "two"]
    assert done.record.kept[1:3] == [(["Be brief."], None), (["Be brief.", "one", "Yes."], None)]


def test_the_system_prompt_is_shown_set_and_dropped(talk: Talks, tmp_path: Path) -> None:
    (tmp_path / "system.txt").write_text("From a file.\n")
    model = Model(Reply(), Reply(), Reply())
    file = f"/system @{tmp_path / 'system.txt'}"
    done = talk(model, "/system", "/system Hi.", "/system", "1", file, "2", '/system ""', "3")
    assert [sent[0] for sent in model.sent] == ["Hi.", "From a file.", "1"]
    assert "There is no system prompt.\n" in done.err
    assert "\nHi.\n" in done.err


def test_set_changes_what_the_next_answer_is_asked_for_with(talk: Talks) -> None:
    model = Model(Reply())
    done = talk(model, "/set top-k 3", "/set temperature=0", "/set top_p 7", "/set verbose on", "q")
    assert model.asked[0].sampling == Sampling(temperature=0, top_k=3)
    assert "smolctl: top_p cannot be 7: it must be from 0 to 1\n" in done.err
    assert done.chat.verbose
    lines = talk(Model(), "/set").err
    assert "min_p             0.05" in lines
    assert "verbose           off" in lines


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("/undp", "Did you mean /undo?"),
        ("/etc/passwd what is this?", "no such command: /etc/passwd\n"),
        (f"/{'x' * 10_000}", f"/{'x' * 39}…\n"),
        ("/set temperature 1 2", "temperature takes one value"),
        ("/set markdown maybe", "markdown cannot be maybe: it is on or off"),
        ("/save", "a file is missing: /save FILE"),
        ("/save x", "there is nothing to save yet"),
        ("/load /nonexistent", "no such file: /nonexistent"),
        ("/file /nonexistent", "no such file: /nonexistent"),
        (f"/file {'x' * 5000}", "cannot read xxx"),
        ("/file /dev/zero", "/dev/zero is no file"),
        ("/file /", "/ is a folder"),
        ("/copy", "there is no answer to copy"),
        ("/stats", "There is no answer yet."),
    ],
)
def test_what_cannot_be_done_is_said_in_two_lines_at_most(
    talk: Talks, typed: str, said: str
) -> None:
    model = Model()
    err = talk(model, typed).err
    assert said in err
    assert len(err.splitlines()) <= 3  # the first is the welcome
    assert model.sent == []


def test_help_names_every_command(talk: Talks) -> None:
    err = talk(Model(), "/help").err
    for name in ("help", "bye", "clear", "retry", "undo", "system", "set", "show", "model", "save",
                 "load", "file", "stats", "copy", "?", "exit"):  # fmt: skip
        assert f"/{name}" in err
    assert max(map(len, err.splitlines())) <= 80


def test_a_message_may_begin_with_a_slash(talk: Talks) -> None:
    model = Model(Reply())
    talk(model, "//etc/passwd is what?")
    assert model.sent == [["/etc/passwd is what?"]]


class TestContext:
    def turns(self, count: int) -> Dialogue:
        dialogue = SYSTEM
        for number in range(count):
            dialogue = dialogue.answered(f"{number}" * 84, "a" * 84)
        return dialogue

    def test_the_oldest_turns_go_when_the_prompt_does_not_fit(self, talk: Talks) -> None:
        too_long = PromptTooLong("too long", prompt_tokens=1000, context_size=800)
        model = Model(Reply((too_long,)), Reply(), context=800)
        done = talk(model, "?", dialogue=self.turns(5))
        assert model.sent[1][0] == "Be brief."
        assert model.sent[1][1][0] == "4"
        assert len(done.chat.dialogue.turns) == 6  # all of it is still kept
        assert done.err.count("has outgrown the context") == 1
        assert len(done.record.kept[-1][0]) == 13

    def test_they_go_before_there_is_no_room_for_an_answer(self, talk: Talks) -> None:
        nearly = Reply(usage=Usage(700, 0, 50))
        model = Model(nearly, Reply(usage=Usage(300, 0, 5)), Reply(), context=800)
        done = talk(model, "?", "??", "???", dialogue=self.turns(3))
        assert len(model.sent[0]) == 8
        assert len(model.sent[1]) < 8
        assert done.err.count("has outgrown the context") == 1

    def test_it_is_told_again_after_clear(self, talk: Talks) -> None:
        too_long = PromptTooLong("too long")
        model = Model(Reply(), Reply((too_long,)), Reply(), Reply(), Reply((too_long,)), Reply())
        done = talk(model, "1", "2", "/clear", "3", "4")
        assert done.err.count("has outgrown the context") == 2

    def test_a_message_too_long_by_itself_leaves_everything_as_it_was(self, talk: Talks) -> None:
        too_long = PromptTooLong("too long", prompt_tokens=1000, context_size=800)
        model = Model(*[Reply((too_long,))] * 9, context=800)
        dialogue = self.turns(3)
        done = talk(model, "?" * 5000, dialogue=dialogue)
        assert done.chat.dialogue == dialogue
        assert "smolctl: too long\n  Shorten the message; up-arrow brings it back.\n" in done.err
        assert done.record.kept == []

    @pytest.mark.parametrize(
        ("sampling", "said"),
        [(Sampling(max_tokens=20), "cut: max_tokens is 20"), (Sampling(), "the context is full")],
    )
    def test_an_answer_that_was_cut_says_why(
        self, talk: Talks, sampling: Sampling, said: str
    ) -> None:
        model = Model(Reply(finish_reason="length", usage=Usage(9, 0, 20)))
        assert said in talk(model, "?", dialogue=Dialogue(sampling=sampling)).err

    def test_show_tells_how_much_is_used(self, talk: Talks) -> None:
        model = Model(Reply(usage=Usage(30, 0, 12)), context=800)
        done = talk(model, "?", "/show", record=Kept(name="work"))
        assert "context   800 tokens, 42 of them used\n" in done.err
        assert "session   work\n" in done.err


class TestFiles:
    def test_a_conversation_is_saved_and_loaded(self, talk: Talks, tmp_path: Path) -> None:
        path = tmp_path / "chat.json"
        hot = Dialogue("Be brief.", sampling=Sampling(temperature=1.5))
        talk(Model(Reply(("Grüße",))), "Hallo", f"/save {path}", dialogue=hot)
        assert "Grüße" in path.read_text()
        model = Model(Reply())
        done = talk(model, f"/load {path}", "Und?")
        assert model.sent[0] == ["Be brief.", "Hallo", "Grüße", "Und?"]
        assert model.asked[0].sampling.temperature == 1.5
        assert done.record.kept[0][0] == ["Be brief.", "Hallo", "Grüße"]
        assert "> Hallo\nGrüße\n" in done.err

    def test_another_conversation_is_not_written_over_it(self, talk: Talks, tmp_path: Path) -> None:
        path = tmp_path / "chat.json"
        done = talk(Model(Reply(), Reply()), "q", f"/save {path}", "/clear", "r", f"/save {path}")
        assert f"{path} is there already" in done.err
        assert json.loads(path.read_text())["messages"][0]["content"] == "q"
        done = talk(Model(Reply()), "r", f"/load {path}", "/undo", f"/save {path}")
        assert f"{path} is there already" in done.err

    def test_what_is_saved_is_for_its_owner_alone(self, talk: Talks, tmp_path: Path) -> None:
        talk(Model(Reply()), "q", f"/save {tmp_path / 'a'}", f"/save! {tmp_path / 'b'}")
        assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}

    def test_what_does_not_fit_leaves_no_file(self, talk: Talks, tmp_path: Path) -> None:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
        try:
            done = talk(Model(Reply()), "q", f"/save {tmp_path / 'a'}")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert "cannot save to" in done.err
        assert not list(tmp_path.iterdir())

    def test_nothing_is_written_over_unasked(self, talk: Talks, tmp_path: Path) -> None:
        path = tmp_path / "mine"
        path.write_text("mine")
        done = talk(Model(Reply()), "q", f"/save {path}")
        assert path.read_text() == "mine"
        assert f"{path} is there already\n  /save! {path} writes over it." in done.err
        talk(Model(Reply(), Reply()), "q", f"/save! {path}", "r", f"/save {path}")
        assert len(json.loads(path.read_text())["messages"]) == 4  # its own file may be

    @pytest.mark.parametrize(
        "content",
        [b"", b"[]", b"{}", b'{"messages": []}', b'{"messages": 7}', b"\xff\xfe", b"[" * 100_000,
         b'{"messages": [{"role": "root", "content": "x"}]}',
         b'{"messages": [{"role": "user", "content": 7}]}',
         b'{"messages": [{"role": "user", "content": "\\ud800"}]}',
         b'{"messages": [{"role": "user", "content": "x"}], "temperature": "hot"}'],
    )  # fmt: skip
    def test_what_is_no_conversation_changes_nothing(
        self, talk: Talks, tmp_path: Path, content: bytes
    ) -> None:
        path = tmp_path / "chat.json"
        path.write_bytes(content)
        done = talk(Model(), f"/load {path}", dialogue=SYSTEM)
        assert f"smolctl: {path} holds no conversation\n" in done.err
        assert done.chat.dialogue == SYSTEM

    def test_what_was_there_before_loading_comes_back(self, talk: Talks, tmp_path: Path) -> None:
        path = tmp_path / "chat.json"
        path.write_text('{"messages": [{"role": "user", "content": "x"}]}')
        done = talk(Model(Reply()), "q", f"/load {path}", "/undo")
        assert done.chat.dialogue.turns[0].question == "q"

    def test_files_go_with_the_next_message_alone(self, talk: Talks, tmp_path: Path) -> None:
        first, second = tmp_path / "a b.txt", tmp_path / "c.txt"
        first.write_text("alpha\n")
        second.write_text("beta\n")
        model = Model(Reply(), Reply())
        done = talk(model, f"/file {first}", f"/file '{second}'", "Compare.", "And?")
        assert model.sent[0] == [f"Compare.\n\nFile: {first}\n\nalpha\n\nFile: {second}\n\nbeta"]
        assert model.sent[1][-1] == "And?"
        assert done.typing.prompts == ["> ", "(1 file) > ", "(2 files) > ", "> ", "> "]

    def test_one_that_is_too_long_is_named(self, talk: Talks, tmp_path: Path) -> None:
        long = tmp_path / "many.txt"
        long.write_text("word " * 1000)
        too_long = PromptTooLong("too long", prompt_tokens=1000, context_size=800)
        done = talk(Model(Reply((too_long,)), context=800), f"/file {long}", "What?")
        assert "That may be more than the context of 800 tokens holds.\n" in done.err
        assert f"The text of {long} goes with it: /file - drops that.\n" in done.err

    def test_they_stay_when_the_message_fails_and_can_be_dropped(
        self, talk: Talks, tmp_path: Path
    ) -> None:
        path = tmp_path / "a.txt"
        path.write_text("alpha")
        model = Model(Reply((NotRunnable("no"),)))
        done = talk(model, f"/file {path}", "q", "/file -")
        assert done.typing.prompts == ["> ", "(1 file) > ", "(1 file) > ", "> "]

    def test_they_go_once_when_it_is_tried_again(self, talk: Talks, tmp_path: Path) -> None:
        path = tmp_path / "a.txt"
        path.write_text("alpha")
        model = Model(Reply((NotRunnable("no"),)), Reply(), Reply())
        done = talk(model, f"/file {path}", "q", "/retry", "r")
        assert model.sent[1] == [f"q\n\nFile: {path}\n\nalpha"]
        assert model.sent[2][-1] == "r"
        assert done.chat.attachments == []

    @pytest.mark.parametrize("content", [b"\0\1", b"\xff\xff", b" \n", b"x" * 1_100_000])
    def test_what_is_no_text_is_refused(self, talk: Talks, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "a"
        path.write_bytes(content)
        done = talk(Model(), f"/file {path}")
        assert f"smolctl: {path} is " in done.err
        assert done.chat.attachments == []


class TestModels:
    def test_another_model_goes_on_with_the_conversation(self, talk: Talks) -> None:
        other = Model(Reply(), name="other", context=4096)
        done = talk(Opened(Model(Reply()), other=other), "1", "/model other", "2")
        assert other.sent == [["1", "Yes.", "2"]]
        assert "Going on with other, 4096 tokens of context." in done.err

    @pytest.mark.parametrize("error", [ModelNotFound("not found"), KeyboardInterrupt()])
    def test_one_that_is_not_there_leaves_the_old_one(
        self, talk: Talks, error: BaseException
    ) -> None:
        model = Model(Reply(), Reply())
        talk(Opened(model, other=error), "1", "/model other", "2")
        assert model.sent[1] == ["1", "Yes.", "2"]


class TestRecords:
    said = (Message("user", "Italy?"), Message("assistant", "Rome\x1b[2J is it."))

    def test_a_chat_that_goes_on_says_where_it_is(self, talk: Talks) -> None:
        dialogue = Dialogue.of(self.said, Sampling())
        err = talk(Model(), dialogue=dialogue, record=Kept(self.said, "trip")).err
        assert "Going on with trip, 1 turn. The last one:\n> Italy?\nRome[2J is it.\n" in err

    def test_one_that_cannot_be_kept_says_so_and_goes_on(self, talk: Talks) -> None:
        class Full(Kept):
            def keep(self, *_: object) -> None:
                raise StorageError("the disk is full")

        model = Model(Reply(), Reply())
        done = talk(model, "1", "2", record=Full())
        assert done.err.count("smolctl: the disk is full\n") == 2
        assert model.sent[1] == ["1", "Yes.", "2"]


def test_statistics_are_told_when_asked_for(talk: Talks) -> None:
    known = Reply(usage=Usage(10, 4, 20), timings=Timings(0, 0.1, 0.2, 1.0))
    done = talk(Model(known), "q", "/stats")
    assert "10 tokens, 4 of them cached" in done.err
    assert "load:" in done.err
    again = talk(Model(known, known), "q", "/clear", "q", verbose=True)
    assert again.err.count("load:") == 1  # it was loaded once
    assert again.err.count("prompt:") == 2


def test_the_statistics_of_a_stopped_answer_say_so(talk: Talks) -> None:
    done = talk(Model(Reply(("Ro", KeyboardInterrupt()), usage=None)), "Italy?", "/stats")
    assert "The answer was stopped: its tokens were not counted.\n" in done.err
