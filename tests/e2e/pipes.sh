#!/usr/bin/env bash
# Pipes and files: what goes in, what comes out, and readers that leave.
# $MODEL is the demo model; the test suite sets it, and fresh folders for everything.
set -euo pipefail

france="The capital of France is Paris."
story="Anna baked a cake for her brother. The cake was sweet. Everybody liked it."
ask() { smolctl model run "$MODEL" --temperature 0 "$@"; }

# Words without quotes, standard input, a file, and both joined.
test "$(ask What is the capital of France?)" = "$france"
test "$(echo 'What is the capital of France?' | ask)" = "$france"
echo 'What is the capital of France?' > question
test "$(ask - < question)" = "$france"
test "$(ask --prompt-file question)" = "$france"
echo "$story" > story
summary=$(echo "$story" | ask "Summarize:")
test "$(ask -f story "Summarize:")" = "$summary"
test "$(ask "Summarize:" < story)" = "$summary"

# A system prompt out of a file.
printf 'Answer in one word.\n' > system
test "$(ask --system @system "What is the capital of Italy?")" = "Rome."

# Nothing but the answer on either stream, and no colour where no terminal is.
ask "What is the capital of France?" > out 2> err
test "$(cat out)" = "$france"
test ! -s err
if grep -q $'\x1b' out; then exit 1; fi

# A reader that has enough ends the command quietly: 141 is the shell's word for it, and none on
# standard error. One that takes everything gets everything.
set +o pipefail
ask "What is the capital of France?" 2> err | head -c 1 > first
codes=("${PIPESTATUS[@]}")
set -o pipefail
test "$(cat first)" = "T"
test ! -s err
case ${codes[0]} in 0 | 141) ;; *) exit 1 ;; esac
smolctl model ls 2> err | head -1 > header || true
grep -q '^MODEL NAME' header
test ! -s err

# An output that cannot be written is an error, and not a silent one.
if [ -e /dev/full ]; then
    code=0
    ask "What is the capital of France?" > /dev/full 2> err || code=$?
    test "$code" = 8
    grep -q 'cannot write the answer' err
fi
