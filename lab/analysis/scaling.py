"""Scaling of a variant's time with threads and batch size, and the fit of two lines.

A study that finds this out says so in its spec: `about = {"kind": "scaling", "study", "trial",
"threads"}`; its trials are one variant and its float baseline on targets that differ in threads
(with one item a call) and in batch (with the trial's threads).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lab.statistics import Z95
from lab.types import Measurement, Trial

KIND = "scaling"
Dimension = Literal["threads", "batch"]


@dataclass(frozen=True)
class Point:
    """One target of a curve.

    Attributes:
        value: threads, or items a call.
        latency: seconds per call; throughput: items per second.
        speedup: throughput over that of the first point, with a 95 % interval.
        efficiency: speed-up over what is possible at best: for threads as many times as there are
            threads, for batches the items a second that the fitted time of an item allows; None
            where that is unknown.
    """

    value: int
    trial: str
    latency: Measurement
    throughput: Measurement
    speedup: Measurement
    efficiency: float | None


@dataclass(frozen=True)
class Line:
    """seconds = fixed_s + per_s × x, by least squares of relative residuals.

    For batches x is the items of a call: fixed_s is what a call costs, per_s what an item does. For
    threads x is 1 / threads (G. Amdahl, AFIPS Conference Proceedings 30:483, 1967): fixed_s is what
    runs one after the other, per_s what is shared.

    Attributes:
        fixed_error_s, per_error_s: standard errors; covariance: of both, in s². From the residuals,
            with two points from the intervals of the measurements.
    """

    fixed_s: float
    per_s: float
    fixed_error_s: float
    per_error_s: float
    covariance: float

    def at(self, x: float) -> float:
        """Return the seconds at x."""
        return self.fixed_s + self.per_s * x

    @property
    def share(self) -> float:
        """The fixed part of the time at x = 1; Amdahl's serial share for threads."""
        return self.fixed_s / self.at(1.0)

    @property
    def share_error(self) -> float:
        """Standard error of the share, by the delta method."""
        by_fixed, by_per = self.per_s / self.at(1.0) ** 2, -self.fixed_s / self.at(1.0) ** 2
        squared = (by_fixed * self.fixed_error_s) ** 2 + (by_per * self.per_error_s) ** 2
        return math.sqrt(max(squared + 2 * by_fixed * by_per * self.covariance, 0.0))


@dataclass(frozen=True)
class Curve:
    """One variant along one dimension.

    Attributes:
        points: with rising value; line: None below two points.
        failed: (value, why) of targets on which it could not be measured.
        most_per_s: items a second if a call itself cost nothing, which batches come near to at
            best; None for threads, and where the line does not say so: items of larger batches take
            longer, or more a second were measured.
    """

    dimension: Dimension
    points: tuple[Point, ...] = ()
    line: Line | None = None
    failed: tuple[tuple[int, str], ...] = ()
    most_per_s: float | None = None


@dataclass(frozen=True)
class Scaling:
    """All curves of a study: of the variant, and of its float baseline, which are empty where the
    variant is the baseline.

    Attributes:
        name: of the variant.
    """

    name: str
    threads: Curve
    batch: Curve
    baseline_threads: Curve
    baseline_batch: Curve

    @property
    def curves(self) -> tuple[Curve, ...]:
        """Curves with points or failures."""
        every = (self.threads, self.batch, self.baseline_threads, self.baseline_batch)
        return tuple(c for c in every if c.points or c.failed)


def scaling(about: Mapping[str, Any], trials: Sequence[Trial]) -> Scaling:
    """Return the results so far of a study about scaling.

    Args:
        about: the `about` of the study's spec.
        trials: all trials of the study.
    """
    floats = [t for t in trials if t.is_baseline]
    mine = [t for t in trials if not t.is_baseline] or floats
    others = floats if mine is not floats else []
    threads = int(about["threads"])
    return Scaling(
        mine[0].name if mine else "",
        curve("threads", mine, threads),
        curve("batch", mine, threads),
        curve("threads", others, threads),
        curve("batch", others, threads),
    )


def curve(dimension: Dimension, trials: Iterable[Trial], threads: int) -> Curve:
    """Return the curve of one variant along one dimension: by threads with batch size 1, or by
    batch size with this number of threads.

    Args:
        trials: of one variant, finished or not.
    """
    by_value = {_of(t, dimension): t for t in trials if _on_it(t, dimension, threads)}
    measured = {value: t for value, t in sorted(by_value.items()) if "latency_s" in t.measurements}
    failed = tuple(
        (value, str(t.error.get("message", ""))) for value, t in sorted(by_value.items()) if t.error
    )
    latencies = {value: t.measurements["latency_s"] for value, t in measured.items()}
    line = fitted([_x(dimension, value) for value in latencies], list(latencies.values()))
    most = _most(line, latencies) if dimension == "batch" else None
    points = (_point(dimension, most, value, measured[value].id, latencies) for value in latencies)
    return Curve(dimension, tuple(points), line, failed, most)


def _most(line: Line | None, latencies: Mapping[int, Measurement]) -> float | None:
    if line is None or line.fixed_s <= 0 or line.per_s <= 0:
        return None
    return (
        1 / line.per_s if all(n / m.value <= 1 / line.per_s for n, m in latencies.items()) else None
    )


def _of(trial: Trial, dimension: Dimension) -> int:
    return int(trial.target.options.get(dimension, 1))


def _on_it(trial: Trial, dimension: Dimension, threads: int) -> bool:
    return _of(trial, "batch") == 1 if dimension == "threads" else _of(trial, "threads") == threads


def _x(dimension: Dimension, value: int) -> float:
    return 1.0 / value if dimension == "threads" else float(value)


def _point(
    dimension: Dimension,
    most: float | None,
    value: int,
    trial: str,
    latencies: Mapping[int, Measurement],
) -> Point:
    items: Callable[[int], int] = (lambda n: n) if dimension == "batch" else (lambda n: 1)
    first = min(latencies)
    mine, reference = (throughput(latencies[n], items(n)) for n in (value, first))
    best = value / first if dimension == "threads" else _over(most, reference.value)
    speedup = _ratio(mine, reference) if value != first else Measurement("speedup", 1.0, "×")
    return Point(value, trial, latencies[value], mine, speedup, _over(speedup.value, best))


def _over(value: float | None, by: float | None) -> float | None:
    return value / by if value is not None and by else None


def throughput(latency: Measurement, items: int) -> Measurement:
    """Return the items per second of calls with this number of items."""
    low, high = (None if end is None else items / end for end in (latency.high, latency.low))
    return Measurement(
        "throughput_per_s",
        items / latency.value,
        "1/s",
        latency.n,
        low,
        high,
        latency.source,
        latency.flags,
    )


def _ratio(a: Measurement, b: Measurement) -> Measurement:
    """Return a / b with a 95 % interval: both were measured separately, so their relative errors
    add in squares.
    """
    value, half = a.value / b.value, math.hypot(_log_half(a), _log_half(b))
    return Measurement(
        "speedup", value, "×", min(a.n, b.n), value * math.exp(-half), value * math.exp(half)
    )


def _log_half(m: Measurement) -> float:
    """Return half of the interval's width on a logarithmic scale; 0 for an exact number."""
    return math.log(m.high / m.low) / 2 if m.low and m.high else 0.0


def fitted(xs: Sequence[float], latencies: Sequence[Measurement]) -> Line | None:
    """Fit the line with the least squares of relative residuals of the latencies; None below two
    different xs.

    Args:
        xs: items a call, or 1 / threads.
    """
    if len(set(xs)) < 2:
        return None
    weights = [m.value**-2 for m in latencies]
    total, mean = sum(weights), sum(w * x for w, x in zip(weights, xs, strict=True)) / sum(weights)
    level = sum(w * m.value for w, m in zip(weights, latencies, strict=True)) / total
    pull = [w * (x - mean) for w, x in zip(weights, xs, strict=True)]
    spread = sum(p * (x - mean) for p, x in zip(pull, xs, strict=True))
    slope = sum(p * m.value for p, m in zip(pull, latencies, strict=True)) / spread
    fixed = level - slope * mean
    return _with_errors(
        fixed,
        slope,
        [w / total - p * mean / spread for w, p in zip(weights, pull, strict=True)],
        [p / spread for p in pull],
        _variances(fixed, slope, xs, latencies),
    )


def _variances(
    fixed: float, slope: float, xs: Sequence[float], latencies: Sequence[Measurement]
) -> list[float]:
    """Return the variance of each latency in s², from the residuals, or from the measurements'
    intervals for two points.
    """
    if len(xs) == 2:
        return [(((m.high or m.value) - (m.low or m.value)) / (2 * Z95)) ** 2 for m in latencies]
    residuals = (1 - (fixed + slope * x) / m.value for x, m in zip(xs, latencies, strict=True))
    relative = sum(r * r for r in residuals) / (len(xs) - 2)
    return [relative * m.value**2 for m in latencies]


def _with_errors(
    fixed: float,
    slope: float,
    by_fixed: Sequence[float],
    by_slope: Sequence[float],
    variances: Sequence[float],
) -> Line:
    """Return the line with its errors: both numbers are sums of the latencies, so their errors
    follow.
    """
    pairs = list(zip(by_fixed, by_slope, variances, strict=True))
    return Line(
        fixed,
        slope,
        math.sqrt(sum(f * f * v for f, _, v in pairs)),
        math.sqrt(sum(s * s * v for _, s, v in pairs)),
        sum(f * s * v for f, s, v in pairs),
    )
