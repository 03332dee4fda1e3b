"""A list of names that a registry gives in pages: the tags of a repository, the repositories.

Source: OCI distribution specification 1.1, "Listing Tags".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from smolctl.model import document

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = 1000
"""Names to ask for at once."""


@dataclass(frozen=True)
class NameList:
    """A list under `key` of its document; `what` names it in errors, `is_name` its members."""

    key: str
    what: str
    is_name: Callable[[str], bool]

    def read(
        self, ask: Callable[[str], tuple[bytes, str | None]], url: str, limit: int
    ) -> list[str]:
        """Return the first `limit` names from `url` on, in the registry's order, each once.

        `ask` returns a page and the address of the next. Pages are followed as long as each has
        names that those before it had not; what is no name is left out. Raises `IntegrityError`
        for what is no list.
        """
        found: dict[str, None] = {}
        following: str | None = url
        while following is not None and len(found) < limit:
            content, following = ask(following)
            page = document.texts(document.parse_object(content, self.what), self.key, self.what)
            before = len(found)
            found |= dict.fromkeys(name for name in page if self.is_name(name))
            if len(found) == before:
                break
        return list(found)[:limit]
