"""Ratio of the float model's outputs to a variant's error in them."""

from lab.lazy import np
from lab.plugs import Array, Metric
from lab.types import Measurement

DRAWS = 200


def sqnr_db(outputs: Array, baseline_outputs: Array) -> Measurement | None:
    """Return the signal-to-quantization-noise ratio of the outputs, 10 log10(sum of squares / sum
    of squared errors).

    The interval resamples items. The result is None for equal outputs, because the ratio is
    infinite.

    Args:
        outputs, baseline_outputs: float (items, *output).
    """
    base = baseline_outputs.reshape(len(baseline_outputs), -1).astype(np.float64)
    signal = np.square(base).sum(axis=1)
    noise = np.square(outputs.reshape(len(outputs), -1) - base).sum(axis=1)
    if not noise.sum() or not signal.sum():
        return None
    n = len(base)
    picks = np.random.default_rng(0).integers(0, n, (DRAWS, n))
    with np.errstate(divide="ignore"):
        drawn = 10 * np.log10(signal[picks].sum(axis=1) / noise[picks].sum(axis=1))
    value = float(10 * np.log10(signal.sum() / noise.sum()))
    low, high = (
        np.quantile(drawn[np.isfinite(drawn)], [0.025, 0.975])
        if np.isfinite(drawn).any()
        else (value, value)
    )
    return Measurement("sqnr_db", value, "dB", n, min(float(low), value), max(float(high), value))


METRIC = Metric(
    id="sqnr_db",
    title="Signal-to-quantization-noise ratio",
    unit="dB",
    direction="maximize",
    help=(
        "Ratio of the float model's outputs to the variant's error in them: at 20 dB the error is a"
        " tenth, at 40 dB a hundredth."
    ),
    noun="signal to noise",
    best="closest outputs",
    more_less=("cleaner", "noisier"),
    about_both=True,
    needs=("outputs", "baseline_outputs"),
    compute=sqnr_db,
)
