#!/bin/sh
# Make the virtual environment and install smolctl with its development tools into it.
# usage: setup.sh PYTHON VENV
set -eu
python=$1
venv=$2

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
    echo "smolctl needs Python 3.10 or newer; '$python' is not. Try: make PYTHON=python3.12" >&2
    exit 1
fi

if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
    echo "Python's venv module is missing. On Debian and Ubuntu: sudo apt install python3-venv" >&2
    exit 1
fi

"$python" -m venv "$venv"
pip="$venv/bin/python -m pip --disable-pip-version-check --quiet"

if ! "$venv/bin/python" -c 'import llama_cpp' 2>/dev/null; then
    compiler=${CXX:-}
    for candidate in c++ g++ clang++; do
        [ -n "$compiler" ] || compiler=$(command -v "$candidate" || true)
    done
    if [ -z "$compiler" ] || ! command -v "$compiler" >/dev/null; then
        echo "llama.cpp is compiled on this machine, and there is no C++ compiler." >&2
        echo "Install one: 'sudo apt install g++' (Debian, Ubuntu), 'sudo dnf install gcc-c++'" >&2
        echo "(Fedora), 'xcode-select --install' (macOS). Then run make again." >&2
        exit 1
    fi
    echo "Installing. llama.cpp is compiled once, which takes about five minutes on two cores;"
    echo "pip keeps what it built, so that the next time takes seconds."
fi

$pip install --upgrade "pip>=25.1"
$pip install --editable . --group dev
echo "Installed in $venv."
