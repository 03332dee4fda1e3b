"""A chat request made into what the engine generates, and the reply's text into its parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from smolctl.engine import reasoning
from smolctl.engine.conversation import Delta
from smolctl.engine.generation import GenerationRequest
from smolctl.engine.reasoning import ReasoningSplitter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from smolctl.engine.chat_template import ChatTemplate
    from smolctl.engine.conversation import ChatRequest
    from smolctl.engine.generation import Piece, TokenScore
    from smolctl.engine.vocabulary import Vocabulary


@dataclass(frozen=True)
class PreparedChat:
    """A request for the engine, and the reader of the reply to it. Good for one reply."""

    request: GenerationRequest
    reader: ReplyReader


def prepare(chat: ChatRequest, template: ChatTemplate, vocabulary: Vocabulary) -> PreparedChat:
    """Return `chat` as the model's text in tokens, with a reader for its reply.

    Raises `NotRunnable` when the template cannot render it, and `UsageError` for what makes no
    sense. It takes a millisecond; a hostile template may take seconds.
    """
    text = template.render(
        chat.messages, bos_token=vocabulary.bos_token, eos_token=vocabulary.eos_token
    )
    request = GenerationRequest(
        tuple(vocabulary.tokenize(text)), chat.sampling, chat.stop, chat.logprobs, chat.grammar
    )
    return PreparedChat(request, ReplyReader(thinking=text.rstrip().endswith(reasoning.OPENING)))


class ReplyReader:
    """Tells the parts of a reply apart while it streams: reasoning, answer, tool calls.

    What may become a tag is held back until it is certain. `thinking` is for a prompt that ends
    inside the reasoning.
    """

    def __init__(self, *, thinking: bool = False) -> None:
        self._splitter = ReasoningSplitter(inside=thinking)
        self._scores: tuple[TokenScore, ...] = ()

    @property
    def called_tools(self) -> bool:
        """Whether the reply calls tools: its finish reason is `tool_calls` then."""
        return False

    def deltas(self, pieces: Iterable[Piece]) -> Iterator[Delta]:
        """Yield the parts of a whole reply as they come."""
        for piece in pieces:
            yield from self.feed(piece)
        yield from self.finish()

    def feed(self, piece: Piece) -> Iterator[Delta]:
        """Yield what is certain with `piece`, the reply's next."""
        self._scores += piece.scores
        yield from self._scored(self._splitter.feed(piece.text))

    def finish(self) -> Iterator[Delta]:
        """Yield what was held back; the reply is over."""
        yield from self._scored(self._splitter.finish())
        if self._scores:
            yield Delta(scores=self._taken())

    def _scored(self, parts: Iterable[tuple[str, bool]]) -> Iterator[Delta]:
        """Yield `parts`, the first with the scores of the tokens since the last."""
        for text, is_reasoning in parts:
            scores = self._taken()
            if is_reasoning:
                yield Delta(reasoning=text, scores=scores)
            else:
                yield Delta(content=text, scores=scores)

    def _taken(self) -> tuple[TokenScore, ...]:
        scores, self._scores = self._scores, ()
        return scores
