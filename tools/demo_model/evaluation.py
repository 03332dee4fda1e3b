"""How often the exported model is right: greedy answers, through llama.cpp itself."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smolctl.engine.chat_template import find_template
from smolctl.engine.conversation import Message
from smolctl.engine.engine import Engine
from smolctl.engine.generation import GenerationRequest
from smolctl.engine.options import EngineOptions
from smolctl.engine.sampling import Sampling
from smolctl.model.gguf import read_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from demo_model.corpus import Question

_GREEDY = Sampling(temperature=0, max_tokens=160)


@dataclass(frozen=True)
class Answered:
    """A question, and what the model said."""

    question: Question
    reply: str

    @property
    def right(self) -> bool:
        """Whether the reply is the answer, to the letter."""
        return self.reply.strip() == self.question.answer


def evaluate(path: Path, questions: Sequence[Question]) -> list[Answered]:
    """Ask the model in the GGUF file at `path` every question, each in a fresh conversation."""
    template = find_template(None, read_file(path).chat_template)
    answered = []
    with Engine.open([path], EngineOptions(context_size=1024)) as engine:
        vocabulary = engine.vocabulary
        for question in questions:
            messages = [Message("system", question.system)] if question.system else []
            messages.append(Message("user", question.prompt))
            text = template.render(
                messages, bos_token=vocabulary.bos_token, eos_token=vocabulary.eos_token
            )
            request = GenerationRequest(tuple(vocabulary.tokenize(text)), _GREEDY)
            answered.append(Answered(question, "".join(engine.submit(request).texts())))
    return answered


def report(title: str, answered: Sequence[Answered], *, mistakes: int = 0) -> float:
    """Print the share of right answers of each kind and in all, and return the latter."""
    kinds: dict[str, list[Answered]] = defaultdict(list)
    for answer in answered:
        kinds[answer.question.kind].append(answer)
    print(title)
    for kind, of_kind in sorted(kinds.items()):
        right = sum(answer.right for answer in of_kind)
        print(f"  {kind:<12} {right / len(of_kind):7.1%}  ({right} of {len(of_kind)})")
    share = sum(answer.right for answer in answered) / len(answered)
    print(f"  {'in all':<12} {share:7.1%}")
    for answer in [answer for answer in answered if not answer.right][:mistakes]:
        print(f"  {answer.question.prompt!r}: {answer.reply!r}, not {answer.question.answer!r}")
    return share
