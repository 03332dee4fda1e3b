#!/usr/bin/env bash
# JSON goes through a parser, whatever it comes from.
set -euo pipefail

# check FILE EXPRESSION: the document, called `it`, makes the Python expression true.
check() { python3 -c 'import json, sys; it = json.load(open(sys.argv[1])); assert eval(sys.argv[2]), it' "$@"; }

smolctl model ls --json > list
check list 'len(it) >= 1 and it[0]["id"].startswith("sha256:") and it[0]["size"] > 0'
test "$(smolctl model ls -q | head -1 | wc -c)" = 13
smolctl model inspect --json "$MODEL" > shown
check shown 'bool(it["id"])'

smolctl model run "$MODEL" --json --temperature 0 'What is the capital of France?' > reply
check reply 'it["text"].strip() == "The capital of France is Paris."'
check reply 'it["finish_reason"] == "stop" and it["usage"]["completion_tokens"] > 1'
smolctl model ps --json > running
check running 'len(it) == 1'

# A schema in its short form, from a pipe.
echo 'Anna is 7 years old.' |
    smolctl model run "$MODEL" --schema 'name, age int, tags[]' --temperature 0 > person
check person 'isinstance(it["name"], str) and isinstance(it["age"], int) and isinstance(it["tags"], list)'
echo 'Anna is 7, Ben is 8.' |
    smolctl model run "$MODEL" --schema-multi 'name, age int' --temperature 0 -n 300 > people || test $? = 7
smolctl model run "$MODEL" --format json --temperature 0 -n 200 'Give me JSON.' > any || test $? = 7

# A grammar of one's own.
printf 'root ::= "yes" | "no"\n' > grammar.gbnf
smolctl model run "$MODEL" --grammar grammar.gbnf 'Is Paris in France?' | grep -qx -e yes -e no

# The log of prompts and replies: off until somebody turns it on.
smolctl logs status > /dev/null
smolctl logs on 2> /dev/null
smolctl model run "$MODEL" --temperature 0 'What is the capital of France?' > /dev/null
smolctl logs list -n 1 --json > log
check log 'len(it) == 1 and "Paris" in json.dumps(it)'
test "$(smolctl logs list -r)" = "The capital of France is Paris."
smolctl logs off 2> /dev/null
smolctl logs rm --yes 2> /dev/null
