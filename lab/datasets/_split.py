"""Splits that depend only on the items themselves: no random generator, no order of loading."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256


def rank(key: bytes, seed: str) -> bytes:
    """Return a pseudo-random sort key of one item, the same on every machine and in every library
    version.
    """
    return sha256(seed.encode() + key).digest()


def stratified(
    keys: Sequence[bytes], labels: Iterable[int], parts: Sequence[float], seed: str
) -> tuple[list[int], ...]:
    """Split items into groups so that each class has the same share in each group.

    Args:
        keys: identifier of each item; items with one key stay together and count as the class of
            the first of them.
        labels: class of each item.
        parts: fraction of each class for every group except the last, which gets the rest.
        seed: another seed gives another split.

    Returns:
        len(parts) + 1 groups of indices into `keys`, each in pseudo-random order.
    """
    items: dict[bytes, list[int]] = defaultdict(list)
    for index, key in enumerate(keys):
        items[key].append(index)
    class_of = list(labels)
    dealt = _deal({key: int(class_of[members[0]]) for key, members in items.items()}, parts, seed)
    return tuple([index for key in group for index in items[key]] for group in dealt)


def _deal(classes: Mapping[bytes, int], parts: Sequence[float], seed: str) -> list[list[bytes]]:
    members: dict[int, list[bytes]] = defaultdict(list)
    for key in sorted(classes, key=lambda key: rank(key, seed)):
        members[classes[key]].append(key)
    groups: list[list[bytes]] = [[] for _ in range(len(parts) + 1)]
    for label in sorted(members):
        for group, chosen in zip(groups, _cut(members[label], parts), strict=True):
            group.extend(chosen)
    return [sorted(group, key=lambda key: rank(key, seed)) for group in groups]


def _cut(members: list[bytes], parts: Sequence[float]) -> list[list[bytes]]:
    cuts, start = [], 0
    for part in parts:
        stop = start + round(part * len(members))
        cuts.append(members[start:stop])
        start = stop
    return [*cuts, members[start:]]
