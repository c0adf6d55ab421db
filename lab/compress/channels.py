"""Options of techniques that remove whole channels from a network, and how many channels each group
keeps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lab.compress.choosing import chosen_suffix
from lab.compress.naming import speaking_name
from lab.lazy import np
from lab.options import Option
from lab.plugs import Array

LEAST_SHARE = 0.1
"""Share of each group that global ranking keeps at least, unless the ratio asks for less to
stay.
"""

RATIO = Option(
    id="ratio",
    label="Share of channels to remove",
    kind="float",
    default=0.5,
    low=0.0,
    high=0.95,
    help=(
        "Share of the channels that are removed. The number of weights falls with about the"
        " square of the remaining share: half of the channels leave a quarter of the weights."
    ),
    sweep={"full": (0.25, 0.5)},
)

IMPORTANCE = Option(
    id="importance",
    label="Importance",
    kind="choice",
    default="l2",
    choices=("l2", "l1", "bn_scale", "taylor", "random"),
    help=(
        "Measure of how much a channel matters: the size of its weights (sum of squares, l2, or"
        " of magnitudes, l1), the factor of its batch normalisation (bn_scale; the weights where"
        " there is none), the estimated change of the loss without it (taylor, which uses"
        " training items), or none (random, as a control)."
    ),
)

SCOPE = Option(
    id="scope",
    label="Ranked",
    kind="choice",
    default="per_layer",
    choices=("per_layer", "global"),
    help=(
        "Ranking of the channels: each layer loses the same share of its channels (per_layer),"
        " or the network loses its least important channels wherever they are (global)."
    ),
)

STEPS = Option(
    id="steps",
    label="Pruning steps",
    kind="int",
    default=1,
    low=1,
    high=50,
    help=("Number of pruning steps; between steps the network is trained so that it can adapt."),
)

STEPS_BETWEEN = Option(
    id="steps_between",
    label="Training steps between",
    kind="int",
    default=50,
    low=1,
    high=100_000,
    help=(
        "Number of training batches after each pruning step except the last one, which"
        " fine-tuning may follow."
    ),
)

ROUND_TO = Option(
    id="round_to",
    label="Multiple of channels",
    kind="int",
    default=8,
    low=1,
    high=64,
    help=(
        "The remaining channels of each layer are rounded to a multiple of this: kernels"
        " compute 8 or 16 channels at once, and some are slower for other counts (a MobileNetV2"
        " with 10 of 16 channels took twice the time of the unpruned one in ONNX Runtime)."
    ),
)


def channels_name(params: Mapping[str, Any], *suffixes: str) -> str:
    """Return a name like "channels50_l2" or "channels25_bn_scale_global_round16_4x50"."""
    several = f"{params[STEPS.id]}x{params[STEPS_BETWEEN.id]}" if params[STEPS.id] > 1 else ""
    rounded = f"round{params[ROUND_TO.id]}" if params[ROUND_TO.id] != ROUND_TO.default else ""
    whole = "global" if params[SCOPE.id] == "global" else ""
    base = f"channels{100 * params[RATIO.id]:g}_{params[IMPORTANCE.id]}"
    return speaking_name(
        base, whole, rounded, several, chosen_suffix(params), *(s.strip("_") for s in suffixes)
    )


def kept_counts(
    importance: Sequence[Array],
    sizes: Sequence[int],
    ratio: float,
    scope: str,
    round_to: int,
    channels: Sequence[float] = (),
    steps: Sequence[int] = (),
) -> list[int]:
    """Return how many channel ids each group keeps.

    Args:
        importance: of the remaining ids of each group, normalized to a mean of 1.
        sizes: number of ids of each group before the first pruning step.
        ratio: share of the channels to remove.
        channels: number of channels that each id of a group stands for; 1 if empty.
        steps: multiples to which each group is rounded instead of `round_to`.
    """
    channels, steps = channels or [1.0] * len(sizes), steps or [round_to] * len(sizes)
    each = [size * (1 - ratio) for size in sizes]
    wanted = _of_all(importance, sizes, ratio, channels) if scope == "global" else each
    return [
        min(_rounded(kept, size, step), len(values))
        for kept, size, values, step in zip(wanted, sizes, importance, steps, strict=True)
    ]


def _rounded(kept: float, size: int, round_to: int) -> int:
    step = round_to if size >= round_to else 1
    return max(step, int(kept / step + 0.5) * step)


def _of_all(
    importance: Sequence[Array], sizes: Sequence[int], ratio: float, channels: Sequence[float]
) -> list[float]:
    """Return how many ids of each group remain when the least important ones of all groups are
    removed; the best of each group always stay.
    """
    least = [max(1, round(size * min(LEAST_SHARE, 1 - ratio))) for size in sizes]
    ranked = sorted(
        (value, number)
        for number, (values, safe) in enumerate(zip(importance, least, strict=True))
        for value in np.sort(values)[::-1][safe:].tolist()
    )
    kept = [float(len(values)) for values in importance]
    going = np.dot(kept, channels) - (1 - ratio) * np.dot(sizes, channels)
    for _, number in ranked:
        if going < channels[number] / 2:
            break
        kept[number] -= 1
        going -= channels[number]
    return kept
