"""Whole grids as they were measured, so that searches can be replayed in seconds.

    python -m tests.recorded STUDY tests/data/grid_MODEL.json.gz

writes one from a finished study of the store that LAB_HOME names; every test that replays grids
finds it there.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lab.analysis.front import comparable
from lab.analysis.hypervolume import growth, scales
from lab.search.samplers import sampler
from lab.search.space import Candidate, Outcome, Task, candidate, outcome
from lab.spec.plan import PlannedTrial
from lab.types import Measurement, Objective, Recipe, Target, Trial

DATA = Path(__file__).with_name("data")
BATCH = 3


def record(study_id: str, file: Path) -> None:
    """Write a study's trials: recipe, target, state and the objectives' numbers."""
    import lab

    study = lab.study(study_id)
    objectives = study.spec.objectives
    rows = [
        {
            "name": t.name,
            "recipe": t.recipe.to_json(),
            "target": t.target.to_json(),
            "state": t.state,
            "baseline": t.is_baseline,
            "environment": t.environment,
            "values": {
                o.metric: [m.value, m.unit]
                for o in objectives
                if (m := t.measurements.get(o.metric))
            },
        }
        for t in lab.trials(study_id)
    ]
    value = {
        "model": study.model,
        "objectives": [[o.metric, o.direction] for o in objectives],
        "trials": rows,
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(gzip.compress(json.dumps(value, separators=(",", ":")).encode(), mtime=0))


def grids() -> list[str]:
    """The models whose grids are in tests/data."""
    return sorted(
        path.name.removeprefix("grid_").removesuffix(".json.gz")
        for path in DATA.glob("grid_*.json.gz")
    )


def load(name: str) -> Grid:
    """A grid of tests/data."""
    value = json.loads(gzip.decompress((DATA / f"grid_{name}.json.gz").read_bytes()))
    objectives = tuple(Objective(metric, direction) for metric, direction in value["objectives"])
    return Grid(
        value["model"], objectives, tuple(_trial(n, row) for n, row in enumerate(value["trials"]))
    )


def _trial(position: int, row: dict[str, Any]) -> Trial:
    found = {
        metric: Measurement(metric, value, unit) for metric, (value, unit) in row["values"].items()
    }
    return Trial(
        f"recorded-{position:04d}",
        "recorded",
        position,
        row["name"],
        Recipe.from_json(row["recipe"]),
        Target.from_json(row["target"]),
        row["state"],
        is_baseline=row["baseline"],
        measurements=found,
        environment=row["environment"],
    )


@dataclass(frozen=True)
class Grid:
    """A recorded grid."""

    model: str
    objectives: tuple[Objective, ...]
    trials: tuple[Trial, ...]

    @cached_property
    def candidates(self) -> tuple[Candidate, ...]:
        return tuple(
            candidate(PlannedTrial(t.name, t.recipe, t.target, t.is_baseline)) for t in self.trials
        )

    @cached_property
    def outcomes(self) -> dict[str, Outcome]:
        """What each candidate comes to when it is tried."""
        by, alike = (
            scales(self.trials, self.objectives),
            {t.id for t in comparable(self.trials, self.objectives)},
        )
        return {
            c.key: outcome(t, self.trials, by, (), alike)
            for c, t in zip(self.candidates, self.trials, strict=True)
        }

    @cached_property
    def whole(self) -> float:
        """Hypervolume of all trials."""
        return growth([self.gains(c.key) for c in self.candidates])[-1]

    def gains(self, key: str) -> tuple[float, ...]:
        found = self.outcomes[key]
        return found.gains if found.gains and found.counts else (0.0,) * len(self.objectives)

    def search(
        self,
        name: str,
        seed: int,
        trials: int,
        batch: int = BATCH,
        enough: Callable[[Sequence[str]], bool] = lambda tried: False,
    ) -> tuple[str, ...]:
        """Keys in the order in which a search of this budget tries them, the float models first;
        it ends early where what was tried is enough.
        """
        tried = [c.key for c, t in zip(self.candidates, self.trials, strict=True) if t.is_baseline][
            :trials
        ]
        while len(tried) < min(trials, len(self.trials)) and not enough(tried):
            known = {key: self.outcomes[key] for key in tried}
            asked = Task(self.candidates, known, seed, len(self.objectives))
            tried += sampler(name)(asked, min(batch, trials - len(tried), len(asked.left)))
        return tuple(tried)

    def shares(self, keys: Sequence[str]) -> list[float]:
        """Of the grid's hypervolume, after each trial."""
        return [volume / self.whole for volume in growth([self.gains(key) for key in keys])]


def trials_to(shares: Sequence[float], share: float) -> int:
    """How many trials it took to get there; one more than there are where it did not."""
    return next((n for n, reached in enumerate(shares, 1) if reached >= share), len(shares) + 1)


if __name__ == "__main__":
    record(sys.argv[1], Path(sys.argv[2]))
