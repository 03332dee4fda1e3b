"""The `smolctl` command."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line in `sys.argv` and exit with its code."""
    if sys.argv[1:] == ["--version"] and _print_version():
        return
    if sys.argv[1:2] == ["__complete"]:
        from smolctl.cli.complete import complete

        sys.exit(complete(sys.argv[2:]))
    from smolctl.quick import answer

    code = answer(sys.argv[1:])
    if code is not None:
        sys.exit(code)
    import gc
    import signal  # not before: it takes 5 ms

    gc.disable()  # until the command begins: what imports make is there to stay

    # Until then Ctrl-C ends the process without a traceback; Python ignores it where it was
    # started to be ignored.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if "--local" in sys.argv:
        from smolctl.huge_pages import begin_anew

        begin_anew()
    from smolctl.cli.boundary import run

    sys.exit(run(sys.argv[1:]))


def _print_version() -> bool:
    """Print the version before anything is loaded: scripts ask often. False if it could not be."""
    from smolctl import __version__

    try:
        # Not by print: what it could not write would stay in the stream.
        os.write(sys.stdout.fileno(), f"smolctl {__version__}\n".encode())
    except (AttributeError, OSError):  # closed, or full: the usual way knows what to say
        return False
    return True


if __name__ == "__main__":
    main()
