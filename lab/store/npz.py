"""Data that somebody brings: an .npz of plain arrays, checked before anything is made of it."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

from lab import registry
from lab.errors import InvalidFile
from lab.lazy import np
from lab.plugs import ARRAYS, Array

LEARNT = ("x_train", "y_train")
"""Arrays that techniques train on, where they are given; without them they train on calibration
items.
"""


def read_data(path: Path, labels: str = "classes") -> tuple[dict[str, Array], tuple[str, ...]]:
    """Read and check an .npz.

    Args:
        labels: "classes": y arrays hold class numbers; "values": anything that is finite.

    Returns:
        the four arrays of `lab.plugs.ARRAYS`, those of LEARNT where they are given, and the class
        names.

    Raises:
        InvalidFile: not an .npz, pickled objects, a missing array, or arrays that do not fit each
            other.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {
                name: file[name] for name in (*ARRAYS, *LEARNT, "class_names") if name in file.files
            }
    except (ValueError, TypeError) as error:
        remedy = "Save plain arrays: np.savez(file, x_test=np.asarray(images, dtype='uint8'), …)"
        raise InvalidFile(
            "The data file holds pickled objects, which could run code, or is no .npz",
            given=str(path),
            remedy=remedy,
        ) from error
    except (OSError, zipfile.BadZipFile, EOFError) as error:
        raise InvalidFile(
            "The data file could not be read",
            allowed=(
                "an .npz written by numpy.savez, or one of the data sets"
                f" {', '.join(registry.datasets())}"
            ),
            given=str(path),
            remedy=str(error),
        ) from error
    names = arrays.pop("class_names", None)
    _check_present(arrays)
    splits = ("calibration", "test", *(("train",) if set(LEARNT) & set(arrays) else ()))
    for split in splits:
        _check_split(arrays[f"x_{split}"], arrays[f"y_{split}"], split)
    if labels == "values":
        return arrays, () if names is None else tuple(map(str, names))
    for split in splits:
        _check_classes(arrays[f"y_{split}"], split)
    return {k: _labels(v) if k.startswith("y_") else v for k, v in arrays.items()}, _class_names(
        names, arrays
    )


def _check_present(arrays: Mapping[str, Array]) -> None:
    wanted = (*ARRAYS, *(LEARNT if set(LEARNT) & set(arrays) else ()))
    if absent := [name for name in wanted if name not in arrays]:
        raise InvalidFile(
            f"The data file lacks {', '.join(absent)}",
            allowed=", ".join(ARRAYS) + ", and perhaps x_train with y_train, and class_names",
            given=sorted(arrays),
        )
    shapes = [arrays[name].shape for name in wanted if name.startswith("x_")]
    if len({shape[1:] for shape in shapes}) > 1:
        raise InvalidFile("Calibration, test and training items differ in shape", given=shapes)


def _check_split(x: Array, y: Array, split: str) -> None:
    if x.dtype.kind not in "fiu" or y.dtype.kind not in "iuf":
        raise InvalidFile(
            f"x_{split} and y_{split} must be numbers",
            allowed="uint8 or float items, integer labels",
            given=(str(x.dtype), str(y.dtype)),
        )
    if len(x) != len(y) or not len(y):
        raise InvalidFile(
            f"The labels do not fit the items of the {split} split",
            allowed=f"y_{split} of shape ({len(x)},) with at least one item",
            given=y.shape,
        )
    for name, array in ((f"x_{split}", x), (f"y_{split}", y)):
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InvalidFile(
                f"{name} holds NaN or infinity", given=f"{int((~np.isfinite(array)).sum())} values"
            )


def _check_classes(y: Array, split: str) -> None:
    if y.ndim != 1:
        raise InvalidFile(
            f"The labels do not fit the items of the {split} split",
            allowed=f"y_{split} of shape ({len(y)},)",
            given=y.shape,
        )
    if (y < 0).any() or (y != np.floor(y)).any():
        raise InvalidFile(
            f"y_{split} must hold class numbers 0, 1, 2 …", given=np.unique(y)[:10].tolist()
        )


def _labels(y: Array) -> Array:
    return y.astype("int64")


def _class_names(names: Array | None, arrays: Mapping[str, Array]) -> tuple[str, ...]:
    highest = int(max(y.max() for name, y in arrays.items() if name.startswith("y_")))
    if names is None:
        return ()
    if names.ndim != 1 or len(names) <= highest:
        raise InvalidFile(
            "There are fewer class names than classes",
            allowed=f"at least {highest + 1}",
            given=names.tolist(),
        )
    return tuple(str(n) for n in names)
