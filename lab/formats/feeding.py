"""Brings stored items into the shape that a session takes, and runs a session over many of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lab.errors import InvalidFile
from lab.lazy import np
from lab.plugs import Array, Session
from lab.types import InputSpec

_TO_NCHW, _TO_NHWC = (0, 3, 1, 2), (0, 2, 3, 1)


def as_input(x: Array, spec: InputSpec) -> Array:
    """Stored items as the model takes them: transposed, scaled, in its type.

    Args:
        x: shape (n, *stored item shape).

    Returns:
        shape (n, *spec.shape).
    """
    if spec.data_layout and spec.data_layout != spec.layout:
        x = np.moveaxis(x, -1, 1) if spec.layout == "NCHW" else np.moveaxis(x, 1, -1)
    if (spec.scale, spec.offset) == (1.0, 0.0):
        return np.ascontiguousarray(x, dtype=spec.dtype)
    return np.ascontiguousarray(
        x.astype("float32") * np.float32(spec.scale) + np.float32(spec.offset), dtype=spec.dtype
    )


def fit_items(x: Array, shape: Sequence[int | None]) -> Array:
    """Items as stored -> items as a session's input takes them.

    Args:
        x: shape (n, *item).
        shape: the session's input shape, batch axis first, None for a free axis.

    Returns:
        x itself where it fits, otherwise x transposed between NHWC and NCHW or with axes of size 1
        added or dropped.

    Raises:
        InvalidFile: no such change makes the items fit.
    """
    wanted = tuple(shape[1:])
    if _fits(x.shape[1:], wanted):
        return x
    for axes in (_TO_NCHW, _TO_NHWC):
        if x.ndim == 4 and _fits(x.transpose(axes).shape[1:], wanted):
            return np.ascontiguousarray(x.transpose(axes))
    if None not in wanted and _core(x.shape[1:]) == _core(wanted):
        return x.reshape(len(x), *[int(size or 1) for size in wanted])
    raise InvalidFile(
        "The data do not fit the model's input",
        allowed=f"items of shape {wanted}, also with channels moved first or last",
        given=x.shape[1:],
        remedy="Choose a data set whose items have the model's input shape",
    )


def _fits(item: Sequence[int], wanted: Sequence[int | None]) -> bool:
    return len(item) == len(wanted) and all(
        w in (None, size) for size, w in zip(item, wanted, strict=True)
    )


def _core(shape: Sequence[int | None]) -> list[int | None]:
    return [size for size in shape if size != 1]


def run_all(session: Session, x: Array, batch: int) -> Array:
    """Run a session over all items.

    Args:
        x: items as stored, shape (n, *item), in the model's units.
        batch: items a call; a session with a fixed batch axis takes its own.

    Returns:
        outputs, shape (n, classes), float32.
    """
    fixed = session.input.shape[0]
    parts = batches(fit_items(x, session.input.shape), fixed or batch, filled=fixed is not None)
    outputs = [session.run(session.prepare(part)) for part in parts]
    return np.concatenate(outputs)[: len(x)].astype(np.float32, copy=False)


def batches(x: Array, size: int, filled: bool) -> Iterator[Array]:
    """Slices of `size` items; a fixed batch axis wants the last one filled up, by repeating its
    last item.
    """
    for start in range(0, len(x), size):
        part = x[start : start + size]
        missing = size - len(part) if filled else 0
        yield np.concatenate([part, np.repeat(part[-1:], missing, axis=0)]) if missing else part


def check_finite(x: Array) -> Array:
    """The calibration items.

    Raises:
        InvalidFile: there are none, or some are not finite numbers.
    """
    if not len(x) or not np.isfinite(x).all():
        raise InvalidFile(
            "Calibration needs items of finite numbers", allowed="at least one item", given=x.shape
        )
    return x
