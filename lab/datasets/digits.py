"""Handwritten digits, 8×8 grey levels: small enough that everything about it takes seconds."""

from __future__ import annotations

from lab.datasets._split import stratified
from lab.lazy import np
from lab.plugs import Array, Dataset, Splits

TEST_FROM = 1200
"""Neighbours in the file share a hand, as far as can be told, so that its tail is mostly in hands that the model has
not seen: harder than images drawn at random, and nearer to what happens on a device."""


def load() -> Splits:
    """Read, scale to 0..1 and split; x has shape (items, 8, 8, 1), float32."""
    from sklearn.datasets import load_digits

    data = load_digits()
    x = (data.images / 16.0).astype(np.float32)[..., np.newaxis]
    y = data.target.astype(np.int64)
    test = np.arange(TEST_FROM, len(y))
    keys = [image.tobytes() for image in x[:TEST_FROM]]
    calibration, train = stratified(keys, y[:TEST_FROM], [1 / 6], seed="digits")
    return Splits(*_take(x, y, train), *_take(x, y, calibration), *_take(x, y, test))


def _take(x: Array, y: Array, rows: list[int] | Array) -> tuple[Array, Array]:
    return x[rows], y[rows]


DATASET = Dataset(
    id="digits",
    title="Handwritten digits, 8×8",
    task="classification",
    load=load,
    digest="ae9d7a6297ccd924a532435bcc3a67b8a05f3ab3decb01884f6124f4624e0cb5",
    class_names=tuple("0123456789"),
    provenance=(
        "E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, UCI Machine Learning Repository 1998, "
        "doi:10.24432/C50P49, as shipped with scikit-learn (load_digits, 1 797 images of 13 writers). The last 597 "
        "images in the file's order are the test set: by all appearance other writers than those of the training set."
    ),
    licence="CC BY 4.0",
    show="image",
    requires=("scikit-learn",),
    tags=("image", "small"),
)
