"""The parts of a progress bar that a terminal has room for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.progress import ProgressColumn

_ECHO = 2
"""What a terminal echoes of Ctrl-C: at its edge that would break the line, and leave it twice."""


@dataclass(frozen=True)
class Part:
    """A part of a bar, and how many columns of the screen it takes, about."""

    column: ProgressColumn
    width: int


def fitting(parts: Sequence[Part], dispensable: Sequence[int], screen: int) -> list[ProgressColumn]:
    """Return the columns of those of `parts` that fit in `screen` columns.

    The others are left out in the order of `dispensable`, which are places in `parts`.
    """
    places = list(range(len(parts)))
    for place in dispensable:
        if sum(parts[each].width + 1 for each in places) - 1 + _ECHO <= screen:
            break
        places.remove(place)
    return [parts[each].column for each in places]
