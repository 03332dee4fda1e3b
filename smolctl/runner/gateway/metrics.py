"""What the gateway counts of itself, and how workers' metrics are put beside it.

Source: Prometheus' text exposition format, version 0.0.4.
"""

from __future__ import annotations

import re
import time
from collections import Counter, defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING

from smolctl.runner.api.exchange import CLIENT_GONE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_COMMENT = re.compile(r"# (?:HELP|TYPE) (?P<name>[A-Za-z_:][A-Za-z0-9_:]*) .*")
_SAMPLE = re.compile(r"(?P<name>[A-Za-z_:][A-Za-z0-9_:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)")


class Counted:
    """One request. `answered` is when the first byte goes to the client."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.status = CLIENT_GONE
        self.first_byte: float | None = None

    def answered(self, status: int) -> None:
        """Note that the answer begins, with `status`."""
        self.status = status
        self.first_byte = time.monotonic()


class Metrics:
    """Counts requests to models. For the event loop's thread alone."""

    def __init__(self) -> None:
        self._answered: Counter[tuple[str, int]] = Counter()
        self._first_bytes: Counter[str] = Counter()
        self._first_byte_seconds: defaultdict[str, float] = defaultdict(float)
        self._under_way = 0

    @contextmanager
    def request(self, operation: str) -> Iterator[Counted]:
        """Count one request while the block runs."""
        counted = Counted()
        self._under_way += 1
        try:
            yield counted
        finally:
            self._under_way -= 1
            self._answered[operation, counted.status] += 1
            if counted.first_byte is not None:
                self._first_bytes[operation] += 1
                self._first_byte_seconds[operation] += counted.first_byte - counted.began

    def text(self, of_workers: Iterable[tuple[str, str]] = ()) -> str:
        """Return everything; `of_workers` are names of models, and their workers' metrics."""
        families = Families()
        families.add(self._own())
        for model, text in of_workers:
            families.add(text, model)
        return families.text()

    def _own(self) -> str:
        prefix = "smolctl_gateway"
        lines = [
            f"# HELP {prefix}_requests_total Requests to models, by how they were answered.",
            f"# TYPE {prefix}_requests_total counter",
            *(
                f'{prefix}_requests_total{{operation="{operation}",status="{status}"}} {count}'
                for (operation, status), count in sorted(self._answered.items())
            ),
            f"# HELP {prefix}_requests_under_way Requests to models that are not answered yet.",
            f"# TYPE {prefix}_requests_under_way gauge",
            f"{prefix}_requests_under_way {self._under_way}",
            f"# HELP {prefix}_first_byte_seconds How long answers took to begin.",
            f"# TYPE {prefix}_first_byte_seconds summary",
        ]
        for operation, count in sorted(self._first_bytes.items()):
            labels = f'{{operation="{operation}"}}'
            seconds = self._first_byte_seconds[operation]
            lines.append(f"{prefix}_first_byte_seconds_sum{labels} {seconds:.6f}")
            lines.append(f"{prefix}_first_byte_seconds_count{labels} {count}")
        return "\n".join(lines)


class Families:
    """Metrics of several sources, each family's samples together, as the format wants them."""

    def __init__(self) -> None:
        self._comments: dict[str, list[str]] = {}
        self._samples: dict[str, list[str]] = {}

    def add(self, text: str, model: str | None = None) -> None:
        """Add the samples in `text`, labelled with `model`; lines that are neither are left out."""
        family = ""
        label = f'model="{_escaped(model)}"' if model is not None else ""
        for line in text.splitlines():
            comment, sample = _COMMENT.fullmatch(line), _SAMPLE.fullmatch(line)
            if comment is not None:
                family = comment["name"]
                said = self._comments.setdefault(family, [])
                if line not in said and len(said) < 2:
                    said.append(line)
            elif sample is not None:
                labels = ",".join(filter(None, (label, sample["labels"])))
                shown = f"{{{labels}}}" if labels else ""
                owner = family if family and sample["name"].startswith(family) else sample["name"]
                rows = self._samples.setdefault(owner, [])
                rows.append(f"{sample['name']}{shown} {sample['value']}")

    def text(self) -> str:
        """Return them all."""
        lines: list[str] = []
        for family in dict.fromkeys((*self._comments, *self._samples)):
            lines += self._comments.get(family, [])
            lines += self._samples.get(family, [])
        return "\n".join(lines) + "\n"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
