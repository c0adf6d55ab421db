"""Road signs in 24 classes, 32×32 in colour, rendered locally without any download.

Several classes differ in the pictogram only, which on a small, blurred or half hidden sign is a few
pixels.
"""

from __future__ import annotations

from lab.datasets._sign_faces import FACES
from lab.datasets._sign_scene import photograph
from lab.lazy import np
from lab.plugs import Array, Dataset, Splits

SEED = 20_240
TRAINING, CALIBRATION, TEST = 0, 1, 2
"""Numbers of the splits: part of each image's seed, so that no image is in two of them."""
SIZES = {TRAINING: 600 * len(FACES), CALIBRATION: 22 * len(FACES), TEST: 100 * len(FACES)}


def image(split: int, index: int) -> tuple[Array, int]:
    """Return one image, shape (32, 32, 3), uint8, and its class; neighbours in a split have
    different classes.
    """
    label = index % len(FACES)
    return photograph(np.random.default_rng([SEED, split, index]), label), label


def _first(split: int, n: int) -> tuple[Array, Array]:
    """Return the first n items of a split: x (n, 32, 32, 3), float32 in 0..1, and y (n,), int64."""
    pictures, labels = zip(*(image(split, index) for index in range(n)), strict=True)
    return np.stack(pictures).astype(np.float32) / np.float32(255), np.array(labels, dtype=np.int64)


def load() -> Splits:
    """Render calibration and test images."""
    return Splits(*_first(CALIBRATION, SIZES[CALIBRATION]), *_first(TEST, SIZES[TEST]))


def training() -> tuple[Array, Array]:
    """Render the training images."""
    return _first(TRAINING, SIZES[TRAINING])


def preview(n: int) -> tuple[Array, Array]:
    """Return the first n test images."""
    return _first(TEST, n)


DATASET = Dataset(
    id="signs",
    title="Road signs, 32×32 in colour",
    task="classification",
    load=load,
    digest="ef93a4ba81ea2aff9318003bda1769b569c2dbcf490b38c2219cddf60c7ae5c8",
    training=training,
    training_digest="5924133756ab3094f486e3520171298b619540900186008f1e5c4972836233c7",
    preview=preview,
    class_names=tuple(face.name for face in FACES),
    provenance=(
        "Rendered by lab/datasets/signs.py: 24 signs after the Vienna Convention on Road Signs"
        " (1968), drawn and photographed by a renderer of our own, with perspective, blur, shadow,"
        " mist, noise and things in front."
    ),
    licence="MIT",
    show="image",
    test_items=SIZES[TEST],
    tags=("image", "colour"),
)
