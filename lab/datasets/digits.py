"""Handwritten digits, 8×8 grey levels: a dataset small enough to run everything in seconds."""

from __future__ import annotations

from lab.datasets._split import stratified
from lab.lazy import np
from lab.plugs import Array, Dataset, Splits

TEST_FROM = 1200
"""First row of the test set. Neighbouring rows seem to be by one writer, so the end of the file is
mostly by writers that the model has not seen: harder than a random split, and closer to use on a
device.
"""


def load() -> Splits:
    """Read, scale to 0..1 and split; x has shape (items, 8, 8, 1), float32."""
    x, y = _read()
    _, calibration = _deal(x, y)
    return Splits(x[calibration], y[calibration], x[TEST_FROM:], y[TEST_FROM:])


def training() -> tuple[Array, Array]:
    """Return the training set in the same shapes."""
    x, y = _read()
    train, _ = _deal(x, y)
    return x[train], y[train]


def _read() -> tuple[Array, Array]:
    from sklearn.datasets import load_digits

    data = load_digits()
    return (data.images / 16.0).astype(np.float32)[..., np.newaxis], data.target.astype(np.int64)


def _deal(x: Array, y: Array) -> tuple[list[int], list[int]]:
    """Return the rows of the training set and of the calibration set."""
    keys = [image.tobytes() for image in x[:TEST_FROM]]
    calibration, train = stratified(keys, y[:TEST_FROM], [1 / 6], seed="digits")
    return train, calibration


DATASET = Dataset(
    id="digits",
    title="Handwritten digits, 8×8",
    task="classification",
    load=load,
    training=training,
    digest="d2dda68cf13c9ded4e4b6537cd57aa817059ad14156de6cb715b8c179a749047",
    training_digest="bdee3339bf2905574730ff9bde93462630817c0d079f9e191ed80a2b3cec1922",
    class_names=tuple("0123456789"),
    provenance=(
        "E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, UCI Machine"
        " Learning Repository 1998, doi:10.24432/C50P49, as shipped with scikit-learn"
        " (load_digits, 1 797 images of 13 writers). The last 597 images in the file's order are"
        " the test set: they seem to be by other writers than the training set."
    ),
    licence="CC BY 4.0",
    show="image",
    test_items=597,
    requires=("scikit-learn",),
    tags=("image", "small"),
)
