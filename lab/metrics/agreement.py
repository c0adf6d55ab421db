"""Share of test items for which a variant and the float baseline predict the same."""

from lab.lazy import np
from lab.plugs import Array, Metric
from lab.statistics import wilson
from lab.types import Measurement


def agreement(outputs: Array, baseline_outputs: Array) -> Measurement:
    """Return the share of equal top-1 predictions, correct or not, with the Wilson interval.

    Args:
        outputs, baseline_outputs: float (items, classes).
    """
    same, n = int(np.sum(outputs.argmax(axis=1) == baseline_outputs.argmax(axis=1))), len(outputs)
    low, high = wilson(same, n)
    return Measurement("agreement", same / n, "1", n, low, high)


METRIC = Metric(
    id="agreement",
    title="Agreement with float",
    unit="1",
    direction="maximize",
    tasks=("classification",),
    help=(
        "Share of test items for which the variant makes the same prediction as the float model in"
        " the same runtime, correct or not."
    ),
    needs=("outputs", "baseline_outputs"),
    compute=agreement,
    noun="agreement",
    best="closest to the float model",
    more_less=("more agreement", "less agreement"),
    about_both=True,
)
