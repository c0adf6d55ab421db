"""The options of techniques that take whole channels out of a network, and how many each group of
channels gives up.
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
"""What ranking over the whole network leaves of each group at least, where less was asked to go."""

RATIO = Option(
    id="ratio",
    label="Share of channels that go",
    kind="float",
    default=0.5,
    low=0.0,
    high=0.95,
    help=(
        "Which share of the channels is taken out. Weights fall by about the square of what is"
        " left: half of the channels leave a quarter."
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
        "What says how much a channel matters: the size of its weights (sum of squares, l2, or of"
        " magnitudes, l1), the factor of its batch normalisation (bn_scale; weights where it has"
        " none), how much the loss would change without it (taylor, which looks at training items),"
        " or nothing (random, as a control)."
    ),
)

SCOPE = Option(
    id="scope",
    label="Ranked",
    kind="choice",
    default="per_layer",
    choices=("per_layer", "global"),
    help=(
        "Whether each layer gives up the same share of its channels, or the least important"
        " channels of the whole network go."
    ),
)

STEPS = Option(
    id="steps",
    label="Pruning steps",
    kind="int",
    default=1,
    low=1,
    high=50,
    help=(
        "In how many steps channels go; between steps the network is trained, so that it can adapt."
    ),
)

STEPS_BETWEEN = Option(
    id="steps_between",
    label="Training steps between",
    kind="int",
    default=50,
    low=1,
    high=100_000,
    help=(
        "How many batches are learnt from after each pruning step but the last, which fine-tuning"
        " may follow."
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
        "What is left of each layer's channels is rounded to a multiple of this: kernels work on 8"
        " or 16 channels at once, and some have a slower way for other numbers (a MobileNetV2 with"
        " 10 of 16 channels took twice the time of the whole one in ONNX Runtime)."
    ),
)


def channels_name(params: Mapping[str, Any], *suffixes: str) -> str:
    """Such as "channels50_l2", "channels25_bn_scale_global_round16_4x50"."""
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
    """How many units each group keeps.

    Args:
        importance: of each group's units that are still there, normalised to a mean of 1.
        sizes: how many units each group had before any step.
        ratio: share of channels that is to be gone.
        channels: how many each unit of a group stands for; one where nothing is said.
        steps: what each group is rounded to instead of `round_to`.
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
    """How many are left of each group when the least important ones of all have gone; the best of
    each group are safe.
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
