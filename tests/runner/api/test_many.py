"""A thousand requests leave nothing behind."""

from __future__ import annotations

import http.client
import json
import resource
import socket
from pathlib import Path

import pytest

from tests.runner.api.conftest import MODEL

GREETING = [{"role": "user", "content": "Hello"}]


def ask(server, count):
    """Ask `count` times, each with a connection of its own; half of them are streams."""
    for number in range(count):
        stream = number % 2 == 0
        body = {"model": MODEL, "messages": GREETING, "max_tokens": 1, "stream": stream}
        connection = http.client.HTTPConnection("worker")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(server))
        connection.request("POST", "/v1/chat/completions", json.dumps(body))
        with connection.getresponse() as response:
            assert response.status == 200
            assert response.read()
        connection.close()


def in_use():
    """Return the open files, and the peak of memory in kB."""
    folder = Path("/proc/self/fd")
    files = len(list(folder.iterdir())) if folder.exists() else 0
    return files, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.mark.slow
def test_a_thousand_short_requests_leave_nothing_behind(server):
    ask(server, 200)
    files, memory = in_use()
    ask(server, 1000)
    files_after, memory_after = in_use()
    assert files_after <= files + 1  # the last connection's, whose end the server may not know yet
    assert memory_after - memory < 4096
