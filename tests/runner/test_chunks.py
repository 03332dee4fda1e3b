"""Texts longer than the context: how they are split, and what their parts' answers become."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.engine.conversation import ChatRequest, Message
from smolctl.engine.sampling import Sampling
from smolctl.errors import NotRunnable, PromptTooLong
from smolctl.runner.chunks import Fitted, fitted, split
from tests.support.chat_models import CountingModel

WORD = "abcdefghi"


def request_of(text: str) -> ChatRequest:
    return ChatRequest((Message("user", f"Shorten:\n\n{text}"),))


def a_few(prompt: str) -> str:
    """The first two words of the text, whatever it is."""
    return " ".join(prompt.split()[1:3])


def numbered(count: int) -> str:
    return " ".join(f"word{number:05}" for number in range(count))


@given(st.text(alphabet="ab .\n", max_size=400), st.integers(1, 90))
def test_parts_are_short_enough_and_lose_nothing(text: str, letters: int) -> None:
    parts = split(text, letters)
    assert all(0 < len(part) <= letters for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("A b. C d.\n\nE f. G h.", ["A b. C d.", "E f. G h."]),
        ("One two three. Four five.", ["One two three.", "Four five."]),
        ("one two three four", ["one two", "three four"]),
        ("abcdefghij", ["abcdef", "ghij"]),
        ("  \n", []),
    ],
)
def test_a_text_is_split_at_the_best_place(text: str, parts: list[str]) -> None:
    assert split(text, len(text) // 2 + len(text) // 5) == parts


def test_the_last_part_is_no_scrap() -> None:
    lengths = [len(part) for part in split(" ".join([WORD] * 21), 10 * 10)]
    assert min(lengths) > max(lengths) / 2


def test_a_text_that_fits_is_left_as_it_is() -> None:
    model = CountingModel(200, a_few)
    assert fitted(model, request_of, numbered(20)) == Fitted(numbered(20), 0)
    assert model.prompts == []


def test_each_part_is_answered_and_the_answers_stand_for_the_text() -> None:
    model = CountingModel(100, a_few)
    told: list[tuple[int, int]] = []
    text = numbered(200)
    made = fitted(model, request_of, text, on_part=lambda *part: told.append(part))
    assert all(prompt.startswith("Shorten:\n\n") for prompt in model.prompts)
    assert " ".join(prompt.removeprefix("Shorten:\n\n") for prompt in model.prompts) == text
    assert made.text == "\n\n".join(a_few(prompt) for prompt in model.prompts)
    assert made.parts == len(model.prompts)
    assert told == [(number + 1, made.parts) for number in range(made.parts)]


def test_answers_that_are_too_long_together_are_worked_on_again() -> None:
    model = CountingModel(60, a_few)
    made = fitted(model, request_of, numbered(1500))
    assert made.parts == len(model.prompts) > len(numbered(1500)) / 60 / 10
    assert len(made.text.split()) < 60


def test_room_is_kept_for_the_reply() -> None:
    model = CountingModel(100, a_few)
    made = fitted(model, request_of, numbered(95))  # which would leave 4 words for the reply
    assert made.parts == 2


def test_without_numbers_the_text_is_halved_until_it_fits() -> None:
    model = CountingModel(60, a_few, tells=False)
    made = fitted(model, request_of, numbered(200))
    assert made.parts == 4
    assert made.text.startswith("word00000 word00001\n\n")


def test_a_part_that_is_denser_than_the_rest_is_split_again() -> None:
    model = CountingModel(100, a_few)
    text = " ".join([WORD * 3] * 150 + ["a"] * 200)  # the short words make more tokens a letter
    made = fitted(model, request_of, text)
    assert sum(len(prompt.split()) - 1 for prompt in model.prompts) == 350
    assert made.parts == len(model.prompts)


def test_answers_as_long_as_their_text_end_in_an_error() -> None:
    model = CountingModel(100, lambda prompt: "x" * len(prompt))
    with pytest.raises(NotRunnable, match="not shorter"):
        fitted(model, request_of, numbered(200))


def test_a_model_that_never_stops_is_cut_and_comes_to_an_end() -> None:
    model = CountingModel(100, lambda _: " ".join(["word"] * 1000))
    made = fitted(model, request_of, numbered(500))
    assert len(made.text.split()) <= 75


def test_no_answer_at_all_is_an_error() -> None:
    with pytest.raises(NotRunnable, match="no answer"):
        fitted(CountingModel(100, lambda _: " "), request_of, numbered(200))


@pytest.mark.parametrize("tells", [True, False])
def test_an_instruction_that_fills_the_context_is_an_error(tells: bool) -> None:
    def long_request(text: str) -> ChatRequest:
        return ChatRequest((Message("user", f"{numbered(120)}\n\n{text}"),), Sampling())

    with pytest.raises(PromptTooLong, match="leaves no room"):
        fitted(CountingModel(100, a_few, tells=tells), long_request, numbered(200))


def test_the_limit_of_the_reply_is_the_parts_limit_too() -> None:
    model = CountingModel(100, lambda _: "one two three four five")
    made = fitted(
        model,
        lambda text: ChatRequest((Message("user", text),), Sampling(max_tokens=2)),
        numbered(150),
    )
    assert set(made.text.split("\n\n")) == {"one two"}
