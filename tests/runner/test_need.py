"""What a model takes is told before it is here, as `run` would have it."""

from __future__ import annotations

from smolctl.engine.options import EngineOptions
from smolctl.model.memory import memory_needed
from smolctl.runner.need import Need, memory_need
from smolctl.runner.runnable import context_shape
from smolctl.runner.workers import worker_options
from tests.support.gguf_files import file, parse_header, tiny_llama_pairs

PLENTY = 10**12
WEIGHTS = 1_000_000
LONG = parse_header(
    file(
        [
            (key, kind, 131_072 if key == "llama.context_length" else value)
            for key, kind, value in tiny_llama_pairs()
        ]
    )
)


def need(usable: int, asked: int | None = None, full: int | None = None) -> Need:
    options = worker_options(EngineOptions(context_size=asked), parallel=False)
    found = memory_need(LONG, WEIGHTS, options, usable, full)
    assert found is not None
    return found


def taken(length: int) -> int:
    options = worker_options(EngineOptions(), parallel=False)
    return memory_needed(LONG, WEIGHTS, context_shape(options, length)).total


def test_with_memory_it_is_that_of_the_whole_context() -> None:
    assert need(PLENTY) == Need(131_072, taken(131_072), fits=True, comfortable=True)
    assert need(PLENTY, full=8192) == Need(8192, taken(8192), fits=True, comfortable=True)


def test_a_context_that_is_left_open_is_cut_to_what_fits() -> None:
    assert need(taken(8192)) == Need(8192, taken(8192), fits=True, comfortable=True)
    assert need(taken(1024)) == Need(1024, taken(1024), fits=True, comfortable=False)


def test_one_that_was_asked_for_is_not() -> None:
    assert need(taken(8192), asked=16_384) == Need(
        16_384, taken(16_384), fits=False, comfortable=False
    )
    assert need(taken(1024), asked=1024).comfortable


def test_weights_alone_may_be_too_many() -> None:
    assert need(WEIGHTS) == Need(256, taken(256), fits=False, comfortable=False)


def test_nothing_is_known_without_a_context() -> None:
    header = parse_header(file([("general.architecture", "string", "llama")]))
    assert memory_need(header, WEIGHTS, EngineOptions(), PLENTY) is None
