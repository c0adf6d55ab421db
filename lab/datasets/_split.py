"""Splits that depend on nothing but the items themselves: no random generator, no order of loading."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from hashlib import sha256


def rank(key: bytes, seed: str) -> bytes:
    """A pseudo-random sort key of one item, the same on every machine and in every version of every library."""
    return sha256(seed.encode() + key).digest()


def stratified(
    keys: Sequence[bytes], labels: Iterable[int], parts: Sequence[float], seed: str
) -> tuple[list[int], ...]:
    """Deal items into groups so that each class falls into each group in the same proportion.

    Args:
        keys: what identifies each item; different for each.
        labels: the class of each item.
        parts: fraction of each class for every group but the last, which takes what remains.
        seed: another seed gives another deal.

    Returns:
        len(parts) + 1 groups of indices into `keys`, each in pseudo-random order.
    """
    classes: dict[int, list[int]] = defaultdict(list)
    for index, label in enumerate(labels):
        classes[int(label)].append(index)
    groups: tuple[list[int], ...] = tuple([] for _ in range(len(parts) + 1))
    for label in sorted(classes):
        members = sorted(classes[label], key=lambda i: rank(keys[i], seed))
        for group, chosen in zip(groups, _cut(members, parts), strict=True):
            group.extend(chosen)
    for group in groups:
        group.sort(key=lambda i: rank(keys[i], seed))
    return groups


def _cut(members: list[int], parts: Sequence[float]) -> list[list[int]]:
    cuts, start = [], 0
    for part in parts:
        stop = start + round(part * len(members))
        cuts.append(members[start:stop])
        start = stop
    return [*cuts, members[start:]]
