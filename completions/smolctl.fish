# fish completion for smolctl, written by `make completions`.

# Whether the option of the command in $argv takes a value.
function __smolctl_takes_value
    contains -- $argv[1] \
        'smolctl model run --system' \
        'smolctl model run --prompt-file' \
        'smolctl model run -f' \
        'smolctl model run --file' \
        'smolctl model run --session' \
        'smolctl model run --schema' \
        'smolctl model run --schema-multi' \
        'smolctl model run --format' \
        'smolctl model run --grammar' \
        'smolctl model run --tools' \
        'smolctl model run --tool-choice' \
        'smolctl model run --temperature' \
        'smolctl model run --top-k' \
        'smolctl model run --top-p' \
        'smolctl model run --min-p' \
        'smolctl model run --repeat-penalty' \
        'smolctl model run --seed' \
        'smolctl model run -n' \
        'smolctl model run --max-tokens' \
        'smolctl model run --stop' \
        'smolctl model run --ctx-size' \
        'smolctl model run --threads' \
        'smolctl model run --parallel' \
        'smolctl model run --gpu-layers' \
        'smolctl model run --flash-attn' \
        'smolctl model run --cache-type-k' \
        'smolctl model run --cache-type-v' \
        'smolctl model run --keep-alive' \
        'smolctl model run --pull' \
        'smolctl model run --ca-file' \
        'smolctl model run --max-connections' \
        'smolctl model run --retries' \
        'smolctl model batch -o' \
        'smolctl model batch --output' \
        'smolctl model batch --template' \
        'smolctl model batch --jobs' \
        'smolctl model batch --system' \
        'smolctl model batch --schema' \
        'smolctl model batch --schema-multi' \
        'smolctl model batch --format' \
        'smolctl model batch --grammar' \
        'smolctl model batch --temperature' \
        'smolctl model batch --top-k' \
        'smolctl model batch --top-p' \
        'smolctl model batch --min-p' \
        'smolctl model batch --repeat-penalty' \
        'smolctl model batch --seed' \
        'smolctl model batch -n' \
        'smolctl model batch --max-tokens' \
        'smolctl model batch --stop' \
        'smolctl model batch --ctx-size' \
        'smolctl model batch --threads' \
        'smolctl model batch --parallel' \
        'smolctl model batch --gpu-layers' \
        'smolctl model batch --flash-attn' \
        'smolctl model batch --cache-type-k' \
        'smolctl model batch --cache-type-v' \
        'smolctl model batch --keep-alive' \
        'smolctl model batch --pull' \
        'smolctl model batch --ca-file' \
        'smolctl model batch --max-connections' \
        'smolctl model batch --retries' \
        'smolctl model bench --concurrency' \
        'smolctl model bench -p' \
        'smolctl model bench --prompt-tokens' \
        'smolctl model bench -n' \
        'smolctl model bench --max-tokens' \
        'smolctl model bench -r' \
        'smolctl model bench --repetitions' \
        'smolctl model bench --threads' \
        'smolctl model bench --gpu-layers' \
        'smolctl model bench --flash-attn' \
        'smolctl model bench --cache-type-k' \
        'smolctl model bench --cache-type-v' \
        'smolctl model pull --ca-file' \
        'smolctl model pull --max-connections' \
        'smolctl model pull --retries' \
        'smolctl model search --registry' \
        'smolctl model search -n' \
        'smolctl model search --limit' \
        'smolctl model search --ca-file' \
        'smolctl model search --retries' \
        'smolctl model variants --ctx-size' \
        'smolctl model variants --limit' \
        'smolctl model variants --ca-file' \
        'smolctl model variants --max-connections' \
        'smolctl model variants --retries' \
        'smolctl model card --ca-file' \
        'smolctl model card --retries' \
        'smolctl model inspect --ca-file' \
        'smolctl model inspect --retries' \
        'smolctl model resolve --pull' \
        'smolctl model resolve --ca-file' \
        'smolctl model resolve --max-connections' \
        'smolctl model resolve --retries' \
        'smolctl model prune --older-than' \
        'smolctl model verify --ca-file' \
        'smolctl model verify --max-connections' \
        'smolctl model verify --retries' \
        'smolctl model package --gguf' \
        'smolctl model package --from' \
        'smolctl model package -l' \
        'smolctl model package --license' \
        'smolctl model package --chat-template' \
        'smolctl model package --mmproj' \
        'smolctl model package --card' \
        'smolctl model package --context-size' \
        'smolctl model package --quantize' \
        'smolctl model package --format' \
        'smolctl model package --annotation' \
        'smolctl model package --created' \
        'smolctl model package --ca-file' \
        'smolctl model package --max-connections' \
        'smolctl model package --retries' \
        'smolctl model push --ca-file' \
        'smolctl model push --max-connections' \
        'smolctl model push --retries' \
        'smolctl model cp --from-ca-file' \
        'smolctl model cp --to-ca-file' \
        'smolctl model cp --max-connections' \
        'smolctl model cp --retries' \
        'smolctl model save -o' \
        'smolctl model save --output' \
        'smolctl model load --tag' \
        'smolctl model load --name' \
        'smolctl serve --host' \
        'smolctl serve --port' \
        'smolctl serve --api-key' \
        'smolctl serve --api-key-file' \
        'smolctl serve --allow-origin' \
        'smolctl serve --allow-host' \
        'smolctl serve --ctx-size' \
        'smolctl serve --parallel' \
        'smolctl serve --threads' \
        'smolctl serve --gpu-layers' \
        'smolctl serve --flash-attn' \
        'smolctl serve --cache-type-k' \
        'smolctl serve --cache-type-v' \
        'smolctl serve --keep-alive' \
        'smolctl serve --ca-file' \
        'smolctl serve --max-connections' \
        'smolctl serve --retries' \
        'smolctl share --host' \
        'smolctl share --port' \
        'smolctl login -u' \
        'smolctl login --username' \
        'smolctl login --ca-file' \
        'smolctl logs -n' \
        'smolctl logs --count' \
        'smolctl logs -q' \
        'smolctl logs --query' \
        'smolctl logs -m' \
        'smolctl logs --model' \
        'smolctl logs --session' \
        'smolctl logs list -n' \
        'smolctl logs list --count' \
        'smolctl logs list -q' \
        'smolctl logs list --query' \
        'smolctl logs list -m' \
        'smolctl logs list --model' \
        'smolctl logs list --session' \
        'smolctl logs rm --older-than' \
        'smolctl demo --home'
end

# Prints the command that the word $argv[2] is in the group $argv[1], if it is one.
function __smolctl_below
    switch "$argv[1] $argv[2]"
        case 'smolctl model'
            echo 'smolctl model'
        case 'smolctl serve'
            echo 'smolctl serve'
        case 'smolctl share'
            echo 'smolctl share'
        case 'smolctl login'
            echo 'smolctl login'
        case 'smolctl logout'
            echo 'smolctl logout'
        case 'smolctl logs'
            echo 'smolctl logs'
        case 'smolctl completion'
            echo 'smolctl completion'
        case 'smolctl demo'
            echo 'smolctl demo'
        case 'smolctl version'
            echo 'smolctl version'
        case 'smolctl model run'
            echo 'smolctl model run'
        case 'smolctl model batch'
            echo 'smolctl model batch'
        case 'smolctl model sessions'
            echo 'smolctl model sessions'
        case 'smolctl model ps'
            echo 'smolctl model ps'
        case 'smolctl model unload' 'smolctl model stop'
            echo 'smolctl model unload'
        case 'smolctl model logs'
            echo 'smolctl model logs'
        case 'smolctl model status'
            echo 'smolctl model status'
        case 'smolctl model bench'
            echo 'smolctl model bench'
        case 'smolctl model pull'
            echo 'smolctl model pull'
        case 'smolctl model search'
            echo 'smolctl model search'
        case 'smolctl model variants'
            echo 'smolctl model variants'
        case 'smolctl model card'
            echo 'smolctl model card'
        case 'smolctl model ls' 'smolctl model list'
            echo 'smolctl model ls'
        case 'smolctl model inspect' 'smolctl model show'
            echo 'smolctl model inspect'
        case 'smolctl model resolve'
            echo 'smolctl model resolve'
        case 'smolctl model tag'
            echo 'smolctl model tag'
        case 'smolctl model rm'
            echo 'smolctl model rm'
        case 'smolctl model df'
            echo 'smolctl model df'
        case 'smolctl model prune'
            echo 'smolctl model prune'
        case 'smolctl model verify'
            echo 'smolctl model verify'
        case 'smolctl model package'
            echo 'smolctl model package'
        case 'smolctl model push'
            echo 'smolctl model push'
        case 'smolctl model cp'
            echo 'smolctl model cp'
        case 'smolctl model save'
            echo 'smolctl model save'
        case 'smolctl model load'
            echo 'smolctl model load'
        case 'smolctl model sessions ls' 'smolctl model sessions list'
            echo 'smolctl model sessions ls'
        case 'smolctl model sessions show'
            echo 'smolctl model sessions show'
        case 'smolctl model sessions rm' 'smolctl model sessions remove'
            echo 'smolctl model sessions rm'
        case 'smolctl logs on'
            echo 'smolctl logs on'
        case 'smolctl logs off'
            echo 'smolctl logs off'
        case 'smolctl logs status'
            echo 'smolctl logs status'
        case 'smolctl logs path'
            echo 'smolctl logs path'
        case 'smolctl logs list' 'smolctl logs ls'
            echo 'smolctl logs list'
        case 'smolctl logs rm' 'smolctl logs remove'
            echo 'smolctl logs rm'
    end
end

# Finds the command that is being typed, and how many arguments it has so far. Each rule asks, so
# the answer is kept until something else is typed.
function __smolctl_place
    set -l typed (commandline -opc | string join \n | string collect)
    test "$typed" = "$__smolctl_typed"; and return
    set -g __smolctl_typed $typed
    set -l path smolctl
    set -l count 0
    set -l pending no
    set -l only_arguments no
    set -l words (commandline -opc)
    for word in $words[2..]
        if test $pending = yes
            set pending no
            continue
        end
        if test $only_arguments = no
            switch $word
                case --
                    set only_arguments yes
                    continue
                case '--*=*'
                    continue
                case '-?*'
                    __smolctl_takes_value "$path $word"; and set pending yes
                    continue
            end
        end
        set -l below (__smolctl_below "$path" $word)
        if test -n "$below"
            set path $below
        else
            set count (math $count + 1)
        end
    end
    set -g __smolctl_path $path
    set -g __smolctl_count $count
end

# Whether the command is $argv[1], with $argv[2] arguments before the cursor if that is said.
function __smolctl_at
    __smolctl_place
    test "$__smolctl_path" = $argv[1]; or return
    set -q argv[2]; or return 0
    test $__smolctl_count = $argv[2]
end

# Whether the command is $argv[1], with $argv[2] arguments or more.
function __smolctl_after
    __smolctl_place
    test "$__smolctl_path" = $argv[1]; and test $__smolctl_count -ge $argv[2]
end

# Whether no word of the list begins with what is typed.
function __smolctl_none_of
    set -l typed (commandline -ct)
    for word in $argv
        test (string sub -l (string length -- "$typed") -- $word) = "$typed"; and return 1
    end
    return 0
end

# Prints the names that smolctl knows, each with a note: $argv[1] says which.
function __smolctl_names
    set -l words (commandline -opc)
    set -l program (string replace -r '^~/' $HOME/ -- $words[1])
    if not string match -q '*/*' -- $program; or not test -x $program
        set program smolctl
    end
    set -l typed (__smolctl_typed_value)
    string match -q -- '-*' $typed; and return
    command $program __complete $argv[1] "$typed" </dev/null 2>/dev/null
end

# Prints what is typed so far of a value, also of one in '--option=value'.
function __smolctl_typed_value
    commandline -ct | string replace -r '^--[^=]*=' ''
end

# Whether what is typed begins as a path does.
function __smolctl_is_path
    string match -qr '^(\.{1,2}/|/|~)' -- (commandline -ct)
end

# Prints the files whose names may come after '@'.
function __smolctl_files_after_at
    set -l typed (__smolctl_typed_value)
    string match -q '@*' -- $typed; or return
    set -l path (string sub -s 2 -- $typed | string escape --no-quoted)
    complete -C "'' $path" | string replace -r '^' '@'
end

complete -c smolctl -f

complete -c smolctl -n '__smolctl_at \'smolctl\' 0' -a model -d 'Work with models: run, pull, list, remove.'
complete -c smolctl -n '__smolctl_at \'smolctl\' 0' -a serve -d 'Serve all models over HTTP: OpenAI\'s API, on port 12434.'
complete -c smolctl -n '__smolctl_at \'smolctl\' 0' -a share -d 'Serve the models that are here as a registry for other machines.'
complete -c smolctl -n '__smolctl_at \'smolctl\' 0' -a login -d 'Log in to a registry, Docker Hub by default.'
complete -c smolctl -n '__smolctl_at \'smolctl\' 0' -a logout -d 'Forget the credentials for a registry.'
complete -c smolctl -n '__smolctl_at \'smolctl\' 0' -a logs -d 'Prompts and replies, kept when it is on; off at first.'
complete -c smolctl -n '__smolctl_at \'smolctl\' 0' -a completion -d 'Print the script that completes commands in a shell.'
complete -c smolctl -n '__smolctl_at \'smolctl\' 0' -a demo -d 'Pull and run a small demo model, from a registry on loopback.'
complete -c smolctl -n '__smolctl_at \'smolctl\' 0' -a version -d 'Print the versions of smolctl and of what it runs on.'
complete -c smolctl -n '__smolctl_at \'smolctl\'' -l version -d 'Print the version and leave.'
complete -c smolctl -n '__smolctl_at \'smolctl\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_at \'smolctl model\' 0' -a run -d 'Run a model: answer a prompt, or chat on a terminal.'
complete -c smolctl -n '__smolctl_at \'smolctl model\' 0' -a batch -d 'Answer many prompts with one model, several at once.'
complete -c smolctl -n '__smolctl_at \'smolctl model\' 0' -a sessions -d 'Conversations that `run` goes on with.'
complete -c smolctl -n '__smolctl_at \'smolctl model\' 0' -a ps -d 'List the models that are loaded, and until when.'
complete -c smolctl -n '__smolctl_at \'smolctl model\' 0' -a unload -d 'Have models leave the memory (also: stop).'
complete -c smolctl -n '__smolctl_at \'smolctl model\' 0' -a logs -d 'Show the log of a model\'s process.'
complete -c smolctl -n '__smolctl_at \'smolctl model\' 0' -a status -d 'Show what runs, and where things are.'
complete -c smolctl -n '__smolctl_at \'smolctl model\' 0' -a bench -d 'Measure how fast a model is on this machine.'
complete -c smolctl -n '__smolctl_at \'smolctl model\' 0' -a pull -d 'Bring a model from its registry to this machine.'
complete -c smolctl -n '__smolctl_at \'smolctl model\' 0' -a search -d 'Search for models on Docker Hub, or in a registry.'
complete -c smolctl -n '__smolctl_at \'smolctl model\' 0' -a variants -d 'List the variants of a model that its registry has.'
complete -c smolctl -n '__smolctl_at \'smolctl model\' 0' -a card -d 'Show a model\'s card: what it is, what it is for, its variants.'
complete -c smolctl -n '__smolctl_at \'smolctl model\' 0' -a ls -d 'List the models that are here (also: list).'
complete -c smolctl -n '__smolctl_at \'smolctl model\' 0' -a inspect -d 'Show everything about a model (also: show).'
complete -c smolctl -n '__smolctl_at \'smolctl model\' 0' -a resolve -d 'Print the path of a model\'s GGUF file, for other tools.'
complete -c smolctl -n '__smolctl_at \'smolctl model\' 0' -a tag -d 'Give a model another name.'
complete -c smolctl -n '__smolctl_at \'smolctl model\' 0' -a rm -d 'Remove a name; the model goes with its last name.'
complete -c smolctl -n '__smolctl_at \'smolctl model\' 0' -a df -d 'Show what the models take of the disk.'
complete -c smolctl -n '__smolctl_at \'smolctl model\' 0' -a prune -d 'Delete from the cache what no model needs.'
complete -c smolctl -n '__smolctl_at \'smolctl model\' 0' -a verify -d 'Hash what is here again, and mend what is damaged.'
complete -c smolctl -n '__smolctl_at \'smolctl model\' 0' -a package -d 'Make a model of a GGUF file, or of a model that is here.'
complete -c smolctl -n '__smolctl_at \'smolctl model\' 0' -a push -d 'Send a model to its registry.'
complete -c smolctl -n '__smolctl_at \'smolctl model\' 0' -a cp -d 'Copy a model from one registry to another.'
complete -c smolctl -n '__smolctl_at \'smolctl model\' 0' -a save -d 'Write models to a tar, for machines without a network.'
complete -c smolctl -n '__smolctl_at \'smolctl model\' 0' -a load -d 'Take models in from a tar, or from an OCI image layout.'
complete -c smolctl -n '__smolctl_at \'smolctl model\' 0; and __smolctl_none_of run batch sessions ps unload logs status bench pull search variants card ls inspect resolve tag rm df prune verify package push cp save load' -a stop -d 'Have models leave the memory (also: stop).'
complete -c smolctl -n '__smolctl_at \'smolctl model\' 0; and __smolctl_none_of run batch sessions ps unload logs status bench pull search variants card ls inspect resolve tag rm df prune verify package push cp save load' -a list -d 'List the models that are here (also: list).'
complete -c smolctl -n '__smolctl_at \'smolctl model\' 0; and __smolctl_none_of run batch sessions ps unload logs status bench pull search variants card ls inspect resolve tag rm df prune verify package push cp save load' -a show -d 'Show everything about a model (also: show).'
complete -c smolctl -n '__smolctl_at \'smolctl model\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_at \'smolctl model run\' 0' -a '(__smolctl_names models)'
complete -c smolctl -n '__smolctl_at \'smolctl model run\' 0; and __smolctl_is_path' -F
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -l system -x -a '(__smolctl_files_after_at)' -d 'The system prompt; @FILE reads it from a file, and @@ begins one with an @.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -l prompt-file -r -F -d 'Read the prompt from this file; it goes after the words, if there are some.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -s f -l file -r -F -d 'Add the text of this file after the prompt; may be given several times, and each text is under its file\'s name then. `-` is standard input.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -l chunk -d 'Work on text that is longer than the context piece by piece, and on the answers like that again, until one answer is left.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -l session -x -a '(__smolctl_names sessions)' -d 'Keep the conversation, and go on with it.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -s c -l continue -d 'Go on with the last conversation that was kept.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -l schema -r -F -d 'Answer in JSON that follows a schema: \'name, age int, tags[], bio: one line\', JSON, or a file with one of them (@FILE too). Types are int, float, bool and str; the model is told the fields, and what is said of them after a colon.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -l schema-multi -r -F -d 'The same for many records: {"items": [...]}.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -l format -x -a 'text json' -d 'json: answer in JSON, an object of any form.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -l grammar -r -F -d 'Answer as this GBNF grammar says.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -l tools -r -F -d 'Offer the tools in this JSON file (OpenAI\'s format), and print the calls, a JSON object a line; text goes to stderr.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -l tool-choice -x -a 'auto required' -d 'auto: call tools or not; required: call one; or the name of the one to call.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -s x -l extract -d 'Print the first fenced code block alone, and stop after it.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -l json -d 'Print one JSON object: text, finish reason, tokens, timings; on one line in a pipe.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -l verbose -d 'Print tokens, rates and times, on stderr.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -l no-stream -d 'Print the answer in one piece, when it is whole.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -l no-markdown -d 'Show the answer as it is, also on a terminal.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -l temperature -x -d 'How freely to choose; 0 always takes the likeliest token.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -l top-k -x -d 'Choose among this many tokens; 0 among all.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -l top-p -x -d 'Choose among the likeliest that sum up to this.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -l min-p -x -d 'Leave out tokens below this share of the best.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -l repeat-penalty -x -d 'Above 1: make repetition less likely.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -l seed -x -d 'The same seed gives the same answer; random by default.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -s n -l max-tokens -x -d 'End the answer after this many.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -l stop -x -d 'End the answer before this text; may be given several times.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -l ctx-size -x -d 'Tokens of context; else the model\'s.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -l threads -x -d 'CPU threads; else one per core.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -l parallel -x -d 'Answers side by side, each with a whole context; else 4 share one.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -l gpu-layers -x -a 'auto' -d 'Layers on the GPU; auto: what fits.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -l flash-attn -x -a 'auto on off' -d 'Flash attention; on by default.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -l cache-type-k -x -a 'f32 f16 bf16 q8_0 q5_1 q5_0 q4_1 q4_0' -d 'Keys in the KV cache: f32, f16, bf16, q8_0, q5_1, q5_0, q4_1, q4_0.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -l cache-type-v -x -a 'f32 f16 bf16 q8_0 q5_1 q5_0 q4_1 q4_0' -d 'Values in the KV cache; types as above.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -l keep-alive -x -d 'How long the idle model stays loaded: 5m, 0, -1 for ever (also: SMOLCTL_KEEP_ALIVE).'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -s d -l detach -d 'Load the model, and leave.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -l local -d 'Load it in this process, and leave nothing running.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -l pull -x -a 'missing always newer never' -d 'When to ask the registry: if the model is missing, always, if there is a newer one (the registry may be out of reach), never.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -l plain-http -d 'Speak HTTP to the registry; loopback ones need no flag.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -l ca-file -r -F -d 'Trust the certificates in this PEM file too, for the registry.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -l max-connections -x -d 'Connections to fetch over at once; 8 unless config.toml says otherwise.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -l retries -x -d 'How often to try again in a row when the network fails; 7 unless config.toml says otherwise.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -l offline -d 'Keep off the network (also: SMOLCTL_OFFLINE=1).'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl model run\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_at \'smolctl model batch\' 0' -a '(__smolctl_names models)'
complete -c smolctl -n '__smolctl_at \'smolctl model batch\' 0; and __smolctl_is_path' -F
complete -c smolctl -n '__smolctl_at \'smolctl model batch\' 1' -F
complete -c smolctl -n '__smolctl_at \'smolctl model batch\'' -s o -l output -r -F -d 'Where the results go; `-`: standard output.'
complete -c smolctl -n '__smolctl_at \'smolctl model batch\'' -l overwrite -d 'Begin OUT anew; else finished rows are kept.'
complete -c smolctl -n '__smolctl_at \'smolctl model batch\'' -l lines -d 'Each line of IN is a prompt; empty ones are none.'
complete -c smolctl -n '__smolctl_at \'smolctl model batch\'' -l template -x -a '(__smolctl_files_after_at)' -d 'The prompt, with fields of the row: \'Translate {text}:\'; @FILE reads it from a file.'
complete -c smolctl -n '__smolctl_at \'smolctl model batch\'' -l jobs -x -d 'Rows at once; else as many as the model answers side by side.'
complete -c smolctl -n '__smolctl_at \'smolctl model batch\'' -l system -x -a '(__smolctl_files_after_at)' -d 'The system prompt; @FILE reads it from a file, and @@ begins one with an @.'
complete -c smolctl -n '__smolctl_at \'smolctl model batch\'' -l chunk -d 'Work on text that is longer than the context piece by piece, and on the answers like that again, until one answer is left.'
complete -c smolctl -n '__smolctl_at \'smolctl model batch\'' -l schema -r -F -d 'Answer in JSON that follows a schema: \'name, age int, tags[], bio: one line\', JSON, or a file with one of them (@FILE too). Types are int, float, bool and str; the model is told the fields, and what is said of them after a colon.'
complete -c smolctl -n '__smolctl_at \'smolctl model batch\'' -l schema-multi -r -F -d 'The same for many records: {"items": [...]}.'
complete -c smolctl -n '__smolctl_at \'smolctl model batch\'' -l format -x -a 'text json' -d 'json: answer in JSON, an object of any form.'
complete -c smolctl -n '__smolctl_at \'smolctl model batch\'' -l grammar -r -F -d 'Answer as this GBNF grammar says.'
complete -c smolctl -n '__smolctl_at \'smolctl model batch\'' -l temperature -x -d 'How freely to choose; 0 always takes the likeliest token.'
complete -c smolctl -n '__smolctl_at \'smolctl model batch\'' -l top-k -x -d 'Choose among this many tokens; 0 among all.'
complete -c smolctl -n '__smolctl_at \'smolctl model batch\'' -l top-p -x -d 'Choose among the likeliest that sum up to this.'
complete -c smolctl -n '__smolctl_at \'smolctl model batch\'' -l min-p -x -d 'Leave out tokens below this share of the best.'
complete -c smolctl -n '__smolctl_at \'smolctl model batch\'' -l repeat-penalty -x -d 'Above 1: make repetition less likely.'
complete -c smolctl -n '__smolctl_at \'smolctl model batch\'' -l seed -x -d 'The same seed gives the same answer; random by default.'
complete -c smolctl -n '__smolctl_at \'smolctl model batch\'' -s n -l max-tokens -x -d 'End the answer after this many.'
complete -c smolctl -n '__smolctl_at \'smolctl model batch\'' -l stop -x -d 'End the answer before this text; may be given several times.'
complete -c smolctl -n '__smolctl_at \'smolctl model batch\'' -l ctx-size -x -d 'Tokens of context; else the model\'s.'
complete -c smolctl -n '__smolctl_at \'smolctl model batch\'' -l threads -x -d 'CPU threads; else one per core.'
complete -c smolctl -n '__smolctl_at \'smolctl model batch\'' -l parallel -x -d 'Answers side by side, each with a whole context; else 4 share one.'
complete -c smolctl -n '__smolctl_at \'smolctl model batch\'' -l gpu-layers -x -a 'auto' -d 'Layers on the GPU; auto: what fits.'
complete -c smolctl -n '__smolctl_at \'smolctl model batch\'' -l flash-attn -x -a 'auto on off' -d 'Flash attention; on by default.'
complete -c smolctl -n '__smolctl_at \'smolctl model batch\'' -l cache-type-k -x -a 'f32 f16 bf16 q8_0 q5_1 q5_0 q4_1 q4_0' -d 'Keys in the KV cache: f32, f16, bf16, q8_0, q5_1, q5_0, q4_1, q4_0.'
complete -c smolctl -n '__smolctl_at \'smolctl model batch\'' -l cache-type-v -x -a 'f32 f16 bf16 q8_0 q5_1 q5_0 q4_1 q4_0' -d 'Values in the KV cache; types as above.'
complete -c smolctl -n '__smolctl_at \'smolctl model batch\'' -l keep-alive -x -d 'How long the idle model stays loaded: 5m, 0, -1 for ever (also: SMOLCTL_KEEP_ALIVE).'
complete -c smolctl -n '__smolctl_at \'smolctl model batch\'' -l local -d 'Load it in this process, and leave nothing running.'
complete -c smolctl -n '__smolctl_at \'smolctl model batch\'' -s q -l quiet -d 'No progress, and no summary at the end.'
complete -c smolctl -n '__smolctl_at \'smolctl model batch\'' -l pull -x -a 'missing always newer never' -d 'When to ask the registry: if the model is missing, always, if there is a newer one (the registry may be out of reach), never.'
complete -c smolctl -n '__smolctl_at \'smolctl model batch\'' -l plain-http -d 'Speak HTTP to the registry; loopback ones need no flag.'
complete -c smolctl -n '__smolctl_at \'smolctl model batch\'' -l ca-file -r -F -d 'Trust the certificates in this PEM file too, for the registry.'
complete -c smolctl -n '__smolctl_at \'smolctl model batch\'' -l max-connections -x -d 'Connections to fetch over at once; 8 unless config.toml says otherwise.'
complete -c smolctl -n '__smolctl_at \'smolctl model batch\'' -l retries -x -d 'How often to try again in a row when the network fails; 7 unless config.toml says otherwise.'
complete -c smolctl -n '__smolctl_at \'smolctl model batch\'' -l offline -d 'Keep off the network (also: SMOLCTL_OFFLINE=1).'
complete -c smolctl -n '__smolctl_at \'smolctl model batch\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl model batch\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_at \'smolctl model sessions\' 0' -a ls -d 'List the conversations (also: list).'
complete -c smolctl -n '__smolctl_at \'smolctl model sessions\' 0' -a show -d 'Show what was said in one.'
complete -c smolctl -n '__smolctl_at \'smolctl model sessions\' 0' -a rm -d 'Delete conversations (also: remove).'
complete -c smolctl -n '__smolctl_at \'smolctl model sessions\' 0; and __smolctl_none_of ls show rm' -a list -d 'List the conversations (also: list).'
complete -c smolctl -n '__smolctl_at \'smolctl model sessions\' 0; and __smolctl_none_of ls show rm' -a remove -d 'Delete conversations (also: remove).'
complete -c smolctl -n '__smolctl_at \'smolctl model sessions\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_at \'smolctl model sessions ls\'' -l json -d 'Print JSON.'
complete -c smolctl -n '__smolctl_at \'smolctl model sessions ls\'' -s q -l quiet -d 'Print only names and numbers.'
complete -c smolctl -n '__smolctl_at \'smolctl model sessions ls\'' -s a -l all -d 'Also what the log keeps of one prompt alone.'
complete -c smolctl -n '__smolctl_at \'smolctl model sessions ls\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl model sessions ls\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_at \'smolctl model sessions show\' 0' -a '(__smolctl_names sessions)'
complete -c smolctl -n '__smolctl_at \'smolctl model sessions show\'' -l json -d 'Print JSON.'
complete -c smolctl -n '__smolctl_at \'smolctl model sessions show\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl model sessions show\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_after \'smolctl model sessions rm\' 0' -a '(__smolctl_names sessions)'
complete -c smolctl -n '__smolctl_at \'smolctl model sessions rm\'' -l all -d 'Delete all conversations.'
complete -c smolctl -n '__smolctl_at \'smolctl model sessions rm\'' -s y -l yes -d 'Delete without a question, also in a script.'
complete -c smolctl -n '__smolctl_at \'smolctl model sessions rm\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl model sessions rm\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_at \'smolctl model ps\'' -l json -d 'Print JSON.'
complete -c smolctl -n '__smolctl_at \'smolctl model ps\'' -s q -l quiet -d 'Print only IDs.'
complete -c smolctl -n '__smolctl_at \'smolctl model ps\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl model ps\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_after \'smolctl model unload\' 0' -a '(__smolctl_names running)'
complete -c smolctl -n '__smolctl_after \'smolctl model unload\' 0; and __smolctl_is_path' -F
complete -c smolctl -n '__smolctl_at \'smolctl model unload\'' -l all -d 'All models that are loaded.'
complete -c smolctl -n '__smolctl_at \'smolctl model unload\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl model unload\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_at \'smolctl model logs\' 0' -a '(__smolctl_names models)'
complete -c smolctl -n '__smolctl_at \'smolctl model logs\' 0; and __smolctl_is_path' -F
complete -c smolctl -n '__smolctl_at \'smolctl model logs\'' -s f -l follow -d 'Go on with what is written from now on.'
complete -c smolctl -n '__smolctl_at \'smolctl model logs\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl model logs\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_at \'smolctl model status\'' -l json -d 'Print JSON.'
complete -c smolctl -n '__smolctl_at \'smolctl model status\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl model status\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_at \'smolctl model bench\' 0' -a '(__smolctl_names models)'
complete -c smolctl -n '__smolctl_at \'smolctl model bench\' 0; and __smolctl_is_path' -F
complete -c smolctl -n '__smolctl_at \'smolctl model bench\'' -l concurrency -x -d 'How many answers at once, one run after another.'
complete -c smolctl -n '__smolctl_at \'smolctl model bench\'' -s p -l prompt-tokens -x -d 'Tokens of each prompt.'
complete -c smolctl -n '__smolctl_at \'smolctl model bench\'' -s n -l max-tokens -x -d 'Tokens of each answer.'
complete -c smolctl -n '__smolctl_at \'smolctl model bench\'' -s r -l repetitions -x -d 'How often each is measured.'
complete -c smolctl -n '__smolctl_at \'smolctl model bench\'' -l threads -x -d 'CPU threads; else one per core.'
complete -c smolctl -n '__smolctl_at \'smolctl model bench\'' -l gpu-layers -x -a 'auto' -d 'Layers on the GPU; auto: what fits.'
complete -c smolctl -n '__smolctl_at \'smolctl model bench\'' -l flash-attn -x -a 'auto on off' -d 'Flash attention; on by default.'
complete -c smolctl -n '__smolctl_at \'smolctl model bench\'' -l cache-type-k -x -a 'f32 f16 bf16 q8_0 q5_1 q5_0 q4_1 q4_0' -d 'Keys in the KV cache: f32, f16, bf16, q8_0, q5_1, q5_0, q4_1, q4_0.'
complete -c smolctl -n '__smolctl_at \'smolctl model bench\'' -l cache-type-v -x -a 'f32 f16 bf16 q8_0 q5_1 q5_0 q4_1 q4_0' -d 'Values in the KV cache; types as above.'
complete -c smolctl -n '__smolctl_at \'smolctl model bench\'' -l json -d 'Print JSON.'
complete -c smolctl -n '__smolctl_at \'smolctl model bench\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl model bench\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_after \'smolctl model pull\' 0' -a '(__smolctl_names models)'
complete -c smolctl -n '__smolctl_after \'smolctl model pull\' 0; and __smolctl_is_path' -F
complete -c smolctl -n '__smolctl_at \'smolctl model pull\'' -s q -l quiet -d 'Print only the digest, no progress.'
complete -c smolctl -n '__smolctl_at \'smolctl model pull\'' -l json -d 'Print JSON.'
complete -c smolctl -n '__smolctl_at \'smolctl model pull\'' -l plain-http -d 'Speak HTTP to the registry; loopback ones need no flag.'
complete -c smolctl -n '__smolctl_at \'smolctl model pull\'' -l ca-file -r -F -d 'Trust the certificates in this PEM file too, for the registry.'
complete -c smolctl -n '__smolctl_at \'smolctl model pull\'' -l max-connections -x -d 'Connections to fetch over at once; 8 unless config.toml says otherwise.'
complete -c smolctl -n '__smolctl_at \'smolctl model pull\'' -l retries -x -d 'How often to try again in a row when the network fails; 7 unless config.toml says otherwise.'
complete -c smolctl -n '__smolctl_at \'smolctl model pull\'' -l offline -d 'Keep off the network (also: SMOLCTL_OFFLINE=1).'
complete -c smolctl -n '__smolctl_at \'smolctl model pull\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl model pull\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_at \'smolctl model search\'' -l registry -x -a '(__smolctl_names registries)' -d 'Search this registry, by names, and not Docker Hub.'
complete -c smolctl -n '__smolctl_at \'smolctl model search\'' -s n -l limit -x -d 'How many to show.'
complete -c smolctl -n '__smolctl_at \'smolctl model search\'' -l json -d 'Print JSON.'
complete -c smolctl -n '__smolctl_at \'smolctl model search\'' -s q -l quiet -d 'Print only names.'
complete -c smolctl -n '__smolctl_at \'smolctl model search\'' -l plain-http -d 'Speak HTTP to the registry; loopback ones need no flag.'
complete -c smolctl -n '__smolctl_at \'smolctl model search\'' -l ca-file -r -F -d 'Trust the certificates in this PEM file too, for the registry.'
complete -c smolctl -n '__smolctl_at \'smolctl model search\'' -l retries -x -d 'How often to try again in a row when the network fails; 7 unless config.toml says otherwise.'
complete -c smolctl -n '__smolctl_at \'smolctl model search\'' -l offline -d 'Keep off the network (also: SMOLCTL_OFFLINE=1).'
complete -c smolctl -n '__smolctl_at \'smolctl model search\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl model search\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_at \'smolctl model variants\' 0' -a '(__smolctl_names models)'
complete -c smolctl -n '__smolctl_at \'smolctl model variants\' 0; and __smolctl_is_path' -F
complete -c smolctl -n '__smolctl_at \'smolctl model variants\'' -l ctx-size -x -d 'Tokens of context to estimate the memory for.'
complete -c smolctl -n '__smolctl_at \'smolctl model variants\'' -l limit -x -d 'Tags to look at.'
complete -c smolctl -n '__smolctl_at \'smolctl model variants\'' -s q -l quiet -d 'Print only digests.'
complete -c smolctl -n '__smolctl_at \'smolctl model variants\'' -l json -d 'Print JSON.'
complete -c smolctl -n '__smolctl_at \'smolctl model variants\'' -l plain-http -d 'Speak HTTP to the registry; loopback ones need no flag.'
complete -c smolctl -n '__smolctl_at \'smolctl model variants\'' -l ca-file -r -F -d 'Trust the certificates in this PEM file too, for the registry.'
complete -c smolctl -n '__smolctl_at \'smolctl model variants\'' -l max-connections -x -d 'Connections to fetch over at once; 8 unless config.toml says otherwise.'
complete -c smolctl -n '__smolctl_at \'smolctl model variants\'' -l retries -x -d 'How often to try again in a row when the network fails; 7 unless config.toml says otherwise.'
complete -c smolctl -n '__smolctl_at \'smolctl model variants\'' -l offline -d 'Keep off the network (also: SMOLCTL_OFFLINE=1).'
complete -c smolctl -n '__smolctl_at \'smolctl model variants\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl model variants\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_at \'smolctl model card\' 0' -a '(__smolctl_names models)'
complete -c smolctl -n '__smolctl_at \'smolctl model card\' 0; and __smolctl_is_path' -F
complete -c smolctl -n '__smolctl_at \'smolctl model card\'' -l markdown -d 'Print Markdown, on a terminal as well.'
complete -c smolctl -n '__smolctl_at \'smolctl model card\'' -l json -d 'Print JSON.'
complete -c smolctl -n '__smolctl_at \'smolctl model card\'' -l plain-http -d 'Speak HTTP to the registry; loopback ones need no flag.'
complete -c smolctl -n '__smolctl_at \'smolctl model card\'' -l ca-file -r -F -d 'Trust the certificates in this PEM file too, for the registry.'
complete -c smolctl -n '__smolctl_at \'smolctl model card\'' -l retries -x -d 'How often to try again in a row when the network fails; 7 unless config.toml says otherwise.'
complete -c smolctl -n '__smolctl_at \'smolctl model card\'' -l offline -d 'Keep off the network (also: SMOLCTL_OFFLINE=1).'
complete -c smolctl -n '__smolctl_at \'smolctl model card\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl model card\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_at \'smolctl model ls\' 0' -a '(__smolctl_names models)'
complete -c smolctl -n '__smolctl_at \'smolctl model ls\' 0; and __smolctl_is_path' -F
complete -c smolctl -n '__smolctl_at \'smolctl model ls\'' -l json -d 'Print JSON.'
complete -c smolctl -n '__smolctl_at \'smolctl model ls\'' -s q -l quiet -d 'Print only IDs.'
complete -c smolctl -n '__smolctl_at \'smolctl model ls\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl model ls\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_at \'smolctl model inspect\' 0' -a '(__smolctl_names models)'
complete -c smolctl -n '__smolctl_at \'smolctl model inspect\' 0; and __smolctl_is_path' -F
complete -c smolctl -n '__smolctl_at \'smolctl model inspect\'' -s r -l remote -d 'As its registry has it now, without pulling its weights.'
complete -c smolctl -n '__smolctl_at \'smolctl model inspect\'' -l template -d 'Print the chat template alone.'
complete -c smolctl -n '__smolctl_at \'smolctl model inspect\'' -l license -d 'Print the texts of its licenses alone.'
complete -c smolctl -n '__smolctl_at \'smolctl model inspect\'' -l json -d 'Print JSON.'
complete -c smolctl -n '__smolctl_at \'smolctl model inspect\'' -l plain-http -d 'Speak HTTP to the registry; loopback ones need no flag.'
complete -c smolctl -n '__smolctl_at \'smolctl model inspect\'' -l ca-file -r -F -d 'Trust the certificates in this PEM file too, for the registry.'
complete -c smolctl -n '__smolctl_at \'smolctl model inspect\'' -l retries -x -d 'How often to try again in a row when the network fails; 7 unless config.toml says otherwise.'
complete -c smolctl -n '__smolctl_at \'smolctl model inspect\'' -l offline -d 'Keep off the network (also: SMOLCTL_OFFLINE=1).'
complete -c smolctl -n '__smolctl_at \'smolctl model inspect\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl model inspect\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_at \'smolctl model resolve\' 0' -a '(__smolctl_names models)'
complete -c smolctl -n '__smolctl_at \'smolctl model resolve\' 0; and __smolctl_is_path' -F
complete -c smolctl -n '__smolctl_at \'smolctl model resolve\'' -l pull -x -a 'missing always newer never' -d 'When to ask the registry: if the model is missing, always, if there is a newer one (the registry may be out of reach), never.'
complete -c smolctl -n '__smolctl_at \'smolctl model resolve\'' -l json -d 'Print JSON.'
complete -c smolctl -n '__smolctl_at \'smolctl model resolve\'' -l plain-http -d 'Speak HTTP to the registry; loopback ones need no flag.'
complete -c smolctl -n '__smolctl_at \'smolctl model resolve\'' -l ca-file -r -F -d 'Trust the certificates in this PEM file too, for the registry.'
complete -c smolctl -n '__smolctl_at \'smolctl model resolve\'' -l max-connections -x -d 'Connections to fetch over at once; 8 unless config.toml says otherwise.'
complete -c smolctl -n '__smolctl_at \'smolctl model resolve\'' -l retries -x -d 'How often to try again in a row when the network fails; 7 unless config.toml says otherwise.'
complete -c smolctl -n '__smolctl_at \'smolctl model resolve\'' -l offline -d 'Keep off the network (also: SMOLCTL_OFFLINE=1).'
complete -c smolctl -n '__smolctl_at \'smolctl model resolve\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl model resolve\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_at \'smolctl model tag\' 0' -a '(__smolctl_names models)'
complete -c smolctl -n '__smolctl_at \'smolctl model tag\' 0; and __smolctl_is_path' -F
complete -c smolctl -n '__smolctl_at \'smolctl model tag\'' -l json -d 'Print JSON.'
complete -c smolctl -n '__smolctl_at \'smolctl model tag\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl model tag\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_after \'smolctl model rm\' 0' -a '(__smolctl_names models)'
complete -c smolctl -n '__smolctl_after \'smolctl model rm\' 0; and __smolctl_is_path' -F
complete -c smolctl -n '__smolctl_at \'smolctl model rm\'' -s f -l force -d 'By ID: also when it has several names.'
complete -c smolctl -n '__smolctl_at \'smolctl model rm\'' -l json -d 'Print JSON.'
complete -c smolctl -n '__smolctl_at \'smolctl model rm\'' -s q -l quiet -d 'Print only IDs.'
complete -c smolctl -n '__smolctl_at \'smolctl model rm\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl model rm\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_at \'smolctl model df\'' -s v -l verbose -d 'List models and leftovers one by one.'
complete -c smolctl -n '__smolctl_at \'smolctl model df\'' -l json -d 'Print JSON.'
complete -c smolctl -n '__smolctl_at \'smolctl model df\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl model df\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_at \'smolctl model prune\'' -s a -l all -d 'Also models that no tag names, and partial downloads of any age.'
complete -c smolctl -n '__smolctl_at \'smolctl model prune\'' -l older-than -x -d 'Only what has not changed for so long: 7d, 12h, 2w, 0. Without it, 7d for partial downloads.'
complete -c smolctl -n '__smolctl_at \'smolctl model prune\'' -l dry-run -d 'Say what would be deleted, and delete nothing.'
complete -c smolctl -n '__smolctl_at \'smolctl model prune\'' -s y -l yes -d 'Delete without a question, also in a script.'
complete -c smolctl -n '__smolctl_at \'smolctl model prune\'' -l json -d 'Print JSON.'
complete -c smolctl -n '__smolctl_at \'smolctl model prune\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl model prune\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_after \'smolctl model verify\' 0' -a '(__smolctl_names models)'
complete -c smolctl -n '__smolctl_after \'smolctl model verify\' 0; and __smolctl_is_path' -F
complete -c smolctl -n '__smolctl_at \'smolctl model verify\'' -l repair -d 'Fetch what is damaged from its registry.'
complete -c smolctl -n '__smolctl_at \'smolctl model verify\'' -s q -l quiet -d 'Show no progress.'
complete -c smolctl -n '__smolctl_at \'smolctl model verify\'' -l json -d 'Print JSON.'
complete -c smolctl -n '__smolctl_at \'smolctl model verify\'' -l plain-http -d 'Speak HTTP to the registry; loopback ones need no flag.'
complete -c smolctl -n '__smolctl_at \'smolctl model verify\'' -l ca-file -r -F -d 'Trust the certificates in this PEM file too, for the registry.'
complete -c smolctl -n '__smolctl_at \'smolctl model verify\'' -l max-connections -x -d 'Connections to fetch over at once; 8 unless config.toml says otherwise.'
complete -c smolctl -n '__smolctl_at \'smolctl model verify\'' -l retries -x -d 'How often to try again in a row when the network fails; 7 unless config.toml says otherwise.'
complete -c smolctl -n '__smolctl_at \'smolctl model verify\'' -l offline -d 'Keep off the network (also: SMOLCTL_OFFLINE=1).'
complete -c smolctl -n '__smolctl_at \'smolctl model verify\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl model verify\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_at \'smolctl model package\'' -l gguf -r -F -d 'The model\'s file; of several shards the first.'
complete -c smolctl -n '__smolctl_at \'smolctl model package\'' -l from -x -a '(__smolctl_names models)' -d 'Begin with a model that is here, and change what the other flags say.'
complete -c smolctl -n '__smolctl_at \'smolctl model package\'' -s l -l license -r -F -d 'A license; may be given again.'
complete -c smolctl -n '__smolctl_at \'smolctl model package\'' -l chat-template -r -F -d 'A chat template, in Jinja.'
complete -c smolctl -n '__smolctl_at \'smolctl model package\'' -l mmproj -r -F -d 'A multimodal projector, in GGUF.'
complete -c smolctl -n '__smolctl_at \'smolctl model package\'' -l card -r -F -d 'The model card: a README.md.'
complete -c smolctl -n '__smolctl_at \'smolctl model package\'' -l context-size -x -d 'The context to run it with.'
complete -c smolctl -n '__smolctl_at \'smolctl model package\'' -l quantize -x -a 'Q4_K_M Q5_K_M Q6_K Q8_0 Q4_0 IQ4_XS F16' -d 'Quantize the weights first: Q4_K_M.'
complete -c smolctl -n '__smolctl_at \'smolctl model package\'' -l format -x -a 'docker cncf' -d 'Docker\'s kind of artifact, or CNCF ModelPack\'s; docker without it.'
complete -c smolctl -n '__smolctl_at \'smolctl model package\'' -l annotation -x -d 'An annotation of the manifest.'
complete -c smolctl -n '__smolctl_at \'smolctl model package\'' -l created -x -d 'When it was made (2026-01-31T12:00:00Z); SOURCE_DATE_EPOCH without it.'
complete -c smolctl -n '__smolctl_at \'smolctl model package\'' -l push -d 'Push it afterwards.'
complete -c smolctl -n '__smolctl_at \'smolctl model package\'' -s q -l quiet -d 'Print only the ID, no progress.'
complete -c smolctl -n '__smolctl_at \'smolctl model package\'' -l json -d 'Print JSON.'
complete -c smolctl -n '__smolctl_at \'smolctl model package\'' -l plain-http -d 'Speak HTTP to the registry; loopback ones need no flag.'
complete -c smolctl -n '__smolctl_at \'smolctl model package\'' -l ca-file -r -F -d 'Trust the certificates in this PEM file too, for the registry.'
complete -c smolctl -n '__smolctl_at \'smolctl model package\'' -l max-connections -x -d 'Connections to fetch over at once; 8 unless config.toml says otherwise.'
complete -c smolctl -n '__smolctl_at \'smolctl model package\'' -l retries -x -d 'How often to try again in a row when the network fails; 7 unless config.toml says otherwise.'
complete -c smolctl -n '__smolctl_at \'smolctl model package\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl model package\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_after \'smolctl model push\' 0' -a '(__smolctl_names models)'
complete -c smolctl -n '__smolctl_after \'smolctl model push\' 0; and __smolctl_is_path' -F
complete -c smolctl -n '__smolctl_at \'smolctl model push\'' -s q -l quiet -d 'Print only the digest, no progress.'
complete -c smolctl -n '__smolctl_at \'smolctl model push\'' -l json -d 'Print JSON.'
complete -c smolctl -n '__smolctl_at \'smolctl model push\'' -l plain-http -d 'Speak HTTP to the registry; loopback ones need no flag.'
complete -c smolctl -n '__smolctl_at \'smolctl model push\'' -l ca-file -r -F -d 'Trust the certificates in this PEM file too, for the registry.'
complete -c smolctl -n '__smolctl_at \'smolctl model push\'' -l max-connections -x -d 'Connections to fetch over at once; 8 unless config.toml says otherwise.'
complete -c smolctl -n '__smolctl_at \'smolctl model push\'' -l retries -x -d 'How often to try again in a row when the network fails; 7 unless config.toml says otherwise.'
complete -c smolctl -n '__smolctl_at \'smolctl model push\'' -l offline -d 'Keep off the network (also: SMOLCTL_OFFLINE=1).'
complete -c smolctl -n '__smolctl_at \'smolctl model push\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl model push\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_at \'smolctl model cp\'' -s q -l quiet -d 'Print only the digest, no progress.'
complete -c smolctl -n '__smolctl_at \'smolctl model cp\'' -l json -d 'Print JSON.'
complete -c smolctl -n '__smolctl_at \'smolctl model cp\'' -l from-plain-http -d 'Speak HTTP to the registry of SOURCE.'
complete -c smolctl -n '__smolctl_at \'smolctl model cp\'' -l to-plain-http -d 'Speak HTTP to the registry of TARGET.'
complete -c smolctl -n '__smolctl_at \'smolctl model cp\'' -l from-ca-file -r -F -d 'Certificates to trust for SOURCE.'
complete -c smolctl -n '__smolctl_at \'smolctl model cp\'' -l to-ca-file -r -F -d 'Certificates to trust for TARGET.'
complete -c smolctl -n '__smolctl_at \'smolctl model cp\'' -l max-connections -x -d 'Connections to fetch over at once; 8 unless config.toml says otherwise.'
complete -c smolctl -n '__smolctl_at \'smolctl model cp\'' -l retries -x -d 'How often to try again in a row when the network fails; 7 unless config.toml says otherwise.'
complete -c smolctl -n '__smolctl_at \'smolctl model cp\'' -l offline -d 'Keep off the network (also: SMOLCTL_OFFLINE=1).'
complete -c smolctl -n '__smolctl_at \'smolctl model cp\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl model cp\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_after \'smolctl model save\' 0' -a '(__smolctl_names models)'
complete -c smolctl -n '__smolctl_after \'smolctl model save\' 0; and __smolctl_is_path' -F
complete -c smolctl -n '__smolctl_at \'smolctl model save\'' -s o -l output -r -F -d 'The tar; stdout without it, or as -.'
complete -c smolctl -n '__smolctl_at \'smolctl model save\'' -s q -l quiet -d 'Show no progress.'
complete -c smolctl -n '__smolctl_at \'smolctl model save\'' -l json -d 'Print JSON.'
complete -c smolctl -n '__smolctl_at \'smolctl model save\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl model save\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_at \'smolctl model load\' 0' -F
complete -c smolctl -n '__smolctl_at \'smolctl model load\'' -l tag -x -d 'Only the model of that name or tag.'
complete -c smolctl -n '__smolctl_at \'smolctl model load\'' -l name -x -d 'What to call it here.'
complete -c smolctl -n '__smolctl_at \'smolctl model load\'' -s q -l quiet -d 'Print only the IDs, no progress.'
complete -c smolctl -n '__smolctl_at \'smolctl model load\'' -l json -d 'Print JSON.'
complete -c smolctl -n '__smolctl_at \'smolctl model load\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl model load\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_at \'smolctl serve\'' -l host -x -d 'The address to listen on; beyond loopback, an API key is needed.'
complete -c smolctl -n '__smolctl_at \'smolctl serve\'' -l port -x -d 'The port; 0 takes a free one.'
complete -c smolctl -n '__smolctl_at \'smolctl serve\'' -l api-key -x -d 'What clients have to send. SMOLCTL_API_KEY and --api-key-file keep it from the list of processes.'
complete -c smolctl -n '__smolctl_at \'smolctl serve\'' -l api-key-file -r -F -d 'A file with the API key in it.'
complete -c smolctl -n '__smolctl_at \'smolctl serve\'' -l allow-origin -x -d 'Let pages of this origin (https://app.example) in; * for all, with an API key.'
complete -c smolctl -n '__smolctl_at \'smolctl serve\'' -l allow-host -x -d 'Answer to this host name, too.'
complete -c smolctl -n '__smolctl_at \'smolctl serve\'' -l ctx-size -x -d 'Tokens of context; else the model\'s.'
complete -c smolctl -n '__smolctl_at \'smolctl serve\'' -l parallel -x -d 'Answers side by side, each with a whole context; else 4 share one.'
complete -c smolctl -n '__smolctl_at \'smolctl serve\'' -l threads -x -d 'CPU threads; else one per core.'
complete -c smolctl -n '__smolctl_at \'smolctl serve\'' -l gpu-layers -x -a 'auto' -d 'Layers on the GPU; auto: what fits.'
complete -c smolctl -n '__smolctl_at \'smolctl serve\'' -l flash-attn -x -a 'auto on off' -d 'Flash attention; on by default.'
complete -c smolctl -n '__smolctl_at \'smolctl serve\'' -l cache-type-k -x -a 'f32 f16 bf16 q8_0 q5_1 q5_0 q4_1 q4_0' -d 'Keys in the KV cache: f32, f16, bf16, q8_0, q5_1, q5_0, q4_1, q4_0.'
complete -c smolctl -n '__smolctl_at \'smolctl serve\'' -l cache-type-v -x -a 'f32 f16 bf16 q8_0 q5_1 q5_0 q4_1 q4_0' -d 'Values in the KV cache; types as above.'
complete -c smolctl -n '__smolctl_at \'smolctl serve\'' -l keep-alive -x -d 'How long an idle model stays loaded: 5m, 0, -1 for ever (also: SMOLCTL_KEEP_ALIVE).'
complete -c smolctl -n '__smolctl_at \'smolctl serve\'' -l plain-http -d 'Speak HTTP to the registry; loopback ones need no flag.'
complete -c smolctl -n '__smolctl_at \'smolctl serve\'' -l ca-file -r -F -d 'Trust the certificates in this PEM file too, for the registry.'
complete -c smolctl -n '__smolctl_at \'smolctl serve\'' -l max-connections -x -d 'Connections to fetch over at once; 8 unless config.toml says otherwise.'
complete -c smolctl -n '__smolctl_at \'smolctl serve\'' -l retries -x -d 'How often to try again in a row when the network fails; 7 unless config.toml says otherwise.'
complete -c smolctl -n '__smolctl_at \'smolctl serve\'' -l offline -d 'Keep off the network (also: SMOLCTL_OFFLINE=1).'
complete -c smolctl -n '__smolctl_at \'smolctl serve\'' -s q -l quiet -d 'Say nothing of the requests.'
complete -c smolctl -n '__smolctl_at \'smolctl serve\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl serve\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_after \'smolctl share\' 0' -a '(__smolctl_names models)'
complete -c smolctl -n '__smolctl_after \'smolctl share\' 0; and __smolctl_is_path' -F
complete -c smolctl -n '__smolctl_at \'smolctl share\'' -l host -x -d 'The address to listen on; 0.0.0.0 for other machines.'
complete -c smolctl -n '__smolctl_at \'smolctl share\'' -l port -x -d 'The port; 0 takes a free one.'
complete -c smolctl -n '__smolctl_at \'smolctl share\'' -l json -d 'Print JSON.'
complete -c smolctl -n '__smolctl_at \'smolctl share\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl share\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_at \'smolctl login\' 0' -a '(__smolctl_names registries)'
complete -c smolctl -n '__smolctl_at \'smolctl login\'' -s u -l username -x -d 'Who you are to the registry.'
complete -c smolctl -n '__smolctl_at \'smolctl login\'' -l password-stdin -d 'Read the password (or token) from standard input.'
complete -c smolctl -n '__smolctl_at \'smolctl login\'' -l plain-http -d 'Speak HTTP to the registry; loopback ones need no flag.'
complete -c smolctl -n '__smolctl_at \'smolctl login\'' -l ca-file -r -F -d 'Trust the certificates in this PEM file too, for the registry.'
complete -c smolctl -n '__smolctl_at \'smolctl login\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl login\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_at \'smolctl logout\' 0' -a '(__smolctl_names registries)'
complete -c smolctl -n '__smolctl_at \'smolctl logout\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl logout\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_at \'smolctl logs\' 0' -a on -d 'Keep each prompt and reply from now on.'
complete -c smolctl -n '__smolctl_at \'smolctl logs\' 0' -a off -d 'Keep no more; what is kept stays.'
complete -c smolctl -n '__smolctl_at \'smolctl logs\' 0' -a status -d 'Show whether the log is on, and what is in it.'
complete -c smolctl -n '__smolctl_at \'smolctl logs\' 0' -a path -d 'Print where the log is.'
complete -c smolctl -n '__smolctl_at \'smolctl logs\' 0' -a list -d 'Show the last prompts and replies (also: ls).'
complete -c smolctl -n '__smolctl_at \'smolctl logs\' 0' -a rm -d 'Delete what was kept (also: remove).'
complete -c smolctl -n '__smolctl_at \'smolctl logs\' 0; and __smolctl_none_of on off status path list rm' -a ls -d 'Show the last prompts and replies (also: ls).'
complete -c smolctl -n '__smolctl_at \'smolctl logs\' 0; and __smolctl_none_of on off status path list rm' -a remove -d 'Delete what was kept (also: remove).'
complete -c smolctl -n '__smolctl_at \'smolctl logs\'' -s n -l count -x -d 'How many; 3 unless of one conversation, 0 for all.'
complete -c smolctl -n '__smolctl_at \'smolctl logs\'' -s q -l query -x -d 'Only with all of these in prompt or reply.'
complete -c smolctl -n '__smolctl_at \'smolctl logs\'' -s m -l model -x -a '(__smolctl_names models)' -d 'Only of this model.'
complete -c smolctl -n '__smolctl_at \'smolctl logs\'' -l session -x -a '(__smolctl_names sessions)' -d 'Only of this conversation, by name or number.'
complete -c smolctl -n '__smolctl_at \'smolctl logs\'' -s c -l continue -d 'Only of the last conversation.'
complete -c smolctl -n '__smolctl_at \'smolctl logs\'' -s r -l response -d 'Print the last reply alone, as it came.'
complete -c smolctl -n '__smolctl_at \'smolctl logs\'' -l json -d 'Print JSON.'
complete -c smolctl -n '__smolctl_at \'smolctl logs\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl logs\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_at \'smolctl logs on\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl logs on\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_at \'smolctl logs off\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl logs off\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_at \'smolctl logs status\'' -l json -d 'Print JSON.'
complete -c smolctl -n '__smolctl_at \'smolctl logs status\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl logs status\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_at \'smolctl logs path\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl logs path\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_at \'smolctl logs list\'' -s n -l count -x -d 'How many; 3 unless of one conversation, 0 for all.'
complete -c smolctl -n '__smolctl_at \'smolctl logs list\'' -s q -l query -x -d 'Only with all of these in prompt or reply.'
complete -c smolctl -n '__smolctl_at \'smolctl logs list\'' -s m -l model -x -a '(__smolctl_names models)' -d 'Only of this model.'
complete -c smolctl -n '__smolctl_at \'smolctl logs list\'' -l session -x -a '(__smolctl_names sessions)' -d 'Only of this conversation, by name or number.'
complete -c smolctl -n '__smolctl_at \'smolctl logs list\'' -s c -l continue -d 'Only of the last conversation.'
complete -c smolctl -n '__smolctl_at \'smolctl logs list\'' -s r -l response -d 'Print the last reply alone, as it came.'
complete -c smolctl -n '__smolctl_at \'smolctl logs list\'' -l json -d 'Print JSON.'
complete -c smolctl -n '__smolctl_at \'smolctl logs list\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl logs list\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_at \'smolctl logs rm\'' -l older-than -x -d 'Only what is older: 30d, 12h, 2w.'
complete -c smolctl -n '__smolctl_at \'smolctl logs rm\'' -s y -l yes -d 'Delete without a question, also in a script.'
complete -c smolctl -n '__smolctl_at \'smolctl logs rm\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl logs rm\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_at \'smolctl completion\' 0' -a 'bash zsh fish powershell'
complete -c smolctl -n '__smolctl_at \'smolctl completion\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl completion\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_at \'smolctl demo\'' -l home -r -F -d 'The folder where the demo keeps its models.'
complete -c smolctl -n '__smolctl_at \'smolctl demo\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl demo\'' -s h -l help -d 'Show this message and exit.'

complete -c smolctl -n '__smolctl_at \'smolctl version\'' -l json -d 'Print JSON.'
complete -c smolctl -n '__smolctl_at \'smolctl version\'' -l debug -d 'Show tracebacks, and the log of llama.cpp.'
complete -c smolctl -n '__smolctl_at \'smolctl version\'' -s h -l help -d 'Show this message and exit.'
