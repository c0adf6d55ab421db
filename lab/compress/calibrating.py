"""Options that all techniques with calibration data share: the number of items, the seed, and the
source.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.compress.naming import CALIBRATION_SAMPLES, speaking_name
from lab.options import Option

SAMPLES = Option(
    id="calibration_samples",
    label="Calibration items",
    kind="int",
    default=CALIBRATION_SAMPLES,
    low=8,
    high=4096,
    help=(
        "Number of calibration items that run through the model to measure the ranges of its"
        " activations."
    ),
)

SEED = Option(
    id="calibration_seed",
    label="Calibration seed",
    kind="int",
    default=0,
    low=0,
    high=2**31 - 1,
    help=(
        "Choice of the calibration items: 0 takes the first ones, any other number draws them"
        " at random."
    ),
)

SOURCE = Option(
    id="calibration_source",
    label="Calibration from",
    kind="choice",
    default="data",
    choices=("data", "noise", "batch_norm"),
    help=(
        "Source of the calibration items. Without data: noise over the input's range of values,"
        " or items synthesized to match the means and variances stored in the model's batch"
        " normalisations (ZeroQ, Cai et al. 2020)."
    ),
)

CALIBRATION = (SAMPLES, SEED, SOURCE)

CALIBRATION_STUDY: tuple[Mapping[str, Any], ...] = (
    {"calibration_samples": 8}, {"calibration_samples": 32}, {"calibration_samples": 512},
    {"calibration_seed": 1}, {"calibration_seed": 2}, {"calibration_seed": 3},
    {"calibration_source": "noise"}, {"calibration_source": "batch_norm"},
)  # fmt: skip
"""Calibration settings that the full preset varies one at a time."""


def calibration_suffix(params: Mapping[str, Any]) -> str:
    """Return `n<N>`, `seed<N>`, `noise` or `batch_norm` for settings that differ from the defaults;
    see `lab.compress.naming`.
    """
    samples, seed, source = (params[option.id] for option in CALIBRATION)
    return speaking_name(
        "" if samples == SAMPLES.default else f"n{samples}",
        "" if seed == SEED.default else f"seed{seed}",
        "" if source == SOURCE.default else source,
    )
