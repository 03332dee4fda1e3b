"""A byte-level BPE tokenizer in SmolLM2's manner, trained on the corpus.

llama.cpp knows this manner as the pre-tokenizer `smollm`: each digit by itself, then GPT-2's
pattern. The special tokens are SmolLM2's 17, under their own numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from demo_model.training import PROMPT_WEIGHT, Conversation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from demo_model.corpus import Dialogue

BOS, EOS, UNKNOWN = "<|im_start|>", "<|im_end|>", "<|endoftext|>"
SPECIAL = (
    UNKNOWN, BOS, EOS, "<repo_name>", "<reponame>", "<file_sep>", "<filename>", "<gh_stars>",
    "<issue_start>", "<issue_comment>", "<issue_closed>", "<jupyter_start>", "<jupyter_text>",
    "<jupyter_code>", "<jupyter_output>", "<jupyter_script>", "<empty_output>",
)  # fmt: skip

DEFAULT_SYSTEM = "You are the smolctl demo model, a very small assistant."
CHAT_TEMPLATE = (
    "{%- if messages[0]['role'] != 'system' -%}"
    f"{{{{ '<|im_start|>system\\n{DEFAULT_SYSTEM}<|im_end|>\\n' }}}}"
    "{%- endif -%}"
    "{%- for message in messages -%}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}"
)


def train_tokenizer(dialogues: Iterable[Dialogue], size: int) -> Tokenizer:
    """Return a tokenizer of `size` tokens for the dialogues' text; all 256 bytes are in it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(
        (text for dialogue in dialogues for text, _ in rendered(dialogue)), trainer
    )
    return tokenizer


def rendered(dialogue: Dialogue) -> list[tuple[str, bool]]:
    """Return the dialogue as the chat template writes it, in parts: text, and whether learnt."""
    parts = [(f"{BOS}system\n{dialogue.system or DEFAULT_SYSTEM}{EOS}\n", False)]
    for turn in dialogue.turns:
        parts.append((f"{BOS}user\n{turn.prompt}{EOS}\n{BOS}assistant\n", False))
        parts.append((f"{turn.answer}{EOS}", True))
        parts.append(("\n", False))
    return parts


def encode(tokenizer: Tokenizer, dialogue: Dialogue) -> Conversation:
    """Return the dialogue in tokens; the assistant's, and the end of its turn, weigh in full."""
    tokens: list[int] = []
    weights: list[float] = []
    for text, learnt in rendered(dialogue):
        part = tokenizer.encode(text).ids
        tokens += part
        weights += [1.0 if learnt else PROMPT_WEIGHT] * len(part)
    weights[0] = 0.0
    return Conversation(np.array(tokens, np.int32), np.array(weights, np.float32))
