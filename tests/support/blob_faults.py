"""What goes wrong with a blob on its way: faults for `FaultyRegistry.spoil`, and when."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tests.support.faulty_registry import Answer, FaultyRegistry, Request, error, instead, redirect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.faulty_registry import Change, Condition


def asks_for_a_range(request: Request) -> bool:
    return "range" in request.headers


def asks_from(start: int) -> Condition:
    """Whether a request asks for a range that begins at offset `start`."""
    return lambda request: request.headers.get("range", "").startswith(f"bytes={start}-")


def cut_after(count: int) -> Change:
    """Break off after `count` bytes of what the Content-Length says."""
    return lambda _, answer: replace(answer, body=iter([answer.content[:count]]))


def no_body(_: Request, answer: Answer) -> Answer:
    """The right headers, no length, and nothing."""
    return replace(answer, body=b"", length=None)


def the_whole(content: bytes) -> Change:
    """Ignore the range: 200, and everything."""
    return instead(Answer.of(content))


def saying_range(text: str) -> Change:
    """The right bytes under a Content-Range that says `text`."""

    def change(_: Request, answer: Answer) -> Answer:
        return replace(answer, headers={**answer.headers, "Content-Range": text})

    return change


def from_the_start(content: bytes) -> Change:
    """As many bytes as were asked for, but the first ones, and said to be these."""

    def change(_: Request, answer: Answer) -> Answer:
        length = len(answer.content)
        said = f"bytes 0-{length - 1}/{len(content)}"
        return replace(
            answer, headers={**answer.headers, "Content-Range": said}, body=content[:length]
        )

    return change


def busy(status: int, retry_after: str | None = None) -> Change:
    headers = {"Retry_After": retry_after} if retry_after is not None else {}
    return instead(error(status, "UNAVAILABLE", **headers))


def not_satisfiable(size: int) -> Change:
    """416, with the size that the registry says the blob has."""
    return instead(error(416, "RANGE_INVALID", Content_Range=f"bytes */{size}"))


@dataclass
class Silence:
    """No answer at all, not even a status, until `go_on`; `reached` is set then."""

    reached: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    def __call__(self, _: Request, answer: Answer) -> Answer:
        return replace(answer, before=self._wait)

    def _wait(self) -> None:
        self.reached.set()
        self.go_on.wait(60)


@dataclass
class Trickle:
    """A byte now and then, until `go_on` or for so many `drops`, and then the rest at once."""

    every: float = 0.01
    drops: int = 1_000_000
    go_on: threading.Event = field(default_factory=threading.Event)

    def __call__(self, _: Request, answer: Answer) -> Answer:
        return replace(answer, body=self._drops(answer.content))

    def _drops(self, content: bytes) -> Iterator[bytes]:
        for position in range(len(content)):
            if self.go_on.wait(self.every) or position == self.drops:
                yield content[position:]
                return
            yield content[position : position + 1]


@dataclass
class SignedAddresses:
    """A registry whose blobs are in `storage`, at addresses that work for `uses` requests each.

    After these, storage answers `refusal`. It takes no Authorization header beside a signature.
    """

    storage: FaultyRegistry
    uses: int
    refusal: int
    issued: int = 0
    refused: int = 0
    _left: dict[str, int] = field(default_factory=dict)

    def stand_before(self, registry: FaultyRegistry) -> None:
        """Have `registry` redirect to `storage` from here on."""
        registry.spoil("/blobs/", redirect(self._issue))
        self.storage.spoil("", self._check)

    def _issue(self, request: Request) -> str:
        self.issued += 1
        signature = f"s{self.issued}"
        self._left[signature] = self.uses
        return f"http://{self.storage.host}{request.path}?X-Amz-Signature={signature}"

    def _check(self, request: Request, answer: Answer) -> Answer:
        if request.authorization:
            return error(400, "InvalidArgument")
        signature = request.query.get("X-Amz-Signature", [""])[0]
        if not self._left.get(signature):
            self.refused += 1
            return error(self.refusal, "AccessDenied")
        self._left[signature] -= 1
        return answer
