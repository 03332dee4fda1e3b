"""Flags that say how the next token is chosen, and when a reply ends."""

from __future__ import annotations

from typing import Annotated

import typer

TemperatureFlag = Annotated[
    float, typer.Option(help="How freely to choose; 0 always takes the likeliest token.")
]
TopKFlag = Annotated[
    int, typer.Option("--top-k", help="Choose among this many tokens; 0 among all.")
]
TopPFlag = Annotated[
    float, typer.Option("--top-p", help="Choose among the likeliest that sum up to this.")
]
MinPFlag = Annotated[
    float, typer.Option("--min-p", help="Leave out tokens below this share of the best.")
]
RepeatPenaltyFlag = Annotated[
    float, typer.Option("--repeat-penalty", help="Above 1: make repetition less likely.")
]
SeedFlag = Annotated[
    int | None, typer.Option(help="The same seed gives the same answer; random by default.")
]
MaxTokensFlag = Annotated[
    int | None, typer.Option("--max-tokens", "-n", help="End the answer after this many.")
]
