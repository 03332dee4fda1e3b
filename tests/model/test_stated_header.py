"""A config that repeats the GGUF metadata spares reading it; one that says too little does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.model.config import ConfigSchema, ModelConfig
from smolctl.model.memory import ContextShape, memory_needed
from smolctl.model.stated_header import stated_header
from tests.support.gguf_files import parse_header, tiny_llama

STATED = {
    "general.architecture": "llama",
    "general.file_type": "1",
    "llama.context_length": "1024",
    "llama.block_count": "2",
    "llama.embedding_length": "64",
    "llama.feed_forward_length": "128",
    "llama.attention.head_count": "4",
    "llama.attention.head_count_kv": "2",
    "llama.vocab_size": "32",
}


def config(gguf: dict[str, str], **facts: str) -> ModelConfig:
    return ModelConfig(ConfigSchema.DOCKER_V01, gguf=gguf, **{"parameters": "2.1K", **facts})  # type: ignore[arg-type]


def test_the_estimate_is_that_of_the_file() -> None:
    stated = stated_header(config(STATED))
    assert stated is not None
    shape = ContextShape(512)
    assert memory_needed(stated, 9, shape) == memory_needed(parse_header(tiny_llama()), 9, shape)
    assert (stated.quantization, stated.context_length) == ("F16", 1024)


@pytest.mark.parametrize("missing", sorted(set(STATED) - {"llama.attention.head_count_kv"}))
def test_too_little_is_none(missing: str) -> None:
    assert stated_header(config({key: STATED[key] for key in STATED if key != missing})) is None


def test_a_list_for_each_layer_is_none() -> None:
    assert stated_header(config({**STATED, "llama.attention.head_count_kv": "[2, 0]"})) is None


def test_no_parameters_is_none() -> None:
    assert stated_header(ModelConfig(ConfigSchema.DOCKER_V01, gguf=STATED)) is None


@given(
    st.dictionaries(
        st.sampled_from(sorted(STATED)), st.text("019-[]true ") | st.integers().map(str)
    )
)
def test_whatever_it_says_is_no_error(said: dict[str, str]) -> None:
    header = stated_header(config({**STATED, **said}))
    if header is not None:
        assert memory_needed(header, 9, ContextShape(512)).total >= 9
