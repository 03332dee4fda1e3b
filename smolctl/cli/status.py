"""`smolctl model status`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from smolctl import __version__
from smolctl.cli.invocation import Invocation
from smolctl.cli.options import JsonFlag
from smolctl.cli.ps import name_of, shown_name, worker_json
from smolctl.runner.address import WorkerFolder
from smolctl.runner.connection import ConnectionLost, Endpoint
from smolctl.runner.workers import survey

if TYPE_CHECKING:
    from smolctl.settings import Settings

EXAMPLES = (
    ("What runs, and where things are", "smolctl model status"),
    ("For a script", "smolctl model status --json | jq .gateway.running"),
)

_GATEWAY = "127.0.0.1:12434"
_ANSWER_SECONDS = 2.0


def command(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """Show what runs, whether a gateway answers, and where sockets and logs are."""
    invocation = Invocation.of(ctx)
    settings, output = invocation.settings, invocation.output
    folder = WorkerFolder.of(settings)
    workers, stuck = survey(folder)
    silent = [name_of(invocation, socket.stem) for socket in stuck]
    host = settings.host or _GATEWAY
    answers = _answers(settings, host)
    if as_json:
        output.json(
            {
                "version": __version__,
                "workers": [worker_json(worker) for worker in workers],
                "not_answering": silent,
                "gateway": {"host": host, "running": answers},
                "home": str(settings.home),
                "sockets": str(folder.folder),
                "logs": str(folder.logs),
            }
        )
        return
    rows: list[tuple[str, Any]] = [
        ("smolctl", __version__),
        ("Models loaded", ", ".join(map(shown_name, workers)) or "none"),
        *([("Not answering", ", ".join(silent))] if silent else []),
        ("smolctl serve", _gateway(settings, host, answers=answers)),
        ("Cache", settings.home),
        ("Sockets", folder.folder),
        ("Logs", folder.logs),
    ]
    for name, value in rows:
        output.line(f"{name + ':':<15}{value}")


def _gateway(settings: Settings, host: str, *, answers: bool) -> str:
    if answers:
        return f"answers at {host}"
    # That nobody serves is no trouble, except to who was told to ask there.
    return f"{host} does not answer" if settings.host else "not running"


def _answers(settings: Settings, host: str) -> bool:
    """Whether somebody speaks HTTP there."""
    headers = {} if settings.api_key is None else {"Authorization": f"Bearer {settings.api_key}"}
    try:
        endpoint = Endpoint.parse(host)
        with endpoint.request("GET", "/", headers=headers, timeout=_ANSWER_SECONDS):
            return True
    except ConnectionLost:
        return False
