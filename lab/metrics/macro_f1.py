"""F1 score averaged over classes: rare classes count as much as frequent ones."""

from lab.lazy import np
from lab.plugs import Array, Metric
from lab.types import Measurement

DRAWS = 500


def macro_f1(outputs: Array, labels: Array) -> Measurement:
    """Return the mean over classes of 2 TP / (2 TP + FP + FN), with a 95 % interval from resampled
    items.

    Classes that neither occur nor are predicted are left out of the mean, as in scikit-learn by
    default.

    Args:
        outputs: float (items, classes).
        labels: int (items,).
    """
    table, n = confusion(outputs, labels), len(labels)
    drawn = (
        np.random.default_rng(0)
        .multinomial(n, table.ravel() / n, DRAWS)
        .reshape(DRAWS, *table.shape)
    )
    value = float(_mean_f1(table[np.newaxis])[0])
    low, high = np.quantile(_mean_f1(drawn), [0.025, 0.975])
    return Measurement("macro_f1", value, "1", n, min(float(low), value), max(float(high), value))


def confusion(outputs: Array, labels: Array) -> Array:
    """Return the confusion matrix: counts of items of each class (row) predicted as each class
    (column), int (classes, classes).
    """
    classes = outputs.shape[1]
    table: Array = np.bincount(
        labels * classes + outputs.argmax(axis=1), minlength=classes**2
    ).reshape(classes, classes)
    return table


def _mean_f1(tables: Array) -> Array:
    """Compute the macro F1 of confusion matrices, shape (draws, classes, classes) -> (draws,)."""
    right = np.einsum("dcc->dc", tables)
    either = tables.sum(axis=1) + tables.sum(axis=2)  # 2 TP + FP + FN
    seen = either > 0
    scores: Array = np.divide(2 * right, either, out=np.zeros(right.shape), where=seen).sum(
        axis=1
    ) / seen.sum(axis=1)
    return scores


METRIC = Metric(
    id="macro_f1",
    title="Macro F1",
    unit="1",
    direction="maximize",
    tasks=("classification",),
    help=(
        "F1 score averaged over classes, so that rare classes count as much as frequent ones. The"
        " 95 % interval comes from resampled items."
    ),
    noun="macro F1",
    needs=("outputs", "labels"),
    compute=macro_f1,
)
