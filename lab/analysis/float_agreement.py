"""Agreement of the float model's predictions between runtimes: changes by a conversion would be
mistaken for quantization.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from lab.types import Measurement, Trial, digest_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

ENOUGH = 0.999


@dataclass(frozen=True)
class Pair:
    """Two float trials and the share of test items with the same prediction."""

    first: str
    second: str
    agreement: Measurement

    @property
    def faithful(self) -> bool:
        """True if at least 99.9 % of the predictions are the same."""
        return self.agreement.value >= ENOUGH


def pairs(
    trials: Sequence[Trial],
    outputs: Mapping[str, NDArray[Any]],
    compare: Callable[[Any, Any], Measurement | None],
) -> tuple[Pair, ...]:
    """Return all pairs of float baselines with known outputs and different files or targets, the
    lowest agreement first.

    Args:
        outputs: trial id -> outputs on the test set.
        compare: the task's measure of agreement of two outputs.
    """
    baselines = {_key(t): t for t in reversed(trials) if t.is_baseline and t.id in outputs}
    agreements = []
    for a, b in combinations(sorted(baselines.values(), key=lambda t: t.position), 2):
        if (
            outputs[a.id].shape == outputs[b.id].shape
            and (m := compare(outputs[a.id], outputs[b.id])) is not None
        ):
            agreements.append(Pair(a.id, b.id, m))
    return tuple(sorted(agreements, key=lambda pair: pair.agreement.value))


def _key(trial: Trial) -> str:
    """Return a key without threads and batches, which change no prediction: one trial stands for
    all of them.
    """
    options = {k: v for k, v in trial.target.options.items() if k not in ("threads", "batch")}
    return digest_of(
        [trial.artifact.sha256 if trial.artifact else "", trial.target.runtime, options]
    )
