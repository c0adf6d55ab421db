"""Factors of matrices, against the singular values (Eckart & Young)."""

from __future__ import annotations

import numpy as np
import pytest

from lab.compress.low_rank import factorized


def _matrices() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = {"wide": (20, 90), "tall": (64, 12), "square": (40, 40)}
    decay = {name: np.exp(-np.arange(min(shape)) / 6) for name, shape in shapes.items()}
    return {
        name: (
            (
                rng.normal(size=(o, len(decay[name])))
                * decay[name]
                @ rng.normal(size=(len(decay[name]), i))
            ).astype(np.float32)
        )
        for name, (o, i) in shapes.items()
    }


@pytest.mark.parametrize(
    ("by", "share"), [("weights", 0.3), ("weights", 0.6), ("energy", 0.8), ("energy", 0.99)]
)
def test_the_error_is_the_tail_of_the_singular_values(by: str, share: float) -> None:
    matrices = _matrices()
    made = factorized(matrices, by, share)
    assert made
    for name, found in made.items():
        values = np.linalg.svd(matrices[name], compute_uv=False)
        error = np.linalg.norm(matrices[name] - found.second @ found.first)
        assert error == pytest.approx(
            np.sqrt((values[found.rank :] ** 2).sum()), rel=1e-3, abs=1e-4
        )
        assert found.energy == pytest.approx(
            1 - (values[found.rank :] ** 2).sum() / (values**2).sum(), abs=1e-5
        )


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.8])
def test_all_layers_together_keep_the_share_of_the_weights(share: float) -> None:
    matrices = _matrices()
    made = factorized(matrices, "weights", share)
    kept = sum(
        made[n].second.size + made[n].first.size if n in made else m.size
        for n, m in matrices.items()
    )
    total = sum(m.size for m in matrices.values())
    assert share - 0.08 < kept / total <= share


@pytest.mark.parametrize("energy", [0.5, 0.9, 0.95])
def test_the_rank_is_the_least_that_keeps_the_energy(energy: float) -> None:
    matrices = _matrices()
    for name, found in factorized(matrices, "energy", energy).items():
        kept = np.cumsum(np.linalg.svd(matrices[name].astype(np.float64), compute_uv=False) ** 2)
        assert (
            kept[found.rank - 1]
            >= energy * kept[-1]
            > (kept[found.rank - 2] if found.rank > 1 else 0)
        )


def test_what_would_not_get_smaller_stays_whole() -> None:
    noise = np.random.default_rng(0).normal(size=(30, 30)).astype(np.float32)
    made = factorized({"noise": noise, **_matrices()}, "energy", 0.95)
    assert "noise" not in made
    assert all(f.second.size + f.first.size < _matrices()[name].size for name, f in made.items())


def test_both_factors_are_of_one_scale() -> None:
    for found in factorized(_matrices(), "energy", 0.9).values():
        assert np.linalg.norm(found.second, axis=0) == pytest.approx(
            np.linalg.norm(found.first, axis=1), rel=1e-4
        )
