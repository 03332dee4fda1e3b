import subprocess
import sys

PROGRAM = """
import os
from llama_cpp import llama_cpp as lib
from smolctl.engine.crash import on_abort

def report(reason):
    print("it said:", reason, flush=True)
    {end}

on_abort(report)
lib._lib.ggml_abort(b"/build/of/somebody/ggml.c", 12, b"GGML_ASSERT(a / b) failed")
"""


def _abort(end):
    program = PROGRAM.format(end=end)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)


def test_the_reason_is_reported_in_place_of_a_backtrace():
    done = _abort("os._exit(7)")
    assert done.returncode == 7
    assert done.stdout == "it said: ggml.c:12: GGML_ASSERT(a / b) failed\n"
    assert done.stderr == ""


def test_a_report_that_returns_leaves_the_process_to_its_abort():
    assert _abort("pass").returncode < 0
