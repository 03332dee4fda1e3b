import os
import subprocess
import sys

import pytest

from smolctl.engine.llama import LoadOptions, load
from smolctl.engine.quantize import quantize
from smolctl.engine.sampling import Sampling
from smolctl.errors import NotRunnable, UsageError
from tests.support.random_model import Geometry, write_random_model

GREEDY = Sampling(temperature=0, max_tokens=24)
PROMPT = "<|im_start|>user\nTell me a story.<|im_end|>\n<|im_start|>assistant\n"


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_random_model(tmp_path_factory.mktemp("models") / "tiny.gguf")


@pytest.fixture
def model(path):
    with load([path]) as loaded:
        yield loaded


def _text(model, prompt=PROMPT, sampling=GREEDY):
    return "".join(model.generate(prompt, sampling))


def test_greedy_gives_the_same_every_time_also_from_the_cache(model, path):
    first = _text(model)
    with load([path]) as fresh:
        assert _text(model) == first == _text(fresh)


def test_a_seed_gives_the_same_and_another_seed_another(model):
    def with_seed(seed):
        return _text(model, sampling=Sampling(temperature=2, seed=seed, max_tokens=40))

    assert with_seed(1) == with_seed(1)
    assert with_seed(1) != with_seed(2)


def test_without_a_seed_answers_differ(model):
    sampling = Sampling(temperature=2, max_tokens=40)
    assert len({_text(model, sampling=sampling) for _ in range(3)}) > 1


def test_max_tokens_ends_the_reply_and_says_so(model):
    generation = model.generate(PROMPT, Sampling(temperature=0, max_tokens=5))
    list(generation)
    assert generation.finish_reason == "length"
    assert generation.usage.completion == 5
    assert generation.usage.prompt == len(model.tokenize(PROMPT))


def test_the_context_is_filled_to_its_last_token_and_not_shifted(path):
    with load([path], LoadOptions(context_size=256)) as model:
        generation = model.generate("x" * 250, Sampling(temperature=2, seed=3))
        list(generation)
        assert generation.finish_reason in ("length", "stop")
        assert generation.usage.prompt + generation.usage.completion <= 256
        # Bytes are tokens here: one more prompt token leaves one less for the reply.
        reply = model.generate("x" * 255, GREEDY)
        list(reply)
        assert (reply.finish_reason, reply.usage.completion) == ("length", 1)


def test_a_prompt_that_does_not_fit_gives_both_numbers(model):
    with pytest.raises(NotRunnable, match="600 tokens, the context holds 512"):
        model.generate("x" * 600, GREEDY)


def test_a_prompt_of_several_batches_is_the_same_as_one_that_grew(tmp_path):
    path = write_random_model(tmp_path / "long.gguf", Geometry(context=2048))
    with load([path]) as once, load([path]) as grown:
        for count in (50, 350, 650):
            list(grown.generate("ab" * count, Sampling(temperature=0, max_tokens=1)))
        assert _text(grown, "ab" * 800) == _text(once, "ab" * 800)


def test_a_continued_conversation_costs_only_its_new_tokens(model):
    reply = _text(model)
    longer = f"{PROMPT}{reply}<|im_end|>\n<|im_start|>user\nMore!<|im_end|>\n"
    generation = model.generate(longer, GREEDY)
    next(generation)
    assert generation.usage.cached >= len(model.tokenize(PROMPT))
    assert generation.usage.cached < generation.usage.prompt
    generation.close()


def test_a_generation_that_was_stopped_leaves_the_model_usable(model, path):
    generation = model.generate(PROMPT, Sampling(temperature=2, seed=1))
    for _ in range(3):
        next(generation)
    generation.close()
    with load([path]) as fresh:
        assert _text(model) == _text(fresh)


def test_special_tokens_of_the_template_are_single_tokens(model):
    assert model.tokenize("<|im_start|>")[0] == 1
    assert len(model.tokenize("<|im_start|>a<|im_end|>")) == 3
    assert (model.bos_token, model.eos_token) == ("<|im_start|>", "<|im_end|>")


def test_text_is_tokenized_to_bytes_and_nothing_is_lost(model):
    assert len(model.tokenize("żółć 🙂")) == len("żółć 🙂".encode())
    model.tokenize("\ud800")  # half a surrogate pair, from a broken environment


@pytest.mark.parametrize("quantization", ["Q8_0", "Q4_K_M"])
def test_a_quantized_model_answers(quantization, tmp_path):
    geometry = Geometry(width=256, heads=4, kv_heads=2, feed_forward=256)
    original = write_random_model(tmp_path / "F16.gguf", geometry)
    target = tmp_path / f"{quantization}.gguf"
    quantize(original, target, quantization)
    assert target.stat().st_size < original.stat().st_size
    with load([target]) as model:
        assert model.generate(PROMPT, GREEDY).usage.prompt > 1
        assert _text(model)


def test_an_unknown_quantization_is_a_usage_error(path, tmp_path):
    with pytest.raises(UsageError, match="Q99"):
        quantize(path, tmp_path / "out.gguf", "Q99")


def test_a_model_that_llama_cpp_does_not_know_says_why(tmp_path):
    path = tmp_path / "odd.gguf"
    write_random_model(path)
    path.write_bytes(path.read_bytes().replace(b"llama", b"lamma"))
    with pytest.raises(NotRunnable, match="unknown model architecture: 'lamma'"):
        load([path])


def test_options_out_of_range_name_their_flag():
    with pytest.raises(UsageError, match="--ctx-size"):
        LoadOptions(context_size=0)
    with pytest.raises(UsageError, match="--threads"):
        LoadOptions(threads=0)


@pytest.mark.parametrize("debug", [False, True])
def test_llama_cpps_log_stays_off_the_terminal_unless_debugging(path, debug):
    program = (
        "import sys; from pathlib import Path; from smolctl.engine.llama import load;"
        "from smolctl.engine.sampling import Sampling;"
        f"model = load([Path(sys.argv[1])], debug={debug});"
        "list(model.generate('hello', Sampling(max_tokens=3))); model.close()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    assert bool(done.stderr) is debug


def test_a_prompt_longer_than_a_small_contexts_batch_is_decoded_in_pieces(path):
    # llama.cpp rounds the context up to 256 tokens, and keeps the batch at what was asked for.
    with load([path], LoadOptions(context_size=20)) as model:
        generation = model.generate("x" * 100, Sampling(temperature=0, max_tokens=3))
        assert "".join(generation)
        assert generation.usage.prompt == 100


@pytest.mark.parametrize(
    ("given", "spins"),
    [({}, "300"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, None)],
)
def test_waiting_threads_leave_the_cores_to_others_unless_told_otherwise(
    path, monkeypatch, given, spins
):
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    load([path]).close()
    assert os.environ.get("GOMP_SPINCOUNT") == spins
