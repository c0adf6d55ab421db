from __future__ import annotations

from dataclasses import replace

import numpy as np

from lab.analysis.float_agreement import pairs
from lab.metrics.agreement import agreement
from lab.types import Target, Trial
from tests import fakes


def base(position: int, runtime: str, threads: int = 1, batch: int = 1) -> Trial:
    made = fakes.trial("float32", 0.9, 1e5, 1e-3, position=position, baseline=True, runtime=runtime)
    return replace(
        made,
        target=Target(runtime, {"threads": threads, "batch": batch}),
        artifact=replace(made.artifact, sha256=runtime),
    )  # type: ignore[type-var]


def test_the_pair_that_is_least_alike_comes_first_and_threads_are_one() -> None:
    trials = [
        base(0, "ort"),
        base(1, "ort", 2),
        base(2, "litert"),
        base(3, "openvino"),
        base(4, "ort", batch=8),
    ]
    answers = np.eye(4)[np.random.default_rng(0).integers(0, 4, 2000)]
    other = answers.copy()
    other[:10] = np.roll(other[:10], 1, axis=1)
    outputs = {
        trials[0].id: answers,
        trials[1].id: answers,
        trials[2].id: answers,
        trials[3].id: other,
        trials[4].id: answers,
    }
    found = pairs(trials, outputs, agreement)
    assert [(p.first[:5], p.second[:5], p.agreement.value, p.faithful) for p in found] == [
        ("t0000", "t0003", 0.995, False),
        ("t0002", "t0003", 0.995, False),
        ("t0000", "t0002", 1.0, True),
    ]


def test_trials_without_answers_are_left_out() -> None:
    trials = [base(0, "ort"), base(1, "litert")]
    assert pairs(trials, {trials[0].id: np.eye(4)}, agreement) == ()
