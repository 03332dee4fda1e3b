"""`python -m benchmarks [NAME…]`: run the benchmarks, all of them by default."""

from __future__ import annotations

import compileall
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import smolctl
from benchmarks import batch, machine, pull, run, startup

BENCHMARKS = {"startup": startup.run, "pull": pull.run, "run": run.run, "batch": batch.run}


def main() -> None:
    """Run the benchmarks that the command line names."""
    names = sys.argv[1:] or list(BENCHMARKS)
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.exit(f"no such benchmark: {unknown[0]}; there are {', '.join(BENCHMARKS)}")
    # As pip does when it installs: where Python may not write what it compiled, as some
    # environments have it, each start would compile what has changed anew.
    compileall.compile_dir(str(Path(smolctl.__file__).parent), quiet=1)
    machine.describe()
    print("Compare what stands in one table: times of different runs say little.")
    with TemporaryDirectory(prefix="smolctl-bench-") as folder:
        for name in names:
            BENCHMARKS[name](Path(folder) / name)


if __name__ == "__main__":
    main()
