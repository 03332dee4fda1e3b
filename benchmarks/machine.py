"""What the figures were measured on and with."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from smolctl import __version__

_PEERS = {
    "docker-registry": ("docker-registry", "--version"),
    "skopeo": ("skopeo", "--version"),
    "curl": ("curl", "--version"),
    "openssl": ("openssl", "version"),
}


def describe() -> None:
    """Print the machine, this Python, and the versions of the peers that are installed."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    print(f"{_processor()}, {os.cpu_count()} processors, {memory:.0f} GB of memory")
    print(f"{platform.system()} {platform.release()}, Python {platform.python_version()}")
    print(f"smolctl {__version__}, oras-py {version('oras')}, requests {version('requests')}")
    for name, command in _PEERS.items():
        print(_first_line(command) if shutil.which(name) else f"{name}: not installed")


def _processor() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return f"{platform.machine()}, {value.strip()}"
    return platform.machine()


def _first_line(command: tuple[str, ...]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    # curl and openssl go on in brackets about the libraries that they were built with.
    return done.stdout.partition("\n")[0].partition(" (")[0]
