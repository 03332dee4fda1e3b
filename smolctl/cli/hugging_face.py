"""Names of models on Hugging Face, which people paste, and what to do with them."""

from __future__ import annotations

import re

from smolctl.errors import UsageError

_NAME = re.compile(r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)(?:/|$)", re.IGNORECASE)


def refuse_hugging_face(name: str) -> None:
    """Raise `UsageError` if `name` is a repository on Hugging Face: nobody can pull from there."""
    if _NAME.match(name):
        raise UsageError(
            f"{name} is on Hugging Face, whose repositories are no OCI registries",
            hint="Download its GGUF file and run that: `smolctl model run ./model.gguf`;"
            " `smolctl model package` gives it a name.",
        )
