"""Schedules and patterns of weight pruning: shares of zeros that grow during training, and N:M
sparsity.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.lazy import np
from lab.options import Option
from lab.plugs import Array

PATTERNS = {"2:4": (2, 4), "1:4": (1, 4), "4:8": (4, 8)}
"""Pattern -> (number of weights that stay, number of neighbours along a layer's inputs)."""

RATIO = Option(
    id="ratio",
    label="Sparsity",
    kind="float",
    default=0.5,
    low=0.0,
    high=0.99,
    help="Share of the weights that become zero, over all layers together or in each layer.",
)


RAMP, UPDATES = 0.6, 20
"""Share of a training during which the share of zeros grows, and number of updates in it; during
the rest the remaining weights adapt.
"""


def share_at(done: float) -> float:
    """Return the share of the final zeros after this part of the ramp: fast at first, when weights
    are plenty (Zhu & Gupta 2017, arXiv:1710.01878).
    """
    return 1 - (1 - min(done, 1.0)) ** 3


def share_after(step: int, total: int) -> float | None:
    """Return `share_at` after this training step; None where it does not change."""
    ramp = max(1, round(RAMP * total))
    changes = step <= ramp and step * UPDATES // ramp != (step - 1) * UPDATES // ramp
    return share_at(step / ramp) if changes else None


def percent_word(share: float) -> str:
    """0.8 -> "80", 0.625 -> "62.5"."""
    return f"{100 * share:g}"


def sparse_word(mode: str, ratio: float) -> str:
    """("global", 0.8) -> "sparse80", ("local", 0.8) -> "sparse80_local", ("2:4", …) ->
    "sparse_2x4".
    """
    if mode in PATTERNS:
        return f"sparse_{mode.replace(':', 'x')}"
    return f"sparse{percent_word(ratio)}" + (f"_{mode}" if mode != "global" else "")


def pattern_mask(weights: Array, stay: int, of: int, axis: int) -> Array:
    """Return True for the `stay` largest magnitudes in each group of `of` neighbours along an axis
    (Mishra et al. 2021, arXiv:2104.08378).

    Among equal magnitudes the first ones stay.

    Args:
        axis: axis of the layer's inputs; `of` divides its length.
    """
    rows = np.moveaxis(np.abs(weights), axis, -1)
    groups = rows.reshape(*rows.shape[:-1], -1, of)
    order = np.argsort(-groups, axis=-1, kind="stable")
    mask = np.zeros(groups.shape, bool)
    np.put_along_axis(mask, order[..., :stay], True, axis=-1)
    return np.moveaxis(mask.reshape(rows.shape), -1, axis)


def counted(zeros: Mapping[str, int], sizes: Mapping[str, int]) -> dict[str, Any]:
    """Return the note about a pruning: the share of zeros over all pruned tensors, and in each."""
    total = sum(sizes.values())
    shares = {name: round(zeros[name] / size, 4) for name, size in sizes.items()}
    return {
        "zeros": sum(zeros.values()),
        "weights": total,
        "sparsity": round(sum(zeros.values()) / max(total, 1), 5),
        "layers": shares,
    }
