"""Extraction with a schema: every reply of a real model parses, and the fields reach the model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from smolctl.engine.chat import prepare
from smolctl.engine.conversation import ChatRequest, Message
from smolctl.engine.engine import Engine
from smolctl.engine.options import EngineOptions
from smolctl.engine.reply_schema import ReplySchema
from smolctl.engine.sampling import Sampling
from smolctl.engine.short_schema import schema_of
from smolctl.runner.runnable import Runnable
from smolctl.runner.source import file_source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from smolctl.engine.chat_template import ChatTemplate

SCHEMA = schema_of("name, date: YYYY-MM-DD, amount float")
NAMES = ("Anna", "Ben Stern", "Clara", "David", "Emma", "Oscar", "Grace", "Hugo", "Ida", "Lena")
DEALS = (
    "{} paid {} euros on {}.",
    "{} sent {} dollars on {}.",
    "{} owes us {} dollars since {}.",
    "{} ordered shoes for {} dollars on {}.",
    "Please note that {} will pay {} euros on {}.",
)
DATES = ("2012-10-05", "1999-01-28")
SENTENCES = [
    (deal.format(name, amount, date), {"name": name, "date": date, "amount": amount})
    for name in NAMES
    for number, deal in enumerate(DEALS)
    for date in DATES
    for amount in [17 + 211 * number]
]


@pytest.fixture(scope="module")
def roomy(demo: Path) -> Iterator[Engine]:
    """The demo model with room for eight of these replies at once."""
    with Engine.open([demo], EngineOptions(sequences=8, context_size=2048)) as opened:
        yield opened


@pytest.fixture(scope="module")
def template(demo: Path) -> ChatTemplate:
    """The demo model's own."""
    return Runnable.read(file_source(demo)).template


def replies(
    engine: Engine, template: ChatTemplate, schema: ReplySchema, texts: Sequence[str]
) -> list[str]:
    """What the model says to each of `texts`, under the schema."""
    grammar, sampling = schema.grammar(), Sampling(temperature=0, max_tokens=200)
    said: list[str] = []
    for start in range(0, len(texts), 50):
        running = []
        for text in texts[start : start + 50]:
            message = Message("user", f"{schema.instruction()}\n\n{text}")
            asked = ChatRequest((message,), sampling, grammar=grammar)
            chat = prepare(asked, template, engine.vocabulary)
            running.append((chat.reader, engine.submit(chat.request)))
        for reader, generation in running:
            said.append("".join(delta.content for delta in reader.deltas(generation)))
    return said


@pytest.mark.parametrize(
    "sentences",
    [
        pytest.param(SENTENCES[::7], id="some"),
        pytest.param(SENTENCES, id="a hundred", marks=pytest.mark.slow),
    ],
)
def test_every_sentence_parses(
    roomy: Engine, template: ChatTemplate, sentences: list[tuple[str, dict[str, Any]]]
) -> None:
    assert len(SENTENCES) == 100
    schema = ReplySchema(SCHEMA)
    found = [
        json.loads(text)
        for text in replies(roomy, template, schema, [each for each, _ in sentences])
    ]
    assert all(list(each) == ["name", "date", "amount"] for each in found)
    assert all(schema.fits(each) for each in found)
    right = sum(each == expected for each, (_, expected) in zip(found, sentences, strict=True))
    assert right > len(sentences) // 2  # it is a very small model


def test_many_records_parse_too(roomy: Engine, template: ChatTemplate) -> None:
    schema = ReplySchema(SCHEMA, many=True)
    for text in replies(roomy, template, schema, [each for each, _ in SENTENCES[:8]]):
        assert schema.fits(json.loads(text)), text
