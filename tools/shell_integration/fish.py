"""The completion script for fish: a rule for each command, option and argument."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shell_integration.values import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shell_integration.tree import Command, Option
    from shell_integration.values import Value

_HEAD = """\
# fish completion for smolctl, written by `make completions`.
"""

_FUNCTIONS = r"""
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
"""


def script(root: Command) -> str:
    """Return the script for the command line below `root`."""
    rules = "".join(f"{line}\n" for command in root.walk() for line in _rules(command))
    return f"{_HEAD}{_tables(root)}{_FUNCTIONS}{rules}"


def _tables(root: Command) -> str:
    """Return the functions that know which words are commands, and which options take a value."""
    valued = [
        f"'{command.name} {name}'"
        for command in root.walk()
        for option in command.own_options
        if option.value
        for name in option.names
    ]
    below = "".join(
        f"        case {' '.join(_quoted(f'{group.name} {name}') for name in _names(each))}\n"
        f"            echo {_quoted(each.name)}\n"
        for group in root.walk()
        for each in group.commands
    )
    return f"""
# Whether the option of the command in $argv takes a value.
function __smolctl_takes_value
    contains -- $argv[1] \\
        {f" {chr(92)}{chr(10)}        ".join(valued)}
end

# Prints the command that the word $argv[2] is in the group $argv[1], if it is one.
function __smolctl_below
    switch "$argv[1] $argv[2]"
{below}    end
end
"""


def _names(command: Command) -> tuple[str, ...]:
    return (command.path[-1], *command.aliases)


def _rules(command: Command) -> Iterator[str]:
    yield ""
    at = f"__smolctl_at {_quoted(command.name)}"
    names = [each.path[-1] for each in command.commands]
    for each in command.commands:
        rule = f"complete -c smolctl -n {_quoted(f'{at} 0')} -a {each.path[-1]}"
        yield f"{rule} -d {_quoted(each.summary)}"
    for each in command.commands:
        for alias in each.aliases:
            # Offered to who begins to type it: it does not crowd the list.
            wanted = f"{at} 0; and __smolctl_none_of {' '.join(names)}"
            rule = f"complete -c smolctl -n {_quoted(wanted)} -a {alias}"
            yield f"{rule} -d {_quoted(each.summary)}"
    for number, argument in enumerate(command.arguments):
        place = (
            f"__smolctl_after {_quoted(command.name)} {number}"
            if argument.repeats
            else f"{at} {number}"
        )
        yield from _argument(place, argument.value)
    for option in command.own_options:
        yield _option(at, option)


def _argument(place: str, value: Value) -> Iterator[str]:
    rule = f"complete -c smolctl -n {_quoted(place)}"
    if value.kind is Kind.files:
        yield f"{rule} -F"
    elif value.kind is Kind.words:
        yield f"{rule} -a {_quoted(' '.join(value.words))}"
    elif value.kind.is_asked:
        yield f"{rule} -a '(__smolctl_names {value.kind.value})'"
        if value.kind in (Kind.models, Kind.running):
            yield f"complete -c smolctl -n {_quoted(place + '; and __smolctl_is_path')} -F"


def _option(at: str, option: Option) -> str:
    names = [
        f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names
    ]
    parts = ["complete -c smolctl", f"-n {_quoted(at)}", *names]
    if option.value is not None:
        parts.append(_values(option.value))
    return " ".join([*parts, f"-d {_quoted(option.summary)}"])


def _values(value: Value) -> str:
    if value.kind is Kind.files:
        return "-r -F"
    if value.kind is Kind.words:
        return f"-x -a {_quoted(' '.join(value.words))}"
    if value.kind is Kind.text_or_file:
        return "-x -a '(__smolctl_files_after_at)'"
    if value.kind.is_asked:
        return f"-x -a '(__smolctl_names {value.kind.value})'"
    return "-x"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
