"""A model in memory: its weights, its vocabulary, and what its file says of it."""

from __future__ import annotations

import ctypes
from functools import cached_property
from typing import Any

from smolctl.engine.vocabulary import Vocabulary

_VALUE_BYTES = 256


class Weights:
    """A loaded model, which any number of contexts may share. Close it after them.

    Several threads may use it: llama.cpp only reads it.
    """

    def __init__(self, lib: Any, handle: Any) -> None:
        self.lib = lib
        self.handle = handle
        self.vocabulary = Vocabulary(lib, handle)

    def close(self) -> None:
        """Free the model (`llama_model_free`)."""
        if self.handle is not None:
            self.vocabulary.close()
            self.lib.llama_model_free(self.handle)
            self.handle = None

    @cached_property
    def context_length(self) -> int:
        """The context the model was trained for, in tokens (`llama_model_n_ctx_train`)."""
        return int(self.lib.llama_model_n_ctx_train(self.handle))

    @cached_property
    def embedding_length(self) -> int:
        """The width of what the model's last layer gives (`llama_model_n_embd_out`)."""
        return int(self.lib.llama_model_n_embd_out(self.handle))

    @cached_property
    def has_state(self) -> bool:
        """Whether layers of it are recurrent: such a state is of a whole sequence, not a part."""
        recurrent = self.lib.llama_model_is_recurrent(self.handle)
        return bool(recurrent or self.lib.llama_model_is_hybrid(self.handle))

    def fact(self, name: str) -> str | None:
        """Return the architecture's own fact `name` as text: `pooling_type`; None without it."""
        architecture = self._metadata("general.architecture")
        return None if architecture is None else self._metadata(f"{architecture}.{name}")

    def _metadata(self, key: str) -> str | None:
        buffer = ctypes.create_string_buffer(_VALUE_BYTES)
        found = self.lib.llama_model_meta_val_str(
            self.handle, key.encode(errors="replace"), buffer, _VALUE_BYTES
        )
        return None if found < 0 else buffer.value.decode(errors="replace")
