"""Embeddings, with the real `openai` client."""

from __future__ import annotations

import base64
import math
import struct
from contextlib import ExitStack

import httpx2
import openai
import pytest

from smolctl.engine.engine import Engine
from smolctl.engine.options import EngineOptions
from smolctl.errors import Interrupted
from smolctl.runner.activity import Activity
from smolctl.runner.api.app import api_app
from smolctl.runner.loaded import LoadedModel
from smolctl.runner.runnable import Runnable
from smolctl.runner.source import file_source
from tests.runner.api.conftest import MODEL, OPTIONS, connected
from tests.support.random_bert import write_random_bert
from tests.support.unix_server import serving
from tests.support.waiting import wait_until


@pytest.fixture
def create(client):
    def ask(**parameters):
        return client.embeddings.create(**{"model": MODEL, "input": "Hello", **parameters})

    return ask


def vectors(reply):
    assert [each.index for each in reply.data] == list(range(len(reply.data)))
    return [each.embedding for each in reply.data]


def test_a_text_becomes_a_vector_of_unit_length(create, loaded):
    reply = create()
    (vector,) = vectors(reply)
    assert reply.object == "list"
    assert reply.model == MODEL
    assert len(vector) == loaded.runnable.header.embedding_length
    assert math.fsum(value * value for value in vector) == pytest.approx(1, abs=1e-4)
    assert reply.usage.prompt_tokens == reply.usage.total_tokens > 0


def test_texts_and_tokens_of_them_have_the_same_vectors(create, loaded):
    texts = ["Hello", "The capital of France is Paris."]
    tokens = [loaded.engine.vocabulary.tokenize_whole(text) for text in texts]
    alone = [vectors(create(input=text))[0] for text in texts]
    for given in (texts, tokens):
        together = create(input=given)
        for vector, other in zip(vectors(together), alone, strict=True):
            assert vector == pytest.approx(other, abs=1e-2)
        assert together.usage.prompt_tokens == sum(map(len, tokens))
    assert vectors(create(input=tokens[0]))[0] == pytest.approx(alone[0], abs=1e-3)
    assert alone[0] != pytest.approx(alone[1], abs=1e-2)


def test_base64_is_the_same_numbers_as_32_bit_floats(create, http):
    body = {"model": MODEL, "input": "Hello", "encoding_format": "base64"}
    packed = http.post("/v1/embeddings", json=body).json()["data"][0]["embedding"]
    content = base64.b64decode(packed, validate=True)
    floats = create(encoding_format="float").data[0].embedding
    assert struct.unpack(f"<{len(content) // 4}f", content) == pytest.approx(floats, abs=1e-6)


def test_only_the_models_own_number_of_dimensions_is_to_be_had(create, loaded):
    size = loaded.runnable.header.embedding_length
    assert len(vectors(create(dimensions=size))[0]) == size
    with pytest.raises(openai.BadRequestError, match=str(size)) as caught:
        create(dimensions=size - 1)
    assert caught.value.param == "dimensions"


@pytest.mark.parametrize("given", [[], "", ["a", ""], 5, [["a"]], [1, "a"], [-1], [[]]])
def test_what_is_no_text_is_refused(create, given):
    with pytest.raises(openai.BadRequestError) as caught:
        create(input=given)
    assert caught.value.param == "input"


def test_a_format_that_is_none_and_tokens_that_do_not_exist_are_refused(create):
    with pytest.raises(openai.BadRequestError) as caught:
        create(encoding_format="hex")
    assert caught.value.param == "encoding_format"
    with pytest.raises(openai.BadRequestError, match="token"):
        create(input=[10**6])


def test_a_text_that_does_not_fit_is_refused(create):
    with pytest.raises(openai.BadRequestError) as caught:
        create(input="word " * 4 * OPTIONS.context_size)
    assert caught.value.code == "context_length_exceeded"


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    """The socket of a model for embeddings alone."""
    folder = tmp_path_factory.mktemp("bert")
    path = write_random_bert(folder / "bert.gguf")
    options = EngineOptions(threads=1)
    with Engine.open([path], options) as engine:
        model = LoadedModel(Runnable.read(file_source(path)), engine, options)
        with serving(api_app(model, Activity()), folder / "api.sock") as socket:
            yield socket


def test_a_model_for_embeddings_alone_generates_nothing(bert):
    transport = httpx2.HTTPTransport(uds=str(bert))
    with httpx2.Client(transport=transport, base_url="http://worker/v1") as http:
        client = openai.OpenAI(
            base_url="http://worker/v1", api_key="none", http_client=http, max_retries=0
        )
        assert len(client.embeddings.create(model="bert.gguf", input="a").data) == 1
        (model,) = client.models.list().data
        assert model.dmr["architecture"] == "bert"
        assert http.get("/metrics").status_code == 404
        assert http.get("http://worker/metrics").status_code == 200
        for ask in (
            lambda: client.completions.create(model="bert.gguf", prompt="a"),
            lambda: client.chat.completions.create(
                model="bert.gguf", messages=[{"role": "user", "content": "a"}]
            ),
        ):
            with pytest.raises(openai.BadRequestError, match="embeddings"):
                ask()


def test_many_requests_wait_elsewhere_with_a_limit_and_leave_with_their_clients(
    server, http, loaded, activity, monkeypatch
):
    def embed(_, cancelled):
        wait_until(cancelled)
        raise Interrupted("nobody waits for the embedding any more")

    monkeypatch.setattr(loaded.engine, "embed", embed)
    with ExitStack() as stack:
        for _ in range(4 + loaded.options.queue + 1):
            stack.enter_context(connected(server, "/v1/embeddings", model=MODEL, input="a"))
        refused = 'smolctl_requests_total{route="/v1/embeddings",status="429"} 1\n'
        wait_until(lambda: refused in http.get("/metrics").text)
        reply = http.post("/v1/completions", json={"model": MODEL, "prompt": "a", "max_tokens": 1})
        assert reply.status_code == 200  # nobody keeps others from the model
    wait_until(lambda: not activity.busy)
