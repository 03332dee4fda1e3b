#!/usr/bin/env bash
# Many at once: eight commands share one model, and no two lines get mixed up.
set -euo pipefail

countries=(France Italy Spain Germany Japan Egypt Greece Norway)
for _ in 1 2 3; do printf '%s\n' "${countries[@]}"; done > words

xargs -P8 -I{} smolctl model run "$MODEL" --no-stream --temperature 0 \
    'What is the capital of {}?' < words > answers

test "$(wc -l < answers)" = 24
test "$(grep -c '^The capital of France is Paris\.$' answers)" = 3
test "$(sort -u answers | wc -l)" -le 8
test "$(smolctl model ps -q | wc -l)" = 1 # one worker for all of them

# The same as a batch: one command, the answers in the order of the questions.
sed 's/.*/What is the capital of &?/' words > questions
smolctl model batch "$MODEL" questions --lines -o out.jsonl --temperature 0 2> err
python3 - out.jsonl answers <<'PYTHON'
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
assert len(rows) == 24, rows
assert rows[0]["text"].strip() == "The capital of France is Paris.", rows[0]
assert sorted(row["text"].strip() for row in rows) == sorted(open(sys.argv[2]).read().split("\n")[:-1])
PYTHON

# Again: everything is there already.
cp out.jsonl before
smolctl model batch "$MODEL" questions --lines -o out.jsonl --temperature 0 2> err
cmp out.jsonl before

# Unload, and the next command loads it anew.
smolctl model unload --all > /dev/null
test -z "$(smolctl model ps -q)"
smolctl model run "$MODEL" --temperature 0 Hello > /dev/null
