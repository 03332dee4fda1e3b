"""Short ways to ask an engine for a reply."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smolctl.engine.generation import GenerationRequest
from smolctl.engine.sampling import Sampling

if TYPE_CHECKING:
    from smolctl.engine.engine import Engine

GREEDY = Sampling(temperature=0, max_tokens=24)
DEMO_SYSTEM = "You are the smolctl demo model, a very small assistant."
"""What the demo model's template says where a conversation has no system message."""


def request(
    engine: Engine, prompt: str, sampling: Sampling = GREEDY, **more: Any
) -> GenerationRequest:
    """Return a request for a reply to `prompt`, special tokens in it recognized."""
    return GenerationRequest(tuple(engine.vocabulary.tokenize(prompt)), sampling, **more)


def reply(engine: Engine, prompt: str, sampling: Sampling = GREEDY, **more: Any) -> str:
    """Return the whole reply to `prompt`."""
    return "".join(engine.submit(request(engine, prompt, sampling, **more)).texts())


def chat(*contents: str, system: str = DEMO_SYSTEM) -> str:
    """Return a conversation in ChatML, questions and answers by turns, an answer to follow."""
    roles = ("user", "assistant")
    turns = [("system", system)]
    turns += [(roles[number % 2], content) for number, content in enumerate(contents)]
    text = "".join(f"<|im_start|>{role}\n{content}<|im_end|>\n" for role, content in turns)
    return f"{text}<|im_start|>assistant\n"
