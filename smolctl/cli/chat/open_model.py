"""The model that a chat talks to, and how it becomes another one."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING

from smolctl.cli.chat_model import open_chat
from smolctl.errors import SmolctlError

if TYPE_CHECKING:
    from types import TracebackType

    from smolctl.cli.chat_model import Wanted
    from smolctl.cli.invocation import Invocation
    from smolctl.runner.chat_model import ChatModel


class OpenModel:
    """A model that is open as long as the block lasts, or until another takes its place."""

    def __init__(self, invocation: Invocation, wanted: Wanted) -> None:
        self._invocation = invocation
        self._wanted = wanted
        self._open = ExitStack()
        self._model: ChatModel | None = None

    def __enter__(self) -> OpenModel:
        _ = self.model
        return self

    @property
    def model(self) -> ChatModel:
        """The model, opened where it is not: a switch failed, and this one did not come back."""
        if self._model is None:
            self._model = self._open.enter_context(self._opening(self._wanted))
        return self._model

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open.__exit__(kind, error, traceback)

    def switch(self, name: str) -> None:
        """Open the model called `name` in place of the one that is open, pulled as `run` does.

        When that fails or is interrupted, the old one is there as before; it raises what opening
        raises.
        """
        wanted = self._wanted._replace(model=name)
        if wanted.local:
            self._switch_here(wanted)
            return
        self._check_server(name)
        with ExitStack() as opened:
            self._model = opened.enter_context(self._opening(wanted))
            self._wanted = wanted
            self._open, closing = opened.pop_all(), self._open
        closing.close()

    def _switch_here(self, wanted: Wanted) -> None:
        """Have one model leave this process's memory before the next one comes in."""
        from smolctl.cli.source import find_source
        from smolctl.runner.runnable import Runnable

        # A wrong name, or a file that is no model, is noticed while the old one is still loaded.
        Runnable.read(find_source(self._invocation, wanted.model, wanted.pull))
        self._open.close()
        self._model = None
        try:
            self._model = self._open.enter_context(self._opening(wanted))
        except (SmolctlError, KeyboardInterrupt):
            _ = self.model  # comes back
            raise
        self._wanted = wanted

    def _check_server(self, name: str) -> None:
        """Raise `ModelNotFound` when a server has the models, and says that it has not this one."""
        settings = self._invocation.settings
        if settings.host is None:
            return
        from urllib.parse import quote

        from smolctl.runner.api_errors import api_error, error_code
        from smolctl.runner.connection import Endpoint

        headers = (
            {} if settings.api_key is None else {"Authorization": f"Bearer {settings.api_key}"}
        )
        endpoint = Endpoint.parse(settings.host)
        with endpoint.request("GET", f"/v1/models/{quote(name)}", headers=headers) as response:
            document = response.json()
        # Others' servers may not have this address: what they have, the next question tells.
        if error_code(document) == "model_not_found":
            raise api_error(response.status, document, str(endpoint))

    def _opening(self, wanted: Wanted) -> AbstractContextManager[ChatModel]:
        return open_chat(self._invocation, wanted, load=True)
