"""A GGUF header made of a config's copy of the metadata, where that says enough.

Docker's tools write the header's keys into the config (`gguf`), each value as text, long arrays
left out. Where it has what the memory estimate needs, nothing of the weights has to be read.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from smolctl.model.gguf_header import GGUFHeader, Scalar

if TYPE_CHECKING:
    from smolctl.model.config import ModelConfig

_MAXIMUM_DIGITS = 19
_TRUTH = {"true": True, "false": False}


def stated_header(config: ModelConfig) -> GGUFHeader | None:
    """Return the header that `config` states, without tensors, or None if too much is missing.

    It has the sizes that the estimate of memory is made of; the parameters and the quantization,
    which a header counts from its tensors, the config itself must say.
    """
    metadata = {key: _value(text) for key, text in config.gguf.items()}
    header = GGUFHeader(3, "little", 32, MappingProxyType(metadata), (), 0, None)
    needed = (
        config.parameters,
        config.quantization or header.quantization,
        header.architecture,
        header.context_length,
        header.block_count,
        header.embedding_length,
        header.feed_forward_length,
        header.head_count,
        header.vocabulary_size,
    )
    return header if all(needed) and _is_plain(header) else None


def _is_plain(header: GGUFHeader) -> bool:
    """Whether nothing that may differ from layer to layer is text, as a list of numbers is."""
    keys = ("attention.head_count_kv", "attention.key_length", "attention.value_length")
    return not any(isinstance(header.metadata.get(header.key(key)), str) for key in keys)


def _value(text: str) -> Scalar:
    if text.isascii() and text.isdigit() and len(text) <= _MAXIMUM_DIGITS:
        return int(text)
    return _TRUTH.get(text, text)
