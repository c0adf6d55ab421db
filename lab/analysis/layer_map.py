"""Matching of the layers of two files: converters change names, but not the work of a layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher

from lab.types import Layer


def multiplying(layers: Sequence[Layer]) -> list[Layer]:
    """Return the layers that multiply, in their order."""
    return [layer for layer in layers if layer.macs]


def same_layers(these: Sequence[Layer], those: Sequence[Layer]) -> Mapping[str, str]:
    """Return name in `these` -> name in `those`, for the multiplying layers that can be matched.

    Converters keep the order of layers, but for branches, and how much each multiplies for one
    item: the longest common sequence of multiply-accumulate counts is matched first, then counts
    that occur once among what is left on either side.
    """
    left, right = multiplying(these), multiplying(those)
    matched: dict[str, str] = {}
    blocks = SequenceMatcher(
        None, [x.macs for x in left], [y.macs for y in right], autojunk=False
    ).get_matching_blocks()
    for block in blocks:
        pairs = zip(
            left[block.a : block.a + block.size], right[block.b : block.b + block.size], strict=True
        )
        matched.update({x.name: y.name for x, y in pairs})
    used = set(matched.values())
    free = _once([y for y in right if y.name not in used])
    rest = _once([x for x in left if x.name not in matched])
    return {**matched, **{x.name: free[macs].name for macs, x in rest.items() if macs in free}}


def _once(layers: Sequence[Layer]) -> dict[int | None, Layer]:
    """Return count -> the only layer with this count."""
    counts = [layer.macs for layer in layers]
    return {layer.macs: layer for layer in layers if counts.count(layer.macs) == 1}
