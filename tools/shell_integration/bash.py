"""The completion script for bash, 3.2 (that of macOS) or later, with or without bash-completion.

bash splits words at `:`, `=` and `@` too, which names and options have in them: the script joins
them again, and gives back of each candidate only what comes after the last such letter. A
candidate never passes through an expansion, so that no name can run anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shell_integration.values import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shell_integration.tree import Command
    from shell_integration.values import Value

_HEAD = """\
# bash completion for smolctl, written by `make completions`.
# shellcheck shell=bash
"""

_TAIL = r"""
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
"""


def script(root: Command) -> str:
    """Return the script for the command line below `root`."""
    return f"{_HEAD}{_commands(root)}{_values(root)}{_TAIL}"


def _commands(root: Command) -> str:
    """Return the function that says what may follow a command."""
    lines = [
        "",
        "# Sets what may follow the command $1; `valued` are the options that take a value.",
        "__smolctl_command() {",
        "    commands='' aliases='' options='' valued=''",
        "    case $1 in",
    ]
    for command in root.walk():
        options = command.own_options
        names = [name for option in options for name in option.names]
        valued = [name for option in options if option.value for name in option.names]
        aliases = [
            f"{alias}={each.path[-1]}" for each in command.commands for alias in each.aliases
        ]
        facts = {
            "commands": [each.path[-1] for each in command.commands],
            "aliases": aliases,
            "options": names,
            "valued": valued,
        }
        lines.append(f"        {_quoted(command.name)})")
        lines += [f"            {key}='{' '.join(value)}'" for key, value in facts.items() if value]
        lines.append("            ;;")
    return "\n".join([*lines, "    esac", "}", ""])


def _values(root: Command) -> str:
    """Return the function that says what completes a value.

    An option that takes the same everywhere stands for all commands in one pattern.
    """
    patterns: dict[tuple[Kind, tuple[str, ...]], list[str]] = {}
    for pattern, value in _patterns(root):
        if value.kind is not Kind.nothing:
            patterns.setdefault((value.kind, value.words), []).append(pattern)
    lines = [
        "",
        "# Sets what completes the value $1: a command with an option, or an argument's number.",
        "__smolctl_value() {",
        "    case $1 in",
    ]
    for (kind, words), found in patterns.items():
        lines.append("        " + " | \\\n        ".join(dict.fromkeys(found)) + ")")
        lines.append(f"            kind={kind.name}")
        if words:
            lines.append(f"            choices='{' '.join(words)}'")
        lines.append("            ;;")
    return "\n".join([*lines, "    esac", "}", ""])


def _patterns(root: Command) -> Iterator[tuple[str, Value]]:
    everywhere: dict[str, set[tuple[Kind, tuple[str, ...]]]] = {}
    for command in root.walk():
        for option in command.own_options:
            for name in option.names:
                value = option.value
                fact = (value.kind, value.words) if value else (Kind.nothing, ())
                everywhere.setdefault(name, set()).add(fact)
    for command in root.walk():
        for number, argument in enumerate(command.arguments):
            if argument.repeats:
                yield f"'{command.name} '[{number}-9]*", argument.value
            else:
                yield f"'{command.name} {number}'", argument.value
        for option in command.own_options:
            if option.value is None:
                continue
            for name in option.names:
                shared = len(everywhere[name]) == 1
                yield f"*' {name}'" if shared else f"'{command.name} {name}'", option.value


def _quoted(text: str) -> str:
    return f"'{text}'" if " " in text else text
