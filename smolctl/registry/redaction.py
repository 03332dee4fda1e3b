"""URLs as they may be shown: a query is often a signature that grants access.

Storage behind a registry signs its addresses (`X-Amz-Signature`, `sig`, `Signature`, `token` and
whatever the next one calls it), so it is the harmless parameters that are listed, not the others.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

_HARMLESS = frozenset({"scope", "service", "n", "last", "ns", "digest", "mount", "from"})
"""Parameters of the distribution specification and of its token servers that name what is asked
for, and grant nothing."""

_SHOWN = "REDACTED"
_URL = re.compile(
    # A whole URL, or the path with a query that urllib3 names in some of its messages.
    r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>]+|/[^\s'\"<>?#]*\?[^\s'\"<>]+"
)


def shown_url(url: str) -> str:
    """Return `url` without user, password and fragment, and with the values in its query hidden.

    The harmless values stay. Of what is no URL at all, only what no secret follows is shown.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return re.split(r"[?#]", url, maxsplit=1)[0].rpartition("@")[2]
    host = parts.netloc.rpartition("@")[2]
    path = parts.path if host else parts.path.rpartition("@")[2]
    # Some servers take a semicolon for a separator, too.
    parameters = re.split("[&;]", parts.query)
    query = "&".join(_shown_parameter(each) for each in parameters if each)
    return urlunsplit((parts.scheme, host, path, query, ""))


def redacted(text: str) -> str:
    """Return `text` with every URL in it as `shown_url` shows it."""
    return _URL.sub(lambda match: shown_url(match[0]), text)


def _shown_parameter(parameter: str) -> str:
    name, equals, _ = parameter.partition("=")
    if not equals:  # a value without a name may be a token
        return _SHOWN
    return parameter if name.lower() in _HARMLESS else f"{name}={_SHOWN}"
