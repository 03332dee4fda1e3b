import pytest

from smolctl.engine.engine import Engine
from smolctl.engine.quantize import quantize
from smolctl.errors import UsageError
from tests.support.generating import reply
from tests.support.random_model import Geometry, write_random_model


@pytest.mark.parametrize("quantization", ["Q8_0", "Q4_K_M"])
def test_a_quantized_model_answers(quantization, tmp_path):
    geometry = Geometry(width=256, heads=4, kv_heads=2, feed_forward=256)
    original = write_random_model(tmp_path / "F16.gguf", geometry)
    target = tmp_path / f"{quantization}.gguf"
    quantize(original, target, quantization)
    assert target.stat().st_size < original.stat().st_size
    with Engine.open([target]) as engine:
        assert reply(engine, "Tell me a story.")


def test_an_unknown_quantization_is_a_usage_error(tiny, tmp_path):
    with pytest.raises(UsageError, match="Q99"):
        quantize(tiny, tmp_path / "out.gguf", "Q99")
