"""A chat request made into what the engine generates, and the reply's text into its parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from smolctl.engine import reasoning
from smolctl.engine.control_tokens import without_control_tokens
from smolctl.engine.conversation import Delta
from smolctl.engine.generation import GenerationRequest
from smolctl.engine.reasoning import ReasoningSplitter
from smolctl.engine.tool_forms import MARKERS, form_of
from smolctl.engine.tool_prompt import with_tools, with_written_calls

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from smolctl.engine.chat_template import ChatTemplate
    from smolctl.engine.conversation import ChatRequest, Message
    from smolctl.engine.gbnf import Grammar
    from smolctl.engine.generation import Piece, TokenScore
    from smolctl.engine.tool_reader import ToolCallReader
    from smolctl.engine.vocabulary import Vocabulary


@dataclass(frozen=True)
class PreparedChat:
    """A request for the engine, and the reader of the reply to it. Good for one reply."""

    request: GenerationRequest
    reader: ReplyReader


def prepare(chat: ChatRequest, template: ChatTemplate, vocabulary: Vocabulary) -> PreparedChat:
    """Return `chat` as the model's text in tokens, with a reader for its reply.

    The template's control tokens are the only ones: what spells one in a message is text. Raises
    `NotRunnable` when the template cannot render it, and `UsageError` for what makes no
    sense. It takes a millisecond; a hostile template may take seconds.
    """
    tools = chat.callable_tools
    text, mark = _prompt(chat, template, vocabulary)
    thinking = text.rstrip().endswith(reasoning.OPENING)
    markers: tuple[str, ...] = (reasoning.OPENING, reasoning.CLOSING)
    calls = None
    if tools and chat.grammar is None:  # under a grammar it is an answer, whatever it looks like
        # Here, and below: most replies have none of it, and a one-shot waits for each import.
        from smolctl.engine.tool_reader import ToolCallReader

        markers += MARKERS
        schemas = {tool.name: tool.parameters for tool in tools}
        calls = ToolCallReader(schemas, parallel=chat.parallel_tool_calls)
    found = (vocabulary.special_token(marker) for marker in markers)
    request = GenerationRequest(
        tuple(vocabulary.tokenize(text, mark)),
        chat.sampling,
        chat.stop,
        chat.logprobs,
        _grammar(chat, template, thinking=thinking),
        frozenset(token for token in found if token is not None),
    )
    return PreparedChat(request, ReplyReader(calls, thinking=thinking))


def _prompt(chat: ChatRequest, template: ChatTemplate, vocabulary: Vocabulary) -> tuple[str, str]:
    """Return the conversation as text, with tools and calls in the form that the model knows.

    With it comes the mark at which to cut it for tokens, if there is one.
    """
    messages, tools, mark = without_control_tokens(chat.messages, chat.callable_tools, vocabulary)
    if any(message.tool_calls or message.role == "tool" for message in messages):
        messages = _with_calls(messages, template)
    if tools and not template.knows_tools:
        messages, tools = with_tools(messages, tools), ()
    text = template.render(
        messages,
        bos_token=vocabulary.bos_token,
        eos_token=vocabulary.eos_token,
        tools=[tool.document() for tool in tools],
    )
    return text, mark


def _with_calls(messages: Sequence[Message], template: ChatTemplate) -> Sequence[Message]:
    """Return `messages` with calls and results as text, where the template knows none of them."""
    if template.call_style is not None:
        return messages
    knows_results = template.knows_results
    return with_written_calls(messages, form_of(template), knows_results=knows_results)


def _grammar(chat: ChatRequest, template: ChatTemplate, *, thinking: bool) -> Grammar | None:
    """Return what the reply must follow: its own grammar, or that of the call it must make."""
    grammar = chat.grammar
    if chat.tool_choice.mode == "required":
        from smolctl.engine.tool_grammar import grammar_of_calls

        name = chat.tool_choice.name
        tools = [tool for tool in chat.tools if name in (None, tool.name)]
        grammar = grammar_of_calls(tools, form_of(template), parallel=chat.parallel_tool_calls)
    if grammar is not None and (thinking or reasoning.OPENING in template.source):
        from smolctl.engine.reasoning_grammar import after_reasoning

        return after_reasoning(grammar, begun=thinking)
    return grammar


class ReplyReader:
    """Tells the parts of a reply apart while it streams: reasoning, answer, tool calls.

    What may become a tag is held back until it is certain. `calls` reads the calls out of the
    answer, where it may have some. `thinking` is for a prompt that ends inside the reasoning.
    """

    def __init__(self, calls: ToolCallReader | None = None, *, thinking: bool = False) -> None:
        self._splitter = ReasoningSplitter(inside=thinking)
        self._calls = calls
        self._scores: tuple[TokenScore, ...] = ()

    def finish_reason(self, reason: str | None) -> str | None:
        """Return why the reply ended, where its generation did for `reason`: to call tools, say."""
        called = self._calls is not None and self._calls.calls > 0
        return "tool_calls" if called and reason == "stop" else reason

    def deltas(self, pieces: Iterable[Piece]) -> Iterator[Delta]:
        """Yield the parts of a whole reply as they come."""
        for piece in pieces:
            yield from self.feed(piece)
        yield from self.finish()

    def feed(self, piece: Piece) -> Iterator[Delta]:
        """Yield what is certain with `piece`, the reply's next."""
        self._scores += piece.scores
        yield from self._scored(self._parts(self._splitter.feed(piece.text)))

    def finish(self) -> Iterator[Delta]:
        """Yield what was held back; the reply is over."""
        yield from self._scored(self._parts(self._splitter.finish()))
        if self._calls is not None:
            yield from self._scored(self._calls.finish())
        if self._scores:
            yield from self._scored([Delta()])

    def _parts(self, texts: Iterable[tuple[str, bool]]) -> Iterator[Delta]:
        for text, is_reasoning in texts:
            if is_reasoning:
                yield Delta(reasoning=text)
            elif self._calls is None:
                yield Delta(content=text)
            else:
                yield from self._calls.feed(text)

    def _scored(self, deltas: Iterable[Delta]) -> Iterator[Delta]:
        """Yield `deltas`, the first with the scores of the tokens since the last."""
        for delta in deltas:
            scores, self._scores = self._scores, ()
            yield delta._replace(scores=scores) if scores else delta
