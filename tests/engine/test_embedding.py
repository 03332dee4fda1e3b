"""Embeddings: of models that generate, of an encoder, alone, in batches and side by side."""

from __future__ import annotations

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import gguf
import pytest

from smolctl.engine.engine import Engine
from smolctl.engine.options import EngineOptions
from smolctl.engine.sampling import Sampling
from smolctl.errors import NotRunnable, PromptTooLong, UsageError
from tests.support.generating import reply, request
from tests.support.random_bert import CLS, SEP, write_random_bert
from tests.support.random_model import Geometry, write_random_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

TEXTS = ("a cat sat", "the dog runs far away", "x", "one two three four five " * 8, "a cat sat on")


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder with a context of 512."""
    return write_random_bert(tmp_path_factory.mktemp("models") / "bert.gguf")


@pytest.fixture(scope="module")
def causal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that generates, in F16, with a context of 2048."""
    path = tmp_path_factory.mktemp("models") / "causal.gguf"
    return write_random_model(path, Geometry(layers=2, context=2048))


@pytest.fixture(scope="module", params=["bert", "causal", "demo"])
def embedding(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """An engine of an encoder, and of models that generate."""
    path = request.getfixturevalue(request.param)
    with Engine.open([path], EngineOptions(context_size=2048)) as opened:
        yield opened


def tokens(engine: Engine, text: str) -> tuple[int, ...]:
    return tuple(engine.vocabulary.tokenize_whole(text))


def embed(engine: Engine, *texts: str) -> list[list[float]]:
    return engine.embed([tokens(engine, text) for text in texts])


def alike(engine: Engine) -> float:
    """Return the least cosine of a text's embeddings in batches of other sizes.

    The kernels for quantized weights round by the size of the batch.
    """
    return 0.999 if engine.vocabulary.size > 300 else 0.999_99


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def test_embeddings_have_a_length_of_one_and_the_models_width(embedding: Engine) -> None:
    vectors = embed(embedding, *TEXTS)
    assert len({len(vector) for vector in vectors}) == 1
    for vector in vectors:
        assert math.hypot(*vector) == pytest.approx(1, abs=1e-5)
    assert embedding.embed([]) == []


def test_one_text_has_one_embedding_and_another_text_another(embedding: Engine) -> None:
    first, again, other = (embed(embedding, text)[0] for text in (TEXTS[0], TEXTS[0], TEXTS[1]))
    assert first == again
    assert cosine(first, again) == pytest.approx(1, abs=1e-5)
    assert cosine(first, other) < 0.999


def test_a_batch_gives_what_each_text_gives_alone(embedding: Engine) -> None:
    alone = [embed(embedding, text)[0] for text in TEXTS]
    # More than a batch holds, in sequences and in tokens.
    for vector, expected in zip(embed(embedding, *TEXTS * 8), alone * 8, strict=True):
        assert cosine(vector, expected) > alike(embedding)


def test_a_text_of_many_batches_is_the_mean_of_all_its_tokens(causal: Path) -> None:
    with Engine.open([causal], EngineOptions(context_size=2048)) as engine:
        text = tokens(engine, "word " * 350)
        assert 512 < len(text) <= 2048
        whole = engine.embed([text])[0]
        assert cosine(whole, engine.embed([text[:200]])[0]) < 0.9999
        # Also after its context has grown, short texts come out as before.
        short = engine.embed([text[:20], text[:200]])
    with Engine.open([causal], EngineOptions(context_size=2048)) as engine:
        for vector, expected in zip(engine.embed([text[:20], text[:200]]), short, strict=True):
            assert cosine(vector, expected) > 0.999_99


def test_what_makes_no_sense_is_refused(embedding: Engine) -> None:
    good = tokens(embedding, TEXTS[0])
    with pytest.raises(UsageError, match="input 1 has no tokens"):
        embedding.embed([good, ()])
    for bad in (-1, embedding.vocabulary.size):
        with pytest.raises(UsageError, match="input 0 has a token"):
            embedding.embed([(bad,)])


def test_a_text_that_is_too_long_gives_both_numbers(embedding: Engine) -> None:
    limit = embedding.context_size
    assert limit == (2048 if embedding.generates else 512)  # an encoder has no more positions
    assert len(embedding.embed([(7,) * limit])) == 1
    with pytest.raises(PromptTooLong, match=f"{limit + 1} tokens, .* at most {limit}"):
        embedding.embed([(7,) * (limit + 1)])


def test_many_threads_at_once_get_their_own(embedding: Engine) -> None:
    expected = dict(zip(TEXTS, embed(embedding, *TEXTS), strict=True))
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda text: (text, embed(embedding, text)[0]), TEXTS * 8)
        for text, vector in found:
            assert cosine(vector, expected[text]) > alike(embedding)


def test_an_embedding_does_not_wait_for_a_reply_and_changes_none(tiny: Path) -> None:
    with Engine.open([tiny]) as engine:
        expected = reply(engine, "hello", Sampling(temperature=0, max_tokens=100))
        embedded = threading.Event()
        # The engine's thread stands still until the embedding is there.
        running = engine.submit(
            request(engine, "hello", Sampling(temperature=0, max_tokens=100)),
            on_event=lambda: embedded.wait(60),
        )
        next(running)
        assert len(embed(engine, "some text")) == 1
        assert not running.ended
        embedded.set()
        assert next(running) is not None
        again = reply(engine, "hello", Sampling(temperature=0, max_tokens=100))
        assert again == expected


def test_an_encoder_does_not_generate_and_says_so(bert: Path) -> None:
    with Engine.open([bert]) as engine:
        assert not engine.generates
        assert engine.state.kv_capacity == 0
        with pytest.raises(NotRunnable, match="makes embeddings, and does not generate"):
            engine.submit(request(engine, "hello"))
        assert tokens(engine, "ab") == (CLS, *engine.vocabulary.tokenize("ab")[1:], SEP)


def test_an_encoder_that_does_not_say_so_is_known_by_llama_cpp(tmp_path: Path) -> None:
    path = write_random_bert(tmp_path / "bert.gguf")
    path.write_bytes(path.read_bytes().replace(b"bert.attention.causal", b"bert.attention.casual"))
    with Engine.open([path]) as engine:
        assert not engine.generates
        assert len(embed(engine, "hello")) == 1


def test_how_vectors_become_one_is_what_the_model_says(tmp_path: Path) -> None:
    kinds = gguf.PoolingType
    found = {}
    for kind in (kinds.MEAN, kinds.CLS, kinds.LAST, None):
        path = write_random_bert(tmp_path / "model.gguf", pooling=kind)
        with Engine.open([path]) as engine:
            found[kind] = embed(engine, "some text", "other")[0]
    assert found[None] == found[kinds.MEAN]
    assert len({tuple(vector) for vector in found.values()}) == 3


def test_a_model_that_ranks_makes_no_embeddings(tmp_path: Path) -> None:
    path = write_random_bert(tmp_path / "model.gguf", pooling=gguf.PoolingType.RANK)
    with Engine.open([path]) as engine, pytest.raises(NotRunnable, match="ranks texts"):
        embed(engine, "some text")


def test_after_the_model_is_gone_there_are_no_embeddings(tiny: Path) -> None:
    engine = Engine.open([tiny])
    text = tokens(engine, "some text")
    engine.embed([text])
    engine.close()
    with pytest.raises(NotRunnable, match="unloaded"):
        engine.embed([text])


def test_a_broken_model_gives_a_sentence_and_no_vector_of_nan(tmp_path: Path) -> None:
    path = write_random_model(tmp_path / "model.gguf", Geometry(layers=1))
    weights = bytearray(path.read_bytes())
    weights[-64:] = b"\xff" * 64  # the last norm's weights: not a number
    path.write_bytes(weights)
    with Engine.open([path]) as engine, pytest.raises(NotRunnable, match="not made of numbers"):
        embed(engine, "some text")
