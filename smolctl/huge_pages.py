"""Large allocations in huge pages, for llama.cpp's KV cache.

Linux gives memory a page of 4 KiB at a time, as it is touched, and llama.cpp clears its KV cache
when it makes a context: 335 MB for SmolLM2-360M's 8,192 tokens are 82,000 page faults, 190 ms of
the 230 that making the context takes. With `glibc.malloc.hugetlb=1` malloc asks for huge pages
(`madvise`), and it takes 45 ms. The GNU C library reads its tunables when a process begins, so a
process cannot ask it for itself; it can only begin anew.
"""

from __future__ import annotations

import os
import sys

_VARIABLE = "GLIBC_TUNABLES"
_TUNABLE = "glibc.malloc.hugetlb"


def environment() -> dict[str, str]:
    """Return the variables that a process which loads a model is to begin with."""
    tunables = os.environ.get(_VARIABLE, "")
    if sys.platform != "linux" or _TUNABLE in tunables:
        return dict(os.environ)
    return {**os.environ, _VARIABLE: ":".join(filter(None, (tunables, f"{_TUNABLE}=1")))}


def begin_anew() -> None:
    """Have this process begin anew with huge pages, unless it has them, or they are not to be had.

    Takes the 10 ms of Python's own start: call it before anything else is imported.
    """
    wanted = environment()
    if wanted != dict(os.environ):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], wanted)  # noqa: S606
