"""What is told about the model without using it."""

from __future__ import annotations

import re
import time

import openai
import pytest

from smolctl.runner.api.service import means
from smolctl.runner.source import ModelSource
from tests.runner.api.conftest import MODEL, OPTIONS
from tests.support.waiting import wait_until

PREFIXES = ("/v1", "/engines/v1", "/engines/llama.cpp/v1")
ID = "sha256:" + "0123456789abcdef" * 4


def test_the_model_is_listed(client, loaded):
    (model,) = client.models.list().data
    assert model.id == f"{MODEL}:latest"
    assert model.object == "model"
    assert model.created == loaded.runnable.source.created > 0
    facts = model.dmr
    assert facts["context_window"] == OPTIONS.context_size
    assert facts["architecture"] == "llama"
    assert facts["parameters"].endswith("M")
    assert facts["quantization"] == "Q4_K_M"
    assert facts["size"].endswith("MB")


@pytest.mark.parametrize(
    "name", [MODEL, f"{MODEL}:latest", f"docker.io/{MODEL}", "Demo/SmolCtl-Demo"]
)
def test_a_model_is_found_by_a_name_with_slashes(client, name):
    assert client.models.retrieve(name).id == f"{MODEL}:latest"


def test_a_model_is_found_by_its_id(client, loaded):
    whole = loaded.runnable.source.id
    for name in (whole, whole.removeprefix("sha256:"), whole[7:19]):
        assert client.models.retrieve(name).id == f"{MODEL}:latest"


def test_another_model_is_not_found(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("ai/other")
    assert caught.value.code == "model_not_found"


@pytest.mark.parametrize("prefix", PREFIXES)
def test_every_route_is_where_docker_model_runner_has_it(http, prefix):
    assert http.get(f"{prefix}/models").json()["data"][0]["id"] == f"{MODEL}:latest"
    assert http.get(f"{prefix}/models/{MODEL}").status_code == 200
    for path in ("chat/completions", "completions", "embeddings"):
        assert http.post(f"{prefix}/{path}", json={}).status_code == 400


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("ai/smollm2", True),
        ("smollm2", True),
        ("AI/SmolLM2:latest", True),
        ("docker.io/ai/smollm2:latest", True),
        ("index.docker.io/ai/smollm2", True),
        ("ai/smollm2:small", True),
        ("ai/smollm2:Small", False),
        ("registry.example/ai/smollm2", False),
        (ID, True),
        (ID[7:19], True),
        (ID[7:18], False),
        (f"ai/smollm2@{ID}", True),
        (f"ai/smollm2:gone@{ID}", True),
        (f"ai/other@{ID}", False),
        (f"ai/smollm2@sha256:{'0' * 64}", False),
        ("model.gguf", True),
        ("", False),
        ("no name at all", False),
    ],
)
def test_any_spelling_of_a_name_means_the_model(name, right):
    source = ModelSource(ID, "model.gguf", ("ai/smollm2:latest", "ai/smollm2:small"), ())
    assert means(source, name) is right


def test_the_model_is_well(http):
    assert http.get("/health").json() == {"status": "ok"}


LINE = re.compile(r'[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [0-9.e+-]+')


def numbers(http):
    """Return the metrics by their names and labels, as Prometheus reads them."""
    reply = http.get("/metrics")
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    found, typed = {}, set()
    for line in reply.text.splitlines():
        if line.startswith("# TYPE"):
            typed.add(line.split()[2])
        elif not line.startswith("# HELP"):
            assert LINE.fullmatch(line), line
            name, value = line.rsplit(" ", 1)
            family = re.sub(r"_(bucket|sum|count)$", "", name.partition("{")[0])
            assert name.partition("{")[0] in typed or family in typed
            found[name] = float(value)
    return found


def test_requests_tokens_and_times_are_counted(client, http):
    before = numbers(http)
    reply = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Hello there, whoever."}], max_tokens=5
    )
    after = numbers(http)

    def grown(name):
        return after[name] - before.get(name, 0)

    assert grown('smolctl_requests_total{route="/v1/chat/completions",status="200"}') == 1
    assert grown("smolctl_prompt_tokens_total") == reply.usage.prompt_tokens
    assert grown("smolctl_completion_tokens_total") == reply.usage.completion_tokens
    assert grown("smolctl_cached_tokens_total") == reply.usage.prompt_tokens_details.cached_tokens
    assert grown("smolctl_time_to_first_token_seconds_count") == 1
    assert grown('smolctl_time_to_first_token_seconds_bucket{le="+Inf"}') == 1
    assert grown("smolctl_generation_seconds_total") > 0
    assert after["smolctl_sequences"] == OPTIONS.sequences
    assert after["smolctl_requests_waiting"] == 0
    assert 0 < after["smolctl_kv_tokens"] <= after["smolctl_kv_capacity_tokens"]


def test_only_what_uses_the_model_counts_as_use(client, http, activity):
    wait_until(activity.idle_for)
    idle = activity.idle_for()
    began = time.monotonic()
    for path in ("/health", "/metrics", "/v1/models", f"/v1/models/{MODEL}", "/nothing"):
        http.get(path)
    assert activity.idle_for() >= idle + time.monotonic() - began - 1e-3
    began = time.monotonic()
    client.completions.create(model=MODEL, prompt="a", max_tokens=1)
    wait_until(lambda: 0 < activity.idle_for() < time.monotonic() - began)
