"""The completion script for PowerShell, 5.1 or later: tables, and a block that reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shell_integration.values import Kind

if TYPE_CHECKING:
    from shell_integration.tree import Command, Option
    from shell_integration.values import Value

_HEAD = """\
# PowerShell completion for smolctl, written by `make completions`.

Register-ArgumentCompleter -Native -CommandName 'smolctl' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    # What may follow each command. A value is a list of words, or what to ask smolctl for;
    # where there is nothing to offer, PowerShell offers files.
    $tree = @{
"""

_TAIL = r"""    }

    $path = 'smolctl'
    $count = 0
    $pending = $null
    $onlyArguments = $false
    foreach ($element in @($commandAst.CommandElements | Select-Object -Skip 1)) {
        if ($element.Extent.EndOffset -ge $cursorPosition -and $wordToComplete -ne '') { break }
        if ($element.Extent.StartOffset -ge $cursorPosition) { break }
        $word = $element.Extent.Text
        $known = $tree[$path]
        if ($null -ne $pending) {
            $pending = $null
        } elseif (-not $onlyArguments -and $word -ceq '--') {
            $onlyArguments = $true
        } elseif (-not $onlyArguments -and $word -like '-?*') {
            if ($word -notlike '--*=*' -and $known.Valued.Contains($word)) { $pending = $word }
        } else {
            if ($known.Aliases.Contains($word)) { $word = $known.Aliases[$word] }
            if ($known.Commands.Contains($word)) {
                $path = "$path $word"
            } else {
                $count++
            }
        }
    }
    $known = $tree[$path]

    $head = ''
    $typed = $wordToComplete
    $kind = $null
    $offered = [ordered]@{}
    if ($null -ne $pending) {
        $kind = $known.Valued[$pending]
    } elseif (-not $onlyArguments -and $typed -like '--*=*') {
        $head = $typed.Substring(0, $typed.IndexOf('=') + 1)
        $typed = $typed.Substring($head.Length)
        $kind = $known.Valued[$head.TrimEnd('=')]
    } elseif (-not $onlyArguments -and $typed -like '-*') {
        $offered = $known.Options
    } elseif ($known.Commands.Count) {
        $offered = $known.Commands
        # An alias is offered to who begins to type one, and does not crowd the list.
        if (-not @($offered.Keys | Where-Object { $_.StartsWith($typed) }).Count) {
            $offered = $known.Aliases
        }
    } elseif ($count -lt $known.Arguments.Count) {
        $kind = $known.Arguments[$count]
    } elseif ($known.Repeats) {
        $kind = $known.Arguments[-1]
    }

    if ($kind -is [array]) {
        foreach ($word in $kind) { $offered[$word] = $word }
    } elseif ($kind -and $typed -notmatch '^(\.{1,2}[\\/]|[\\/~]|[A-Za-z]:\\)') {
        foreach ($line in @(& smolctl __complete $kind $typed 2>$null)) {
            $name, $note = "$line" -split "`t", 2
            # What PowerShell would take for more than a word is no name.
            if ($name -match '^[A-Za-z0-9\[][A-Za-z0-9._/:@\[\]-]*$') { $offered[$name] = "$note" }
        }
    }

    foreach ($name in @($offered.Keys)) {
        if (-not $name.StartsWith($typed)) { continue }
        $type = if ($name.StartsWith('-')) { 'ParameterName' } else { 'ParameterValue' }
        $note = if ($offered[$name]) { $offered[$name] } else { $name }
        [System.Management.Automation.CompletionResult]::new("$head$name", $name, $type, $note)
    }
}
"""


def script(root: Command) -> str:
    """Return the script for the command line below `root`."""
    return f"{_HEAD}{''.join(_entry(command) for command in root.walk())}{_TAIL}"


def _entry(command: Command) -> str:
    commands = {each.path[-1]: _quoted(each.summary) for each in command.commands}
    aliases = {alias: _quoted(each.path[-1]) for each in command.commands for alias in each.aliases}
    arguments = ", ".join(_kind(argument.value) for argument in command.arguments)
    if len(command.arguments) == 1:
        arguments = f", {arguments}"  # without the comma, a list of words would be many arguments
    repeats = any(argument.repeats for argument in command.arguments)
    options, valued = _tables(command.own_options)
    return (
        f"        {_quoted(command.name)} = @{{\n"
        f"            Commands = {_table(commands)}\n"
        f"            Aliases = {_table(aliases)}\n"
        f"            Arguments = @({arguments})\n"
        f"            Repeats = {'$true' if repeats else '$false'}\n"
        f"            Options = {_table(options)}\n"
        f"            Valued = {_table(valued)}\n"
        f"        }}\n"
    )


def _tables(options: tuple[Option, ...]) -> tuple[dict[str, str], dict[str, str]]:
    described = {name: _quoted(each.summary) for each in options for name in each.names}
    valued = {
        name: _kind(option.value) for option in options if option.value for name in option.names
    }
    return described, valued


def _table(entries: dict[str, str]) -> str:
    if not entries:
        return "[ordered]@{}"
    lines = "".join(f"                {_quoted(key)} = {value}\n" for key, value in entries.items())
    return f"[ordered]@{{\n{lines}            }}"


def _kind(value: Value) -> str:
    if value.kind is Kind.words:
        return f"@({', '.join(_quoted(word) for word in value.words)})"
    return _quoted(value.kind.value) if value.kind.is_asked else "$null"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
