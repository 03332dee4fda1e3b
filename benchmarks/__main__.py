"""`python -m benchmarks [NAME…] [--write]`: run the benchmarks, all of them by default.

With `--write`, what they print goes into `benchmarks/RESULTS.md` as well.
"""

from __future__ import annotations

import argparse
import compileall
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryDirectory

import smolctl
from benchmarks import batch, machine, pull, results, run, startup

BENCHMARKS = {"startup": startup.run, "pull": pull.run, "run": run.run, "batch": batch.run}
RESULTS = Path(__file__).with_name("RESULTS.md")


def main() -> None:
    """Run the benchmarks that the command line names."""
    arguments = _arguments(sys.argv[1:])
    names = arguments.names or list(BENCHMARKS)
    # As pip does when it installs: where Python may not write what it compiled, as some
    # environments have it, each start would compile what has changed anew.
    compileall.compile_dir(str(Path(smolctl.__file__).parent), quiet=1)
    about = machine.describe()
    print("\n".join(about))
    print("Compare what stands in one table: times of different runs say little.")
    with TemporaryDirectory(prefix="smolctl-bench-") as folder:
        for name in names:
            began, copied = time.perf_counter(), results.Copied(sys.stdout)
            with copied.as_stdout():
                BENCHMARKS[name](Path(folder) / name)
            seconds = time.perf_counter() - began
            if arguments.write:
                day = f"{datetime.now(timezone.utc):%Y-%m-%d}, in {seconds:.0f} seconds."
                lines = "\n".join(f"- {line}" for line in about)
                section = results.Section(f"{day}\n\n{lines}", copied.text)
                results.update(RESULTS, name, section, list(BENCHMARKS))
    if arguments.write:
        print(f"\nWritten: {RESULTS}")


def _arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--write", action="store_true", help=f"update {RESULTS.name}")
    arguments = parser.parse_args(words)
    for name in arguments.names:
        if name not in BENCHMARKS:
            parser.error(f"no such benchmark: {name}; there are {', '.join(BENCHMARKS)}")
    return arguments


if __name__ == "__main__":
    main()
