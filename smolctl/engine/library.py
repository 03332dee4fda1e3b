"""llama.cpp's C interface, as llama-cpp-python binds it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any

from smolctl.errors import NotRunnable

_PACKAGE = "llama_cpp"
_BINDINGS = "llama_cpp.llama_cpp"


def llama_cpp() -> Any:
    """Return the module of the bindings (`llama_cpp.llama_cpp`). Raises `NotRunnable` without it.

    The package's own `__init__` is left out: it imports its high-level classes, which nothing
    here uses, and with them numpy, jinja2 and a disk cache. That is 170 ms of the 210 that
    importing it takes, and a one-shot answer takes 500 in all. Who imports `llama_cpp` later
    gets it whole.
    """
    bindings = sys.modules.get(_BINDINGS)
    if bindings is not None:
        return bindings
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.submodule_search_locations is None:
        raise NotRunnable("llama.cpp is not installed", hint="pip install llama-cpp-python")
    without_init = ModuleType(_PACKAGE)
    without_init.__path__ = spec.submodule_search_locations
    sys.modules[_PACKAGE] = without_init
    try:
        return importlib.import_module(_BINDINGS)
    except (ImportError, OSError, RuntimeError) as error:
        # RuntimeError: how the bindings report that the shared library does not load.
        raise NotRunnable(
            f"llama.cpp cannot be loaded: {error}", hint="pip install llama-cpp-python"
        ) from error
    finally:
        del sys.modules[_PACKAGE]
