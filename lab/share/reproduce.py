"""The command line and the Python lines that run one trial again."""

from __future__ import annotations

import json
from typing import Any

from lab import registry
from lab.types import StudySpec, Trial


def trial_spec(trial: Trial, spec: StudySpec) -> dict[str, Any]:
    """A spec with this one recipe (its conversions are found again by the planner) on this one
    target.
    """
    steps = [
        s.to_json() for s in trial.recipe.steps if not registry.technique(s.technique).conversion
    ]
    whole = spec.to_json()
    protocol = {
        k: whole[k]
        for k in ("seed", "test_samples", "rounds", "runs", "turn_s", "precision", "budget_s")
    }
    return {
        "model": spec.model,
        "recipes": [steps] if steps else [],
        "targets": [trial.target.to_json()],
        **protocol,
    }


def reproduce(trial: Trial, spec: StudySpec) -> dict[str, str]:
    """{"cli", "python"}: each runs the trial and the float baseline beside it."""
    value = trial_spec(trial, spec)
    return {
        "cli": f"python -m lab sweep {spec.model} --spec - <<'JSON'\n{json.dumps(value)}\nJSON",
        "python": _python(value),
    }


def _python(value: dict[str, Any]) -> str:
    arguments = {k: v for k, v in value.items() if k not in ("model", "recipes", "targets")}
    return "\n".join(
        [
            "import lab",
            "from lab.types import Recipe, Target",
            "",
            "study = lab.sweep(",
            f"    {value['model']!r}, space={{}},",
            f"    recipes=[Recipe.from_json(r) for r in {value['recipes']!r}],",
            f"    targets=[Target.from_json(t) for t in {value['targets']!r}],",
            f"    **{arguments!r},",
            ")",
            "for trial in lab.trials(study.id):",
            "    print(trial.name, {k: m.value for k, m in trial.measurements.items()})",
        ]
    )
