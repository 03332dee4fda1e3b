"""What a GGUF header says about its model, under the names people use.

The keys are those of the GGUF specification, "Standardized key-value pairs". Metadata comes from
strangers: a fact whose value has the wrong type, or is negative, reads as None, as a missing one
does, and never as an error. Text may contain control characters and U+FFFD for bytes that were
not UTF-8.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from smolctl.model.gguf_tensors import FILE_TYPES, GUESSED_FILE_TYPE, TensorInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from smolctl.model.gguf_stream import ByteOrder

Scalar: TypeAlias = int | float | bool | str

_CHAT_TEMPLATE = "tokenizer.chat_template"

_ENCODERS = frozenset(
    {
        "bert",
        "eurobert",
        "gemma-embedding",
        "jina-bert-v2",
        "jina-bert-v3",
        "modern-bert",
        "neo-bert",
        "nomic-bert",
        "nomic-bert-moe",
    }
)
"""The architectures for which llama.cpp makes no memory (`llama_model::create_memory`)."""


@dataclass(frozen=True)
class ArrayFacts:
    """An array of the metadata, of which only the first items are kept.

    `head` has the first 16 items, or all of them when they are up to 512 numbers or truth values:
    such arrays hold one value per layer. The rest was checked and skipped.
    """

    element_type: str
    length: int
    head: tuple[Scalar, ...]

    @property
    def complete(self) -> bool:
        """Whether `head` is the whole array."""
        return len(self.head) == self.length


@dataclass(frozen=True)
class TokenizerFacts:
    """The tokenizer: its kind (`model`: `gpt2`, `llama`; `pre`: `smollm`) and special tokens.

    A token's text is known here only when its id is among the 16 whose text the header keeps.
    """

    model: str | None
    pre: str | None
    vocabulary_size: int | None
    bos_id: int | None
    eos_id: int | None
    unk_id: int | None
    pad_id: int | None
    add_bos: bool | None
    add_eos: bool | None
    bos_token: str | None
    eos_token: str | None


@dataclass(frozen=True)
class GGUFHeader:
    """A GGUF file without its weights.

    `alignment` and `data_offset` are in bytes; tensor offsets count from `data_offset`. `size` is
    that of the whole file in bytes, None when it was not known. `metadata` is read-only.
    """

    version: int
    byte_order: ByteOrder
    alignment: int
    metadata: Mapping[str, Scalar | ArrayFacts]
    tensors: tuple[TensorInfo, ...]
    data_offset: int
    size: int | None

    @property
    def architecture(self) -> str | None:
        """The model's architecture, as llama.cpp names it: `llama`, `qwen3`, `clip`."""
        return self._text("general.architecture")

    @property
    def name(self) -> str | None:
        """The model's name for people."""
        return self._text("general.name")

    @property
    def license(self) -> str | None:
        """The license, as an SPDX expression when the model's maker kept to the specification."""
        return self._text("general.license")

    @property
    def parameters(self) -> int:
        """The number of parameters: the elements of all tensors in this file."""
        return sum(tensor.elements for tensor in self.tensors)

    @property
    def weights_bytes(self) -> int:
        """The bytes of all tensors in this file whose type is known, without padding."""
        return sum(tensor.nbytes or 0 for tensor in self.tensors)

    @property
    def unknown_tensor_types(self) -> tuple[str, ...]:
        """The types of tensors that this reader does not know, sorted; usually none.

        Such a file can be shown but not sized, and llama.cpp of this reader's age refuses it.
        """
        return tuple(sorted({tensor.type for tensor in self.tensors if tensor.nbytes is None}))

    @property
    def quantization(self) -> str | None:
        """How the weights are stored: `Q4_K_M`, `F16`.

        From `general.file_type`, else the tensor type with the most bytes; None when the file has
        neither, as a vocabulary and the first shard of some models.
        """
        file_type = self._integer("general.file_type")
        if file_type is not None and (known := FILE_TYPES.get(file_type & ~GUESSED_FILE_TYPE)):
            return known
        weight: Counter[str] = Counter()
        for tensor in self.tensors:
            weight[tensor.type] += tensor.nbytes or 0
        return max(weight, key=lambda name: (weight[name], name), default=None)

    @property
    def context_length(self) -> int | None:
        """The context the model was trained for, in tokens."""
        return self._integer(self.key("context_length"))

    @property
    def block_count(self) -> int | None:
        """The number of layers, without the embeddings."""
        return self._integer(self.key("block_count"))

    @property
    def embedding_length(self) -> int | None:
        """The width of the model, in elements."""
        return self._integer(self.key("embedding_length"))

    @property
    def feed_forward_length(self) -> int | None:
        """The width of the feed-forward layers, in elements; the widest where they differ."""
        return self._largest("feed_forward_length")

    @property
    def expert_feed_forward_length(self) -> int | None:
        """The width of one expert's feed-forward layers, in elements; None without experts."""
        if not self.expert_used_count:
            return None
        return self._largest("expert_feed_forward_length") or self.feed_forward_length

    @property
    def expert_used_count(self) -> int | None:
        """The number of experts that a token goes through in a layer; None without experts."""
        return self._integer(self.key("expert_used_count"))

    @property
    def recurrent_layers(self) -> int:
        """The number of layers that keep a state (Mamba's): those without attention.

        A model that has both, and does not say where, counts as having a state in every layer.
        """
        if not self.state_elements:
            return 0
        heads = self.per_layer("attention.head_count_kv")
        if isinstance(heads, tuple):
            return heads[: self.block_count].count(0)
        return self.block_count or 0

    @property
    def state_elements(self) -> int:
        """The numbers that a recurrent layer keeps of a sequence (`llama_hparams::n_embd_s`, `_r`).

        They are those of its convolution, and of its state.
        """
        inner, state = self.inner_length or 0, self._integer(self.key("ssm.state_size")) or 0
        groups = self._integer(self.key("ssm.group_count")) or 0
        kernel = self._integer(self.key("ssm.conv_kernel")) or 1
        return (kernel - 1) * (inner + 2 * groups * state) + state * inner

    @property
    def inner_length(self) -> int | None:
        """The width of a recurrent layer, in elements; None where there are none."""
        return self._integer(self.key("ssm.inner_size"))

    @property
    def head_count(self) -> int | None:
        """The number of attention heads; the most of any layer where they differ."""
        return self._largest("attention.head_count")

    @property
    def head_count_kv(self) -> int | None:
        """The number of key and value heads; the most of any layer where they differ.

        A model that does not say has as many as attention heads.
        """
        stated = self._largest("attention.head_count_kv")
        return self.head_count if stated is None else stated

    @property
    def head_count_kv_all_layers(self) -> int | None:
        """The key and value heads of all layers together; None when the header does not say.

        Layers may differ, and a layer without attention has none.
        """
        for key in ("attention.head_count_kv", "attention.head_count"):
            value = self.per_layer(key)
            if isinstance(value, tuple):
                return sum(value[: self.block_count])
            if value is not None:
                return None if self.block_count is None else value * self.block_count
        return None

    @property
    def key_length(self) -> int | None:
        """The width of one key head, in elements: stated, or the model's width over its heads."""
        return self._head_width("attention.key_length")

    @property
    def value_length(self) -> int | None:
        """The width of one value head, in elements, found as `key_length` is."""
        return self._head_width("attention.value_length")

    @property
    def vocabulary_size(self) -> int | None:
        """The number of tokens in the vocabulary."""
        tokens = self.metadata.get("tokenizer.ggml.tokens")
        if isinstance(tokens, ArrayFacts):
            return tokens.length
        return self._integer(self.key("vocab_size"))

    @property
    def tokenizer(self) -> TokenizerFacts:
        """The tokenizer's kind and special tokens."""
        bos_id = self._integer("tokenizer.ggml.bos_token_id")
        eos_id = self._integer("tokenizer.ggml.eos_token_id")
        return TokenizerFacts(
            model=self._text("tokenizer.ggml.model"),
            pre=self._text("tokenizer.ggml.pre"),
            vocabulary_size=self.vocabulary_size,
            bos_id=bos_id,
            eos_id=eos_id,
            unk_id=self._integer("tokenizer.ggml.unknown_token_id"),
            pad_id=self._integer("tokenizer.ggml.padding_token_id"),
            add_bos=self._flag("tokenizer.ggml.add_bos_token"),
            add_eos=self._flag("tokenizer.ggml.add_eos_token"),
            bos_token=self._token(bos_id),
            eos_token=self._token(eos_id),
        )

    @property
    def chat_template(self) -> str | None:
        """The model's default chat template, in Jinja."""
        return self._text(_CHAT_TEMPLATE)

    @property
    def chat_templates(self) -> dict[str, str]:
        """All chat templates by name: `default`, and others such as `tool_use`."""
        templates = {} if self.chat_template is None else {"default": self.chat_template}
        for key, value in self.metadata.items():
            name = key.removeprefix(f"{_CHAT_TEMPLATE}.")
            if name != key and isinstance(value, str):
                templates.setdefault(name, value)
        return templates

    @property
    def split_count(self) -> int | None:
        """The number of files the model was split into; None when it is in one."""
        return self._integer("split.count")

    @property
    def split_index(self) -> int | None:
        """Which of a split model's files this is, from 0 on."""
        return self._integer("split.no")

    @property
    def is_projector(self) -> bool:
        """Whether this is a multimodal projector, which llama.cpp loads beside a model."""
        return self.architecture == "clip"

    @property
    def is_causal(self) -> bool:
        """Whether a token attends to those before it alone, as in every model that generates.

        Encoders, which make embeddings, say that they do not (`attention.causal`), or llama.cpp
        knows it of their architecture.
        """
        stated = self._flag(self.key("attention.causal"))
        return stated is not False and self.architecture not in _ENCODERS

    def key(self, name: str) -> str:
        """Return the full key of the architecture's own fact `name`: `llama.block_count`."""
        return f"{self.architecture}.{name}"

    def per_layer(self, name: str) -> int | tuple[int, ...] | None:
        """Return the architecture's fact `name`: one number for all layers, or one for each."""
        value = self.metadata.get(self.key(name))
        if isinstance(value, ArrayFacts):
            numbers = tuple(item for item in value.head if isinstance(item, int) and item >= 0)
            return numbers if len(numbers) == value.length else None
        return self._integer(self.key(name))

    def _largest(self, name: str) -> int | None:
        value = self.per_layer(name)
        return max(value, default=None) if isinstance(value, tuple) else value

    def _head_width(self, name: str) -> int | None:
        stated = self._integer(self.key(name))
        if stated is not None:
            return stated
        # llama.cpp divides by the first layer's heads, which is the same for every model that
        # leaves this out.
        if self.embedding_length is None or not self.head_count:
            return None
        return self.embedding_length // self.head_count

    def _token(self, token_id: int | None) -> str | None:
        tokens = self.metadata.get("tokenizer.ggml.tokens")
        if token_id is None or not isinstance(tokens, ArrayFacts) or token_id >= len(tokens.head):
            return None
        token = tokens.head[token_id]
        return token if isinstance(token, str) else None

    def _text(self, key: str) -> str | None:
        value = self.metadata.get(key)
        return value if isinstance(value, str) else None

    def _flag(self, key: str) -> bool | None:
        value = self.metadata.get(key)
        return value if isinstance(value, bool) else None

    def _integer(self, key: str) -> int | None:
        value = self.metadata.get(key)
        # A truth value is an int to Python, and no number to anyone else.
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            return None
        return value
