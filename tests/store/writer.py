"""Another process that writes a partial blob, up to where the test wants it."""

from __future__ import annotations

import random
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from smolctl.model.descriptor import Descriptor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MEBIBYTE = 1024 * 1024
CHUNK = 64 * 1024
SIZE = 6 * MEBIBYTE + 4321
CONTENT = random.Random(1).randbytes(SIZE)
BLOB = Descriptor.of(CONTENT, "m")

_BEGINNING = """
import sys
from pathlib import Path
from smolctl.store.blobs import Blobs
from tests.store.writer import BLOB, fill

def stop(*_):
    print("here", flush=True)
    sys.stdin.read()

partial = Blobs(Path(sys.argv[1])).open_partial(BLOB)
"""


def fill(partial, start=0, end=SIZE):
    """Write those bytes of the content, as a connection brings them."""
    for offset in range(start, end, CHUNK):
        partial.write(offset, CONTENT[offset : min(offset + CHUNK, end)])


@contextmanager
def another_process(root: Path, program: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """A process that opened `partial` in the cache at `root` and did `program`.

    It stops where the program calls `stop`, or at its end, and is killed when the block is left.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", f"{_BEGINNING}\n{program}\nstop()", str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"here\n"
            yield process
        finally:
            process.kill()


def killed_process(root: Path, program: str = "") -> None:
    """Have another process do `program` with `partial`, and kill it then."""
    with another_process(root, program):
        pass
