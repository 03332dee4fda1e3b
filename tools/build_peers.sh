#!/bin/sh
# Build llama.cpp's own tools, which `make bench` measures against, from the source inside the
# source package of the llama-cpp-python that is installed: the same llama.cpp, compiled for the
# same processor. Takes a few minutes. Usage: build_peers.sh VENV FOLDER
set -eu
venv=$1 folder=$2
version=$("$venv/bin/python" -c 'from importlib.metadata import version
print(version("llama-cpp-python"))')

command -v cmake >/dev/null || {
    echo "cmake is missing: apt install cmake, or brew install cmake" >&2
    exit 1
}
mkdir -p "$folder"
rm -rf "$folder/source" "$folder/build"
"$venv/bin/python" -m pip download --quiet --no-deps --no-binary :all: --dest "$folder" \
    "llama-cpp-python==$version"
mkdir "$folder/source"
tar -xzf "$folder"/llama_cpp_python-"$version".tar.gz -C "$folder/source" --strip-components 1
cmake -S "$folder/source/vendor/llama.cpp" -B "$folder/build" -DCMAKE_BUILD_TYPE=Release \
    -DGGML_NATIVE=ON -DLLAMA_CURL=OFF -DLLAMA_BUILD_TESTS=OFF >"$folder/cmake.log"
cmake --build "$folder/build" --parallel "$(getconf _NPROCESSORS_ONLN)" --target \
    llama-bench llama-cli llama-server llama-batched-bench
rm -rf "$folder/source"
set -- "$folder"/build/bin/llama-*
echo "$folder/build/bin has $# tools"
