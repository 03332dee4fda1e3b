"""The forms in which models write tool calls, and which of them a template's model uses."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smolctl.engine.template_messages import parsed_arguments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from smolctl.engine.chat_template import ChatTemplate
    from smolctl.engine.conversation import ToolCall

TAG = "<tool_call>"
CLOSING_TAG = "</tool_call>"
PYTHON_TAG = "<|python_tag|>"
MISTRAL_TAG = "[TOOL_CALLS]"
MISTRAL_ARGUMENTS = "[ARGS]"
MISTRAL_ID = "[CALL_ID]"

MARKERS = (TAG, CLOSING_TAG, PYTHON_TAG, MISTRAL_TAG, MISTRAL_ARGUMENTS, MISTRAL_ID)
"""What sets calls off from text. Some are special tokens in some vocabularies."""


@dataclass(frozen=True)
class ToolForm:
    """How calls are written.

    All of them stand between `opening` and `closing`, `separator` between two. A call is `before`,
    the name, `between`, the arguments, `after`.
    """

    before: str
    between: str
    after: str
    separator: str
    opening: str = ""
    closing: str = ""

    def written(self, calls: Sequence[ToolCall]) -> str:
        """Return `calls` as the model would write them.

        Raises `UsageError` for a call whose arguments are no JSON object.
        """
        texts = []
        for call in calls:
            arguments = json.dumps(parsed_arguments(call), ensure_ascii=False)
            texts.append(f"{self.before}{call.name}{self.between}{arguments}{self.after}")
        return f"{self.opening}{self.separator.join(texts)}{self.closing}"


_NAME = '{"name": "'
_ARGUMENTS = '", "arguments": '

HERMES = ToolForm(f"{TAG}\n{_NAME}", _ARGUMENTS, f"}}\n{CLOSING_TAG}", "\n")
"""One object in each tag: Hermes, Qwen, SmolLM3, and many after them."""

SMOLLM2 = ToolForm(_NAME, _ARGUMENTS, "}", ", ", f"{TAG}[", f"]{CLOSING_TAG}")
"""A list in one tag: what SmolLM2-Instruct documents."""

LLAMA3 = ToolForm(_NAME, '", "parameters": ', "}", "; ")
"""Bare JSON: Llama 3.1 and later."""

MISTRAL = ToolForm(_NAME, _ARGUMENTS, "}", ", ", f"{MISTRAL_TAG}[", "]")
"""A list after a token: Mistral's tokenizers up to version 7."""

MISTRAL_NAMED = ToolForm(MISTRAL_TAG, MISTRAL_ARGUMENTS, "", "")
"""A token, the name, another token, the arguments: Mistral's tokenizers from version 11 on."""


def form_of(template: ChatTemplate) -> ToolForm:
    """Return the form that the model of `template` was trained on, by what the template writes.

    Raises `NotRunnable` for a broken template.
    """
    source = template.source
    if not template.knows_tools:
        return SMOLLM2
    if MISTRAL_TAG in source:
        return MISTRAL_NAMED if MISTRAL_ARGUMENTS in source else MISTRAL
    if TAG in source:
        return HERMES
    if PYTHON_TAG in source or '"parameters": ' in source:
        return LLAMA3
    return HERMES
