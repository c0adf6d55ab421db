"""Operators beside the multiplying ones that the float model does not have, or has quicker."""

from __future__ import annotations

from collections import Counter

from lab.evidence import Finding, Profile
from lab.plugs import Case, Rule
from lab.rules._evidence import finding, latencies
from lab.rules._words import percent, plural, seconds, to_integers

LEAST = 0.1
"""Share of a call that they take more than in the float model."""


def _find(case: Case) -> Finding | None:
    if case.baseline is None or case.profile is None or case.baseline_profile is None:
        return None
    mine, theirs = _beside(case.profile), _beside(case.baseline_profile)
    share = (mine - theirs) / max(case.profile.operators_s, 1e-12)
    more = _counts(case.profile) - _counts(case.baseline_profile)
    if share < LEAST or not more or latencies(case) is None:
        return None
    listed = ", ".join(f"{count} {name}" for name, count in more.most_common(5))
    text = (
        f"What does not multiply takes {seconds(mine)} a call, {seconds(theirs)} in the float"
        f" model: {percent(share)} of the time goes into"
        f" {plural(sum(more.values()), 'further operator')}, {listed}."
    )
    remedy = to_integers(case.trial)
    return finding(
        "more_operators",
        "speed",
        text,
        remedy,
        share,
        operators=dict(more),
        seconds=mine,
        float_seconds=theirs,
    )


def _beside(profile: Profile) -> float:
    return sum(o.time_s for o in profile.operators if o.kind != "compute")


def _counts(profile: Profile) -> Counter[str]:
    finding = Counter[str]()
    for line in profile.operators:
        if line.kind != "compute":
            finding[line.operator] += line.calls
    return finding


RULE = Rule(
    id="more_operators",
    title="Further operators between the layers",
    help=(
        "Scaling, converting and moving numbers between integer layers are operators of their own,"
        " which the float model does not have."
    ),
    find=_find,
)
