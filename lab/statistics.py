"""Intervals, tests and sample sizes.

Intervals are closed forms and one bootstrap on numpy alone, so that a measuring process stays
small. Tests come from scipy, which is imported at their first use.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import TYPE_CHECKING

from lab.lazy import np

if TYPE_CHECKING:
    from numpy.typing import NDArray

NORMAL = NormalDist()
Z95 = 1.959963984540054
ERROR = 0.01
"""p-value below which two values are said to differ. It is stricter than the 95 % intervals,
because many comparisons at 5 % would find differences between a file and its copy.
"""
FEWEST_PAIRS = 8
"""Smallest number of pairs with which a signed-rank test can reach ERROR: its smallest p-value is 2
/ 2^n.
"""


def wilson(successes: int, n: int) -> tuple[float, float]:
    """Return the 95 % Wilson score interval of a proportion (Wilson 1927, JASA 22:209).

    Args:
        successes: 0 … n.
        n: at least 1.

    Returns:
        Low and high, within 0 … 1 and around the proportion, to the last bit.
    """
    p, z2 = successes / n, Z95**2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * float(np.sqrt(p * (1 - p) / n + z2 / (4 * n * n)))
    return max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half))


def cluster_bootstrap(
    rounds: Sequence[NDArray[np.float64]], quantile: float, draws: int = 500, seed: int = 0
) -> tuple[float, float]:
    """Return the 95 % interval of a quantile from resampled whole rounds, because runs of one round
    are not independent.

    The percentiles are further out than 2.5 and 97.5 %, because few rounds underestimate the
    variation: the expanded percentile interval of T. Hesterberg, What Teachers Should Know About
    the Bootstrap, The American Statistician 69:371 (2015).

    Args:
        rounds: one 1-D array per round.
        quantile: 0 … 1.
        draws: number of bootstrap resamples.

    Returns:
        Low and high, always around the pooled quantile.
    """
    pooled = float(np.quantile(np.concatenate(rounds), quantile))
    if len(rounds) < 2:
        return pooled, pooled
    rng = np.random.default_rng(seed)
    length = min(len(r) for r in rounds)
    table = np.stack([np.asarray(r)[:length] for r in rounds])
    picks = rng.integers(0, len(rounds), (draws, len(rounds)))
    estimates = np.quantile(table[picks].reshape(draws, -1), quantile, axis=1)
    tail = _expanded_tail(len(rounds))
    low, high = np.quantile(estimates, [tail, 1 - tail])
    return min(float(low), pooled), max(float(high), pooled)


def tail_interval(rounds: Sequence[NDArray[np.float64]], quantile: float) -> tuple[float, float]:
    """Return the 95 % interval of a quantile far from the median, where a bootstrap of few rounds
    is unreliable.

    The share of runs below it varies from round to round; the interval of the share is converted
    back to quantiles (R. S. Woodruff, Confidence Intervals for Medians and Other Position Measures,
    JASA 47:635, 1952).

    Args:
        rounds: one 1-D array per round.
        quantile: 0 … 1.

    Returns:
        Low and high, around the pooled quantile.
    """
    pooled = np.concatenate(rounds)
    value, n = float(np.quantile(pooled, quantile)), len(rounds)
    if n < 2:
        return value, value
    below = np.array([np.mean(np.asarray(r) <= value) for r in rounds])
    half = _student(n - 1) * float(below.std(ddof=1)) / math.sqrt(n - 1)
    low, high = np.quantile(pooled, [max(0.0, quantile - half), min(1.0, quantile + half)])
    return float(low), float(high)


@cache
def _expanded_tail(n: int) -> float:
    """Return the share of bootstrap estimates to leave out on either side: 0.016 for 20 rounds,
    0.025 for many.
    """
    return NORMAL.cdf(-math.sqrt(n / (n - 1)) * _student(n - 1))


def _student(freedom: int) -> float:
    """Return the 0.975 quantile of Student's distribution; above four degrees of freedom it uses
    the expansion of Cornish and Fisher (Abramowitz and Stegun 26.7.5), which is accurate to 0.003.
    """
    exact = (12.706, 4.303, 3.182, 2.776)
    if freedom <= len(exact):
        return exact[freedom - 1]
    z, v = Z95, float(freedom)
    return (
        z
        + (z**3 + z) / (4 * v)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
    )


def paired_difference(won: int, lost: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a difference of two proportions of the same items (Bonett and
    Price 2012, adjusted Wald).

    Source: D. G. Bonett, R. M. Price: Adjusted Wald Confidence Interval for a Difference of
    Binomial Proportions Based on Paired Data, J. Educ. Behav. Stat. 37:479.

    Args:
        won, lost: numbers of items that only the second, and only the first, predicts correctly;
        their sum is at most n.
        n: at least 1.

    Returns:
        Low and high of (won - lost) / n, within -1 … 1 and around it.
    """
    up, down = (won + 1) / (n + 2), (lost + 1) / (n + 2)
    half = Z95 * float(np.sqrt((up + down - (up - down) ** 2) / (n + 2)))
    value = (won - lost) / n
    return max(-1.0, min(value, up - down - half)), min(1.0, max(value, up - down + half))


def mcnemar(won: int, lost: int) -> float:
    """Return the two-sided p-value of the exact McNemar test of equal probabilities to win and to
    lose an item.

    Source: Q. McNemar, Note on the sampling error of the difference between correlated proportions,
    Psychometrika 12:153 (1947).

    Args:
        won, lost: numbers of items that only the second, and only the first, predicts correctly.
    """
    if won == lost:
        return 1.0
    from scipy.stats import binomtest

    return float(binomtest(won, won + lost, 0.5).pvalue)


def items_needed(drop: float, discordant: float, power: float = 0.8) -> int:
    """Return the number of paired items that show a drop of accuracy at 5 % error with this power.

    Source: R. J. Connor, Sample Size for Testing Differences in Proportions for the Paired-Sample
    Design, Biometrics 43:207 (1987).

    Args:
        drop: difference of the accuracies, above 0 and at most `discordant`.
        discordant: share of items that exactly one of both predicts correctly, at most 1.
        power: probability of detection, 0 … 1.
    """
    share = max(discordant, drop)
    spread = Z95 * math.sqrt(share) + NORMAL.inv_cdf(power) * math.sqrt(max(share - drop**2, 0.0))
    return math.ceil((spread / drop) ** 2)


def smallest_drop(n: int, discordant: float, power: float = 0.8) -> float:
    """Return the smallest drop of accuracy that n paired items show: the inverse of `items_needed`,
    to 0.0001.
    """
    low, high = 0.0, 1.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (
            (low, middle) if items_needed(middle, discordant, power) <= n else (middle, high)
        )
    return high


@dataclass(frozen=True)
class Ratio:
    """Comparison of two series.

    Attributes:
        value: second over first, above 1 if the second is larger.
        low, high: its 95 % interval.
        p: two-sided p-value of no difference.
        n: number of pairs.
    """

    value: float
    low: float
    high: float
    p: float
    n: int

    @property
    def differs(self) -> bool:
        """Return True if the difference is significant, see ERROR."""
        return self.p < ERROR


def paired_ratio(a: Sequence[float], b: Sequence[float]) -> Ratio:
    """Return the ratio of b to a from measurements made in the same rounds.

    It uses Wilcoxon's signed-rank test of the logarithms of b over a, with the Hodges-Lehmann
    estimate and the matching interval (Hodges and Lehmann 1963, Ann. Math. Stat. 34:598), which are
    robust to a disturbed round.

    Args:
        a, b: positive numbers, the same count, paired by position; at least one.
    """
    logs = np.log(np.asarray(b, dtype=float)) - np.log(np.asarray(a, dtype=float))
    n = len(logs)
    rows, columns = np.triu_indices(n)
    averages = np.sort((logs[rows] + logs[columns]) / 2)
    out = max(0, round(n * (n + 1) / 4 - Z95 * math.sqrt(n * (n + 1) * (2 * n + 1) / 24)))
    low, high = averages[min(out, len(averages) - 1)], averages[max(len(averages) - 1 - out, 0)]
    value, low, high = (float(np.exp(x)) for x in (np.median(averages), low, high))
    return Ratio(value, low, high, _signed_rank(logs), n)


def _signed_rank(differences: NDArray[np.float64]) -> float:
    if not differences.any():
        return 1.0
    from scipy.stats import wilcoxon

    return float(wilcoxon(differences).pvalue)


def unpaired_ratio(a: Sequence[float], b: Sequence[float]) -> Ratio:
    """Return the ratio of b to a from measurements of different rounds, by Welch's t test of the
    logarithms.

    Args:
        a, b: positive numbers, at least two each.
    """
    from scipy.stats import ttest_ind

    result = ttest_ind(np.log(b), np.log(a), equal_var=False)
    between = result.confidence_interval(0.95)
    value = float(np.exp(np.mean(np.log(b)) - np.mean(np.log(a))))
    return Ratio(
        value,
        float(np.exp(between.low)),
        float(np.exp(between.high)),
        float(result.pvalue),
        min(len(a), len(b)),
    )


def adjusted(p_values: Sequence[float]) -> list[float]:
    """Return adjusted p-values of many tests: among those below a level, at most that share is
    expected to be false.

    Source: Y. Benjamini, Y. Hochberg, Controlling the False Discovery Rate, J. R. Stat. Soc. B
    57:289 (1995).
    """
    if not p_values:
        return []
    from scipy.stats import false_discovery_control

    return [float(p) for p in false_discovery_control(np.asarray(p_values))]
