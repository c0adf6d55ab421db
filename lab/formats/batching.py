"""Several items in one call: the option that says how many, and what a file must be like to take
them.

Every runtime has the option. A batch is one call of the library, or it is refused: items that are
run one after the other would tell nothing about batches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lab.errors import InvalidFile
from lab.formats.feeding import fit_items
from lab.lazy import np
from lab.options import Option
from lab.plugs import Array, Session, TensorInfo

BATCH = Option(
    id="batch",
    label="Batch",
    kind="int",
    default=1,
    low=1,
    high=1024,
    affects_output=False,
    help="Items in one timed call. Latency is then of the whole call, throughput of its items.",
)
TOLERANCE = 0.01
"""Of the largest answer: integers agree exactly, floats to 1e-6 and in 16 bits to 0.004; OpenVINO
2026.4's wrong batches are 0.05 off.
"""
REMEDY = "Choose batch 1, or a runtime and a technique whose files leave the batch axis free"


def batch_size(options: Mapping[str, Any]) -> int:
    """Items a call; 1 where a stored target is older than the option."""
    return int(options.get(BATCH.id, BATCH.default))


def batch_of(item: Array, batch: int) -> Array:
    """One item, shape (1, *item), as a batch of copies, shape (batch, *item)."""
    return item if batch == 1 else np.repeat(item[:1], batch, axis=0)


def with_batch(info: TensorInfo, batch: int) -> TensorInfo:
    """An input or output whose batch axis is fixed at `batch`, or as it is for one item.

    Raises:
        InvalidFile: the file fixes another size.
    """
    if batch == 1:
        return info
    if info.shape[0] not in (None, batch):
        raise InvalidFile(
            f"This file takes no batch of {batch}: its batch axis is fixed",
            allowed=f"batch {info.shape[0]}",
            given=f"batch {batch}",
            remedy=REMEDY,
        )
    return TensorInfo((batch, *info.shape[1:]), info.dtype)


def check_answers(
    load: Callable[[str, Mapping[str, Any]], Session],
    path: str,
    options: Mapping[str, Any],
    item: Array,
    answers: Array,
) -> None:
    """Check that a batch of copies of an item gets the item's own prediction; nothing is loaded for
    batch 1.

    Args:
        load: of the runtime; item: shape (1, *item), in the model's units; answers: what the batch
            was answered.

    Raises:
        InvalidFile: it was not; some integer graphs are computed wrongly for batches.
    """
    if (batch := batch_size(options)) == 1:
        return
    session = load(path, {**options, BATCH.id: 1})
    alone = session.run(session.prepare(fit_items(item[:1], session.input.shape)))
    check_alike(alone, answers, batch)


def check_alike(alone: Array, answers: Array, batch: int) -> None:
    """The same for answers at hand: shape (1, *output) and (batch, *output)."""
    wanted = (batch, *alone.shape[1:])
    if answers.shape != wanted:
        raise InvalidFile(
            "A batch is answered in another shape",
            allowed=str(wanted),
            given=answers.shape,
            remedy=REMEDY,
        )
    scale = max(float(np.abs(alone).max()), 1e-12)
    worst = float(np.abs(answers.astype(np.float64) - alone).max()) / scale
    if not worst <= TOLERANCE:
        raise InvalidFile(
            f"A batch of {batch} is answered otherwise than its items one by one",
            allowed=f"{100 * TOLERANCE:.0f} % of the largest answer",
            given=f"{100 * worst:.0f} %",
            remedy=REMEDY,
        )
