"""What the figures were measured on and with."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import subprocess
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from benchmarks.llama_tools import tool
from smolctl import __version__
from smolctl.runner.benchmark import processor

_ROOT = Path(__file__).parent.parent
_PEERS = {
    "docker-registry": "--version",
    "skopeo": "--version",
    "curl": "--version",
    "openssl": "version",
    "ollama": "--version",
    "ramalama": "version",
    "llm": "--version",
    "docker": "--version",
}
"""Programs that a benchmark compares with or stands on, and how each says its version."""


def describe() -> list[str]:
    """Return lines about this machine, this smolctl, and the peers that are installed.

    Of llama.cpp's own tools those count that `make bench-peers` built; of other programs, those in
    the `PATH`.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return [
        f"{processor()}, {os.cpu_count()} processors, {memory:.0f} GB of memory",
        f"{_system()}, Python {platform.python_version()}",
        f"smolctl {__version__}{_commit()}",
        f"oras-py {version('oras')}, requests {version('requests')}",
        f"llama-cpp-python {version('llama-cpp-python')}, its llama.cpp {_llama_commit()}",
        *(_peer(name, argument) for name, argument in _PEERS.items()),
        _llama_tools(),
    ]


def _system() -> str:
    kernel = f"{platform.system()} {platform.release()}"
    try:
        return f"{platform.freedesktop_os_release()['PRETTY_NAME']}, {kernel}"
    except OSError:  # not a Linux distribution
        return kernel


def _commit() -> str:
    """Say which commit of this repository is measured; nothing where there is no checkout."""
    if not (_ROOT / ".git").exists():
        return ""
    command = ("git", "-C", str(_ROOT), "describe", "--always", "--dirty", "--exclude", "*")
    done = subprocess.run(command, capture_output=True, text=True)
    return f" ({done.stdout.strip()})" if done.returncode == 0 else ""


def _llama_commit() -> str:
    """Return the commit that the installed library was built from, as the library says it."""
    found = find_spec("llama_cpp")
    folder = Path(str(found.origin)).parent / "lib" if found else _ROOT
    for file in sorted(folder.glob("libggml-base.*")):
        function = getattr(ctypes.CDLL(str(file)), "ggml_commit", None)
        if function is not None:
            function.restype = ctypes.c_char_p
            return str(function().decode())
    return "of an unknown commit"


def _peer(name: str, argument: str) -> str:
    if shutil.which(name) is None:
        return f"{name}: not installed"
    said = _said(name, argument).partition("\n")[0]
    # curl and openssl go on in brackets about the libraries that they were built with.
    line = said.partition(" (")[0]
    return line if name in line.lower() else f"{name}: {line}"


def _llama_tools() -> str:
    program = tool("llama-cli")
    if program is None:
        return "llama-cli, llama-bench, llama-server: not built (`make bench-peers`)"
    said = _said(program, "--version").partition("\n")[0]
    return f"llama-cli, llama-bench, llama-server: {said}"


def _said(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return (done.stdout or done.stderr).strip()
