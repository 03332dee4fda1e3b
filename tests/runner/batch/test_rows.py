"""What lines are as rows, and what rows ask for."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from smolctl.engine.conversation import ChatRequest, Message
from smolctl.engine.gbnf import Grammar
from smolctl.engine.sampling import Sampling
from smolctl.errors import SmolctlError, StorageError, UsageError
from smolctl.runner.batch import rows as module
from smolctl.runner.batch.rows import Asking, Row, RowForm, Rows, numbered_lines
from smolctl.runner.batch.template import Template

if TYPE_CHECKING:
    from pathlib import Path

HI = (Message("user", "hi"),)


def rows(text: str | bytes, form: RowForm = RowForm.JSONL, *finished: Any) -> list[Row]:
    content = text.encode() if isinstance(text, str) else text
    lines = iter(list(enumerate(content.split(b"\n"), 1)))
    return list(Rows(lines, form, lambda row: row.id in finished))


def asked(asking: Asking | None = None, **fields: Any) -> ChatRequest:
    return (asking or Asking()).request(Row(1, 1, fields))


def problem(row: Row) -> str:
    assert row.error is not None
    return row.error.message


def test_a_row_has_the_id_that_it_says_else_its_line_number() -> None:
    found = rows('{"id": "a"}\n\n{"custom_id": 7}\n{"id": null}\n{"id": 1.5}\n')
    assert [(row.line, row.id) for row in found] == [(1, "a"), (3, 7), (4, 4), (5, 1.5)]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b"-nope", "the row is not valid JSON: Expecting value, column 1"),
        (b"[1]", "the row is not a JSON object"),
        (b'{"id": NaN}', "the row is not valid JSON"),
        (b'{"a": ' + b"[" * 500 + b"]" * 500 + b"}", "nested too deeply"),
        (b'{"id": "\\ud800"}', "half a surrogate pair"),
        (b'{"prompt": "\xff"}', "no text in UTF-8"),
        (b'{"id": true}', "neither a string nor a number"),
        (b'{"id": [1]}', "neither a string nor a number"),
    ],
)
def test_a_line_that_is_no_row_is_an_error_of_its_own(line: bytes, what: str) -> None:
    broken, whole = rows(line + b'\n{"id": "b"}')
    assert (broken.line, broken.id, whole.id) == (1, None, "b")
    assert what in problem(broken)


def test_of_rows_with_one_id_the_later_is_an_error() -> None:
    found = rows('{"id": 3}\n{"id": "3"}\n{"id": 3}\n{"prompt": "x"}\n')
    assert [row.id for row in found] == [3, "3", None, 4]
    assert problem(found[2]) == "the row has the ID 3, and so has line 1"


def test_what_a_row_asks_has_a_hash_of_all_that_it_asks() -> None:
    asking = Asking(system="Be brief.")
    line = '{"id": 1, "prompt": "Hello"}'
    (row,) = rows(line)
    digest = asking.digest(row, "a model")
    assert digest == asking.digest(rows(line.replace(" ", ""))[0], "a model")
    others = {
        asking.digest(row, "another model"),
        asking.digest(rows(line.replace("Hello", "Bye"))[0], "a model"),
        Asking().digest(row, "a model"),
        Asking(Sampling(seed=1), "Be brief.").digest(row, "a model"),
    }
    assert len({digest, *others}) == 5
    assert asking.digest(rows("{}")[0], "a model") is None


def test_a_change_shows_in_the_part_of_the_hash_that_it_is_of() -> None:
    (row,), (other,) = rows('{"id": 1, "prompt": "Hello"}'), rows('{"id": 1, "prompt": "Bye"}')
    base = Asking().digest(row, "m") or ""

    def differing(digest: str | None) -> list[int]:
        assert digest is not None
        size = len(base) // 3
        return [at for at in range(3) if digest[at * size :][:size] != base[at * size :][:size]]

    assert differing(Asking().digest(other, "m")) == [0]
    assert differing(Asking().digest(row, "n")) == [1]
    assert differing(Asking(Sampling(seed=1)).digest(row, "m")) == [2]
    assert differing(Asking().digest(row, "m", "chunk")) == [2]


def test_a_text_is_no_input_unless_its_lines_are_prompts() -> None:
    with pytest.raises(UsageError, match="line 1 of the input is no JSON object") as raised:
        rows("What is the capital of France?")
    assert "--lines" in str(raised.value.hint)


def test_finished_rows_are_passed_over_and_counted() -> None:
    read = Rows(
        iter([(1, b'{"id": 1}'), (2, b'{"id": 2}'), (3, b"x")]), finished=lambda row: row.id == 1
    )
    assert [row.line for row in read] == [2, 3]
    assert (read.passed, read.lines) == (1, {1: 1, 2: 2})


def test_lines_are_prompts_and_empty_ones_are_none() -> None:
    found = rows("\ufeffone\r\n\n  \ntwo {x}", RowForm.LINES)
    assert [(row.id, dict(row.fields)) for row in found] == [
        (1, {"prompt": "one"}),
        (4, {"prompt": "two {x}"}),
    ]


def test_csv_has_the_fields_of_its_header() -> None:
    found = rows(b'id,text\na,"x, ""y"""\nb,\xff\nc,"two\nlines"\n', RowForm.CSV)
    assert [(row.line, row.id) for row in found] == [(2, "a"), (3, None), (5, "c")]
    assert found[0].fields["text"] == 'x, "y"'
    assert found[2].fields["text"] == "two\nlines"


def test_a_csv_without_a_header_that_can_be_read_has_no_rows() -> None:
    with pytest.raises(UsageError, match="header cannot be read: the line is no text in UTF-8"):
        rows(b"pr\xe9nom,text\na,b\n", RowForm.CSV)


def test_of_a_table_prompts_and_numbers_count_and_other_columns_are_anybodys() -> None:
    asking = Asking(template=Template("{text}"))
    line = (
        b"text,temperature,max_tokens,seed,stop,tools,n,system\nhi,0.5,7,,bus,hammer,x,Be brief.\n"
    )
    [row] = rows(line, RowForm.CSV)
    asked = asking.request(row)
    assert asked.sampling == Sampling(temperature=0.5, max_tokens=7)
    assert [each.content for each in asked.messages] == ["Be brief.", "hi"]
    assert (asked.stop, asked.tools) == ((), ())
    [row] = rows(b"prompt,temperature\nhi,warm\n", RowForm.CSV)
    with pytest.raises(UsageError, match="temperature must be a number"):
        Asking().request(row)


def test_an_empty_id_is_none() -> None:
    found = rows(b"id,text\n,a\n,b\nc,c\n", RowForm.CSV)
    assert [(row.id, row.error) for row in found] == [(2, None), (3, None), ("c", None)]


def test_a_file_is_read_in_pieces_and_what_is_too_long_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CHUNK", 8)
    monkeypatch.setattr(module, "MAXIMUM_LINE", 20)
    path = tmp_path / "in"
    path.write_text("short\n\n" + "x" * 500 + "\nand the last")
    handle = os.open(path, os.O_RDONLY)
    try:
        lines = list(numbered_lines(handle, "in"))
    finally:
        os.close(handle)
    assert [(number, line) for number, line in lines if number != 3] == [
        (1, b"short"),
        (2, b""),
        (4, b"and the last"),
    ]
    assert 20 < len(lines[2][1]) <= 36
    (row,) = Rows(iter([lines[2]]), RowForm.LINES)
    assert "more than" in problem(row)


def test_what_cannot_be_read_is_an_error_of_storage(tmp_path: Path) -> None:
    handle = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(StorageError, match="cannot read the rows: "):
            next(numbered_lines(handle, "the rows"))
    finally:
        os.close(handle)


def test_a_prompt_is_asked_with_what_all_rows_have_and_what_it_has_itself() -> None:
    common = Asking(Sampling(temperature=0, max_tokens=9), "Be brief.")
    request = asked(common, prompt="hi", max_tokens=5, seed=3, top_k=None, text="ignored")
    assert request.messages == (Message("system", "Be brief."), *HI)
    assert request.sampling == Sampling(temperature=0, max_tokens=5, seed=3)
    assert asked(common, prompt="hi", system="Own.").messages[0] == Message("system", "Own.")


def test_messages_are_those_of_openai_and_may_have_a_system_prompt_already() -> None:
    system = {"role": "system", "content": "Theirs."}
    user = {"role": "user", "content": "hi"}
    common = Asking(system="Ours.")
    assert asked(common, messages=[user]).messages == (Message("system", "Ours."), *HI)
    assert asked(common, messages=[system, user]).messages == (Message("system", "Theirs."), *HI)


def test_a_row_of_openais_batches_has_its_request_in_the_body() -> None:
    body = {"model": "gpt", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 4}
    request = asked(custom_id="a", method="POST", url="/v1/chat/completions", body=body)
    assert (request.messages, request.sampling.max_tokens) == (HI, 4)


def test_a_template_makes_the_prompt_and_its_fields_are_nothing_else() -> None:
    common = Asking(template=Template("Say {prompt} {stop}:"))
    request = asked(common, prompt="hi", stop=12, temperature=0)
    assert request.messages == (Message("user", "Say hi 12:"),)
    assert (request.stop, request.sampling.temperature) == ((), 0)


def test_fields_that_a_template_leaves_out_may_be_any() -> None:
    common = Asking(template=Template("Say {text}:"), stop=("x",))
    data = {"stop": "Main Street", "tools": "hammer", "messages": 7, "n": 3, "seed": "wheat"}
    request = asked(common, text="hi", **data, top_k=True, temperature=0, system="Be.")
    assert request.messages == (Message("system", "Be."), Message("user", "Say hi:"))
    assert request.sampling == Sampling(temperature=0)
    assert (request.stop, request.tools) == (("x",), ())


def test_a_grammar_for_all_gives_way_to_a_rows_own_form() -> None:
    common = Asking(grammar=Grammar('root ::= "a"'), note="Say a.")
    request = asked(common, prompt="hi", system="Be.")
    assert request.grammar is common.grammar
    assert request.messages == (Message("system", "Be."), Message("user", "Say a.\n\nhi"))
    own = asked(common, prompt="hi", response_format={"type": "json_object"})
    assert own.grammar not in (None, common.grammar)
    assert own.messages == HI


def test_stop_strings_for_all_give_way_to_a_rows_own() -> None:
    common = Asking(stop=("a", "b"))
    assert asked(common, prompt="hi").stop == ("a", "b")
    assert asked(common, prompt="hi", stop="c").stop == ("c",)


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({}, "prompt is missing"),
        ({"prompt": ""}, "prompt is empty"),
        ({"prompt": 3}, "prompt must be a string"),
        ({"prompt": "a", "messages": []}, "does not go together"),
        ({"messages": []}, "messages is missing or empty"),
        ({"messages": "a"}, "messages must be a list"),
        ({"prompt": "a", "temperature": "hot"}, "temperature must be a number"),
        ({"prompt": "a", "system": 1}, "system must be a string"),
        ({"body": 1}, "body must be an object"),
    ],
)
def test_what_makes_no_sense_says_which_field_does_not(fields: dict[str, Any], what: str) -> None:
    with pytest.raises(UsageError, match=what):
        asked(**fields)


def test_the_error_of_a_line_is_that_of_its_request() -> None:
    (row,) = rows("-nope")
    with pytest.raises(SmolctlError) as raised:
        Asking().request(row)
    assert raised.value is row.error
    assert json.dumps(row.id) == "null"
