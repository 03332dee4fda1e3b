"""Rows whose text is longer than the context, asked piece by piece."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from smolctl.runner.chunks import fitted

if TYPE_CHECKING:
    from smolctl.engine.conversation import ChatRequest
    from smolctl.runner.batch.rows import Asking, Row
    from smolctl.runner.chat_model import ChatModel


def fitted_request(model: ChatModel, asking: Asking, row: Row) -> ChatRequest:
    """Return what `row` asks `model` for, with answers to parts in place of a text too long.

    Raises what `fitted` raises, and what asking does.
    """
    name = None if row.error is not None else asking.text_field(row)
    if name is None:
        return asking.request(row)

    def request(text: str) -> ChatRequest:
        return asking.request(replace(row, fields={**row.fields, name: text}))

    return request(fitted(model, request, row.fields[name]).text)
