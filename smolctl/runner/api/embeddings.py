"""`POST /v1/embeddings`: texts as vectors of unit length."""

from __future__ import annotations

import base64
import struct
from threading import Event
from typing import TYPE_CHECKING, Any

from smolctl.errors import Interrupted
from smolctl.runner.api.prompts import read_texts, tokens_of
from smolctl.runner.fields import Fields, parse_body

if TYPE_CHECKING:
    from collections.abc import Sequence

    from smolctl.runner.api.exchange import Exchange
    from smolctl.runner.api.service import Service

_MAXIMUM_DIMENSIONS = 2**20


async def embeddings(exchange: Exchange, service: Service) -> None:
    """Answer with a vector for each text."""
    gone = Event()
    body = await exchange.body(when_gone=gone.set)
    try:
        document = await service.embedders.run(lambda: _embed(body, exchange, service, gone))
    except Interrupted:
        return  # its client has hung up
    service.metrics.count_tokens(document["usage"]["prompt_tokens"])
    await exchange.send_json(document)


def _embed(body: bytes, exchange: Exchange, service: Service, gone: Event) -> dict[str, Any]:
    """Return the answer; it takes as long as the texts are."""
    request = Fields(parse_body(body))
    name = service.check_model(exchange, request.text("model"))
    texts = read_texts(request, "input")
    if "" in texts:
        request.fail("input", "has a text that is empty")
    encoded = request.choice("encoding_format", ("float", "base64")) == "base64"
    wanted = request.count("dimensions", 1, _MAXIMUM_DIMENSIONS)
    engine = service.model.engine
    inputs = [tokens_of(text, engine.vocabulary.tokenize_whole) for text in texts]
    vectors = engine.embed(inputs, gone.is_set)
    size = len(vectors[0])
    if wanted is not None and wanted != size:
        request.fail("dimensions", f"must be {size}, as many as the model has")
    tokens = sum(map(len, inputs))
    return {
        "object": "list",
        "data": [
            {
                "object": "embedding",
                "index": index,
                "embedding": _base64(vector) if encoded else vector,
            }
            for index, vector in enumerate(vectors)
        ],
        "model": name,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _base64(vector: Sequence[float]) -> str:
    """Return `vector` as OpenAI's API packs it: 32-bit floats, the lowest byte first."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
