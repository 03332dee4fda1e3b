"""Deleting from the cache what no model needs, and nothing that somebody is at work on.

- A blob without a name goes, unless somebody is writing a model: it may be that model's, on its way
  to a name (`Store.writing`).
- What is unfinished goes when it has not changed for a week: until then a pull goes on with it.
  While a partial blob stays, whole blobs of the same age do too: a pull that was broken off left
  both.
- A model that no tag names goes only when asked for, and not while it is in use.
- When a manifest cannot be read, nobody knows which blobs it names, and all of them stay.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smolctl.store.contents import contents_of, own_size
from smolctl.store.leftovers import (
    Kind,
    Leftover,
    delete_archive,
    delete_partial,
    delete_tree,
    unfinished,
    unnamed_blobs,
    unpacked,
)
from smolctl.store.lost import has_lost_its_index

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from smolctl.model.digest import Digest
    from smolctl.store.contents import Contents
    from smolctl.store.store import Store, StoredModel

UNFINISHED_SECONDS = 7 * 86400.0
"""How long an unfinished download is kept unless somebody says otherwise: as Docker Model Runner
keeps it."""


@dataclass(frozen=True)
class Rule:
    """What may go.

    With `everything`, models that no tag names, and unfinished downloads of any age. `age` is how
    many seconds anything must not have changed for; with None that depends on what it is.
    `in_use` says of which models somebody has the files open.
    """

    everything: bool = False
    age: float | None = None
    in_use: Callable[[Digest], bool] = lambda _: False


@dataclass(frozen=True)
class Plan:
    """What would go: `models`, with the bytes that each frees, and `leftovers`; and what stays.

    `young` is too new to go, `loaded` are models in use, `untagged` those that would go with
    `everything`, and `unreadable` those because of which blobs stay. `is_unindexed` is whether
    blobs stay because the index was lost: none has a name then, which does not make them waste.
    """

    models: tuple[tuple[StoredModel, int], ...]
    leftovers: tuple[Leftover, ...]
    young: tuple[Leftover, ...]
    loaded: tuple[StoredModel, ...]
    untagged: tuple[StoredModel, ...]
    unreadable: tuple[StoredModel, ...]
    is_unindexed: bool

    @property
    def is_empty(self) -> bool:
        """Whether nothing would go."""
        return not self.models and not self.leftovers

    @property
    def size(self) -> int:
        """Bytes that would be freed."""
        return sum(freed for _, freed in self.models) + sum(each.size for each in self.leftovers)


@dataclass(frozen=True)
class Pruned:
    """What went, with the bytes that each freed; `busy` is what stayed because of somebody's work.

    `is_writing` is whether that is a model on its way in.
    """

    models: tuple[tuple[StoredModel, int], ...]
    leftovers: tuple[Leftover, ...]
    busy: tuple[Leftover, ...]
    is_writing: bool

    @property
    def freed(self) -> int:
        """Bytes that were freed."""
        return sum(freed for _, freed in self.models) + sum(each.size for each in self.leftovers)


def plan(store: Store, rule: Rule, now: float | None = None) -> Plan:
    """Return what goes by `rule`. Raises `IntegrityError` for a damaged index, `StorageError`."""
    now = time.time() if now is None else now
    if not store.is_made:
        return Plan((), (), (), (), (), (), is_unindexed=False)
    contents = contents_of(store, store.models())
    unreadable = [each.model for each in contents if each.problem is not None]
    named = {digest for each in contents for digest in each.digests}

    def is_young(modified: float, age: float) -> bool:
        # Without an age, no clock decides: what is being written may be newer than `now`.
        return age > 0 and modified > now - age

    def by_age(found: Iterable[Leftover], age: float) -> tuple[list[Leftover], list[Leftover]]:
        split: tuple[list[Leftover], list[Leftover]] = ([], [])
        for each in found:
            split[is_young(each.modified, age)].append(each)
        return split

    age = 0.0 if rule.everything else UNFINISHED_SECONDS
    old, young = by_age(unfinished(store), age if rule.age is None else rule.age)
    is_going_on = any(each.kind is Kind.partial for each in young)
    unnamed = unnamed_blobs(store, named)
    is_unindexed = has_lost_its_index(store)
    if not unreadable and not is_unindexed:
        blobs_age = (age if is_going_on else 0.0) if rule.age is None else rule.age
        loose = [
            each
            for each in unpacked(store)
            if each.digest not in named or each.path.suffix == ".new"  # never finished
        ]
        for found, of_age in ((unnamed, blobs_age), (loose, rule.age or 0.0)):
            gone, new = by_age(found, of_age)
            old += gone
            young += new
    untagged = [each for each in contents if not each.model.tags and not unreadable]
    loaded = [each.model for each in untagged if rule.in_use(each.model.id)]
    going = [
        each
        for each in untagged
        if rule.everything
        and each.model not in loaded
        and not is_young(_came(store, each.model), rule.age or 0.0)
    ]
    return Plan(
        tuple(_freed(going, contents)),
        tuple(old),
        tuple(young),
        tuple(loaded) if rule.everything else (),
        () if rule.everything else tuple(each.model for each in untagged),
        tuple(unreadable),
        is_unindexed,
    )


def carry_out(store: Store, plan: Plan) -> Pruned:
    """Delete what `plan` says and is still needed by nobody. Raises `StorageError`."""
    if plan.is_empty:
        return Pruned((), (), (), is_writing=False)
    models = []
    for model, _ in plan.models:
        removal = store.remove_untagged(model)
        if removal is not None:
            models.append((model, removal.freed))
    went: list[Leftover] = []
    busy: list[Leftover] = []
    blobs = {each.digest: each for each in plan.leftovers if each.kind is Kind.blob}
    for each in plan.leftovers:
        if each.kind is Kind.partial:
            (went if delete_partial(each) else busy).append(each)
        elif each.kind is Kind.archive:
            (went if delete_archive(each) else busy).append(each)
    with store.nobody_writing() as is_quiet:
        scratch = [each for each in plan.leftovers if each.kind is Kind.scratch]
        if is_quiet:
            for each in scratch:
                delete_tree(each.path)
            dropped = store.drop_unreferenced([digest for digest in blobs if digest is not None])
            went += [*scratch, *(blobs[digest] for digest in dropped)]
        else:
            busy += [*scratch, *blobs.values()]
    return Pruned(tuple(models), tuple(went), tuple(busy), not is_quiet)


def _came(store: Store, model: StoredModel) -> float:
    """Return when the model came here, in seconds since the epoch."""
    path = store.blobs.path(model.id)
    return path.stat().st_mtime if path.exists() else 0.0


def _freed(going: list[Contents], contents: list[Contents]) -> list[tuple[StoredModel, int]]:
    """Return each of the models that go with the bytes that go with it, as they go in order."""
    left = list(contents)
    found = []
    for each in going:
        found.append((each.model, own_size(each, left)))
        left.remove(each)
    return found
