"""What fails, each with the status and the class of error that OpenAI's client makes of it."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack

import openai
import pytest

from smolctl.errors import InvalidGrammar
from smolctl.runner.api.body import MAXIMUM_BODY
from smolctl.runner.api_errors import api_error
from tests.runner.api.conftest import MODEL, OPTIONS, connected
from tests.support.waiting import wait_until

CHAT = "/v1/chat/completions"
HELLO = [{"role": "user", "content": "Hello"}]
OBJECT = {"type": "object"}


def chat(**parameters):
    return {"model": MODEL, "messages": HELLO, "max_tokens": 4, **parameters}


def refusal(reply, status=400):
    """Return the error of `reply`, which is in OpenAI's shape."""
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/json"
    error = reply.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert "Traceback" not in reply.text
    return error


@pytest.mark.parametrize(
    ("parameters", "param"),
    [
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": "Hello"}, "messages"),
        ({"messages": ["Hello"]}, "messages[0]"),
        ({"messages": [{}]}, "messages[0].role"),
        ({"messages": [{"role": "function", "content": "a"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [*HELLO, {"role": "user", "content": [5]}]}, "messages[1].content[0]"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
            "messages[0].content[0].type",
        ),
        ({"messages": [{**HELLO[0], "tool_calls": [{}]}]}, "messages[0].tool_calls[0].function"),
        ({"temperature": "warm"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"temperature": -1}, "temperature"),
        ({"temperature": 10**400}, "temperature"),
        ({"top_p": 1.5}, "top_p"),
        ({"top_k": 1.5}, "top_k"),
        ({"top_k": 10**400}, "top_k"),
        ({"min_p": []}, "min_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"max_completion_tokens": -7}, "max_completion_tokens"),
        ({"seed": 1.5}, "seed"),
        ({"n": 0}, "n"),
        ({"n": 1000}, "n"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": []}, "stream_options"),
        ({"stop": 5}, "stop"),
        ({"stop": [""]}, "stop"),
        ({"logprobs": 3}, "logprobs"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"logprobs": True, "top_logprobs": 1000}, "top_logprobs"),
        ({"logit_bias": {"a": 1}}, "logit_bias"),
        ({"logit_bias": {"1": "much"}}, "logit_bias"),
        ({"logit_bias": {"1": 10**400}}, "logit_bias"),
        ({"logit_bias": [[1, 2, 3]]}, "logit_bias"),
        ({"logit_bias": {"1": 5000}}, "logit_bias"),
        ({"response_format": "json"}, "response_format"),
        ({"response_format": {}}, "response_format.type"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a"}}},
            "response_format.json_schema.schema",
        ),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"schema": {"$ref": "https://example.com/schema"}},
                }
            },
            "response_format",
        ),
        ({"grammar": "root ::= ("}, "grammar"),
        ({"grammar": 'root ::= "a"', "response_format": {"type": "json_object"}}, "grammar"),
        ({"tools": [{"type": "search"}]}, "tools[0].type"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function"),
        ({"tool_choice": "required"}, None),
        ({"tool_choice": {"type": "function", "function": {"name": "a"}}}, None),
        ({"tool_choice": "any"}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.function"),
        ({"model": 5}, "model"),
        ({"model": None}, "model"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_value_is_refused_by_its_name(http, parameters, param):
    error = refusal(http.post(CHAT, json=chat(**parameters)))
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param
    said_otherwise = ("response_format", "grammar", "tools[0].function")
    assert param is None or param in error["message"] or param.startswith(said_otherwise)
    assert "--" not in error["message"], "that is the command line's name for it"


@pytest.mark.parametrize(
    ("parameters", "param"),
    [
        ({"prompt": None}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": 5}, "prompt"),
        ({"prompt": [1, "a"]}, "prompt"),
        ({"prompt": [[]]}, "prompt"),
        ({"prompt": [-1]}, "prompt"),
        ({"prompt": [True]}, "prompt"),
        ({"prompt": ["a"] * 3000}, "prompt"),
        ({"suffix": "end"}, "suffix"),
        ({"best_of": 3}, "best_of"),
        ({"logprobs": True}, "logprobs"),
        ({"logprobs": 1, "echo": True}, "logprobs"),
    ],
)
def test_a_wrong_value_of_a_plain_completion_is_refused(http, parameters, param):
    body = {"model": MODEL, "prompt": "a", "max_tokens": 1, **parameters}
    assert refusal(http.post("/v1/completions", json=body))["param"] == param


def test_tokens_that_the_model_does_not_have_are_refused(http):
    for prompt in ([10**6], [[5], [2**31 - 1]]):
        body = {"model": MODEL, "prompt": prompt, "max_tokens": 1, "echo": True}
        assert "token" in refusal(http.post("/v1/completions", json=body))["message"]


NESTED = b'{"a":' * 100_000 + b"1" + b"}" * 100_000


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b'{"model": "\xff"}', "not valid JSON"),
        (b"[]", "not a JSON object"),
        (b"5", "not a JSON object"),
        (b"[" * 100_000, "nested too deeply"),
        (NESTED, "nested too deeply"),
        (b'{"x":' + b"[" * 500 + b"]" * 500 + b"}", "nested too deeply"),
        (b'{"temperature": NaN}', "NaN"),
        (b'{"temperature": -Infinity}', "Infinity"),
        (b'{"temperature": 1e999}', "too large"),
        (b'{"seed": ' + b"9" * 5000 + b"}", "not valid JSON"),
        (b'{"model": "\\ud800"}', "surrogate"),
        (b'{"\\uDFFF": 1}', "surrogate"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[:12],
)
def test_a_body_that_is_no_request_is_refused(http, body, message):
    for path in (CHAT, "/v1/completions", "/v1/embeddings"):
        assert message in refusal(http.post(path, content=body))["message"]


def test_a_pair_of_surrogates_is_a_letter(http):
    body = json.dumps(chat(messages=[{"role": "user", "content": "\N{GRINNING FACE}"}]))
    assert "\\ud83d" in body
    assert http.post(CHAT, content=body.encode()).status_code == 200


def test_a_body_larger_than_any_request_is_refused(http):
    def pieces():
        for _ in range(MAXIMUM_BODY // 2**20 + 1):
            yield b" " * 2**20

    error = refusal(http.post(CHAT, content=pieces()), 413)
    assert str(MAXIMUM_BODY) in error["message"]
    assert http.post(CHAT, json=chat()).status_code == 200


def test_a_body_without_end_is_not_read_to_its_end(server):
    """The server answers and hangs up; more than the limit and what is on its way is not taken."""
    sent = 0
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(server))
        connection.settimeout(20)
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        with pytest.raises(OSError, match=r"pipe|reset"):  # noqa: PT012 - which send, is chance
            while sent < 8 * MAXIMUM_BODY:
                connection.sendall(b"100000\r\n" + b" " * 2**20 + b"\r\n")
                sent += 2**20
    assert sent < 3 * MAXIMUM_BODY


def test_another_model_is_not_found(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="ai/other", messages=HELLO)
    assert caught.value.code == "model_not_found"
    assert caught.value.param == "model"
    assert "ai/other" in caught.value.message


def test_who_forwards_has_resolved_the_name(http, loaded):
    body = chat(model="what it is called elsewhere")
    this = {"X-Smolctl-Model-ID": loaded.runnable.source.id}
    assert http.post(CHAT, json=body, headers=this).json()["model"] == body["model"]
    del body["model"]
    assert http.post(CHAT, json=body, headers=this).json()["model"] == MODEL
    other = {"X-Smolctl-Model-ID": f"sha256:{'0' * 64}"}
    assert refusal(http.post(CHAT, json=chat(model="b"), headers=other), 404)


def test_a_prompt_that_is_too_long_is_refused_with_both_numbers(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "word " * 2000}]
        )
    assert caught.value.code == "context_length_exceeded"
    assert str(OPTIONS.context_size) in caught.value.message
    with pytest.raises(openai.BadRequestError, match="context"):
        client.completions.create(model=MODEL, prompt="word " * 2000, stream=True)


def test_more_requests_than_may_wait_are_told_to_come_again(client, http, server, loaded):
    places = OPTIONS.sequences + OPTIONS.queue
    asked = {"model": MODEL, "prompt": "a", "n": 8, "grammar": 'root ::= "a" root'}
    with ExitStack() as stack:
        for _ in range(0, places, asked["n"]):
            stack.enter_context(connected(server, "/v1/completions", **asked))
        wait_until(lambda: loaded.engine.state.waiting == OPTIONS.queue)
        with pytest.raises(openai.RateLimitError) as caught:
            client.completions.create(model=MODEL, prompt="a", max_tokens=1)
    assert caught.value.code == "queue_full"
    assert int(caught.value.response.headers["retry-after"]) > 0
    wait_until(lambda: not loaded.engine.state.generating)
    assert http.post(CHAT, json=chat()).status_code == 200


@pytest.mark.parametrize("stream", [False, True])
def test_a_grammar_that_turns_out_to_admit_nothing_is_the_requests_fault(http, stream):
    letter_of_none = r"[^\x00-\U0010FFFF]"
    body = chat(grammar=f'root ::= "a" {letter_of_none}', stream=stream, max_tokens=8)
    reply = http.post(CHAT, json=body)
    document = (
        reply.json() if not stream else json.loads(reply.text.rstrip().rpartition("data: ")[2])
    )
    assert "admits no token" in document["error"]["message"]
    assert isinstance(api_error(500, document, "the model"), InvalidGrammar)


def test_a_template_that_refuses_a_conversation_is_the_requests_fault(http, loaded, monkeypatch):
    from smolctl.errors import ConversationRefused

    def refuse(*_, **__):
        raise ConversationRefused(
            "the model's chat template refuses this conversation: roles must alternate"
        )

    monkeypatch.setattr(type(loaded), "prepare", refuse)
    assert "roles must alternate" in refusal(http.post(CHAT, json=chat()))["message"]


def test_a_path_that_is_none_and_a_method_that_is_wrong(http):
    assert refusal(http.get("/v1/nothing"), 404)["type"] == "invalid_request_error"
    assert refusal(http.post("/v2/chat/completions", json={}), 404)
    assert refusal(http.post("/v1/models/", json={}), 405)
    reply = http.get(CHAT)
    assert "GET" in refusal(reply, 405)["message"]
    assert reply.headers["allow"] == "POST"


def test_a_bug_is_told_without_its_details(client, loaded, monkeypatch, caplog):
    def break_down(*_, **__):
        raise ZeroDivisionError("what only the log may say")

    monkeypatch.setattr(type(loaded), "prepare", break_down)
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model=MODEL, messages=HELLO)
    assert caught.value.type == "server_error"
    assert "only the log" not in str(caught.value)
    record = next(each for each in caplog.records if each.name == "smolctl.api")
    assert record.exc_info[0] is ZeroDivisionError


def test_a_failure_within_a_stream_is_its_last_event(client, http, loaded, monkeypatch):
    from smolctl.errors import NotRunnable

    def fail(*_, **__):
        raise NotRunnable("llama.cpp failed to decode")

    monkeypatch.setattr(type(loaded.engine._context), "decode", fail)
    chunks = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Something new"}], stream=True
    )
    with pytest.raises(openai.APIError, match="failed to decode"):
        list(chunks)
    text = http.post(CHAT, json=chat(stream=True)).text
    assert "[DONE]" not in text
    last = text.rstrip().rpartition("\n\n")[2]
    assert json.loads(last.removeprefix("data: "))["error"]["type"] == "server_error"
    monkeypatch.undo()
    assert http.post(CHAT, json=chat()).status_code == 200
