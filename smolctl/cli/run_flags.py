"""Flags of `run`: what is asked, how the reply is to be, and how it is given."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from smolctl.cli.reply_flags import ReplyFormat

# What is asked.
SystemFlag = Annotated[
    str | None,
    typer.Option(
        "--system",
        metavar="TEXT",
        help="The system prompt; @FILE reads it from a file, and @@ begins one with an @.",
    ),
]
PromptFileFlag = Annotated[
    Path | None,
    typer.Option(
        "--prompt-file",
        metavar="FILE",
        help="Read the prompt from this file; it goes after the words, if there are some.",
    ),
]
FileFlag = Annotated[
    list[Path] | None,
    typer.Option(
        "--file",
        "-f",
        metavar="PATH",
        help="Add the text of this file after the prompt; may be given several times, and each"
        " text is under its file's name then. `-` is standard input.",
    ),
]
ChunkFlag = Annotated[
    bool,
    typer.Option(
        "--chunk",
        help="Work on text that is longer than the context piece by piece, and on the answers"
        " like that again, until one answer is left.",
    ),
]

# How the reply is to be.
SchemaFlag = Annotated[
    str | None,
    typer.Option(
        "--schema",
        metavar="SCHEMA",
        help="Answer in JSON that follows a schema: 'name, age int, tags[], bio: one line', JSON,"
        " or a file with one of them (@FILE too). Types are int, float, bool and str; the model is"
        " told the fields, and what is said of them after a colon.",
    ),
]
SchemaMultiFlag = Annotated[
    str | None,
    typer.Option(
        "--schema-multi",
        metavar="SCHEMA",
        help='The same for many records: {"items": [...]}.',
    ),
]
FormatFlag = Annotated[
    ReplyFormat, typer.Option("--format", help="json: answer in JSON, an object of any form.")
]
GrammarFlag = Annotated[
    Path | None,
    typer.Option("--grammar", metavar="FILE", help="Answer as this GBNF grammar says."),
]
ToolsFlag = Annotated[
    Path | None,
    typer.Option(
        "--tools",
        metavar="FILE",
        help="Offer the tools in this JSON file (OpenAI's format), and print the calls, a JSON"
        " object a line; text goes to stderr.",
    ),
]
ToolChoiceFlag = Annotated[
    str | None,
    typer.Option(
        "--tool-choice",
        metavar="CHOICE",
        help="auto: call tools or not; required: call one; or the name of the one to call.",
    ),
]
StopFlag = Annotated[
    list[str] | None,
    typer.Option(
        "--stop",
        metavar="TEXT",
        help="End the answer before this text; may be given several times.",
    ),
]

# How it is given.
ExtractFlag = Annotated[
    bool,
    typer.Option(
        "--extract", "-x", help="Print the first fenced code block alone, and stop after it."
    ),
]
ReplyJsonFlag = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print one JSON object: text, finish reason, tokens, timings; on one line in a pipe.",
    ),
]
VerboseFlag = Annotated[
    bool, typer.Option("--verbose", help="Print tokens, rates and times, on stderr.")
]
NoStreamFlag = Annotated[
    bool, typer.Option("--no-stream", help="Print the answer in one piece, when it is whole.")
]
NoMarkdownFlag = Annotated[
    bool, typer.Option("--no-markdown", help="Show the answer as it is, also on a terminal.")
]

# The conversation that it belongs to.
SessionFlag = Annotated[
    str | None,
    typer.Option("--session", metavar="NAME", help="Keep the conversation, and go on with it."),
]
ContinueFlag = Annotated[
    bool, typer.Option("--continue", "-c", help="Go on with the last conversation that was kept.")
]
