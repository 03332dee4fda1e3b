#!/bin/sh
# Build the sdist and the wheel into dist/, and check them as those who install them meet them.
# Uploads nothing. usage: release.sh VENV
set -eu
venv=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
scratch=$(mktemp -d "${TMPDIR:-/tmp}/smolctl-release-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM

# The last commit's time in place of the clock: the same tree makes the same files.
if [ -z "${SOURCE_DATE_EPOCH:-}" ] && SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null); then
    export SOURCE_DATE_EPOCH
fi
umask 022
"$venv/bin/python" -m pip --disable-pip-version-check --quiet install --group release

echo "Building."
rm -rf dist
"$venv/bin/python" -m build --outdir dist . >"$scratch/log" 2>&1 || {
    cat "$scratch/log" >&2
    exit 1
}
set -- dist/*.tar.gz
sdist=$1
set -- dist/*.whl
wheel=$1
"$venv/bin/python" -m twine --no-color check --strict "$sdist" "$wheel"
"$venv/bin/python" tools/check_distributions.py "$sdist" "$wheel"

# The wheel was made from the sdist. One of this tree is the same, byte by byte.
"$venv/bin/python" -m build --wheel --outdir "$scratch" . >"$scratch/log" 2>&1 || {
    cat "$scratch/log" >&2
    exit 1
}
cmp "$wheel" "$scratch/$(basename "$wheel")"
echo "A wheel of this tree and one of the sdist are the same file."

echo "Installing the wheel into an environment of its own. llama.cpp comes from pip's cache, or is"
echo "compiled, which takes minutes."
"$venv/bin/python" -m venv "$scratch/venv"
"$scratch/venv/bin/python" -m pip --disable-pip-version-check --quiet install "$wheel"
[ -s "$scratch/venv/share/man/man1/smolctl-model-run.1" ]

# As a user who has never seen the repository: another folder, nothing of this one's environment.
mkdir "$scratch/home"
installed() {
    (cd "$scratch/home" && env -i HOME="$scratch/home" PATH="$scratch/venv/bin:/usr/bin:/bin" \
        LANG="${LANG:-C.UTF-8}" "$@")
}
installed smolctl --version
installed python -c 'import smolctl, sys
assert "site-packages" in smolctl.__file__, smolctl.__file__
heavy = {"rich", "typer", "requests", "llama_cpp"} & set(sys.modules)
assert not heavy, heavy'
for shell in bash zsh fish powershell; do
    installed smolctl completion "$shell" >"$scratch/completion"
    [ -s "$scratch/completion" ]
done
installed smolctl demo --home "$scratch/home/demo"
installed env SMOLCTL_HOME="$scratch/home/demo/models" smolctl model unload --all

version=$(installed smolctl --version)
grep -q "^## ${version#smolctl }" CHANGELOG.md ||
    echo "Before you publish: CHANGELOG.md has no section for ${version#smolctl } yet." >&2
