"""Outputs of a variant on other processors: its file is inspected, and where the processor computes
differently, it is emulated on test items.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from lab import registry
from lab.formats.feeding import run_all
from lab.lazy import np
from lab.plugs import Array, Fact, Metric, Processor, Session, Setting, Task

LIMIT, BUDGET_S = 1000, 3.0
"""At most so many items, and no further batch after so many seconds, for each processor."""
_GOLDEN = 0.6180339887498949


def versions() -> list[Any]:
    """Versions of all that decides an emulated outcome, for cache keys."""
    return [
        LIMIT,
        sorted([processor.id, processor.version] for processor in registry.processors().values()),
    ]


def emulate(
    path: Path, format: str, task: Task, evidence: Mapping[str, Array], setting: Setting, batch: int
) -> dict[str, Any]:
    """Emulate each processor that computes a file differently.

    Args:
        format: of the file.
        evidence: "inputs", "labels" and "outputs" of the whole test set, as evaluated here.
        setting: runtime, options and machine of the evaluation here.
        batch: items a call when it was evaluated; batches stay whole, since ranges that are found
            while the model runs
            depend on them.

    Returns:
        processor id -> {"title", "place", "because", "facts": [JSON of Fact], "measurements":
        {metric: JSON}, "here": the same
        metric over the same items as computed here}; processors that compute the file as this one
        does are left out. A
        processor that cannot be emulated has a fact that says why, and no measurements.
    """
    able = [
        m
        for m in registry.processors().values()
        if format in m.formats and setting.runtime in (*m.runtimes, *_any(m, setting))
    ]
    outcomes = {
        processor.id: _emulate_on(processor, path, task, evidence, setting, batch)
        for processor in able
    }
    return {id_: outcome for id_, outcome in outcomes.items() if outcome["facts"]}


def _any(processor: Processor, setting: Setting) -> tuple[str, ...]:
    return () if processor.runtimes else (setting.runtime,)


def _emulate_on(
    processor: Processor,
    path: Path,
    task: Task,
    evidence: Mapping[str, Array],
    setting: Setting,
    batch: int,
) -> dict[str, Any]:
    outcome: dict[str, Any] = {
        "title": processor.title,
        "place": processor.place,
        "because": "",
        "measurements": {},
        "here": {},
    }
    facts: list[Fact] = []
    try:
        facts = processor.differs(path, setting)
        if facts:
            outcome["because"] = processor.because(facts)
            outcome |= _compared(processor.load(path, setting), task, evidence, batch)
    except Exception as error:  # it must not cost the trial, which did run here
        facts = [
            *facts,
            Fact(f"It could not be emulated: {str(error)[:500] or type(error).__name__}"),
        ]
    return {**outcome, "facts": [asdict(fact) for fact in facts]}


def _compared(
    session: Session, task: Task, evidence: Mapping[str, Array], batch: int
) -> dict[str, Any]:
    outputs, items = _predict(session, evidence["inputs"], batch)
    part = {name: array[items] for name, array in evidence.items()}
    there = {**part, "outputs": outputs, "baseline_outputs": part["outputs"]}
    primary, agreement = (registry.metric(id_) for id_ in (task.primary, task.agreement))
    return {
        "measurements": _measured([primary, agreement], there, "emulated"),
        "here": _measured([primary], part, "measured"),
    }


def _predict(session: Session, inputs: Array, batch: int) -> tuple[Array, Array]:
    """Outputs, and the indices of their items."""
    outputs, items, start = [], [], time.monotonic()
    for indices in _batches(len(inputs), batch):
        outputs.append(run_all(session, inputs[indices], batch))
        items.append(indices)
        if time.monotonic() - start > BUDGET_S:
            break
    return np.concatenate(outputs), np.concatenate(items)


def _batches(n: int, batch: int) -> list[Array]:
    """Whole batches of at most LIMIT items in all, spread over the set, in an order that is spread
    wherever it ends.
    """
    starts = np.arange(0, n, batch)
    order = np.argsort(np.arange(len(starts)) * _GOLDEN % 1)[: max(1, LIMIT // batch)]
    return [np.arange(start, min(start + batch, n)) for start in starts[order].tolist()]


def _measured(
    metrics: Sequence[Metric], evidence: Mapping[str, Array], source: Any
) -> dict[str, Any]:
    results = {
        m.id: m.compute(**{name: evidence[name] for name in m.needs})
        for m in metrics
        if set(m.needs) <= set(evidence)
    }
    return {id_: replace(m, source=source).to_json() for id_, m in results.items() if m is not None}
