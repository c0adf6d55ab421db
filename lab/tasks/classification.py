"""Classification: a model outputs one score or logit per class."""

from lab.plugs import Array, Task


def predictions(outputs: Array, inputs: Array) -> Array:
    """Return the predicted class indices (items,) from outputs of shape (items, classes)."""
    del inputs
    chosen: Array = outputs.argmax(axis=1)
    return chosen


def misfit(outputs: Array, labels: Array, inputs: Array) -> str:
    """Return the expected shape if the outputs are not one score per item and class, else ""."""
    del inputs
    fits = outputs.ndim == 2 and len(outputs) == len(labels) and outputs.shape[1] > labels.max()
    return "" if fits else f"({len(labels)}, at least {int(labels.max()) + 1} classes)"


TASK = Task(
    id="classification",
    title="Classification",
    help="Predicts to which of several classes an item belongs.",
    primary="top1_accuracy",
    agreement="agreement",
    noun="accuracy",
    predictions=predictions,
    misfit=misfit,
)
