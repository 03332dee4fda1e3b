"""A file of results: what a later run finds in it, and how it stays in order."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from smolctl.errors import NotRunnable, StorageError, UsageError
from smolctl.runner.batch.result_file import ResultFile
from smolctl.runner.batch.results import Result

if TYPE_CHECKING:
    from pathlib import Path

    from smolctl.runner.batch.rows import RowId


def result(line: int, row: RowId | None, text: str | None = "t") -> Result:
    error = None if text is not None else NotRunnable("it failed", hint="Do.")
    return Result(line, row, "m", text, error=error)


def written(path: Path) -> list[tuple[Any, Any]]:
    """IDs and texts, where there are any."""
    found = [json.loads(line) for line in path.read_text().splitlines()]
    return [(each["id"], each.get("text")) for each in found]


def write(path: Path, *results: Result, tail: str = "") -> None:
    path.write_bytes(b"".join(each.encoded() for each in results) + tail.encode())


def go_on(path: Path, *rows: tuple[int, RowId | None, str | None], stop: int = 99) -> list[Any]:
    """Ask about each of the rows, append what is not there; gives those that were asked about."""
    asked = []
    with closing(ResultFile(path)) as file:
        file.begin()
        lines = {}
        for line, row, text in rows[:stop]:
            if row is not None:
                lines[row] = line
            if row is None or not file.is_finished(row):
                asked.append(row)
                file.write(result(line, row, text))
        file.put_in_order(lines)
    return asked


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


def test_what_is_finished_is_not_asked_again(path: Path) -> None:
    rows = [(1, "a", "A"), (2, 2, "B"), (3, "c", "C")]
    assert go_on(path, *rows[:2]) == ["a", 2]
    assert go_on(path, *rows) == ["c"]
    assert written(path) == [("a", "A"), (2, "B"), ("c", "C")]
    assert go_on(path, *rows) == []


def test_a_result_is_not_taken_for_the_reply_to_something_else(path: Path) -> None:
    write(path, replace(result(1, "a", "A"), asked="1234"), result(2, "b", "B"))
    with closing(ResultFile(path)) as file:
        assert file.is_finished("a", "1234")
        assert file.is_finished("b", "5678")  # nobody knows what it is the reply to
        assert file.is_finished("a")
        with pytest.raises(UsageError, match="row 'a' came of another prompt, another model, or"):
            file.is_finished("a", "567890")


def test_what_a_result_differs_in_is_said(path: Path) -> None:
    write(path, replace(result(1, "a", "A"), asked="123"))
    with closing(ResultFile(path)) as file:
        with pytest.raises(UsageError, match=r"came of other settings$"):
            file.is_finished("a", "124")
        with pytest.raises(UsageError, match=r"came of another prompt and another model$"):
            file.is_finished("a", "213")


def test_what_failed_is_asked_again_and_takes_its_place(path: Path) -> None:
    path.touch(0o640)
    go_on(path, (1, 1, "A"), (2, 2, None), (3, 3, "C"), (4, 4, None))
    assert go_on(path, (1, 1, "A"), (2, 2, "B"), (3, 3, "C"), (4, 4, None), (5, 5, "E")) == [
        2,
        4,
        5,
    ]
    assert written(path) == [(1, "A"), (2, "B"), (3, "C"), (4, None), (5, "E")]
    assert path.stat().st_mode & 0o777 == 0o640
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_what_comes_between_others_is_put_there(path: Path) -> None:
    write(path, result(1, 1), result(4, 4))
    go_on(path, (1, 1, "A"), (2, 2, "B"), (3, 3, "C"), (4, 4, "D"))
    assert [row for row, _ in written(path)] == [1, 2, 3, 4]


def test_a_run_that_ends_early_keeps_what_it_did_not_come_to(path: Path) -> None:
    write(path, result(1, 1, None), result(3, 3), result(4, 4, None))
    go_on(path, (1, 1, "A"), (3, 3, "C"), (4, 4, "D"), stop=1)
    assert written(path) == [(1, "A"), (3, "t"), (4, None)]


def test_an_order_that_a_kill_left_is_mended_by_the_next_run(path: Path) -> None:
    write(path, result(2, 2, None), result(3, 3), result(1, 1), result(2, 2))
    assert go_on(path, (1, 1, ""), (2, 2, ""), (3, 3, "")) == []
    assert written(path) == [(1, "t"), (2, "t"), (3, "t")]


def test_no_error_takes_the_place_of_a_result(path: Path) -> None:
    write(path, result(2, 2), result(1, 1), result(1, 1, None))
    assert go_on(path, (1, 1, ""), (2, 2, "")) == []
    assert written(path) == [(1, "t"), (2, "t")]


def test_errors_of_lines_without_an_id_stay_once_until_the_line_is_a_row(path: Path) -> None:
    go_on(path, (1, "a", "A"), (2, None, None), (3, None, None))
    go_on(path, (1, "a", "A"), (2, None, None), (3, "c", "C"))
    assert written(path) == [("a", "A"), (None, None), ("c", "C")]


@pytest.mark.parametrize("tail", ["{", '{"id": 3, "te', '{"id": 3, "text": "\\'])
def test_half_a_line_is_no_result_and_goes(path: Path, tail: str) -> None:
    write(path, result(1, 1), tail=tail)
    assert go_on(path, (1, 1, ""), (3, 3, "C")) == [3]
    assert written(path) == [(1, "t"), (3, "C")]


def test_a_last_line_that_lacks_its_end_alone_stays(path: Path) -> None:
    path.write_bytes(result(1, 1).encoded()[:-1])
    assert go_on(path, (1, 1, ""), (2, 2, "B")) == [2]
    assert written(path) == [(1, "t"), (2, "B")]


@pytest.mark.parametrize(
    "content",
    [
        "my notes\n",
        "my notes",
        "[]\n",
        '{"id": 1}\n',
        '{"text": "a"}\n',
        '{"id": [], "text": ""}\n',
    ],
)
def test_a_file_of_something_else_is_left_alone(path: Path, content: str) -> None:
    path.write_text(content)
    with pytest.raises(UsageError, match=r"line 1 of .* is no result") as raised:
        ResultFile(path)
    assert "--overwrite" in str(raised.value.hint)
    assert path.read_text() == content


def test_overwriting_begins_anew_but_only_when_results_can_come(path: Path) -> None:
    path.write_text("my notes\n")
    with closing(ResultFile(path, overwrite=True)) as file:
        assert path.read_text() == "my notes\n"
        file.begin()
        file.write(result(1, 1))
    assert written(path) == [(1, "t")]


def test_two_batches_do_not_write_one_file(path: Path) -> None:
    with closing(ResultFile(path)), pytest.raises(UsageError, match="another batch"):
        ResultFile(path)
    ResultFile(path).close()


def test_a_link_is_followed_and_stays_one(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(path)
    go_on(link, (1, 1, None))
    go_on(link, (1, 1, "A"))
    assert link.is_symlink()
    assert written(path) == [(1, "A")]


def test_a_folder_that_is_not_there_is_an_error_of_storage(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot write"):
        ResultFile(tmp_path / "none" / "out")


def test_half_of_a_surrogate_pair_does_not_stop_a_batch() -> None:
    assert b"?" in result(1, 1, "\ud800").encoded()
