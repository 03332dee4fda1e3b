# bash completion for smolctl, written by `make completions`.
# shellcheck shell=bash

# Sets what may follow the command $1; `valued` are the options that take a value.
__smolctl_command() {
    commands='' aliases='' options='' valued=''
    case $1 in
        smolctl)
            commands='model serve share login logout logs completion demo version'
            options='--version --debug -h --help'
            ;;
        'smolctl model')
            commands='run batch sessions ps unload logs status bench pull search variants card ls inspect resolve tag rm df prune verify package push cp save load'
            aliases='stop=unload list=ls show=inspect'
            options='-h --help'
            ;;
        'smolctl model run')
            options='--system --prompt-file -f --file --chunk --session -c --continue --schema --schema-multi --format --grammar --tools --tool-choice -x --extract --json --verbose --no-stream --no-markdown --temperature --top-k --top-p --min-p --repeat-penalty --seed -n --max-tokens --stop --ctx-size --threads --parallel --gpu-layers --flash-attn --cache-type-k --cache-type-v --keep-alive -d --detach --local --pull --plain-http --ca-file --max-connections --retries --offline --debug -h --help'
            valued='--system --prompt-file -f --file --session --schema --schema-multi --format --grammar --tools --tool-choice --temperature --top-k --top-p --min-p --repeat-penalty --seed -n --max-tokens --stop --ctx-size --threads --parallel --gpu-layers --flash-attn --cache-type-k --cache-type-v --keep-alive --pull --ca-file --max-connections --retries'
            ;;
        'smolctl model batch')
            options='-o --output --overwrite --lines --template --jobs --system --chunk --schema --schema-multi --format --grammar --temperature --top-k --top-p --min-p --repeat-penalty --seed -n --max-tokens --stop --ctx-size --threads --parallel --gpu-layers --flash-attn --cache-type-k --cache-type-v --keep-alive --local -q --quiet --pull --plain-http --ca-file --max-connections --retries --offline --debug -h --help'
            valued='-o --output --template --jobs --system --schema --schema-multi --format --grammar --temperature --top-k --top-p --min-p --repeat-penalty --seed -n --max-tokens --stop --ctx-size --threads --parallel --gpu-layers --flash-attn --cache-type-k --cache-type-v --keep-alive --pull --ca-file --max-connections --retries'
            ;;
        'smolctl model sessions')
            commands='ls show rm'
            aliases='list=ls remove=rm'
            options='-h --help'
            ;;
        'smolctl model sessions ls')
            options='--json -q --quiet -a --all --debug -h --help'
            ;;
        'smolctl model sessions show')
            options='--json --debug -h --help'
            ;;
        'smolctl model sessions rm')
            options='--all -y --yes --debug -h --help'
            ;;
        'smolctl model ps')
            options='--json -q --quiet --debug -h --help'
            ;;
        'smolctl model unload')
            options='--all --debug -h --help'
            ;;
        'smolctl model logs')
            options='-f --follow --debug -h --help'
            ;;
        'smolctl model status')
            options='--json --debug -h --help'
            ;;
        'smolctl model bench')
            options='--concurrency -p --prompt-tokens -n --max-tokens -r --repetitions --threads --gpu-layers --flash-attn --cache-type-k --cache-type-v --json --debug -h --help'
            valued='--concurrency -p --prompt-tokens -n --max-tokens -r --repetitions --threads --gpu-layers --flash-attn --cache-type-k --cache-type-v'
            ;;
        'smolctl model pull')
            options='-q --quiet --json --plain-http --ca-file --max-connections --retries --offline --debug -h --help'
            valued='--ca-file --max-connections --retries'
            ;;
        'smolctl model search')
            options='--registry -n --limit --json -q --quiet --plain-http --ca-file --retries --offline --debug -h --help'
            valued='--registry -n --limit --ca-file --retries'
            ;;
        'smolctl model variants')
            options='--ctx-size --limit -q --quiet --json --plain-http --ca-file --max-connections --retries --offline --debug -h --help'
            valued='--ctx-size --limit --ca-file --max-connections --retries'
            ;;
        'smolctl model card')
            options='--markdown --json --plain-http --ca-file --retries --offline --debug -h --help'
            valued='--ca-file --retries'
            ;;
        'smolctl model ls')
            options='--json -q --quiet --debug -h --help'
            ;;
        'smolctl model inspect')
            options='-r --remote --template --license --json --plain-http --ca-file --retries --offline --debug -h --help'
            valued='--ca-file --retries'
            ;;
        'smolctl model resolve')
            options='--pull --json --plain-http --ca-file --max-connections --retries --offline --debug -h --help'
            valued='--pull --ca-file --max-connections --retries'
            ;;
        'smolctl model tag')
            options='--json --debug -h --help'
            ;;
        'smolctl model rm')
            options='-f --force --json -q --quiet --debug -h --help'
            ;;
        'smolctl model df')
            options='-v --verbose --json --debug -h --help'
            ;;
        'smolctl model prune')
            options='-a --all --older-than --dry-run -y --yes --json --debug -h --help'
            valued='--older-than'
            ;;
        'smolctl model verify')
            options='--repair -q --quiet --json --plain-http --ca-file --max-connections --retries --offline --debug -h --help'
            valued='--ca-file --max-connections --retries'
            ;;
        'smolctl model package')
            options='--gguf --from -l --license --chat-template --mmproj --card --context-size --quantize --format --annotation --created --push -q --quiet --json --plain-http --ca-file --max-connections --retries --debug -h --help'
            valued='--gguf --from -l --license --chat-template --mmproj --card --context-size --quantize --format --annotation --created --ca-file --max-connections --retries'
            ;;
        'smolctl model push')
            options='-q --quiet --json --plain-http --ca-file --max-connections --retries --offline --debug -h --help'
            valued='--ca-file --max-connections --retries'
            ;;
        'smolctl model cp')
            options='-q --quiet --json --from-plain-http --to-plain-http --from-ca-file --to-ca-file --max-connections --retries --offline --debug -h --help'
            valued='--from-ca-file --to-ca-file --max-connections --retries'
            ;;
        'smolctl model save')
            options='-o --output -q --quiet --json --debug -h --help'
            valued='-o --output'
            ;;
        'smolctl model load')
            options='--tag --name -q --quiet --json --debug -h --help'
            valued='--tag --name'
            ;;
        'smolctl serve')
            options='--host --port --api-key --api-key-file --allow-origin --allow-host --ctx-size --parallel --threads --gpu-layers --flash-attn --cache-type-k --cache-type-v --keep-alive --plain-http --ca-file --max-connections --retries --offline -q --quiet --debug -h --help'
            valued='--host --port --api-key --api-key-file --allow-origin --allow-host --ctx-size --parallel --threads --gpu-layers --flash-attn --cache-type-k --cache-type-v --keep-alive --ca-file --max-connections --retries'
            ;;
        'smolctl share')
            options='--host --port --json --debug -h --help'
            valued='--host --port'
            ;;
        'smolctl login')
            options='-u --username --password-stdin --plain-http --ca-file --debug -h --help'
            valued='-u --username --ca-file'
            ;;
        'smolctl logout')
            options='--debug -h --help'
            ;;
        'smolctl logs')
            commands='on off status path list rm'
            aliases='ls=list remove=rm'
            options='-n --count -q --query -m --model --session -c --continue -r --response --json --debug -h --help'
            valued='-n --count -q --query -m --model --session'
            ;;
        'smolctl logs on')
            options='--debug -h --help'
            ;;
        'smolctl logs off')
            options='--debug -h --help'
            ;;
        'smolctl logs status')
            options='--json --debug -h --help'
            ;;
        'smolctl logs path')
            options='--debug -h --help'
            ;;
        'smolctl logs list')
            options='-n --count -q --query -m --model --session -c --continue -r --response --json --debug -h --help'
            valued='-n --count -q --query -m --model --session'
            ;;
        'smolctl logs rm')
            options='--older-than -y --yes --debug -h --help'
            valued='--older-than'
            ;;
        'smolctl completion')
            options='--debug -h --help'
            ;;
        'smolctl demo')
            options='--home --debug -h --help'
            valued='--home'
            ;;
        'smolctl version')
            options='--json --debug -h --help'
            ;;
    esac
}

# Sets what completes the value $1: a command with an option, or an argument's number.
__smolctl_value() {
    case $1 in
        'smolctl model run 0' | \
        'smolctl model batch 0' | \
        'smolctl model logs 0' | \
        'smolctl model bench 0' | \
        'smolctl model pull '[0-9]* | \
        'smolctl model variants 0' | \
        'smolctl model card 0' | \
        'smolctl model ls 0' | \
        'smolctl model inspect 0' | \
        'smolctl model resolve 0' | \
        'smolctl model tag 0' | \
        'smolctl model rm '[0-9]* | \
        'smolctl model verify '[0-9]* | \
        *' --from' | \
        'smolctl model push '[0-9]* | \
        'smolctl model save '[0-9]* | \
        'smolctl share '[0-9]* | \
        *' -m' | \
        *' --model')
            kind=models
            ;;
        *' --system' | \
        'smolctl model batch --template')
            kind=text_or_file
            ;;
        *' --prompt-file' | \
        'smolctl model run -f' | \
        *' --file' | \
        *' --schema' | \
        *' --schema-multi' | \
        *' --grammar' | \
        *' --tools' | \
        *' --ca-file' | \
        'smolctl model batch 1' | \
        *' -o' | \
        *' --output' | \
        *' --gguf' | \
        *' -l' | \
        'smolctl model package --license' | \
        *' --chat-template' | \
        *' --mmproj' | \
        *' --card' | \
        *' --from-ca-file' | \
        *' --to-ca-file' | \
        'smolctl model load 0' | \
        *' --api-key-file' | \
        *' --home')
            kind=files
            ;;
        *' --session' | \
        'smolctl model sessions show 0' | \
        'smolctl model sessions rm '[0-9]*)
            kind=sessions
            ;;
        'smolctl model run --format' | \
        'smolctl model batch --format')
            kind=words
            choices='text json'
            ;;
        *' --tool-choice')
            kind=words
            choices='auto required'
            ;;
        *' --gpu-layers')
            kind=words
            choices='auto'
            ;;
        *' --flash-attn')
            kind=words
            choices='auto on off'
            ;;
        *' --cache-type-k' | \
        *' --cache-type-v')
            kind=words
            choices='f32 f16 bf16 q8_0 q5_1 q5_0 q4_1 q4_0'
            ;;
        *' --pull')
            kind=words
            choices='missing always newer never'
            ;;
        'smolctl model unload '[0-9]*)
            kind=running
            ;;
        *' --registry' | \
        'smolctl login 0' | \
        'smolctl logout 0')
            kind=registries
            ;;
        *' --quantize')
            kind=words
            choices='Q4_K_M Q5_K_M Q6_K Q8_0 Q4_0 IQ4_XS F16'
            ;;
        'smolctl model package --format')
            kind=words
            choices='docker cncf'
            ;;
        'smolctl completion 0')
            kind=words
            choices='bash zsh fish powershell'
            ;;
    esac
}

# Puts the words up to the cursor into `words`, as the command will get them: bash has split them at
# ':', '=' and '@' as well. What is after the cursor in the last one does not count.
__smolctl_split() {
    local line=$COMP_LINE rest piece i after
    words=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        piece=${COMP_WORDS[i]}
        rest=${line#"${line%%[![:space:]]*}"}
        if ((i > 0)) && [[ $rest == "$line" && -n $line ]]; then
            words[${#words[@]}-1]+=$piece
        else
            words[${#words[@]}]=$piece
        fi
        line=${rest#"$piece"}
    done
    after=${COMP_LINE:COMP_POINT}
    if ((${#after} > ${#line})); then
        i=$((${#words[@]} - 1))
        piece=${words[i]}
        after=$((${#piece} - ${#after} + ${#line}))
        words[i]=${piece:0:after}
    fi
}

# Adds the candidates among "$@" that begin with what is typed.
__smolctl_offer() {
    local candidate
    for candidate in "$@"; do
        [[ $candidate == "$typed"* ]] && COMPREPLY[${#COMPREPLY[@]}]=$candidate
    done
    ((${#COMPREPLY[@]}))
}

# Adds the names that smolctl knows: $1 says which.
__smolctl_names() {
    local program=${words[0]/#\~\//$HOME/} name
    [[ $program == */* && -x $program ]] || program=smolctl
    while IFS=$'\t' read -r name _; do
        [[ -n $name ]] && __smolctl_offer "$name"
    done <<<"$(command "$program" __complete "$1" "$typed" </dev/null 2>/dev/null)"
}

# Has bash complete a file's name; bash 3.2 does that by itself where there is no candidate.
__smolctl_files() {
    compopt -o default 2>/dev/null
    COMPREPLY=()
}

# Adds the names of files after '@', quoted as the shell wants them.
__smolctl_files_after_at() {
    local name shown
    while IFS= read -r name; do
        [[ -n $name ]] || continue
        printf -v shown %q "$name"
        if [[ -d $name ]]; then
            shown=$shown/
            compopt -o nospace 2>/dev/null
        fi
        COMPREPLY[${#COMPREPLY[@]}]=@$shown
    done <<<"$(compgen -f -- "${typed#@}")"
}

__smolctl_complete_value() {
    local kind='' choices=''
    __smolctl_value "$1"
    case $kind in
        words)
            # shellcheck disable=SC2086 # a list of words
            __smolctl_offer $choices
            ;;
        files) __smolctl_files ;;
        text_or_file) [[ $typed == @* ]] && __smolctl_files_after_at ;;
        models | running)
            case $typed in
                ./* | ../* | /* | '~'*) __smolctl_files ;;
                *) __smolctl_names "$kind" ;;
            esac
            ;;
        sessions | registries) __smolctl_names "$kind" ;;
    esac
}

_smolctl() {
    local IFS=$' \t\n'
    local words path=smolctl count=0 pending='' only_arguments='' word pair i
    local commands aliases options valued
    COMPREPLY=()
    __smolctl_split
    __smolctl_command "$path"
    for ((i = 1; i < ${#words[@]} - 1; i++)); do
        word=${words[i]}
        if [[ -n $pending ]]; then
            pending=''
        elif [[ -z $only_arguments && $word == -- ]]; then
            only_arguments=1
        elif [[ -z $only_arguments && $word == -?* ]]; then
            [[ " $valued " == *" $word "* ]] && pending=$word
        else
            for pair in $aliases; do
                [[ $word == "${pair%=*}" ]] && word=${pair#*=}
            done
            if [[ " $commands " == *" $word "* ]]; then
                path="$path $word"
                __smolctl_command "$path"
            else
                count=$((count + 1))
            fi
        fi
    done

    local current=${words[${#words[@]}-1]} head='' typed
    current=${current#[\"\']}
    typed=$current
    if [[ -n $pending ]]; then
        __smolctl_complete_value "$path $pending"
    elif [[ -z $only_arguments && $current == --*=* ]]; then
        head=${current%%=*}=
        typed=${current#*=}
        __smolctl_complete_value "$path ${head%=}"
    elif [[ -z $only_arguments && $current == -* ]]; then
        # shellcheck disable=SC2086 # a list of words
        __smolctl_offer $options
    elif [[ -n $commands ]]; then
        # An alias is offered to who begins to type one, and does not crowd the list.
        # shellcheck disable=SC2086 # a list of words
        __smolctl_offer $commands || {
            for pair in $aliases; do
                __smolctl_offer "${pair%=*}"
            done
        }
    else
        __smolctl_complete_value "$path $count"
    fi

    # bash replaces what it takes for the word, which is $2 and may be less than what is typed.
    local replaced=${current%"$2"}
    for ((i = 0; i < ${#COMPREPLY[@]}; i++)); do
        word=$head${COMPREPLY[i]}
        COMPREPLY[i]=${word#"$replaced"}
    done
}

if type compopt >/dev/null 2>&1; then
    complete -F _smolctl smolctl
else
    complete -o default -F _smolctl smolctl
fi
