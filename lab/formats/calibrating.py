"""The option that every technique with calibration data shares."""

from __future__ import annotations

from lab.formats.naming import CALIBRATION_SAMPLES
from lab.options import Option

SAMPLES = Option(
    id="calibration_samples",
    label="Calibration items",
    kind="int",
    default=CALIBRATION_SAMPLES,
    low=8,
    high=4096,
    help="How many calibration items are run through the model to see how large its activations get.",
    sweep={"full": (32, CALIBRATION_SAMPLES, 512)},
)
