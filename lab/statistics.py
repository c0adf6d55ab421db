"""Intervals. Small closed forms and one bootstrap, on numpy alone so that a measuring process stays bare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lab.lazy import np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Z95 = 1.959963984540054


def wilson(successes: int, n: int) -> tuple[float, float]:
    """95 % Wilson score interval of a proportion (Wilson 1927, JASA 22:209).

    Args:
        successes: 0 … n.
        n: at least 1.

    Returns:
        low and high, within 0 … 1 and around the proportion, to the last bit.
    """
    p, z2 = successes / n, Z95**2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * float(np.sqrt(p * (1 - p) / n + z2 / (4 * n * n)))
    return max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half))


def cluster_bootstrap(
    rounds: Sequence[NDArray[np.float64]], quantile: float, draws: int = 500, seed: int = 0
) -> tuple[float, float]:
    """95 % interval of a quantile, resampling whole rounds: runs of one round are not independent.

    Args:
        rounds: one 1-D array a round.
        quantile: 0 … 1.
        draws: bootstrap resamples.

    Returns:
        low and high; always around the pooled quantile.
    """
    pooled = float(np.quantile(np.concatenate(rounds), quantile))
    if len(rounds) < 2:
        return pooled, pooled
    rng = np.random.default_rng(seed)
    length = min(len(r) for r in rounds)
    table = np.stack([np.asarray(r)[:length] for r in rounds])
    picks = rng.integers(0, len(rounds), (draws, len(rounds)))
    estimates = np.quantile(table[picks].reshape(draws, -1), quantile, axis=1)
    low, high = np.quantile(estimates, [0.025, 0.975])
    return min(float(low), pooled), max(float(high), pooled)


def paired_difference(won: int, lost: int, n: int) -> tuple[float, float]:
    """95 % interval of a difference of two proportions of the same items (Bonett and Price 2012, adjusted Wald).

    Source: D. G. Bonett, R. M. Price: Adjusted Wald Confidence Interval for a Difference of Binomial Proportions Based on
    Paired Data, J. Educ. Behav. Stat. 37:479.

    Args:
        won, lost: items that only the second, and only the first, has right; their sum is at most n.
        n: at least 1.

    Returns:
        low and high of (won - lost) / n, within -1 … 1 and around it.
    """
    up, down = (won + 1) / (n + 2), (lost + 1) / (n + 2)
    half = Z95 * float(np.sqrt((up + down - (up - down) ** 2) / (n + 2)))
    value = (won - lost) / n
    return max(-1.0, min(value, up - down - half)), min(1.0, max(value, up - down + half))
