"""Rows longer than the context, asked in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from smolctl.errors import PromptTooLong, UsageError
from smolctl.runner.batch.batch import Batch
from smolctl.runner.batch.parts import fitted_request
from smolctl.runner.batch.rows import Asking, Row
from smolctl.runner.batch.template import Template
from tests.support.chat_models import CountingModel

if TYPE_CHECKING:
    from smolctl.runner.batch.results import Result

STORY = " ".join(f"Sentence number {number} is here." for number in range(40))


def asked(asking: Asking, **fields: Any) -> Result:
    def say(prompt: str) -> str:
        return f"part of {len(prompt.split())}"

    results: list[Result] = []
    model = CountingModel(100, say)
    batch = Batch(model, lambda row: fitted_request(model, asking, row), jobs=1)
    batch.run(iter([Row(1, 1, fields)]), results.append)
    return results[0]


@pytest.mark.parametrize(
    ("asking", "fields"),
    [
        (Asking(system="Summarize."), {"prompt": STORY}),
        (Asking(template=Template("In {language}: {text}")), {"text": STORY, "language": "it"}),
    ],
)
def test_a_long_text_is_answered_by_the_answers_to_its_parts(
    asking: Asking, fields: dict[str, Any]
) -> None:
    result = asked(asking, **fields)
    assert result.error is None
    assert result.text is not None
    assert result.text.startswith("part of ")


def test_messages_have_no_part_that_could_be_split() -> None:
    result = asked(Asking(), messages=[{"role": "user", "content": STORY}])
    assert isinstance(result.error, PromptTooLong)


def test_a_row_that_makes_no_sense_is_that_still() -> None:
    assert isinstance(asked(Asking()).error, UsageError)
    with pytest.raises(UsageError, match="nonsense"):
        fitted_request(CountingModel(9, str), Asking(), Row(1, None, error=UsageError("nonsense")))
    assert Asking().text_field(Row(1, 1, {"prompt": 3})) is None
