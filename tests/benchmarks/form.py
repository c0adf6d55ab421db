"""How much a benchmark does: all of it, or with BENCH_SMALLEST=1 just enough to show that it runs.

In the smallest form ratios are printed and not held to their limits.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

SMALLEST = bool(os.environ.get("BENCH_SMALLEST"))
TINY: dict[str, Any] = {
    "space": {"onnx_dynamic_int8": {}},
    "targets": ["ort"],
    "test_samples": 40,
    "rounds": 2,
    "runs": 3,
    "turn_s": 0.001,
    "budget_s": 0.1,
}
"""What a sweep in the smallest form says beside its model."""


def spec_arguments(folder: Path, spec: dict[str, Any]) -> list[str]:
    """Arguments of `lab sweep` for a spec; none for the preset as it is."""
    if not spec:
        return []
    file = folder / "spec.json"
    value = {**spec, "targets": [{"runtime": id_} for id_ in spec.get("targets", ())]}
    file.write_text(json.dumps({k: v for k, v in value.items() if v}))
    return ["--spec", str(file)]
