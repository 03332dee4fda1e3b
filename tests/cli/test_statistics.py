"""What `--verbose` says of a reply: only what is known."""

from smolctl.cli.statistics import statistics_lines
from smolctl.engine.generation import Timings, Usage


def test_all_that_is_known_is_said() -> None:
    timings = Timings(queued=0, prompt=0.5, first_token=0.512, generation=2)
    assert statistics_lines(1.5, Usage(120, 20, 30), timings) == [
        "load:        1.50 s",
        "prompt:      120 tokens, 20 of them cached, 200 tokens/s",
        "generation:  30 tokens, 15.0 tokens/s",
        "first token: after 512 ms",
    ]


def test_what_nobody_said_is_left_out() -> None:
    assert statistics_lines(None, None, None) == []
    assert statistics_lines(None, Usage(1, 0, 2), None) == [
        "prompt:      1 token",
        "generation:  2 tokens",
    ]


def test_what_took_no_time_has_no_rate() -> None:
    lines = statistics_lines(None, Usage(5, 5, 0), Timings(0, 0, 0, 0))
    assert lines[:2] == ["prompt:      5 tokens, 5 of them cached", "generation:  0 tokens"]
