import itertools

from hypothesis import given
from hypothesis import strategies as st

from smolctl.engine.generation import decode_utf8


def _cut(content: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(content), *(place % (len(content) + 1) for place in places)})
    return [content[start:end] for start, end in itertools.pairwise(edges)]


@given(st.text(), st.lists(st.integers(min_value=0)))
def test_text_survives_any_cut_of_its_bytes(text: str, places: list[int]):
    assert "".join(decode_utf8(_cut(text.encode(), places))) == text


@given(st.binary(), st.lists(st.integers(min_value=0)))
def test_any_bytes_give_valid_pieces_that_do_not_depend_on_the_cut(content, places):
    pieces = list(decode_utf8(_cut(content, places)))
    assert all(piece.encode() for piece in pieces)
    assert "".join(pieces) == content.decode(errors="replace")


def test_a_letter_is_held_back_until_it_is_whole():
    pieces = decode_utf8(iter([b"a", "€".encode()[:1], "€".encode()[1:], b"b"]))
    assert list(pieces) == ["a", "€", "b"]


def test_an_unfinished_letter_comes_out_as_a_replacement():
    assert list(decode_utf8(["€".encode()[:2]])) == ["\ufffd"]
