import ctypes
import signal
import sys

import pytest

from smolctl.engine.engine import Engine
from smolctl.engine.interrupts import raised_after
from tests.support.random_model import write_random_model

COMPARE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


def _sort_in_c(compare):
    """Call a C function that calls back: what llama.cpp does with its log."""
    items = (ctypes.c_int * 8)(*range(8))
    ctypes.CDLL(None).qsort(items, ctypes.c_size_t(8), ctypes.c_size_t(4), COMPARE(compare))


def _control_c(*_):
    signal.raise_signal(signal.SIGINT)
    return 0


def test_what_stops_a_callback_is_raised_when_c_returns():
    seen = []
    with pytest.raises(KeyboardInterrupt), raised_after() as stopped:  # noqa: PT012 - it goes on
        seen.append(len(stopped))
        _sort_in_c(_control_c)
        seen.append(len(stopped) > 0)
    assert seen == [0, True]


def test_a_mistake_in_a_callback_is_reported_and_not_raised(monkeypatch):
    reported = []
    monkeypatch.setattr(sys, "unraisablehook", lambda report: reported.append(report.exc_type))
    with raised_after() as stopped:
        _sort_in_c(lambda *_: 1 // 0)
    assert stopped == []
    assert set(reported) == {ZeroDivisionError}


def test_an_error_of_the_block_itself_comes_out_and_the_hook_is_put_back():
    before = sys.unraisablehook
    with pytest.raises(ValueError, match="mine"), raised_after():
        raise ValueError("mine")
    assert sys.unraisablehook is before


def test_ctrl_c_while_a_model_loads_ends_the_loading(tmp_path, monkeypatch):
    path = write_random_model(tmp_path / "tiny.gguf")

    def log_is_interrupted(*, debug):
        assert not debug
        from llama_cpp import llama_cpp as lib

        callback = lib.llama_log_callback(lambda *_: _control_c())
        lib.llama_log_set(callback, ctypes.c_void_p(0))
        kept.append(callback)

    kept = []
    monkeypatch.setattr("smolctl.engine.log.quiet", log_is_interrupted)
    try:
        with pytest.raises(KeyboardInterrupt):
            Engine.open([path])
    finally:
        monkeypatch.undo()
        Engine.open([path]).close()  # sets the log as it was
