"""One prompt, one reply: what `run` does without a chat."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from smolctl.cli.reply_output import reply_output
from smolctl.engine.conversation import ChatRequest, Message
from smolctl.engine.message_parts import MessageParts
from smolctl.engine.sampling import Sampling
from smolctl.errors import PromptTooLong, SmolctlError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from smolctl.cli.output import Output
    from smolctl.cli.prompt_sources import Asked
    from smolctl.cli.record import Record
    from smolctl.cli.reply_flags import ReplyFlags
    from smolctl.cli.reply_form import ReplyForm
    from smolctl.runner.chat_model import ChatModel, ChatReply


@dataclass(frozen=True)
class OneShot:
    """What is asked, once: the prompt, the system prompt, and how the reply is to be."""

    asked: Asked
    form: ReplyForm
    flags: ReplyFlags
    system: str | None = None
    sampling: Sampling = field(default_factory=Sampling)

    def answer(self, output: Output, model: ChatModel, record: Record) -> None:
        """Have `model` reply, give the reply as the flags say, and keep it in `record`.

        Of a conversation that has outgrown the context, the oldest turns are not sent, which is
        said. Raises `NotRunnable` for a reply that is not of the form that was asked for, once it
        is shown, and `PromptTooLong` where the prompt alone is longer than the context.
        """
        before = self._before(record)
        text = self._fitted_text(output, model, before)
        request = whole = self._request(before, text)
        while True:
            try:
                self._reply(output, model, record, before, request)
            except PromptTooLong as error:
                shorter = self._without_oldest(request, error)
                if request is whole:
                    from smolctl.cli.chat.context_room import OUTGROWN

                    output.notice(OUTGROWN)
                request = shorter
            else:
                return

    def _reply(
        self,
        output: Output,
        model: ChatModel,
        record: Record,
        before: Sequence[Message],
        request: ChatRequest,
    ) -> None:
        """Ask once. The conversation is `before`, whatever of it the request has."""
        parts = MessageParts()
        shown = reply_output(output, model, self.flags, self.form)
        interrupted, broke_off = True, False
        with model.reply(request) as reply:
            try:
                for delta in reply:
                    parts.add(delta)
                    if not shown.add(delta, parts):
                        break
                interrupted = False
            except SmolctlError:
                broke_off = True  # a person sees what came, and no conversation goes on with it
                raise
            finally:
                # Also when it was interrupted: what came is part of the answer.
                shown.finish(parts, reply, interrupted=interrupted)
                if not broke_off and (parts.content or not interrupted):
                    messages = (*before, request.messages[-1])
                    self._keep(model, record, messages, parts, reply)
        if self.flags.verbose:
            from smolctl.cli.statistics import statistics_lines

            for line in statistics_lines(model.load_seconds, reply.usage, reply.timings):
                output.notice(line)
        shown.check(parts, reply.finish_reason)

    def _without_oldest(self, request: ChatRequest, error: PromptTooLong) -> ChatRequest:
        """Return `request` with fewer turns; raises `error` where there is none to leave out."""
        *before, question = request.messages
        shorter = None
        if before:
            from smolctl.cli.chat.context_room import shortened
            from smolctl.cli.chat.dialogue import Dialogue

            shorter = shortened(Dialogue.of(before, self.sampling), question.content, error)
        if shorter is None:
            raise self._too_long(error) from error
        return replace(request, messages=shorter.asking(question.content))

    def _before(self, record: Record) -> tuple[Message, ...]:
        """Return what was said before, with the system prompt that holds now."""
        if not self.system:
            return record.messages
        said = (each for each in record.messages if each.role != "system")
        return (Message("system", self.system), *said)

    def _request(self, before: Sequence[Message], text: str) -> ChatRequest:
        """Return the request for the reply about `text`, after what was said `before`."""
        prompt = self.asked._replace(text=text).prompt(self.form.note)
        messages = (*before, Message("user", prompt))
        return self.form.on(ChatRequest(messages, self.sampling, self.flags.stop))

    def _fitted_text(self, output: Output, model: ChatModel, before: Sequence[Message]) -> str:
        """Return the text; with --chunk, answers to its parts in its place where it is long."""
        text = self.asked.text
        if self.flags.chunk and text:
            from smolctl.cli.part_progress import part_progress
            from smolctl.runner.chunks import fitted

            with part_progress(output) as on_part:
                fits = fitted(
                    model, lambda part: self._request(before, part), text, on_part=on_part
                )
            text = fits.text
        return text

    def _too_long(self, error: PromptTooLong) -> PromptTooLong:
        """Return `error`, which says of --chunk as well where that could help."""
        if self.flags.chunk or not self.asked.text or self.form.tools:
            return error
        return PromptTooLong(
            error.message,
            hint="Ask for a larger context with --ctx-size, or have it worked on piece by piece"
            " with --chunk.",
            prompt_tokens=error.prompt_tokens,
            context_size=error.context_size,
        )

    def _keep(
        self,
        model: ChatModel,
        record: Record,
        messages: tuple[Message, ...],
        parts: MessageParts,
        reply: ChatReply,
    ) -> None:
        from smolctl.history.exchange import Exchange  # once the reply is here

        # Calls are kept as text: nobody has results for them, which templates ask for.
        calls = (
            json.dumps({"name": call.name, "arguments": call.arguments})
            for call in parts.tool_calls
        )
        text = "\n".join(part for part in (parts.content, *calls) if part)
        exchange = Exchange(
            model.name,
            messages[-1].content,
            text,
            next((each.content for each in messages if each.role == "system"), None),
            parts.reasoning,
            reply.finish_reason,
            reply.usage,
            reply.timings,
        )
        record.keep((*messages, Message("assistant", text)), exchange)
