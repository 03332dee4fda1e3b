"""Telling tool calls from text while a reply streams.

Known are the forms of `tool_forms.py`, with what models make of them: several objects in a tag, a
list in a tag of objects, `parameters` for `arguments`, no closing tag; and those of
`tool_elements.py`. A call is passed on when it is whole: only then is it certain to be one. What is
no call of a tool that there is, is text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from smolctl.engine.conversation import Delta, ToolCallDelta
from smolctl.engine.json_scanner import JSONScanner
from smolctl.engine.text import overlap
from smolctl.engine.tool_elements import (
    FUNCTION,
    FUNCTION_END,
    arguments_of,
    head_of,
    may_become_head,
)
from smolctl.engine.tool_forms import CLOSING_TAG, MISTRAL_TAG, PYTHON_TAG, TAG
from smolctl.engine.tool_values import new_call_id, parsed_calls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from smolctl.engine.tool_elements import Head

_OPENING = (TAG, PYTHON_TAG, MISTRAL_TAG, FUNCTION)
_BARE = ""
"""In place of an opening marker, for a reply that begins with an object."""

_FIRST_KEYS = tuple(f'{{"{key}":' for key in ("name", "type", "id", "parameters", "arguments"))
_MISTRAL_HEADER = re.compile(
    r"(?P<name>[a-zA-Z0-9_.-]{1,64})(?:\[CALL_ID\][a-zA-Z0-9]+)?(?:\[ARGS\])?\s*"
)
_MAXIMUM_HEADER = 200


class ToolCallReader:
    """Reads one reply's answer: text in, text and calls out.

    `tools` are those that it may call, by their names: the schemas of their parameters. Calls
    after the first are dropped unless `parallel`.
    Blanks next to calls are dropped where no text stands on their other side.
    """

    def __init__(self, tools: Mapping[str, Mapping[str, Any]], *, parallel: bool = True) -> None:
        self.calls = 0
        self._tools = tools
        self._parallel = parallel
        self._step: Callable[[bool], bool] = self._read_text
        self._rest = ""  # not looked at yet
        self._marker = _BARE
        self._name: str | None = None
        self._scanner = JSONScanner()
        self._end = ""  # of a call in elements
        self._before: str = ""  # from the marker to the value: text if the value is no call
        self._value: list[str] = []
        self._blank = ""
        self._spoken = False
        self._out: list[Delta] = []

    def feed(self, text: str) -> Iterator[Delta]:
        """Yield what is certain with `text`, the answer's next."""
        self._rest += text
        yield from self._read(over=False)

    def finish(self) -> Iterator[Delta]:
        """Yield what was held back; the reply is over."""
        yield from self._read(over=True)
        if self._blank and not self.calls:
            yield Delta(content=self._blank)
        self._blank = ""

    def _read(self, *, over: bool) -> list[Delta]:
        """Take step after step, each as far as what follows does not matter, or all is `over`."""
        while self._step(over):
            pass
        out, self._out = self._out, []
        return out

    def _read_text(self, over: bool) -> bool:
        """Pass text on, up to what opens a call. Each step returns whether it led to another."""
        if not self._spoken and not self.calls:
            start = self._rest.lstrip()
            if start.startswith("{"):
                self._say(self._rest[: -len(start)])
                self._rest = start
                self._step = self._read_bare
                return True
        found = [(place, mark) for mark in _OPENING if (place := self._rest.find(mark)) >= 0]
        if found:
            place, mark = min(found)
            self._say(self._rest[:place])
            self._rest = self._rest[place + len(mark) :]
            self._marker = self._before = mark
            self._step = self._read_opening
            return True
        held = 0 if over else max(overlap(self._rest, mark) for mark in _OPENING)
        certain = len(self._rest) - held
        self._say(self._rest[:certain])
        self._rest = self._rest[certain:]
        return False

    def _read_bare(self, over: bool) -> bool:
        """Look at an object at the very beginning: a call has one of few keys first."""
        start = "".join(self._rest.split())
        if any(start.startswith(key) for key in _FIRST_KEYS):
            self._marker = self._before = _BARE
            return self._begin_value(self._rest)
        if not over and any(key.startswith(start) for key in _FIRST_KEYS):
            return False
        self._rest = self._rest[1:]
        self._say("{")
        self._step = self._read_text
        return True

    def _read_opening(self, over: bool) -> bool:
        """Go from the marker to the value, with Mistral's past the name."""
        start = self._rest.lstrip()
        if not start and not over:
            return False
        if start[:1] in ("{", "["):
            return self._begin_value(start)
        if self._marker == MISTRAL_TAG:
            end = start.find("{")
            if end < 0 and len(start) <= _MAXIMUM_HEADER and not over:
                return False
            header = _MISTRAL_HEADER.fullmatch(start, 0, max(end, 0))
            if header and end <= _MAXIMUM_HEADER:
                return self._begin_value(start[end:], header["name"])
        if self._marker in (TAG, FUNCTION):
            head = head_of(self._marker, start)
            if head is None and not over and may_become_head(start):
                return False
            if head is not None and head.name in self._tools:
                return self._begin_elements(start, head)
        return self._no_call()

    def _begin_elements(self, start: str, head: Head) -> bool:
        """Go on with what follows `head` in `start`, the end of what is left."""
        rest = start[head.length :]
        self._before += self._rest[: len(self._rest) - len(rest)]
        self._rest, self._name, self._end = rest, head.name, head.end
        self._marker = TAG  # it may be closed where it was not opened
        self._step = self._read_elements
        return True

    def _read_elements(self, over: bool) -> bool:
        """Read up to the call's end, and pass the call on."""
        place = self._rest.find(self._end)
        is_whole = place >= 0
        if not is_whole:
            place = len(self._rest) - (0 if over else overlap(self._rest, self._end))
        self._value.append(self._rest[:place])
        self._rest = self._rest[place:]
        if not is_whole:
            return self._no_call() if over else False
        name = self._name or ""
        arguments = arguments_of("".join(self._value), self._end, self._tools[name])
        if arguments is None:
            return self._no_call()
        self._rest = self._rest.removeprefix(FUNCTION_END)
        self._call([(name, arguments)])
        return True

    def _begin_value(self, value: str, name: str | None = None) -> bool:
        """Go on with `value`, the end of what is left; `name` is the tool's where that is known."""
        self._before += self._rest[: len(self._rest) - len(value)]
        self._rest = value
        self._name = name
        self._scanner = JSONScanner()
        self._step = self._read_value
        return True

    def _read_value(self, over: bool) -> bool:
        """Read JSON up to its end, and pass the calls on that it is."""
        taken = self._scanner.feed(self._rest)
        self._value.append(self._rest[:taken])
        self._rest = self._rest[taken:]
        if self._scanner.state == "open" and not over:
            return False
        text = "".join(self._value)
        calls = None
        if self._scanner.state == "closed":
            calls = parsed_calls(text, self._name, self._tools, marked=self._marker != _BARE)
        if calls is None:
            return self._no_call()
        self._call(calls)
        return True

    def _call(self, calls: list[tuple[str, str]]) -> None:
        """Pass `calls` on, names and arguments, and look for what follows them."""
        for name, arguments in calls:
            if self._parallel or not self.calls:
                call = ToolCallDelta(self.calls, new_call_id(), name, arguments)
                self._out.append(Delta(tool_call=call))
                self.calls += 1
        self._value.clear()
        self._step = self._read_next

    def _read_next(self, over: bool) -> bool:
        """Look for the closing tag, or for another object, which is another call."""
        start = self._rest.lstrip()
        tagged = self._marker == TAG
        if tagged and start.startswith(CLOSING_TAG):
            self._rest = start.removeprefix(CLOSING_TAG)
            self._step = self._read_text
            return True
        if tagged and over and CLOSING_TAG.startswith(start):
            self._rest = ""
        separator = start[:1] if start[:1] in (",", ";") else ""
        following = start.removeprefix(separator).lstrip()
        if following.startswith("{"):
            self._before = ""
            return self._begin_value(following)
        if not over and (not following or (tagged and CLOSING_TAG.startswith(start))):
            return False
        self._step = self._read_text
        return True

    def _no_call(self) -> bool:
        """Have what was read since the marker be text, and read on."""
        self._say(self._before + "".join(self._value))
        self._value.clear()
        self._step = self._read_text
        return True

    def _say(self, text: str) -> None:
        """Pass `text` on, but for the blanks at its end, which wait for more text."""
        text = self._blank + text
        certain = len(text.rstrip())
        self._blank = text[certain:]
        if not certain:
            return
        text = text[:certain]
        if self.calls and not self._spoken:
            text = text.lstrip()
        self._spoken = True
        self._out.append(Delta(content=text))
