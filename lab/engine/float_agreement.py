"""Agreement of the float trials of a study, by the measure of agreement of their task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab import registry
from lab.analysis.float_agreement import Pair, pairs
from lab.formats.feeding import as_input
from lab.home import folder
from lab.lazy import np
from lab.store.data import data_digest, load_array
from lab.types import Measurement, ModelCard, Trial


def float_agreement(card: ModelCard, trials: Sequence[Trial]) -> tuple[Pair, ...]:
    """See `lab.analysis.float_agreement.pairs`; trials whose outputs are not in this lab are left
    out.
    """
    outputs = {}
    for trial in (t for t in trials if t.is_baseline):
        kept = trial.details.outputs
        if kept and Path(kept.path).is_file():
            outputs[trial.id] = np.load(kept.path)["outputs"]
    metric, where = (
        registry.metric(registry.task(card.task).agreement),
        folder("data") / data_digest(card),
    )
    if len(outputs) < 2 or not where.exists():
        return ()
    n = len(next(iter(outputs.values())))
    inputs = (
        as_input(load_array(where, "x_test")[:n], card.input) if "inputs" in metric.needs else None
    )
    fixed = {"labels": np.asarray(load_array(where, "y_test")[:n]), "inputs": inputs}

    def compare(a: Any, b: Any) -> Measurement | None:
        evidence = {**fixed, "outputs": b, "baseline_outputs": a}
        return metric.compute(**{name: evidence[name] for name in metric.needs})

    return pairs(trials, outputs, compare)
