"""Is it as it always was? A model answers with what it expects of an item; the larger its error,
the stranger the item.

As in MLPerf Tiny's anomaly detection (Banbury et al. 2021, arXiv:2106.07597) and DCASE 2020 task 2
(Koizumi et al. 2020).
"""

from lab.lazy import np
from lab.plugs import Array, Task


def predictions(outputs: Array, inputs: Array) -> Array:
    """Anomaly scores, shape (items,): the mean squared error of the reconstruction.

    Args:
        outputs, inputs: shape (items, …), of the same size an item.
    """
    error = outputs.reshape(len(outputs), -1) - inputs.reshape(len(inputs), -1)
    scores: Array = np.mean(np.square(error, dtype=np.float64), axis=1)
    return scores


def misfit(outputs: Array, labels: Array, inputs: Array) -> str:
    """As many numbers as the input has."""
    del labels
    return (
        ""
        if outputs.size == inputs.size and len(outputs) == len(inputs)
        else f"{inputs.shape}, as the inputs"
    )


TASK = Task(
    id="anomaly_detection",
    title="Anomaly detection",
    help="Tells how unlike everything normal an item is, by how badly the model reconstructs it.",
    primary="auc",
    agreement="alarm_agreement",
    noun="AUC",
    predictions=predictions,
    misfit=misfit,
    learns="inputs",
)
