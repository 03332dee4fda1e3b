"""Flags of `run`: what is asked, how the reply is to be, and how it is given."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer


class ReplyFormat(str, Enum):
    """What `--format` takes."""

    text = "text"
    json = "json"


# What is asked.
SystemFlag = Annotated[
    str | None,
    typer.Option("--system", metavar="TEXT", help="The system prompt; @FILE reads it from a file."),
]
PromptFileFlag = Annotated[
    Path | None,
    typer.Option("--prompt-file", metavar="FILE", help="Read the prompt from this file."),
]
FileFlag = Annotated[
    list[Path] | None,
    typer.Option(
        "--file",
        "-f",
        metavar="PATH",
        help="Add the text of this file after the prompt; may be given several times.",
    ),
]
ChunkFlag = Annotated[
    bool,
    typer.Option("--chunk", help="Work on text that is longer than the context piece by piece."),
]

# How the reply is to be.
SchemaFlag = Annotated[
    str | None,
    typer.Option(
        "--schema",
        metavar="SCHEMA",
        help="Answer in JSON that follows a schema: 'name, age int, bio: one line', JSON, or a"
        " file with it.",
    ),
]
SchemaMultiFlag = Annotated[
    str | None,
    typer.Option("--schema-multi", metavar="SCHEMA", help="The same, for many records."),
]
FormatFlag = Annotated[
    ReplyFormat, typer.Option("--format", help="json: answer in JSON, of any form.")
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
        help="Offer the tools in this JSON file, and print the calls, a JSON object a line.",
    ),
]

# How it is given.
ExtractFlag = Annotated[
    bool, typer.Option("--extract", "-x", help="Print the first fenced code block alone.")
]
ReplyJsonFlag = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON object: text, finish reason, tokens, timings."),
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
