"""Palettes of weights, against scikit-learn's k-means and by counting."""

from __future__ import annotations

import numpy as np
import pytest

from lab.compress.clustering import clustered, means, nearest


def _weights(shape: tuple[int, ...] = (48, 40), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_t(4, shape).astype(np.float32)


@pytest.mark.parametrize("clusters", [2, 5, 16, 64])
def test_the_error_is_about_that_of_scikit_learns_k_means(clusters: int) -> None:
    from sklearn.cluster import KMeans

    w = _weights()
    error = float(((clustered(w, clusters) - w) ** 2).sum())
    theirs = KMeans(clusters, n_init=5, random_state=0).fit(w.reshape(-1, 1)).inertia_
    assert error <= 1.06 * theirs


def test_each_weight_is_the_mean_of_those_that_share_its_value() -> None:
    w = _weights()
    made = clustered(w, 8)
    for value in np.unique(made):
        assert value == pytest.approx(w[made == value].mean(), abs=1e-4)


def test_each_weight_takes_the_nearest_value() -> None:
    w = _weights().ravel()
    centres = means(w, 12)
    distances = np.abs(w[:, None] - centres)
    assert np.abs(nearest(w, centres) - w) == pytest.approx(distances.min(1))


@pytest.mark.parametrize(
    ("clusters", "scope", "least"), [(4, "tensor", 4), (32, "tensor", 30), (4, "channel", 40)]
)
def test_there_are_as_many_values_as_asked(clusters: int, scope: str, least: int) -> None:
    made = clustered(_weights(), clusters, scope)
    parts = made if scope == "channel" else made.reshape(1, -1)
    assert max(len(np.unique(part)) for part in parts) == clusters
    assert len(np.unique(made)) >= least


def test_channels_may_lie_along_any_axis() -> None:
    w = _weights((3, 5, 24))
    last = clustered(w, 4, "channel", channel_axis=-1)
    assert (last == np.moveaxis(clustered(np.moveaxis(w, -1, 0).copy(), 4, "channel"), 0, -1)).all()


def test_zeros_stay_zeros_and_count_as_a_value() -> None:
    w = _weights()
    w[np.abs(w) < 1] = 0
    made = clustered(w, 8)
    assert ((made == 0) == (w == 0)).all()
    assert len(np.unique(made)) == 8


def test_what_has_no_more_values_is_left_as_it_is() -> None:
    w = np.repeat(np.float32([0.5, -1, 2]), 7)
    assert (clustered(w, 3) == w).all()
    assert (clustered(np.zeros(9, np.float32), 2) == 0).all()
