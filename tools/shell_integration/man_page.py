"""The man pages: one for each command, made of what its `--help` says.

They carry no date, so that the same source gives the same page.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shell_integration.roff import argument, bold, italic, line, literal, prose
from smolctl import __version__
from smolctl.errors import EXIT_CODES
from smolctl.settings import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from shell_integration.tree import Command, Option
    from shell_integration.values import Value

_SECTION = "1"
_LINE_LENGTH = 79

_FILES = {
    "~/.local/share/smolctl": "The models: an OCI image layout. `SMOLCTL_HOME` is another place.",
    "~/.config/smolctl/config.toml": "Registries, their mirrors and certificates.",
    "~/.local/state/smolctl": "Conversations, the log of prompts, and the logs of loaded models.",
    "$XDG_RUNTIME_DIR/smolctl": "The sockets of loaded models.",
    "~/.docker/config.json": "Credentials for registries, shared with docker, podman and skopeo.",
}
"""Where things are on Linux; `smolctl version` and `smolctl model status` say it elsewhere."""


def man_pages(root: Command) -> dict[str, str]:
    """Return every page under the name of its file."""
    return {f"{_page(each)}.{_SECTION}": "".join(_lines(each, root)) for each in root.walk()}


def _lines(command: Command, root: Command) -> Iterator[str]:
    for text in _page_lines(command, root):
        yield f"{text}\n"


def _page_lines(command: Command, root: Command) -> Iterator[str]:
    title = argument(literal(_page(command).upper()))
    yield '.\\" Written by `make man` from the help of the command.'
    yield f'.TH {title} {_SECTION} "" "smolctl {__version__}" "smolctl"'
    yield ".SH NAME"
    yield f"{literal(_page(command))} \\- {prose(_without_end(_summary(command)))}"
    yield ".SH SYNOPSIS"
    yield from _synopsis(command)
    yield ".SH DESCRIPTION"
    yield from _description(command)
    if command.commands:
        yield ".SH COMMANDS"
        yield from _commands(command)
    if command.arguments:
        yield ".SH ARGUMENTS"
        for each in command.arguments:
            yield from _item(italic(each.usage), each.help)
    yield ".SH OPTIONS"
    for option in command.options:
        yield from _item(_heading(option), option.help)
    if command.examples:
        yield ".SH EXAMPLES"
        yield from _examples(command)
    if not command.commands or command is root:
        yield ".SH EXIT STATUS"
        for code, meaning in EXIT_CODES.items():
            yield from _item(bold(str(code)), f"{meaning[0].upper()}{meaning[1:]}.")
    yield from _environment(command, root)
    if command is root:
        yield ".SH FILES"
        for path, meaning in _FILES.items():
            yield from _item(italic(path), meaning)
    yield ".SH SEE ALSO"
    yield from _see_also(command, root)


def _synopsis(command: Command) -> Iterator[str]:
    words = [bold(command.name), "[\\fIOPTIONS\\fR]"]
    if command.commands:
        words += [italic("COMMAND"), "..."]
    words += [_usage(each.usage) for each in command.arguments]
    yield " ".join(words)


def _usage(text: str) -> str:
    """Return an argument's usage with its name alone in italics."""
    return re.sub(r"[^\[\].]+", lambda match: italic(match[0]), text)


def _description(command: Command) -> Iterator[str]:
    paragraphs = command.paragraphs or (command.summary,)
    if len(paragraphs) > 1 and paragraphs[0] == command.summary:
        paragraphs = paragraphs[1:]  # NAME has it
    for number, paragraph in enumerate(paragraphs):
        if number:
            yield ".PP"
        yield from _wrapped(paragraph)
    if command.aliases:
        names = " and ".join(
            f"`{' '.join((*command.path[:-1], each))}`" for each in command.aliases
        )
        yield ".PP"
        yield from _wrapped(f"{names} is the same command.")


def _commands(command: Command) -> Iterator[str]:
    for each in command.commands:
        yield from _item(f"{bold(_page(each))}({_SECTION})", each.summary)


def _heading(option: Option) -> str:
    """Return an option under all its names, with what it takes after the last."""
    names = ", ".join(bold(name) for name in option.names)
    if option.value is None:
        return names
    return f"{names} {_metavar(option.value)}"


def _metavar(value: Value) -> str:
    """Return what an option takes: words to choose from as they are typed, the rest in italics."""
    parts = value.metavar.split("|")
    return "|".join(italic(each) if each.isupper() else bold(each) for each in parts)


def _examples(command: Command) -> Iterator[str]:
    for number, (comment, text) in enumerate(command.examples):
        if number:
            yield ".PP"
        yield from _wrapped(f"{comment}:")
        yield ".PP"
        yield ".RS 4"
        yield ".nf"
        yield line(literal(text))
        yield ".fi"
        yield ".RE"


def _environment(command: Command, root: Command) -> Iterator[str]:
    """Yield the variables: all of them on the first page, on another those that its help names."""
    said = " ".join([*command.paragraphs, *(option.help for option in command.options)])
    shown = {
        names: meaning
        for names, meaning in ENVIRONMENT.items()
        if command is root or any(name in said for name in names.split(", "))
    }
    if command.commands and command is not root:
        return
    yield ".SH ENVIRONMENT"
    for names, meaning in shown.items():
        yield from _item(", ".join(bold(name) for name in names.split(", ")), _sentence(meaning))
    if command is not root:
        if shown:
            yield ".PP"
        rest = "the other variables" if shown else "the variables that all commands heed"
        yield f"{bold('smolctl')}({_SECTION}) has {rest}."


def _see_also(command: Command, root: Command) -> Iterator[str]:
    """Yield the pages of the group, of the commands in it or beside it, and of the whole."""
    parent = next((each for each in root.walk() if command in each.commands), None)
    pages = [root] if command is not root else []
    if parent is not None and parent is not root:
        pages.append(parent)
    pages += command.commands or (parent.commands if parent is not None else ())
    others = [each for each in pages if each is not command]
    yield ",\n".join(f"{bold(_page(each))}({_SECTION})" for each in others)


def _item(heading: str, text: str) -> Iterator[str]:
    yield ".TP"
    yield heading
    yield from _wrapped(text or "The value.")


def _wrapped(text: str) -> Iterator[str]:
    """Yield a paragraph in lines of roff, each sentence on its own, as roff wants them."""
    for sentence in re.split(r"(?<=[.!?:]) (?=[A-Z`@\[])", text):
        current = ""
        for word in prose(sentence).split(" "):
            if current and len(current) + len(word) >= _LINE_LENGTH:
                yield line(current)
                current = word
            else:
                current = f"{current} {word}" if current else word
        yield line(current)


def _summary(command: Command) -> str:
    return re.sub(r" \(also: [^)]*\)", "", command.summary)


def _without_end(text: str) -> str:
    return text.rstrip(".")


def _sentence(text: str) -> str:
    capital = text if text.startswith("`") else f"{text[0].upper()}{text[1:]}"
    return f"{capital}."


def _page(command: Command) -> str:
    return "-".join(command.path)


def references(pages: Iterable[str]) -> set[str]:
    """Return the pages that the text of pages refers to, `smolctl-model-run` and the like."""
    text = "".join(pages).replace("\\-", "-")
    return set(re.findall(r"\\fB(smolctl[a-z-]*)\\fR\(1\)", text))
