"""The options that every technique with calibration data shares: how many items, which ones, and
what if there are none.
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
        "How many calibration items are run through the model to see how large its activations get."
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
        "Which calibration items are taken: 0 takes the first ones, any other number draws them at"
        " random."
    ),
)

SOURCE = Option(
    id="calibration_source",
    label="Calibration from",
    kind="choice",
    default="data",
    choices=("data", "noise", "batch_norm"),
    help=(
        "Where calibration items come from. Without data at hand: noise over the input's range of"
        " values, or items made so that the model's batch normalisations see the means and"
        " variances that they remember (ZeroQ, Cai et al. 2020)."
    ),
)

CALIBRATION = (SAMPLES, SEED, SOURCE)

CALIBRATION_STUDY: tuple[Mapping[str, Any], ...] = (
    {"calibration_samples": 8}, {"calibration_samples": 32}, {"calibration_samples": 512},
    {"calibration_seed": 1}, {"calibration_seed": 2}, {"calibration_seed": 3},
    {"calibration_source": "noise"}, {"calibration_source": "batch_norm"},
)  # fmt: skip
"""What the full preset tries about calibration, one setting at a time."""


def calibration_suffix(params: Mapping[str, Any]) -> str:
    """`n<N>`, `seed<N>`, `noise` or `batch_norm` where they differ from the defaults; see
    `lab.compress.naming`.
    """
    samples, seed, source = (params[option.id] for option in CALIBRATION)
    return speaking_name(
        "" if samples == SAMPLES.default else f"n{samples}",
        "" if seed == SEED.default else f"seed{seed}",
        "" if source == SOURCE.default else source,
    )
