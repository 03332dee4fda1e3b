"""llama.cpp's C interface, as llama-cpp-python binds it."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from types import ModuleType
from typing import Any

from smolctl.errors import NotRunnable

_PACKAGE = "llama_cpp"
_BINDINGS = "llama_cpp.llama_cpp"

_SPINS = "300"
"""Turns that a waiting thread stays awake: enough for the next tensor, not for a time slice."""


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
    _wait_politely()
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


def _wait_politely() -> None:
    """Have OpenMP's threads sleep when there is long nothing to do for them; they spin by default.

    Where several processes share the cores (`xargs -P4`), a thread that spins keeps another one's
    work from its core: four answers on two cores took 7.0 s, and take 1.9 s so. One alone is as
    fast as before. libgomp reads the variable when it is loaded, with llama.cpp.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)
