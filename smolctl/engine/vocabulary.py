"""A model's vocabulary: text into tokens, and a token into its bytes."""

from __future__ import annotations

import ctypes
from functools import cached_property
from typing import Any

from smolctl.errors import NotRunnable

_PIECE_BYTES = 64
"""Most pieces are shorter; a longer one is asked for twice."""

_LEAD = "\n"
"""What a text may be put after without a change to its own tokens: no word goes on over it."""


class Vocabulary:
    """The `size` tokens of a loaded model. Several threads may use it: llama.cpp only reads it."""

    def __init__(self, lib: Any, model: Any) -> None:
        self._lib = lib
        self._handle = lib.llama_model_get_vocab(model)
        self._pieces: dict[tuple[int, bool], bytes] = {}
        self._special: dict[str, int | None] = {}
        self.size = int(lib.llama_vocab_n_tokens(self._handle))

    @property
    def handle(self) -> Any:
        """llama.cpp's vocabulary. Raises `NotRunnable` when the model has been freed."""
        if self._handle is None:
            raise NotRunnable("the model has been unloaded")
        return self._handle

    def close(self) -> None:
        """Know nothing any more: the model is being freed."""
        self._handle = None

    @cached_property
    def bos_token(self) -> str:
        """The text of the token that begins a sequence, empty when the model has none."""
        return self._text(self._lib.llama_vocab_bos(self.handle))

    @cached_property
    def eos_token(self) -> str:
        """The text of the token that ends a sequence, empty when the model has none."""
        return self._text(self._lib.llama_vocab_eos(self.handle))

    def tokenize(self, text: str, mark: str = "") -> list[int]:
        """Return the tokens of `text`, a rendered conversation, special tokens recognized.

        Where the text has a `mark`, it is cut: no token has letters from both sides. The
        beginning-of-sequence token is added where the model wants it and the template has not put
        it there (`llama_tokenize`, which would add a second one).
        """
        first, *rest = text.split(mark) if mark else [text]
        found = self._tokens(first)
        lead = self._lead if rest else []
        for piece in rest:
            found += self._tokens(_LEAD + piece)[len(lead) :] if lead else self._tokens(piece)
        bos = self._lib.llama_vocab_bos(self.handle)
        if self._lib.llama_vocab_get_add_bos(self.handle) and found[:1] != [bos]:
            found.insert(0, bos)
        return found

    def tokenize_whole(self, text: str) -> list[int]:
        """Return the tokens of `text` as a whole, for an embedding: between those that mark it.

        They are BERT's `[CLS]` and `[SEP]`, and elsewhere the beginning and the end of a sequence
        where the model wants them (`llama_tokenize` with `add_special`, which ends the process
        when the file does not have what it asks for).
        """
        lib, vocabulary = self._lib, self.handle
        found = self.tokenize(text)
        for wanted, token in (
            (lib.llama_vocab_get_add_eos, lib.llama_vocab_eos(vocabulary)),
            (lib.llama_vocab_get_add_sep, lib.llama_vocab_sep(vocabulary)),
        ):
            if wanted(vocabulary) and token >= 0 and found[-1:] != [token]:
                found.append(token)
        return found

    @cached_property
    def _lead(self) -> list[int]:
        """The tokens of `_LEAD` where a text gets a space put before it; else none.

        SentencePiece does that (`add_space_prefix`), and no call of llama.cpp leaves it out: it
        goes before the lead then, whose tokens are taken off.
        """
        tokens = self._tokens(_LEAD)
        written = b"".join(map(self.piece, tokens))
        return tokens if written == b" " + _LEAD.encode() else []

    def _tokens(self, text: str) -> list[int]:
        encoded = text.encode(errors="replace")
        size = len(encoded) + 8
        tokens = (self._lib.llama_token * size)()
        count = self._lib.llama_tokenize(
            self.handle, encoded, len(encoded), tokens, size, False, True
        )
        if count < 0:  # cannot happen: no text has more tokens than bytes
            raise NotRunnable("llama.cpp cannot tokenize the prompt")
        return list(tokens[:count])

    def control_tokens_in(self, text: str) -> set[str]:
        """Return the texts of the control tokens that `tokenize` finds in `text`."""
        control = self._lib.LLAMA_TOKEN_ATTR_CONTROL
        return {
            self._text(token)
            for token in set(self._tokens(text))
            if self._lib.llama_vocab_get_attr(self.handle, token) & control
        }

    def ends_generation(self, token: int) -> bool:
        """Whether the model says with `token` that its reply is over (`llama_vocab_is_eog`)."""
        return bool(self._lib.llama_vocab_is_eog(self.handle, token))

    def piece(self, token: int, *, special: bool = False) -> bytes:
        """Return the bytes of `token` in text; for a special token none, unless `special`."""
        found = self._pieces.get((token, special))
        if found is None:
            found = self._pieces[token, special] = self._ask(token, special=special)
        return found

    def special_token(self, text: str) -> int | None:
        """Return the special token that stands for `text`; None where it is text like any.

        The answer is kept: ask for a few texts only.
        """
        if text not in self._special:
            encoded = text.encode()
            tokens = (self._lib.llama_token * len(encoded))()
            count = self._lib.llama_tokenize(
                self.handle, encoded, len(encoded), tokens, len(encoded), False, True
            )
            is_one = count == 1 and not self.piece(tokens[0])
            self._special[text] = int(tokens[0]) if is_one else None
        return self._special[text]

    def _text(self, token: int) -> str:
        return self._ask(token, special=True).decode(errors="replace") if token >= 0 else ""

    def _ask(self, token: int, *, special: bool) -> bytes:
        """Return the bytes of `token` (`llama_token_to_piece`)."""
        size = _PIECE_BYTES
        while True:
            buffer = ctypes.create_string_buffer(size)
            count = self._lib.llama_token_to_piece(self.handle, token, buffer, size, 0, special)
            if count >= 0:
                return buffer.raw[:count]
            size = -count
