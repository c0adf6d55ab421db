"""Python lines that load a model file without the lab, for readers who have only the file.

Each format brings its own (`lab.plugs.Loading`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lab import registry
from lab.errors import LabError
from lab.formats.feeding import as_input, fit_items
from lab.lazy import np
from lab.plugs import Array, Loading
from lab.types import InputSpec


def loading_of(format_: str) -> Loading:
    """Return the lines that load files of a format without the lab.

    Raises:
        LabError: there are none.
    """
    known = registry.formats().get(format_)
    if known is None or known.loading is None:
        raise LabError("There are no loading lines for this format", given=format_)
    return known.loading()


def stored_shape(spec: InputSpec) -> tuple[int, ...]:
    """Shape of one item as the data have it."""
    if spec.data_layout and spec.data_layout != spec.layout and len(spec.shape) == 3:
        first, *middle, last = spec.shape
        return (*middle, last, first) if spec.layout == "NCHW" else (last, first, *middle)
    return spec.shape


def arranging(spec: InputSpec, shape: Sequence[int | None]) -> str:
    """Python that turns a stored item `x` into what the file's input takes, without its batch axis;
    "" where it fits.

    Args:
        shape: the file's input, batch axis first, None for a free axis.

    Raises:
        InvalidFile: no such change makes it fit.
    """
    item = np.arange(np.prod(stored_shape(spec)), dtype="float64").reshape(1, *stored_shape(spec))
    wanted = fit_items(
        as_input(item, replace(spec, scale=1.0, offset=0.0, dtype="float64")), shape
    )[0]
    ways: dict[str, Array] = {
        "": item[0],
        "x = np.moveaxis(x, -1, 0)": np.moveaxis(item[0], -1, 0),
        "x = np.moveaxis(x, 0, -1)": np.moveaxis(item[0], 0, -1),
    }
    return next(
        (way for way, x in ways.items() if np.array_equal(x, wanted)),
        f"x = x.reshape({wanted.shape})",
    )


def snippet(
    format_: str, file: str, facts: Mapping[str, Any], spec: InputSpec, classes: Sequence[str]
) -> str:
    """Python that loads a file and defines `predict(item)`: stored item -> the model's answer.

    Args:
        facts: "input" {"shape", "dtype"}, "options" of the target, and what the format's `details`
            tell.
    """
    shape = facts["input"]["shape"]
    dtype = spec.dtype if facts.get("quantized", {}).get("input") else facts["input"]["dtype"]
    scaled = (spec.scale, spec.offset) != (1.0, 0.0)
    batch = shape[0] or 1
    steps = [
        (
            f'x = x.astype("float32") * np.float32({spec.scale!r}) + np.float32({spec.offset!r})'
            if scaled
            else ""
        ),
        arranging(spec, shape),
        (
            f'x = np.repeat(x[None], {batch}, axis=0).astype("{dtype}")'
            if batch > 1
            else f'x = np.ascontiguousarray(x[None], dtype="{dtype}")'
        ),
    ]
    body = "".join(f"    {step}\n" for step in steps if step)
    example = f"np.zeros({stored_shape(spec)!r})"
    answer = (
        f"print(CLASSES[predict({example}).argmax()])" if classes else f"print(predict({example}))"
    )
    names = f"CLASSES = {list(classes)!r}\n" if classes else ""
    lines = loading_of(format_).lines(file, facts)
    takes = f"one item as the data have it, shape {stored_shape(spec)}"
    return (
        f"import numpy as np\n{lines}\n"
        f"def predict(x):  # {takes}\n{body}    return run(x)[0]\n\n{names}{answer}\n"
    )
