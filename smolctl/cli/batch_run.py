"""A batch as a command has it: the model is loaded where there are rows for it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from smolctl.cli.chat_model import open_chat
from smolctl.cli.output import brief
from smolctl.cli.reply_form import ReplyForm
from smolctl.cli.reply_output import check_form
from smolctl.errors import SmolctlError, UsageError
from smolctl.runner.batch.batch import Batch, Summary
from smolctl.runner.batch.parts import fitted_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from smolctl.cli.batch_streams import Results
    from smolctl.cli.chat_model import Wanted
    from smolctl.cli.invocation import Invocation
    from smolctl.engine.conversation import ChatRequest
    from smolctl.runner.batch.results import Result
    from smolctl.runner.batch.rows import Asking, Row, Rows

_DEFAULT_JOBS = 4
"""Where nobody says how many answers the model gives at once: what a worker gives."""

_FEW = 3
"""So many rows without a prompt at the beginning, and the batch is given up."""

_SHOWN_LETTERS = 200

_GOING_ON = "What was finished is kept; the same command goes on with the rest."


@dataclass(frozen=True)
class BatchRun:
    """What rows are asked, of which model, `jobs` of them at once; None for as many as it has."""

    invocation: Invocation
    wanted: Wanted
    asking: Asking
    form: ReplyForm
    jobs: int | None = None
    chunk: bool = False

    def answer(
        self, rows: Rows, results: Results, on_result: Callable[[Result], object]
    ) -> Summary:
        """Have all `rows` answered, and say where it ends early how to go on.

        Results are left in the order of the rows, however it ends. Raises what loading the model
        raises, and `Batch.run`.
        """
        output = self.invocation.output
        try:
            first = self._first(rows, checked=not results.finished)
            if not first:  # there is nothing to load a model for
                return Summary()
            with open_chat(self.invocation, self.wanted, load=True) as model:
                results.begin()
                if results.resumable:
                    output.on_interrupt(f"Interrupted. {_GOING_ON}")
                request = self.asking.request
                if self.chunk:
                    request = partial(fitted_request, model, self.asking)
                jobs = self.jobs or model.sequences or _DEFAULT_JOBS
                batch = Batch(model, request, jobs=jobs, check=self._check, on_result=on_result)
                try:
                    return batch.run(chain(first, rows), results.write)
                except SmolctlError:
                    if results.resumable:
                        output.notice(_GOING_ON)
                    raise
        finally:
            results.put_in_order(rows.lines)

    def _first(self, rows: Rows, *, checked: bool) -> list[Row]:
        """Return the first of `rows`, up to one that can be asked, where they are to be `checked`.

        Raises `UsageError` where the first few lack the same: the others will as well.
        """
        first: list[Row] = []
        for row in rows:
            first.append(row)
            missing = self.asking.lacking(row) if checked else None
            if missing is None:
                return first
            if len(first) == _FEW:
                break
        if first:
            raise _lacking(first[0], missing, templated=self.asking.template is not None)
        return first

    def _check(self, chat: ChatRequest, text: str, finish_reason: str | None) -> Any:
        """Return the reply's JSON, where the flags ask for some; a row may have its own form."""
        own = chat.grammar is not self.form.grammar
        return check_form(ReplyForm(chat.grammar) if own else self.form, text, finish_reason)


def _lacking(row: Row, field: str | None, *, templated: bool) -> UsageError:
    """Return what to raise where the rows have no `field`: which they have."""
    named = ", which the template names" if templated else ""
    there = brief(", ".join(sorted(filter(None, row.fields))) or "none", _SHOWN_LETTERS)
    other = "" if templated else " --template makes prompts of them: 'Translate {text}:'."
    return UsageError(f"the rows have no field {field}{named}", hint=f"Fields: {there}.{other}")
