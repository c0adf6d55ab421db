"""What every training recipe shares: where the weights lie, what is written down about them, how accuracy is stated."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lab.statistics import wilson
from lab.types import Measurement

WEIGHTS = Path(__file__).resolve().parent / "weights"


def weights_path(name: str) -> Path:
    """Where a weights file of this name lies."""
    return WEIGHTS / name


def read_record(model_id: str) -> dict[str, Any]:
    """What the last training wrote down, or nothing before the first."""
    file = WEIGHTS / f"{model_id}.json"
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else {}


def write_record(
    model_id: str, *, packages: tuple[str, ...], baseline: Iterable[Measurement], dataset_digest: str, **facts: Any
) -> None:
    """Write the facts about a training beside its weights, with the versions that it ran on."""
    record = {
        **facts,
        "baseline": {measurement.metric: measurement.to_json() for measurement in baseline},
        "dataset_digest": dataset_digest,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
    }
    text = json.dumps(record, indent=2, ensure_ascii=False)
    (WEIGHTS / f"{model_id}.json").write_text(text + "\n", encoding="utf-8")


def baseline(record: dict[str, Any]) -> dict[str, Measurement]:
    """The measurements of a record, by metric id."""
    return {metric: Measurement.from_json(metric, value) for metric, value in record.get("baseline", {}).items()}


def accuracy(correct: int, n: int) -> Measurement:
    """Top-1 accuracy with its 95 % interval."""
    return Measurement("top1_accuracy", correct / n, "1", n, *wilson(correct, n))


def percent(share: float | None) -> str:
    """A share as text, or a dash where it was not measured yet."""
    return "–" if share is None else f"{100 * share:.1f} %"
