"""The completion script for zsh: a function for each command, which `_arguments` reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shell_integration.values import Kind

if TYPE_CHECKING:
    from shell_integration.tree import Argument, Command, Option
    from shell_integration.values import Value

_HEAD = """\
#compdef smolctl
# zsh completion for smolctl, written by `make completions`.
"""

_TAIL = r"""
# Offers the names that smolctl knows: $1 says which, $2 is what to call them.
_smolctl_names() {
    local program=${smolctl_program/#\~\//$HOME/} line name note
    local -a found
    [[ $program == */* && -x $program ]] || program=smolctl
    for line in ${(f)"$(command $program __complete $1 "$PREFIX" </dev/null 2>/dev/null)"}; do
        name=${line%%$'\t'*} note=${line#*$'\t'}
        [[ -n $name ]] && found+=("${name//:/\\:}:$note")
    done
    _describe -t $1 $2 found
}

_smolctl_models() {
    _smolctl_path || _smolctl_names models 'local model'
}

_smolctl_running() {
    _smolctl_path || _smolctl_names running 'loaded model'
}

# Offers files where what is typed begins as a path does.
_smolctl_path() {
    [[ $PREFIX == (./*|../*|/*|\~*) ]] && _files
}

_smolctl_sessions() {
    _smolctl_names sessions conversation
}

_smolctl_registries() {
    _smolctl_names registries registry
}

# A text; after '@' the name of a file that has it.
_smolctl_text_or_file() {
    if compset -P @; then _files; else _message text; fi
}

_smolctl_start() {
    local smolctl_program=$words[1]
    _smolctl_in_smolctl
}

if [[ ${funcstack[1]} == _smolctl ]]; then
    _smolctl_start "$@"
elif (( $+functions[compdef] )); then
    _smolctl() { _smolctl_start "$@" }
    compdef _smolctl smolctl
fi
"""


def script(root: Command) -> str:
    """Return the script for the command line below `root`."""
    functions = [_group(each) if each.commands else _leaf(each) for each in root.walk()]
    return _HEAD + "".join(functions) + _TAIL


def _leaf(command: Command) -> str:
    arguments = [_argument(number, each) for number, each in enumerate(command.arguments, start=1)]
    specs = [spec for option in command.options for spec in _option(option)] + arguments
    lines = [f"        {spec}" for spec in specs]
    return (
        f"\n{_function(command)}() {{\n    _arguments -s -S : \\\n" + " \\\n".join(lines) + "\n}\n"
    )


def _group(command: Command) -> str:
    """Return the function of a group, which completes its commands and goes on with one's own."""
    specs = [spec for option in command.own_options for spec in _option(option)]
    lines = "".join(f"        {spec} \\\n" for spec in specs)
    described = "".join(
        f"        {_quoted(f'{each.path[-1]}:{each.summary}')}\n" for each in command.commands
    )
    aliases = " ".join(alias for each in command.commands for alias in each.aliases)
    cases = "".join(
        f"                {'|'.join((each.path[-1], *each.aliases))}) {_function(each)} ;;\n"
        for each in command.commands
    )
    # An alias is offered to who begins to type one, and does not crowd the list.
    other = " ||\n                compadd -a aliases" if aliases else ""
    return f"""
{_function(command)}() {{
    local curcontext=$curcontext state line
    typeset -A opt_args
    local -a commands=(
{described}    )
    local -a aliases=({aliases})
    _arguments -C -S : \\
{lines}        '1: :->command' \\
        '*:: :->rest' && return
    case $state in
        command)
            _describe -t commands command commands{other}
            ;;
        rest)
            case $words[1] in
{cases}            esac
            ;;
    esac
}}
"""


def _option(option: Option) -> list[str]:
    """Return the specifications of an option, one for each of its names."""
    apart = "*" if option.repeats else f"({' '.join(option.names)})"
    described = f"[{_escaped(option.summary, '[]:')}]"
    if option.value is None:
        return [_quoted(f"{apart}{name}{described}") for name in option.names]
    action = f":{_escaped(option.value.metavar, ':')}:{_action(option.value)}"
    return [
        _quoted(f"{apart}{name}{'=' if name.startswith('--') else '+'}{described}{action}")
        for name in option.names
    ]


def _argument(number: int, argument: Argument) -> str:
    value = argument.value
    place = "*" if argument.repeats else str(number)
    colon = ":" if argument.required or argument.repeats else "::"
    return _quoted(f"{place}{colon}{_escaped(value.metavar, ':')}:{_action(value)}")


def _action(value: Value) -> str:
    if value.kind is Kind.nothing:
        return "()"  # a message, which ' ' would give, keeps an option from being inserted
    if value.kind is Kind.words:
        return f"({' '.join(value.words)})"
    if value.kind is Kind.files:
        return "_files"
    return f"_smolctl_{value.kind.name}"


def _function(command: Command) -> str:
    return "_smolctl_in_" + "_".join(command.path)


def _escaped(text: str, letters: str) -> str:
    for letter in ("\\", *letters):
        text = text.replace(letter, f"\\{letter}")
    return text


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
