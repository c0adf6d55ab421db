"""Anomaly detection with autoencoders: the larger the reconstruction error, the more anomalous the
item.

Source: MLPerf Tiny (Banbury et al. 2021, arXiv:2106.07597) and DCASE 2020 task 2 (Koizumi et al.
2020).
"""

from lab.lazy import np
from lab.plugs import Array, Task


def predictions(outputs: Array, inputs: Array) -> Array:
    """Return the anomaly scores, shape (items,): the mean squared error of the reconstruction.

    Args:
        outputs, inputs: shape (items, …), with the same size per item.
    """
    error = outputs.reshape(len(outputs), -1) - inputs.reshape(len(inputs), -1)
    scores: Array = np.mean(np.square(error, dtype=np.float64), axis=1)
    return scores


def misfit(outputs: Array, labels: Array, inputs: Array) -> str:
    """Return the expected shape if the outputs do not have the size of the inputs, else ""."""
    del labels
    return (
        ""
        if outputs.size == inputs.size and len(outputs) == len(inputs)
        else f"{inputs.shape}, as the inputs"
    )


TASK = Task(
    id="anomaly_detection",
    title="Anomaly detection",
    help="Scores how anomalous an item is by the model's reconstruction error.",
    primary="auc",
    agreement="alarm_agreement",
    noun="AUC",
    predictions=predictions,
    misfit=misfit,
    learns="inputs",
)
