#!/usr/bin/env bash
# What scripts branch on: every exit code that a command line alone can bring about.
set -euo pipefail

# expect CODE WORDS COMMAND…: the code, nothing on stdout, at most two lines on stderr, with WORDS.
expect() {
    local wanted=$1 words=$2 code=0
    shift 2
    "$@" > out 2> err < /dev/null || code=$?
    if [ "$code" != "$wanted" ] || [ -s out ] || [ "$(wc -l < err)" -gt 2 ] || ! grep -qi -e "$words" err; then
        echo "$*: exit code $code where $wanted was expected; it said:" >&2
        cat out err >&2
        exit 1
    fi
}
run() { smolctl model run "$@"; }

# 2: usage.
expect 2 'no such command' smolctl model fly
expect 2 'temperature' run "$MODEL" --temperature warm hi
expect 2 'prompt is empty' run "$MODEL"
expect 2 'not a model name' run 'UPPER CASE/!' hi
expect 2 'float' run "$MODEL" --schema 'name, age number' hi
expect 2 '--schema' run "$MODEL" --schema 'name' --grammar grammar.gbnf hi

# 3: no such model.
expect 3 'no such model here' run --offline ai/nothing-of-the-kind hi
expect 3 'no such file' run ./missing.gguf hi

# 7: cannot be run, or the answer is not what was asked for.
printf 'no model at all' > broken.gguf
expect 7 'gguf' run ./broken.gguf hi
head -c 200000 /dev/zero | tr '\0' 'a' | sed 's/a\{9\}/& /g' > long
expect 7 '--chunk' run "$MODEL" -f long 'Summarize:'

# An answer that follows a schema and is cut is there, and is an error all the same.
code=0
run "$MODEL" --schema 'name, age int' -n 3 'Anna is 7.' > out 2> err || code=$?
test "$code" = 7

# 8: local storage.
expect 8 'not a directory' env SMOLCTL_HOME=/dev/null/models smolctl model pull ai/smollm2

# 130 and 143: stopped from outside, with what was there so far.
for signal in INT:130 TERM:143; do
    code=0
    timeout --preserve-status -s "${signal%:*}" 1 \
        smolctl model run "$MODEL" - < <(sleep 30) > out 2> err || code=$?
    test "$code" = "${signal#*:}"
done
