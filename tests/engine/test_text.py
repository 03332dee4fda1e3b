import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.engine.generation import GenerationRequest
from smolctl.engine.text import ReplyText
from smolctl.errors import UsageError
from tests.support.generating import chat, reply


def _cut(content: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(content), *(place % (len(content) + 1) for place in places)})
    return [content[start:end] for start, end in itertools.pairwise(edges)]


def _read(chunks, stops=()):
    """Return the pieces of text, and whether a stop string ended it, as the engine would."""
    text = ReplyText(stops)
    pieces = []
    for chunk in chunks:
        pieces.append(text.feed(chunk))
        if text.stopped:
            return pieces, True
    pieces.append(text.finish())
    return pieces, text.stopped


@given(st.text(), st.lists(st.integers(min_value=0)))
def test_text_survives_any_cut_of_its_bytes(text: str, places: list[int]):
    assert "".join(_read(_cut(text.encode(), places))[0]) == text


@given(st.binary(), st.lists(st.integers(min_value=0)))
def test_any_bytes_give_text_that_does_not_depend_on_the_cut(content, places):
    pieces, _ = _read(_cut(content, places))
    assert "".join(pieces) == content.decode(errors="replace")


@given(
    st.text("abc", max_size=40),
    st.lists(st.integers(min_value=0)),
    st.lists(st.text("abc", min_size=1, max_size=4), max_size=3),
)
def test_a_reply_ends_before_the_first_stop_string_to_be_whole(text, places, stops):
    ends = [(text.find(stop) + len(stop), text.find(stop)) for stop in stops if stop in text]
    pieces, stopped = _read(_cut(text.encode(), places), stops)
    assert stopped is bool(ends)
    if len(ends) <= 1:
        assert "".join(pieces) == (text[: ends[0][1]] if ends else text)
    else:  # which of several comes first may depend on the cut; none is ever shown
        assert text.startswith("".join(pieces))
        assert not any(stop in "".join(pieces) for stop in stops)


def test_a_letter_is_held_back_until_it_is_whole():
    pieces, _ = _read([b"a", "€".encode()[:1], "€".encode()[1:], b"b"])
    assert pieces == ["a", "", "€", "b", ""]


def test_an_unfinished_letter_comes_out_as_a_replacement():
    assert _read(["€".encode()[:2]])[0] == ["", "\ufffd"]


@pytest.mark.parametrize(
    ("chunks", "stops", "pieces", "stopped"),
    [
        (["one", "\n", "\n", "two"], ["\n\n"], ["one", "", ""], True),
        (["one", "\n", "two"], ["\n\n"], ["one", "", "\ntwo", ""], False),
        (["aab"], ["ab"], ["a"], True),
        (["a", "a", "b"], ["ab"], ["", "a", ""], True),
        (["aba", "bc"], ["abc", "abab"], ["", ""], True),
        (["x", "END"], ["END"], ["x", ""], True),
        (["xEN"], ["END"], ["x", "EN"], False),
        (["x€y"], ["€"], ["x"], True),
    ],
)
def test_stop_strings_over_the_edges_of_tokens(chunks, stops, pieces, stopped):
    assert _read([chunk.encode() for chunk in chunks], stops) == (pieces, stopped)


def test_a_stop_string_that_ends_in_a_replaced_letter_is_found_at_the_very_end():
    assert _read([b"x", b"\xe2\x82"], ["\ufffd"]) == (["x", "", ""], True)


def test_the_models_replies_end_before_the_stop_string(eight):
    whole = "The capital of France is Paris."
    question = chat("What is the capital of France?")
    assert reply(eight, question) == whole
    for stop in ("capital", "ance is P", ".", "T", "Paris."):
        assert reply(eight, question, stop=(stop, "never said")) == whole[: whole.find(stop)]
    assert reply(eight, question, stop=("Paris, ", "Paris.?")) == whole


@pytest.mark.parametrize("stop", [("",), ("x" * 1025,), ("x",) * 17])
def test_stop_strings_out_of_bounds_are_refused(stop):
    with pytest.raises(UsageError, match="stop string"):
        GenerationRequest((1,), stop=stop)
