"""Which of several classes is it? A model answers with one score or logit a class."""

from lab.plugs import Array, Task


def predictions(outputs: Array, inputs: Array) -> Array:
    """Class numbers, shape (items,), of outputs of shape (items, classes)."""
    del inputs
    chosen: Array = outputs.argmax(axis=1)
    return chosen


def misfit(outputs: Array, labels: Array, inputs: Array) -> str:
    """One score a class and item."""
    del inputs
    fits = outputs.ndim == 2 and len(outputs) == len(labels) and outputs.shape[1] > labels.max()
    return "" if fits else f"({len(labels)}, at least {int(labels.max()) + 1} classes)"


TASK = Task(
    id="classification",
    title="Classification",
    help="Tells which of several classes an item belongs to.",
    primary="top1_accuracy",
    agreement="agreement",
    noun="accuracy",
    predictions=predictions,
    misfit=misfit,
)
