"""What a command's MODEL means: a file, or a model by its name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from smolctl.cli.text_file import is_there
from smolctl.errors import ModelNotFound
from smolctl.runner.source import ModelSource, file_source, model_source
from smolctl.settings import expanded

if TYPE_CHECKING:
    from smolctl.cli.invocation import Invocation
    from smolctl.cli.options import PullPolicy


def find_source(invocation: Invocation, model: str, pull: PullPolicy) -> ModelSource:
    """Return what `model` means: a file when it looks like a path, else a model by its name.

    It is pulled first where `pull` says so. Raises `ModelNotFound` when it is not here then, and
    `StorageError` for a path that may not be looked at.
    """
    if looks_like_a_file(model):
        path = expanded(model)
        if not is_there(path):
            raise ModelNotFound(f"no such file: {model}")
        return file_source(path)
    return model_source(invocation.store, invocation.obtain(model, pull), model)


def looks_like_a_file(model: str) -> bool:
    """Whether `model` means a file: it is written as a path, or there is one called so.

    `model.gguf` is a file that is there or misspelled; `team/model.gguf` may be a repository.
    """
    if model.startswith(("/", "./", "../", "~")):
        return True
    if not model.endswith(".gguf") or "/" not in model:
        return model.endswith(".gguf")
    return os.path.exists(expanded(model))  # noqa: PTH110 - Path's raises where it cannot be told
