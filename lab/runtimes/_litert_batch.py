"""Batches of several items in LiteRT: resizes the graph if possible."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.errors import InvalidFile
from lab.formats.batching import REMEDY

ROTATION = "aeq.hadamard_rotation"
"""Operator whose kernel in version 2.3 keeps the output size of one item and writes beyond its end.
"""


FIXED = ("num_input_elements", "failed to reshape runtime")
"""Error messages of LiteRT's own kernels and of XNNPACK for sizes that do not match."""


def lay_out(interpreter: Any, feed: Mapping[str, Any], batch: int, path: str) -> None:
    """Allocate the tensors of an interpreter for a batch.

    Args:
        feed: details of the interpreter's input.

    Raises:
        InvalidFile: a shape is fixed in the graph, or an operator does not grow with the batch.
    """
    if ROTATION.encode() in Path(path).read_bytes():
        raise _refusal(
            f"its operator {ROTATION} supports only one item",
            batch,
            "Choose batch 1, or the algorithm hadamard_builtin",
        )
    try:
        interpreter.resize_tensor_input(feed["index"], [batch, *map(int, feed["shape"][1:])])
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        if any(sign in reason for sign in FIXED):
            reason = "a shape is fixed in the graph"
        raise _refusal(reason[:300], batch) from error
    fetch = interpreter.get_output_details()[0]
    if int(fetch["shape"][0]) != batch and _is_there(interpreter, fetch["index"]):
        raise _refusal(
            "a size is fixed in the graph, so that the output does not grow with the batch", batch
        )


def _is_there(interpreter: Any, index: int) -> bool:
    """Return True if a tensor has memory before the first run; a tensor whose shape is computed by
    the graph gets its memory during the run.
    """
    try:
        interpreter.tensor(index)()
    except ValueError:
        return False
    return True


def _refusal(why: str, batch: int, remedy: str = REMEDY) -> InvalidFile:
    return InvalidFile(
        f"LiteRT cannot resize this file for a batch of {batch}: {why}",
        allowed="batch 1",
        given=f"batch {batch}",
        remedy=remedy,
    )
