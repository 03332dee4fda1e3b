"""A benchmark: what it decodes, and that nothing it counts was there before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from smolctl.engine.context import Context
from smolctl.engine.options import EngineOptions
from smolctl.errors import TooLittleMemory
from smolctl.runner import runnable
from smolctl.runner.benchmark import Spread, Workload, measure
from smolctl.runner.runnable import Runnable
from smolctl.runner.source import file_source
from tests.support.random_model import write_random_model

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Runnable:
    path: Path = tmp_path_factory.mktemp("models") / "model.gguf"
    return Runnable.read(file_source(write_random_model(path)))


def test_every_prompt_is_decoded_whole_and_every_reply_has_its_length(
    model: Runnable, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[list[int]] = []
    decode = Context.decode

    def watched(self: Context, chunks, **more):  # type: ignore[no-untyped-def]
        steps.append([len(chunk.tokens) for chunk in chunks])
        return decode(self, chunks, **more)

    monkeypatch.setattr(Context, "decode", watched)
    speed = measure(model, EngineOptions(sequences=3), Workload(90, 7, 2))
    assert (speed.sequences, len(speed.runs)) == (3, 2)
    warm_up = 3 * 64 + 3  # the prompts, and their last tokens again for the replies
    # A reply's last token is chosen and not decoded.
    prompts, replies = 3 * 90, 3 * (1 + 6)
    assert sum(map(sum, steps)) == warm_up + 2 * (prompts + replies)


def test_too_little_memory_says_which_flags_help(
    model: Runnable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runnable, "usable_memory", lambda: 1000)
    with pytest.raises(TooLittleMemory) as caught:
        measure(model, EngineOptions(sequences=8), Workload())
    assert "--concurrency" in str(caught.value.hint)


def test_a_spread_is_the_mean_and_the_deviation() -> None:
    assert Spread.of([1, 2, 3]) == Spread(2, 1)
    assert Spread.of([5]) == Spread(5, 0)
