"""One prompt, one reply: what reaches which stream, what is an error, what is kept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from smolctl.cli.one_shot import OneShot
from smolctl.cli.output import Output
from smolctl.cli.prompt_sources import Asked
from smolctl.cli.record import Record
from smolctl.cli.reply_flags import ReplyFlags, ReplyFormat
from smolctl.cli.reply_form import ReplyForm
from smolctl.engine.conversation import Delta, Message, ToolCallDelta
from smolctl.engine.generation import Usage
from smolctl.errors import NotRunnable, PromptTooLong, UsageError
from tests.support.chat_models import CountingModel, Reply, ScriptedModel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from smolctl.history.exchange import Exchange
    from smolctl.runner.chat_model import ChatModel

FENCED = ["Sure:\n``", "`python\npri", "nt(1)\n``", "`\nThat ", "is all."]


class Kept(Record):
    """A conversation in memory."""

    def __init__(self, *messages: Message) -> None:
        self.messages = messages
        self.exchanges: list[Exchange | None] = []

    def keep(self, messages: Sequence[Message], exchange: Exchange | None = None) -> None:
        self.messages = tuple(messages)
        self.exchanges.append(exchange)


def ask(
    model: ChatModel,
    flags: ReplyFlags | None = None,
    *,
    asked: Asked | None = None,
    record: Record | None = None,
    system: str | None = None,
) -> None:
    flags = flags or ReplyFlags()
    question = OneShot(asked or Asked("Well?"), ReplyForm.read(flags), flags, system)
    question.answer(Output(), model, record or Record())


Said = tuple[str, str, NotRunnable | None]
Say = "Callable[..., Said]"


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """What both streams hold after a reply, and its error."""

    def said(reply: Reply, flags: ReplyFlags | None = None, **more: Any) -> Said:
        raised = None
        try:
            ask(ScriptedModel([reply]), flags, **more)
        except NotRunnable as error:
            raised = error
        out, err = capsys.readouterr()
        return out, err, raised

    return said


class TestSchema:
    FLAGS = ReplyFlags(schema="name, age int")
    WHOLE = '{"name": "Ann", "age": 3}'

    def test_json_is_printed_as_it_comes(self, say: Callable[..., Said]) -> None:
        assert say(Reply([self.WHOLE[:9], self.WHOLE[9:]]), self.FLAGS) == (
            f"{self.WHOLE}\n",
            "",
            None,
        )

    def test_the_model_is_told_between_the_instruction_and_the_text(self) -> None:
        model = ScriptedModel([Reply([self.WHOLE])])
        ask(model, self.FLAGS, asked=Asked("Who?", "Ann is 3."))
        assert model.asked[0].messages[-1].content == (
            "Who?\n\nGive these fields as JSON:\n- name\n- age: a whole number\n\nAnn is 3."
        )
        assert model.asked[0].grammar is not None

    def test_what_was_cut_is_printed_and_an_error(self, say: Callable[..., Said]) -> None:
        out, _, error = say(Reply(['{"name": "An'], "length"), self.FLAGS)
        assert out == '{"name": "An\n'
        assert "cut" in str(error)
        assert "--max-tokens" in str(error and error.hint)

    def test_what_was_whole_at_the_limit_is_whole(self, say: Callable[..., Said]) -> None:
        assert say(Reply([self.WHOLE], "length"), self.FLAGS)[2] is None

    @pytest.mark.parametrize("text", ["Ann is 3.", '{"name": "Ann"}', "[]", ""])
    def test_a_server_that_knows_no_grammars_is_noticed(
        self, say: Callable[..., Said], text: str
    ) -> None:
        out, _, error = say(Reply([text], None), self.FLAGS)
        assert out == (f"{text}\n" if text else "")
        assert "does not have the form" in str(error)

    def test_a_person_gets_it_laid_out(
        self, say: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Output, "stdout_is_terminal", True)
        assert say(Reply([self.WHOLE]), self.FLAGS)[0] == '{\n  "name": "Ann",\n  "age": 3\n}\n'
        assert say(Reply(['{"name": "'], "length"), self.FLAGS)[0] == '{"name": "\n'

    def test_many_records_are_a_list(self, say: Callable[..., Said]) -> None:
        flags = ReplyFlags(schema_multi="name")
        assert say(Reply(['{"items": [{"name": "Ann"}]}']), flags)[2] is None
        assert say(Reply(['{"name": "Ann"}']), flags)[2] is not None

    def test_it_is_named_in_a_file_or_as_json(self, tmp_path: Path) -> None:
        schema = {"type": "object", "properties": {"a": {"type": "string"}}}
        path = tmp_path / "schema.json"
        path.write_text(json.dumps(schema))
        short = tmp_path / "short"
        short.write_text("a: dry, short\nb int\n")
        by_file = ReplyForm.read(ReplyFlags(schema=str(path)))
        assert by_file == ReplyForm.read(ReplyFlags(schema=json.dumps(schema)))
        assert (
            "- a: dry, short\n- b: a whole number"
            in ReplyForm.read(ReplyFlags(schema=str(short))).note
        )

    def test_any_name_of_a_file_follows_an_at_sign(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "person").write_text("name, age int")
        by_file = ReplyForm.read(ReplyFlags(schema="@person"))
        assert by_file == ReplyForm.read(ReplyFlags(schema="name, age int"))

    @pytest.mark.parametrize(
        ("schema", "message"),
        [
            ("./none.json", "no such file"),
            ("none.json", "no such file"),
            ("@none", "no such file: none"),
            ("@", "a folder|no such file"),
            ("{", "not valid JSON"),
            ('{"type": "nothing"}', "no type"),
            ("name thing", "no type"),
        ],
    )
    def test_a_broken_one_is_a_mistake(self, schema: str, message: str) -> None:
        with pytest.raises(UsageError, match=message):
            ReplyForm.read(ReplyFlags(schema=schema))


def test_a_grammar_is_followed_and_a_cut_is_an_error(
    say: Callable[..., Said], tmp_path: Path
) -> None:
    path = tmp_path / "answer.gbnf"
    path.write_text('root ::= "yes" | "no"')
    flags = ReplyFlags(grammar=path)
    assert say(Reply(["yes"]), flags) == ("yes\n", "", None)
    assert say(Reply(["ye"], "length"), flags)[2] is not None
    path.write_text("root ::= other")
    with pytest.raises(UsageError, match="other"):
        ReplyForm.read(flags)


class TestExtract:
    FLAGS = ReplyFlags(extract=True)

    def test_the_block_is_printed_and_the_rest_is_not_generated(
        self, say: Callable[..., Said]
    ) -> None:
        reply = Reply([*FENCED, RuntimeError("generated")])
        assert say(reply, self.FLAGS) == ("print(1)\n", "", None)
        assert reply.left
        assert reply.taken == 4

    def test_without_a_block_the_reply_is_on_stderr(self, say: Callable[..., Said]) -> None:
        out, err, error = say(Reply(["print(1)"]), self.FLAGS)
        assert (out, err) == ("", "print(1)\n")
        assert "no fenced code block" in str(error)
        assert "in the prompt" in str(error and error.hint)

    def test_a_block_that_was_cut_is_printed_and_an_error(self, say: Callable[..., Said]) -> None:
        out, _, error = say(Reply(["```\na\nb"], "length"), self.FLAGS)
        assert out == "a\nb\n"
        assert "cut" in str(error)

    def test_a_block_that_the_reply_ends_is_whole(self, say: Callable[..., Said]) -> None:
        assert say(Reply(["```\na"]), self.FLAGS) == ("a\n", "", None)


def call(index: int, arguments: str, name: str | None = None, id_: str | None = None) -> Delta:
    return Delta(tool_call=ToolCallDelta(index, id_, name, arguments))


class TestTools:
    @pytest.fixture
    def flags(self, tmp_path: Path) -> ReplyFlags:
        path = tmp_path / "tools.json"
        path.write_text('{"type": "function", "function": {"name": "add"}}')
        return ReplyFlags(tools=path)

    def test_each_call_is_a_line_and_text_is_on_stderr(
        self, say: Callable[..., Said], flags: ReplyFlags
    ) -> None:
        pieces = [
            "Let me ",
            "see.",
            call(0, "", "add", "c1"),
            call(0, '{"a": '),
            call(0, "1}"),
            call(1, "", "add", "c2"),
        ]
        out, err, error = say(Reply(list(pieces), "tool_calls"), flags)
        assert out.splitlines() == [
            '{"name": "add", "arguments": {"a": 1}, "id": "c1"}',
            '{"name": "add", "arguments": {}, "id": "c2"}',
        ]
        assert (err, error) == ("Let me see.\n", None)

    def test_a_call_is_printed_when_it_is_whole(
        self, flags: ReplyFlags, capsys: pytest.CaptureFixture[str]
    ) -> None:
        reply = Reply([call(0, '{"a": 1}', "add"), NotRunnable("died")])
        with pytest.raises(NotRunnable, match="died"):
            ask(ScriptedModel([reply]), flags)
        assert capsys.readouterr().out.count("\n") == 1

    def test_an_answer_in_text_is_no_error(
        self, say: Callable[..., Said], flags: ReplyFlags
    ) -> None:
        assert say(Reply(["None fits."]), flags) == ("", "None fits.\n", None)

    @pytest.mark.parametrize(
        ("pieces", "reason", "message"),
        [
            (["I would"], "length", "cut"),
            ([call(0, '{"a', "add")], "stop", "no JSON object"),
            ([call(0, "[]", "add")], "stop", "no JSON object"),
        ],
    )
    def test_what_is_no_whole_call_is_an_error(
        self,
        say: Callable[..., Said],
        flags: ReplyFlags,
        pieces: list[str | Delta | BaseException],
        reason: str,
        message: str,
    ) -> None:
        out, _, error = say(Reply(pieces, reason), flags)
        assert out == ""
        assert message in str(error)

    def test_a_call_that_must_be_made_and_is_not_is_an_error(
        self, say: Callable[..., Said], flags: ReplyFlags
    ) -> None:
        for choice in ("required", "add"):
            certain = ReplyFlags(tools=flags.tools, tool_choice=choice)
            assert "calls no tool" in str(say(Reply(["No."]), certain)[2])

    @pytest.mark.parametrize(
        "document",
        ["[]", "3", '[{"type": "function"}]', '{"tools": [{"function": {"name": "a b"}}]}', "{"],
    )
    def test_a_file_without_tools_is_a_mistake(self, tmp_path: Path, document: str) -> None:
        path = tmp_path / "tools.json"
        path.write_text(document)
        with pytest.raises(UsageError, match=r"tools\.json"):
            ReplyForm.read(ReplyFlags(tools=path))

    def test_a_choice_that_is_no_tool_is_a_mistake(self, flags: ReplyFlags) -> None:
        with pytest.raises(UsageError, match="subtract"):
            ReplyForm.read(ReplyFlags(tools=flags.tools, tool_choice="subtract"))


class TestDocument:
    def test_all_that_is_known_is_in_it(self, say: Callable[..., Said]) -> None:
        reply = Reply([Delta(reasoning="Hm."), '{"a": ', "1}"], usage=Usage(10, 5, 3))
        out, err, error = say(reply, ReplyFlags(json=True, schema="a int"))
        assert (out.count("\n"), err, error) == (1, "", None)
        assert json.loads(out) == {
            "model": "a model",
            "text": '{"a": 1}',
            "data": {"a": 1},
            "reasoning": "Hm.",
            "tool_calls": [],
            "finish_reason": "stop",
            "usage": {"prompt_tokens": 10, "cached_tokens": 5, "completion_tokens": 3},
            "timings": {
                "load_seconds": None,
                "queued_seconds": 0.0,
                "prompt_seconds": 0.5,
                "first_token_seconds": 0.5,
                "generation_seconds": 0.25,
            },
            "rates": {"prompt_tokens_per_second": 10.0, "completion_tokens_per_second": 12.0},
        }

    def test_what_nobody_says_is_null(self, say: Callable[..., Said]) -> None:
        out, _, _ = say(Reply(["Yes."], None, timings=None), ReplyFlags(json=True))
        document = json.loads(out)
        assert "data" not in document
        assert document["usage"] is document["finish_reason"] is None
        assert set(document["timings"].values()) == {None}

    def test_a_form_that_was_missed_is_an_error_and_data_is_null(
        self, say: Callable[..., Said]
    ) -> None:
        flags = ReplyFlags(json=True, format=ReplyFormat.json)
        out, _, error = say(Reply(['{"a": '], "length"), flags)
        assert json.loads(out)["data"] is None
        assert error is not None

    def test_an_interrupted_reply_is_printed_as_far_as_it_came(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(KeyboardInterrupt):
            ask(ScriptedModel([Reply(["Ye", KeyboardInterrupt()])]), ReplyFlags(json=True))
        document = json.loads(capsys.readouterr().out)
        assert (document["text"], document["finish_reason"]) == ("Ye", "cancelled")

    def test_of_a_failure_before_anything_came_there_is_none(
        self, say: Callable[..., Said]
    ) -> None:
        out, _, error = say(Reply([NotRunnable("died")]), ReplyFlags(json=True))
        assert (out, str(error)) == ("", "died")


class TestConversation:
    BEFORE = (Message("system", "Be brief."), Message("user", "Hi"), Message("assistant", "Hello"))

    def test_what_was_said_before_goes_with_the_prompt_and_the_reply_is_kept(self) -> None:
        model, record = ScriptedModel([Reply(["Yes."])]), Kept(*self.BEFORE)
        ask(model, record=record)
        asked = (*self.BEFORE, Message("user", "Well?"))
        assert model.asked[0].messages == asked
        assert record.messages == (*asked, Message("assistant", "Yes."))
        (exchange,) = record.exchanges
        assert exchange is not None
        assert (exchange.prompt, exchange.reply, exchange.system) == ("Well?", "Yes.", "Be brief.")

    def test_a_system_prompt_takes_the_place_of_the_one_before(self) -> None:
        model = ScriptedModel([Reply(["Yes."])])
        ask(model, record=Kept(*self.BEFORE), system="Be kind.")
        assert model.asked[0].messages[:2] == (Message("system", "Be kind."), self.BEFORE[1])

    def test_a_reply_that_broke_off_is_not_kept(self) -> None:
        record = Kept(*self.BEFORE)
        with pytest.raises(NotRunnable):
            ask(ScriptedModel([Reply(["Ye", NotRunnable("died")])]), record=record)
        assert record.messages == self.BEFORE

    def test_an_interrupted_reply_is_a_part_of_it(self) -> None:
        record = Kept(*self.BEFORE)
        with pytest.raises(KeyboardInterrupt):
            ask(ScriptedModel([Reply(["Ye", KeyboardInterrupt()])]), record=record)
        assert record.messages[-1] == Message("assistant", "Ye")

    def test_one_that_was_interrupted_before_it_began_is_not(self) -> None:
        record = Kept(*self.BEFORE)
        with pytest.raises(KeyboardInterrupt):
            ask(ScriptedModel([Reply([KeyboardInterrupt()])]), record=record)
        assert record.messages == self.BEFORE


def test_statistics_come_after_the_answer_on_stderr(say: Callable[..., Said]) -> None:
    out, err, _ = say(Reply(["Yes."], usage=Usage(10, 0, 3)), ReplyFlags(verbose=True))
    assert out == "Yes.\n"
    assert err.startswith("prompt:      10 tokens")


def test_stops_reach_the_model() -> None:
    model = ScriptedModel([Reply(["Yes"])])
    ask(model, ReplyFlags(stop=(".", "\n")))
    assert model.asked[0].stop == (".", "\n")


class TestLongTexts:
    ASKED = Asked("Shorten:", " ".join(f"word{number:05}" for number in range(300)))

    @staticmethod
    def model() -> CountingModel:
        return CountingModel(100, lambda prompt: " ".join(prompt.split()[1:3]))

    def test_are_worked_on_in_parts_and_the_answers_are_asked_about_once_more(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        model = self.model()
        ask(model, ReplyFlags(chunk=True), asked=self.ASKED)
        out, err = capsys.readouterr()
        assert out == "word00000 word00001\n"
        assert err == ""
        assert model.prompts[-1].startswith("Shorten:\n\nword00000 word00001\n\nword")

    def test_are_an_error_that_says_how(self) -> None:
        with pytest.raises(PromptTooLong) as raised:
            ask(self.model(), asked=self.ASKED)
        assert "--chunk" in str(raised.value.hint)

    def test_a_person_sees_which_part_it_is(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(Output, "stderr_is_terminal", True)
        ask(self.model(), ReplyFlags(chunk=True), asked=self.ASKED)
        err = capsys.readouterr().err
        assert "\r\x1b[Kpart 2 of 5" in err
        assert err.endswith("\r\x1b[K")


class TestAConversationThatOutgrowsTheContext:
    TURNS = tuple(
        Message(role, f"{role}{number} " + "word " * 9)
        for number in range(5)
        for role in ("user", "assistant")
    )

    @pytest.mark.parametrize("tells", [True, False])
    def test_loses_its_oldest_turns_and_is_kept_whole(
        self, capsys: pytest.CaptureFixture[str], tells: bool
    ) -> None:
        model = CountingModel(80, lambda _: "So it is.", tells=tells)
        record = Kept(*self.TURNS)

        ask(model, record=record, system="Be brief.")

        (prompt,) = model.prompts
        assert prompt.startswith("Be brief.\nuser")
        assert "user0" not in prompt
        assert prompt.endswith("Well?")
        out, err = capsys.readouterr()
        assert out == "So it is.\n"
        assert err.startswith("The conversation has outgrown the context")
        assert len(err.splitlines()) == 1
        answered = (Message("user", "Well?"), Message("assistant", "So it is."))
        assert record.messages == (Message("system", "Be brief."), *self.TURNS, *answered)

    def test_is_no_excuse_for_a_question_that_is_too_long(self) -> None:
        with pytest.raises(PromptTooLong):
            ask(CountingModel(80, str), asked=Asked("word " * 90), record=Kept(*self.TURNS))


FORMS = {
    "--schema": {"schema": "a"},
    "--schema-multi": {"schema_multi": "a"},
    "--format json": {"format": ReplyFormat.json},
    "--grammar": {"grammar": "g"},
    "--tools": {"tools": "t"},
}


@pytest.mark.parametrize("first", FORMS)
@pytest.mark.parametrize("second", FORMS)
def test_a_reply_has_one_form(first: str, second: str) -> None:
    flags: Any = {**FORMS[first], **FORMS[second]}
    if first == second:
        ReplyFlags(**flags).check()
        return
    with pytest.raises(UsageError) as raised:
        ReplyFlags(**flags).check()
    assert first in raised.value.message
    assert second in raised.value.message


@pytest.mark.parametrize(
    "flags",
    [
        {"extract": True, "json": True},
        {"extract": True, "schema": "a"},
        {"extract": True, "tools": "t"},
        {"stop": ("a",), "schema": "a"},
        {"chunk": True, "tools": "t"},
        {"kept": True, "tools": "t"},
        {"tool_choice": "auto"},
    ],
)
def test_flags_that_contradict_each_other_are_mistakes(flags: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        ReplyFlags(**flags).check()


@pytest.mark.parametrize(
    "flags",
    [
        {"json": True, "schema": "a", "chunk": True, "verbose": True},
        {"json": True, "tools": "t", "tool_choice": "auto"},
        {"extract": True, "stop": ("a",), "kept": True},
        {"grammar": "g", "extract": True},
    ],
)
def test_others_go_together(flags: dict[str, Any]) -> None:
    ReplyFlags(**flags).check()
