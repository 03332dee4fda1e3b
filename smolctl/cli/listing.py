"""What `ls` prints: a table, JSON or IDs, of models as `docker model list --json` shapes them.

Nothing of the cache is needed here: what it says of its models (`cli/listed.py`) is kept as JSON
between two commands, because scripts and completions list often and models change rarely.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smolctl.model.units import format_age, format_size, parse_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from smolctl.cli.output import Output

HEADERS = (
    "MODEL NAME",
    "PARAMETERS",
    "QUANTIZATION",
    "ARCHITECTURE",
    "MODEL ID",
    "CREATED",
    "CONTEXT",
    "SIZE",
)
"""The columns of `docker model list`."""

_DISPENSABLE = (
    "ARCHITECTURE",
    "CONTEXT",
    "CREATED",
    "PARAMETERS",
    "QUANTIZATION",
    "MODEL ID",
)
"""What a narrow terminal does without, the first first."""

SHOWN = "shown"
"""The names of an entry as the table has them; not part of what `--json` prints."""

_ABSENT = "-"
_ID_LETTERS = slice(7, 19)
"""The first 12 digits of `sha256:…`, as Docker prints them."""


def show_listing(
    entries: Sequence[Mapping[str, Any]], output: Output, *, as_json: bool, quiet: bool
) -> None:
    """Print `entries`, models as `Listed.entry` gives them. With `quiet`, their IDs alone."""
    if as_json:
        output.json([{k: v for k, v in entry.items() if k != SHOWN} for entry in entries])
    elif quiet:
        for entry in entries:
            output.line(entry["id"][_ID_LETTERS])
    else:
        rows = [row for entry in entries for row in listing_rows(entry)]
        output.table(HEADERS, sorted(rows, key=by_name), dispensable=_DISPENSABLE)
        if not rows and output.stdout_is_terminal:
            output.notice("No models here yet. Pull one: smolctl model pull ai/smollm2")


def listing_rows(entry: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return a row of the table for each name of a model."""
    return [(name, *_columns(entry)) for name in entry[SHOWN]]


def by_name(row: Sequence[str]) -> tuple[str, bool, str]:
    """Sort rows by name, a repository's `latest` first, as Docker Model Runner lists."""
    repository, _, tag = row[0].rpartition(":")
    return repository, tag != "latest", tag


def _columns(entry: Mapping[str, Any]) -> tuple[str, ...]:
    short = entry["id"][_ID_LETTERS]
    if "problem" in entry:
        return (_ABSENT, _ABSENT, _ABSENT, short, f"({entry['problem']})", _ABSENT, _ABSENT)
    config = entry["config"]
    created = parse_time(entry["created"]) if entry["created"] else None
    return (
        config["parameters"] or _ABSENT,
        config["quantization"] or _ABSENT,
        config["architecture"] or _ABSENT,
        short,
        format_age(created) if created else _ABSENT,
        str(config["context_size"] or _ABSENT),
        format_size(entry["size"]),
    )
