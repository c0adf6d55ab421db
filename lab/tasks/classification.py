"""Which of several classes is it? A model answers with one score or logit a class."""

from lab.plugs import Array, Task


def answers(outputs: Array, inputs: Array) -> Array:
    """Class numbers, shape (items,), of outputs of shape (items, classes)."""
    del inputs
    chosen: Array = outputs.argmax(axis=1)
    return chosen


TASK = Task(
    id="classification",
    title="Classification",
    help="Tells which of several classes an item belongs to.",
    primary="top1_accuracy",
    agreement="agreement",
    noun="accuracy",
    answers=answers,
)
