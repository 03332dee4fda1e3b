import os
import subprocess
import sys

import pytest

from smolctl.engine.engine import Engine
from smolctl.engine.library import llama_cpp
from smolctl.engine.options import EngineOptions
from smolctl.errors import NotRunnable, UsageError
from tests.support.generating import reply
from tests.support.random_model import write_random_model


def test_a_model_that_llama_cpp_does_not_know_says_why(tmp_path):
    path = tmp_path / "odd.gguf"
    write_random_model(path)
    path.write_bytes(path.read_bytes().replace(b"llama", b"lamma"))
    with pytest.raises(NotRunnable, match="unknown model architecture: 'lamma'"):
        Engine.open([path])


@pytest.mark.parametrize(
    ("flag", "options"),
    [
        ("--ctx-size", {"context_size": 0}),
        ("--threads", {"threads": 0}),
        ("--parallel", {"sequences": 0}),
        ("--batch-size", {"sequences": 8, "batch_tokens": 7}),
        ("--queue", {"queue": -1}),
        ("--cache-type-k", {"cache_type_k": "q3"}),
        ("--cache-type-v", {"cache_type_v": ""}),
        ("--gpu-layers", {"gpu_layers": -1}),
        ("--flash-attn", {"flash_attention": "yes"}),
        ("--flash-attn", {"flash_attention": "off", "cache_type_v": "q8_0"}),
    ],
)
def test_options_out_of_range_name_their_flag(flag, options):
    with pytest.raises(UsageError, match=f"{flag} is"):
        EngineOptions(**options)


@pytest.mark.parametrize("debug", [False, True])
def test_llama_cpps_log_stays_off_the_terminal_unless_debugging(tiny, debug):
    program = (
        "import sys; from pathlib import Path; from smolctl.engine.engine import Engine\n"
        "from tests.support.generating import reply\n"
        f"with Engine.open([Path(sys.argv[1])], debug={debug}) as engine: reply(engine, 'hello')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tiny)], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    assert bool(done.stderr) is debug


@pytest.mark.parametrize("sequences", [1, 3])
def test_each_sequence_has_the_context_that_was_asked_for(tiny, sequences):
    with Engine.open([tiny], EngineOptions(sequences=sequences)) as engine:
        assert engine.context_size == 512  # the model's own
    with Engine.open([tiny], EngineOptions(sequences=sequences, context_size=256)) as engine:
        assert engine.context_size == 256


def test_a_quantized_cache_generates(tiny):
    options = EngineOptions(cache_type_k="q8_0", cache_type_v="q8_0")
    with Engine.open([tiny], options) as engine:
        assert reply(engine, "hello")


@pytest.mark.parametrize("flash_attention", ["auto", "on", "off"])
def test_each_way_of_attention_generates_the_same(tiny, flash_attention):
    with Engine.open([tiny], EngineOptions(flash_attention=flash_attention)) as engine:
        assert reply(engine, "hello")


def test_layers_for_a_gpu_that_is_not_there_are_refused(tiny):
    if llama_cpp().llama_supports_gpu_offload():
        pytest.skip("there is a GPU")
    with pytest.raises(UsageError, match=r"--gpu-layers is 3, and .* no GPU"):
        Engine.open([tiny], EngineOptions(gpu_layers=3))
    with Engine.open([tiny], EngineOptions(gpu_layers=0)) as engine:
        assert reply(engine, "hello")


@pytest.mark.parametrize(
    ("given", "spins"),
    [({}, "300"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, None)],
)
def test_waiting_threads_leave_the_cores_to_others_unless_told_otherwise(given, spins):
    """libgomp reads the variable when it is loaded: whatever needs llama.cpp first."""
    ours = {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    program = (
        "import os; from smolctl.engine.library import llama_cpp; llama_cpp();"
        "print(os.environ.get('GOMP_SPINCOUNT'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env={**kept, **given}, capture_output=True, text=True
    )
    assert done.stdout == f"{spins}\n", done.stderr
