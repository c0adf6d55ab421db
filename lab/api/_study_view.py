"""Studies and trials as Python and Jupyter see them: the values of `lab.types`, with the figures
and tables that the app shows.

They are equal to the plain values, and as light: nothing is read or drawn until it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from lab import registry, types
from lab.analysis.front import front as front_of
from lab.analysis.front import nearest_baseline
from lab.analysis.pick import Limit
from lab.analysis.pick import pick as pick_of
from lab.analysis.ties import ties
from lab.errors import UnknownId, UsageError
from lab.store import records
from lab.types import Objective

if TYPE_CHECKING:
    import pandas as pd

FEW = 12
"""Rows of a front that a notebook's cell shows at once."""


class Trial(types.Trial):
    """A trial that a notebook shows as a table of its numbers."""

    @classmethod
    def of(cls, trial: types.Trial) -> Self:
        """Make one of a plain trial; it shares its values, which never change."""
        view = object.__new__(cls)
        vars(view).update(vars(trial))
        return view

    def __eq__(self, other: object) -> bool:
        """Equal where the plain values are."""
        return isinstance(other, types.Trial) and vars(self) == vars(other)

    __hash__ = types.Trial.__hash__

    def __repr__(self) -> str:
        return f"<trial {self.id}: {self.name} on {self.target.runtime}, {self.state}>"

    def _repr_html_(self) -> str:
        from lab.share.notebook_display import trial_html

        return trial_html(self, records.trials(self.study))


@dataclass(frozen=True, repr=False)
class Choice:
    """The pick of a study.

    Attributes:
        trial: None where nothing meets the limits.
        reason: why this one, or what to loosen, in a sentence.
        ties: trials that are as good, by all that can be told.
    """

    trial: Trial | None
    reason: str
    ties: tuple[Trial, ...] = ()

    def __repr__(self) -> str:
        return f"{self.trial.name if self.trial else 'No trial'}: {self.reason}"

    def _repr_html_(self) -> str:
        from lab.share.notebook_display import choice_html

        return choice_html(self.trial, self.reason)


class Study(types.Study):
    """A study with its figures and tables: `study.plot()`, `study.table()`, `study.front()`,
    `study.pick()`, `study.compare(a, b)`.
    """

    @classmethod
    def of(cls, study: types.Study) -> Self:
        """Make one of a plain study; it shares its values, which never change."""
        view = object.__new__(cls)
        vars(view).update(vars(study))
        return view

    def __eq__(self, other: object) -> bool:
        """Equal where the plain values are."""
        return isinstance(other, types.Study) and vars(self) == vars(other)

    __hash__ = types.Study.__hash__

    def __repr__(self) -> str:
        return (
            f"<study {self.id}: {' · '.join(filter(None, [self.model, self.title]))}, {self.state}>"
        )

    def trials(self) -> list[Trial]:
        """Read all trials as they are now, in the order of the study's plan."""
        return records.trials_as(self.id, Trial.of)

    def front(self) -> list[Trial]:
        """The trials that no other beats in every objective."""
        trials = self.trials()
        ids = set(front_of(trials, self.spec.objectives))
        return [t for t in trials if t.id in ids]

    def pick(
        self,
        *,
        goal: str | None = None,
        at_most: Mapping[str, float] | None = None,
        at_least: Mapping[str, float] | None = None,
        max_drop: Mapping[str, float] | None = None,
    ) -> Choice:
        """The trial to ship, and why.

        Args:
            goal: the metric that decides among those that meet the limits; by default the first one
                that is to be small.
            at_most, at_least: metric -> bound, in the metric's own unit (bytes, seconds, shares of
                one).
            max_drop: metric -> how far below the float model's it may be.

        Raises:
            UsageError: the goal is none of the study's objectives.
            UnknownId: there is no metric with that id.
        """
        from lab.plots.words import pick_reason

        trials, objectives = self.trials(), self.spec.objectives
        limits = _limits(at_most=at_most, at_least=at_least, max_drop=max_drop)
        best = pick_of(trials, objectives, limits, _goal(goal, objectives))
        by_id = {t.id: t for t in trials}
        reason = pick_reason(best, by_id, objectives, limits)
        return Choice(by_id.get(best.trial or ""), reason, tuple(by_id[id_] for id_ in best.ties))

    def plot(
        self,
        x: str | None = None,
        y: str | None = None,
        size: str | None = None,
        *,
        mode: str = "light",
    ) -> Any:
        """The trade-off as the app draws it.

        Args:
            x, y, size: ids of the metrics across, up and as marker area; by default latency, the
                first objective and size.
            mode: "light" or "dark".

        Returns:
            a plotly Figure.

        Raises:
            UsageError: an unknown mode.
            UnknownId: there is no metric with that id.
        """
        from lab.plots.pareto.figure import pareto_figure, pareto_info

        if mode not in ("light", "dark"):
            raise UsageError("There is no theme of that name", allowed="light, dark", given=mode)
        trials, objectives = self.trials(), self.spec.objectives
        info = pareto_info(
            trials,
            objectives,
            registry.metrics(),
            x=registry.metric(x or "latency_s").id,
            y=registry.metric(y or objectives[0].metric).id,
            size=registry.metric(size or "size_bytes").id,
            pick=pick_of(trials, objectives).trial,
            tied=ties(trials, objectives),
        )
        return pareto_figure(info, mode)  # type: ignore[arg-type]

    def table(
        self, trials: Iterable[types.Trial] | None = None, *, raw: bool = False
    ) -> pd.DataFrame:
        """One row a trial, by its id.

        Args:
            trials: which ones; by default all.
            raw: every measurement in SI units with its interval, as the CSV export has it, instead
                of what the app shows.
        """
        from lab.plots import formatting
        from lab.plots.table import trials_info
        from lab.share.files import table

        everything = self.trials()
        wanted = everything if trials is None else list(trials)
        if raw:
            return table(wanted).set_index("id")
        on_front, tied = (
            set(front_of(everything, self.spec.objectives)),
            ties(everything, self.spec.objectives),
        )
        shown = formatting.varying_options(t.target for t in everything)
        info = trials_info(wanted, registry.metrics(), on_front, shown, tied)
        return info.frame.set_axis(list(info.ids), axis="index")

    def compare(self, a: types.Trial | str, b: types.Trial | str | None = None) -> pd.DataFrame:
        """Differences of two trials, one row a metric, each with whether it may be chance.

        Args:
            a: a trial or its id.
            b: the other one; by default the float model on the same target.

        Raises:
            UnknownId: the study has no such trial.
        """
        import pandas as pd

        from lab.plots.differences import difference_rows

        trials = self.trials()
        first = _one(a, trials)
        second = nearest_baseline(first, trials) if b is None else _one(b, trials)
        rows = difference_rows(first, second, registry.metrics()) if second else []
        return pd.DataFrame(rows).set_index("Metric") if rows else pd.DataFrame()

    def _repr_html_(self) -> str:
        from lab.share.notebook_display import study_html

        choice = self.pick()
        front = self.table(
            sorted(self.front(), key=lambda t: t.id != (choice.trial.id if choice.trial else ""))[
                :FEW
            ]
        )
        titles = [registry.metric(o.metric).title for o in self.spec.objectives]
        shown = [
            c
            for c in front.columns
            if c in ("Trial", "Runs on", "Front") or c.rpartition(", ")[0] in titles
        ]
        return study_html(self, records.counts(self.id), front[shown], choice.reason, choice.trial)


def _limits(**given: Mapping[str, float] | None) -> tuple[Limit, ...]:
    return tuple(
        Limit(registry.metric(metric).id, kind, float(bound))  # type: ignore[arg-type]
        for kind, bounds in given.items()
        for metric, bound in (bounds or {}).items()
    )


def _goal(metric: str | None, objectives: Sequence[Objective]) -> Objective | None:
    goal = next((o for o in objectives if o.metric == metric), None)
    if metric is not None and goal is None:
        raise UsageError(
            "This is none of the study's objectives",
            allowed=", ".join(o.metric for o in objectives),
            given=metric,
        )
    return goal


def _one(trial: types.Trial | str, trials: Sequence[Trial]) -> Trial:
    id_ = trial if isinstance(trial, str) else trial.id
    known = next((t for t in trials if t.id == id_), None)
    if known is None:
        raise UnknownId.of("trial", id_, [t.id for t in trials])
    return known
