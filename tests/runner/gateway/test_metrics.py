"""What is counted, and how several sources' metrics become one text."""

from __future__ import annotations

import pytest

from smolctl.runner.gateway.metrics import Families, Metrics


def test_a_request_is_counted_by_how_it_was_answered() -> None:
    metrics = Metrics()
    with metrics.request("embeddings") as counted:
        assert "requests_under_way 1" in metrics.text()
        counted.answered(404)
    with metrics.request("embeddings"):
        pass
    text = metrics.text()
    assert 'requests_total{operation="embeddings",status="404"} 1' in text
    assert 'requests_total{operation="embeddings",status="499"} 1' in text
    assert 'first_byte_seconds_count{operation="embeddings"} 1' in text
    assert "requests_under_way 0" in text


def test_families_of_several_models_stay_together() -> None:
    families = Families()
    text = (
        '# HELP a Of a.\n# TYPE a histogram\na_bucket{le="1"} 2\na_count 2\n# TYPE b gauge\nb 1.5'
    )
    families.add(text, "x")
    families.add(text, 'y"\\\n')

    assert families.text() == (
        "# HELP a Of a.\n# TYPE a histogram\n"
        'a_bucket{model="x",le="1"} 2\na_count{model="x"} 2\n'
        'a_bucket{model="y\\"\\\\\\n",le="1"} 2\na_count{model="y\\"\\\\\\n"} 2\n'
        '# TYPE b gauge\nb{model="x"} 1.5\nb{model="y\\"\\\\\\n"} 1.5\n'
    )


@pytest.mark.parametrize("line", ["", "no sample at all here", "# a comment", "{} 1", "é 1"])
def test_what_is_no_metric_is_left_out(line: str) -> None:
    families = Families()
    families.add(line, "x")
    assert families.text() == "\n"
