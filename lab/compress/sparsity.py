"""Which weights pruning takes: shares that grow over a training, and patterns of N in M."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.lazy import np
from lab.options import Option
from lab.plugs import Array

PATTERNS = {"2:4": (2, 4), "1:4": (1, 4), "4:8": (4, 8)}
"""How many weights stay of how many neighbours along a layer's inputs."""

RATIO = Option(
    id="ratio",
    label="Sparsity",
    kind="float",
    default=0.5,
    low=0.0,
    high=0.99,
    help="The share of the weights that become zero, over all layers together or in each one.",
)


RAMP, UPDATES = 0.6, 20
"""The share of a training over which zeros become more, and in how many steps; over the rest what
is left learns to do without.
"""


def share_at(done: float) -> float:
    """The share of the zeros that have come after so much of the ramp: fast at first, when weights
    are plenty (Zhu & Gupta 2017,
    arXiv:1710.01878).
    """
    return 1 - (1 - min(done, 1.0)) ** 3


def share_after(step: int, total: int) -> float | None:
    """`share_at` after so many steps of a training; None where it does not change."""
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
    """True for the `stay` largest magnitudes in each group of `of` neighbours along an axis (Mishra
    et al. 2021, arXiv:2104.08378).

    Of equal ones the first stay.

    Args:
        axis: the layer's inputs; `of` divides its length.
    """
    rows = np.moveaxis(np.abs(weights), axis, -1)
    groups = rows.reshape(*rows.shape[:-1], -1, of)
    order = np.argsort(-groups, axis=-1, kind="stable")
    mask = np.zeros(groups.shape, bool)
    np.put_along_axis(mask, order[..., :stay], True, axis=-1)
    return np.moveaxis(mask.reshape(rows.shape), -1, axis)


def counted(zeros: Mapping[str, int], sizes: Mapping[str, int]) -> dict[str, Any]:
    """What a trial keeps of a pruning: the share of zeros over all pruned tensors, and in each."""
    total = sum(sizes.values())
    shares = {name: round(zeros[name] / size, 4) for name, size in sizes.items()}
    return {
        "zeros": sum(zeros.values()),
        "weights": total,
        "sparsity": round(sum(zeros.values()) / max(total, 1), 5),
        "layers": shares,
    }
