"""A chat request made into what the engine generates, and the reply's text into its parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from smolctl.engine.conversation import Delta
from smolctl.engine.generation import GenerationRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from smolctl.engine.chat_template import ChatTemplate
    from smolctl.engine.conversation import ChatRequest
    from smolctl.engine.generation import Piece
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
    return PreparedChat(request, ReplyReader())


class ReplyReader:
    """Tells the parts of a reply apart while it streams: reasoning, answer, tool calls.

    What may become a tag is held back until it is certain.
    """

    @property
    def called_tools(self) -> bool:
        """Whether the reply calls tools: its finish reason is `tool_calls` then."""
        return False

    def feed(self, piece: Piece) -> Iterator[Delta]:
        """Yield what is certain with `piece`, the reply's next."""
        yield Delta(content=piece.text, scores=piece.scores)

    def finish(self) -> Iterator[Delta]:
        """Yield what was held back; the reply is over."""
        return iter(())
