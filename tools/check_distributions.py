"""Check what an sdist and a wheel hold: `check_distributions.py SDIST WHEEL`, for `make release`.

The wheel must have everything that `pip install` is to bring, and nothing else; the sdist every
tracked file of the repository, so that a packager can build and test from it alone.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parent.parent
_SHARED = {
    "share/bash-completion/completions/smolctl",
    "share/fish/vendor_completions.d/smolctl.fish",
    "share/zsh/site-functions/_smolctl",
}
_OF_THE_SDIST_ALONE = {"PKG-INFO"}


def main() -> None:
    """Exit with a message for each thing that is missing or stray."""
    sdist, wheel = map(Path, sys.argv[1:])
    version = wheel.name.split("-")[1]
    with zipfile.ZipFile(wheel) as archive:
        complaints = compare("wheel", set(archive.namelist()), wanted_in_wheel(ROOT, version))
    with tarfile.open(sdist) as archive:
        # Each path begins with a folder for the version.
        members = {"/".join(PurePosixPath(name).parts[1:]) for name in archive.getnames()}
    tracked = tracked_files(ROOT)
    if tracked is None:
        print("sdist: not compared, this is no git checkout", file=sys.stderr)
    else:
        complaints += compare("sdist", members, tracked | _OF_THE_SDIST_ALONE)
    if complaints:
        sys.exit("\n".join(complaints))
    for path in (sdist, wheel):
        print(f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}  {path}")


def compare(name: str, found: set[str], wanted: set[str]) -> list[str]:
    """Return a line for each name that is in one of the two and not in the other."""
    return [
        *(f"{name}: {path} is missing" for path in sorted(wanted - found)),
        *(f"{name}: {path} is stray" for path in sorted(found - wanted)),
    ]


def wanted_in_wheel(root: Path, version: str) -> set[str]:
    """Return the names that a wheel of the tree at `root` has."""
    about, data = f"smolctl-{version}.dist-info", f"smolctl-{version}.data/data"
    package = {
        str(path.relative_to(root))
        for path in (root / "smolctl").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    return {
        *package,
        *(f"smolctl/completions/{path.name}" for path in (root / "completions").iterdir()),
        *(f"{data}/share/man/man1/{path.name}" for path in (root / "man").glob("*.1")),
        *(f"{data}/{path}" for path in _SHARED),
        *(f"{about}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt")),
        *(f"{about}/licenses/{path}" for path in ("LICENSE", "smolctl/demo/LICENSE.txt")),
    }


def tracked_files(root: Path) -> set[str] | None:
    """Return the files that git keeps at `root`; None where it keeps none."""
    if not (root / ".git").exists():
        return None
    command = ("git", "-C", str(root), "ls-files", "-z")
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    return {name for name in done.stdout.split("\0") if name}


if __name__ == "__main__":
    main()
