"""llama.cpp's context: batches of several sequences, and the KV cache of each.

A sequence is a number from 0. Its KV cache holds the tokens decoded for it, from position 0 on.
Everything here belongs to one thread at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from smolctl.engine import log
from smolctl.errors import NotRunnable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from smolctl.engine.weights import Weights

_NO_ROOM = 1  # llama_decode: nothing was decoded, and the KV cache is as it was


class CacheFull(NotRunnable):
    """The KV cache has no room for a batch; what the sequences hold is as it was."""


@dataclass(frozen=True)
class Chunk:
    """Tokens that continue `sequence` from `position` on, with the logits of the last, or none."""

    sequence: int
    position: int
    tokens: Sequence[int]
    wants_logits: bool


class Context:
    """A context of a loaded model. Close it after use, before its weights."""

    def __init__(self, weights: Weights, handle: Any) -> None:
        self._lib = lib = weights.lib
        self._weights = weights
        self.handle = handle
        # The batch of a small context is smaller than asked for, and a larger one ends the process.
        self.batch_tokens = int(lib.llama_n_batch(handle))
        self._memory = lib.llama_get_memory(handle)
        self._batch = lib.llama_batch_init(self.batch_tokens, 0, 1)

    def close(self) -> None:
        """Free the context."""
        if self.handle is not None:
            self._lib.llama_batch_free(self._batch)
            self._lib.llama_free(self.handle)
            self.handle = None

    @cached_property
    def size(self) -> int:
        """Tokens in the context of one sequence: prompt and reply together."""
        return int(self._lib.llama_n_ctx_seq(self.handle))

    @cached_property
    def sequences(self) -> int:
        """How many sequences the context has."""
        return int(self._lib.llama_n_seq_max(self.handle))

    @property
    def has_memory(self) -> bool:
        """Whether it keeps what was decoded; that of an encoder (BERT) does not."""
        return bool(self._memory)

    @cached_property
    def can_copy(self) -> bool:
        """Whether a sequence may begin with a copy of a part of another."""
        return not self._weights.has_state

    def decode(self, chunks: Sequence[Chunk], *, embed: bool = False) -> list[int]:
        """Run the model over `chunks`, at most `batch_tokens` in all (`llama_decode`).

        Returns the row of each chunk's last token, by which its logits are found. With `embed`,
        in a context made for embeddings, every token is one of the `embeddings`. Raises
        `CacheFull`, and `NotRunnable` when llama.cpp cannot do it for another reason; what the
        sequences hold is then not known.
        """
        batch = self._batch
        row = 0
        rows = []
        for chunk in chunks:
            for position, token in enumerate(chunk.tokens, chunk.position):
                batch.token[row] = token
                batch.pos[row] = position
                batch.n_seq_id[row] = 1
                batch.seq_id[row][0] = chunk.sequence
                batch.logits[row] = embed
                row += 1
            batch.logits[row - 1] = embed or chunk.wants_logits
            rows.append(row - 1)
        batch.n_tokens = row
        log.forget_complaints()
        status = self._lib.llama_decode(self.handle, batch)
        if status == _NO_ROOM:
            raise CacheFull("llama.cpp stopped: the KV cache is full")
        if status:
            raise NotRunnable(log.with_reason(f"llama.cpp stopped: status {status}"))
        return rows

    def logits(self, row: int) -> npt.NDArray[np.float32]:
        """Return the logits of `row` of the last batch: a view, good until the next `decode`."""
        import numpy as np

        pointer = self._lib.llama_get_logits_ith(self.handle, row)
        size = self._weights.vocabulary.size
        found: npt.NDArray[np.float32] = np.ctypeslib.as_array(pointer, (size,))
        return found

    def embeddings(self) -> npt.NDArray[np.float32]:
        """Return the embedding of each token of the last batch, which was decoded with `embed`.

        It is a view, good until the next `decode` (`llama_get_embeddings`).
        """
        import numpy as np

        pointer = self._lib.llama_get_embeddings(self.handle)
        shape = (self._batch.n_tokens, self._weights.embedding_length)
        found: npt.NDArray[np.float32] = np.ctypeslib.as_array(pointer, shape)
        return found

    def cut(self, sequence: int, length: int) -> bool:
        """Drop what `sequence` holds after its first `length` tokens.

        False when the model's memory cannot be cut there, as a recurrent one's cannot: then
        nothing is left of it.
        """
        if self._lib.llama_memory_seq_rm(self._memory, sequence, length, -1):
            return True
        self._lib.llama_memory_seq_rm(self._memory, sequence, -1, -1)
        return False

    def copy(self, source: int, target: int, length: int) -> None:
        """Have `target` hold the first `length` tokens of `source`, and nothing else.

        llama.cpp copies whole streams only (`llama_memory_seq_cp`), at its next batch.
        """
        self._lib.llama_memory_seq_rm(self._memory, target, -1, -1)
        self._lib.llama_memory_seq_cp(self._memory, source, target, -1, -1)
        self._lib.llama_memory_seq_rm(self._memory, target, length, -1)

    def clear(self) -> None:
        """Drop what all sequences hold."""
        if self._memory:
            self._lib.llama_memory_clear(self._memory, False)
