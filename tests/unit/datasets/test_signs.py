"""Rendered road signs: what is promised of them, and that a linear model does not do."""

import numpy as np
import pytest
from numpy.typing import NDArray

from lab.datasets import _sign_faces as faces
from lab.datasets import _sign_scene as scene
from lab.datasets import signs
from lab.plugs import Splits

CLASSES = len(faces.FACES)
PIXELS = np.linspace(-1.2, 1.2, 25)
U, V = np.meshgrid(PIXELS, PIXELS)


@pytest.fixture(scope="module")
def splits() -> Splits:
    return signs.load()


def drawn(face: faces.Face) -> NDArray[np.float64]:
    """A face without weather: class of paint at each point of a grid, -1 where there is no
    plate.
    """
    picture = np.full(U.shape, -1)
    depth = face.plate.distance(U, V)
    areas = [depth + below for below, _ in face.bands] + [
        mark.distance(U, V) for mark in face.marks
    ]
    for number, area in enumerate(areas):
        picture[area < 0] = number
    return picture


def by_name(name: str) -> faces.Face:
    return next(face for face in faces.FACES if face.name == name)


def test_every_class_is_there_equally_often(splits: Splits) -> None:
    assert CLASSES >= 16
    assert np.bincount(splits.y_test).tolist() == [100] * CLASSES
    assert np.bincount(splits.y_calibration).tolist() == [22] * CLASSES


def test_items_are_bytes_scaled_to_one(splits: Splits) -> None:
    for x in (splits.x_calibration, splits.x_test):
        assert x.shape[1:] == (32, 32, 3)
        assert x.dtype == np.float32
        assert x.min() >= 0
        assert x.max() <= 1
        np.testing.assert_allclose(x * 255, np.rint(x * 255), atol=1e-4)


def test_an_image_is_what_its_seed_says(splits: Splits) -> None:
    for index in (0, 31, 2399):
        picture, label = signs.image(signs.TEST, index)
        assert picture.dtype == np.uint8
        np.testing.assert_array_equal(
            picture.astype(np.float32) / np.float32(255), splits.x_test[index]
        )
        assert label == splits.y_test[index]


def test_the_same_number_is_another_image_in_another_split() -> None:
    pictures = [
        signs.image(split, 5)[0].astype(float)
        for split in (signs.TRAINING, signs.CALIBRATION, signs.TEST)
    ]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(pictures[one] - pictures[other]).mean() > 10


def test_preview_is_the_beginning_of_the_test_set(splits: Splits) -> None:
    x, y = signs.preview(CLASSES)
    np.testing.assert_array_equal(x, splits.x_test[:CLASSES])
    assert sorted(y) == list(range(CLASSES)), "the gallery shows each class once before any twice"


def test_images_are_neither_black_nor_white_nor_flat(splits: Splits) -> None:
    x = splits.x_test.astype(np.float64)
    means, deviations = x.mean(axis=(1, 2, 3)), x.std(axis=(1, 2, 3))
    assert np.quantile(means, 0.01) > 0.08
    assert np.quantile(means, 0.99) < 0.92
    assert deviations.min() > 0.02


def test_faces_have_names_and_drawings_of_their_own() -> None:
    assert len({face.name for face in faces.FACES}) == CLASSES
    painted = {(drawn(face).tobytes(), face.bands) for face in faces.FACES}
    assert len(painted) == CLASSES


@pytest.mark.parametrize("what", ["Bend to the", "Turn"])
def test_left_and_right_are_mirror_images(what: str) -> None:
    left, right = drawn(by_name(f"{what} left")), drawn(by_name(f"{what} right"))
    np.testing.assert_array_equal(left > 1, right[:, ::-1] > 1)
    assert (left != right).any()


def test_plates_have_the_shape_of_their_name() -> None:
    corners = {"up": (0.0, -1.1), "down": (0.0, 1.1)}
    inside = {
        (name, where): bool(plate.distance(np.array(u), np.array(v)) < 0)
        for name, plate in (("up", faces.POINT_UP), ("down", faces.POINT_DOWN))
        for where, (u, v) in corners.items()
    }
    assert inside == {
        ("up", "up"): True,
        ("up", "down"): False,
        ("down", "up"): False,
        ("down", "down"): True,
    }
    assert faces.DISC.distance(np.array(0.6), np.array(0.8)) == pytest.approx(0)
    assert faces.OCTAGON.distance(np.array(0.95), np.array(0.0)) == pytest.approx(0)


def test_a_mark_measures_the_distance_to_its_line() -> None:
    line = faces.Mark(faces.BLACK, 0.1, ((0, 0), (1, 0)))
    dot = faces.Mark(faces.BLACK, 0.1, ((0, 0),))
    u, v = np.array([0.5, 2.0, -3.0]), np.array([0.4, 0.0, 4.0])
    assert line.distance(u, v) == pytest.approx([0.3, 0.9, 4.9])
    assert dot.distance(u, v) == pytest.approx(np.hypot(u, v) - 0.1)


def test_the_camera_sees_the_middle_of_the_plate_in_its_middle() -> None:
    for seed in range(20):
        u, v = scene._on_plate(
            np.random.default_rng(seed), np.array([0.0, 0.1, 0.0]), np.array([0.0, 0.0, 0.1])
        )
        assert (u[0], v[0]) == pytest.approx((0, 0))
        assert u[1] > 0.08, "right stays right"
        assert v[2] > 0.08, "down stays down"


@pytest.mark.slow
def test_a_linear_model_is_far_from_solving_it(splits: Splits) -> None:
    from sklearn.linear_model import RidgeClassifier

    x, y = signs._first(signs.TRAINING, 100 * CLASSES)
    linear = RidgeClassifier(alpha=100.0).fit(x.reshape(len(x), -1), y)
    accuracy = (
        linear.predict(splits.x_test.reshape(len(splits.x_test), -1)) == splits.y_test
    ).mean()
    assert accuracy < 0.4
