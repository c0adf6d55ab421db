"""Layers whose kernels are no faster than those of the float model."""

from __future__ import annotations

from lab.evidence import Finding, Profile
from lab.plugs import Case, Rule
from lab.rules._evidence import computing, finding, is_integer, latencies, products
from lab.rules._words import plural, seconds, short, times

LEAST, SLOWER = 0.9, 1.05
"""Of the float model's time in the operators that multiply: below, they did become faster; above,
they are surely slower.
"""


LEAST_SHARE = 0.05
"""Of a trial whose products take as long as in float; else the share is what they take longer."""


def _find(case: Case) -> Finding | None:
    if case.baseline is None or case.profile is None or case.baseline_profile is None:
        return None
    mine, theirs = _by_layer(case.profile), _by_layer(case.baseline_profile)
    spent, before = sum(mine.values()), sum(theirs.values())
    integer = sum(o.time_s for o in computing(case.profile) if is_integer(o.precision)) > spent / 2
    if (
        not before
        or spent < (LEAST if integer else SLOWER) * before
        or not _felt(case, spent - before)
    ):
        return None
    changes = _changes(case, mine, theirs)
    kernels = (
        "the integer kernels of this runtime are no faster than its float kernels"
        if integer
        else "the same products became slower"
    )
    text = (
        f"The operators that multiply take {seconds(spent)} a call, {times(spent / before)} the"
        f" {seconds(before)} of the float model's: {kernels}{_worst(changes)}."
    )
    remedy = (
        "Keep the layers that became slower in float with keep_float, or compare the other"
        " runtimes: kernels for the same integers differ much."
    )
    share = max(spent - before, LEAST_SHARE * spent) / max(case.profile.operators_s, 1e-12)
    return finding(
        "layers_no_faster",
        "speed",
        text,
        remedy,
        share,
        seconds=spent,
        float_seconds=before,
        layers=changes,
    )


def _felt(case: Case, more: float) -> bool:
    """Return whether the latencies agree: a profile is taken once, and not in turns with the
    baseline's.
    """
    pair = latencies(case)
    return (
        pair is not None
        and pair[0].value > LEAST * pair[1].value
        and pair[0].value - pair[1].value > more / 2
    )


def _by_layer(profile: Profile) -> dict[str, float]:
    spent: dict[str, float] = {}
    for line in computing(profile):
        spent[line.layer] = spent.get(line.layer, 0.0) + line.time_s
    return spent


def _changes(
    case: Case, mine: dict[str, float], theirs: dict[str, float]
) -> dict[str, list[float]]:
    """Layer -> seconds in float and here: by their order in both files, since converters and
    quantizers rename them.
    """
    here, before = products(case.anatomy), products(case.baseline_anatomy)
    if [o.macs for o in here] != [o.macs for o in before]:
        return {}
    pairs = (
        (a.name, theirs.get(b.name), mine.get(a.name)) for a, b in zip(here, before, strict=True)
    )
    return {name: [was, now] for name, was, now in pairs if was and now}


def _worst(changes: dict[str, list[float]]) -> str:
    slower = sorted(
        ((b - a, name) for name, (a, b) in changes.items() if b > SLOWER * a), reverse=True
    )
    told = [
        f"{short(n)} ({seconds(changes[n][0])} to {seconds(changes[n][1])})" for _, n in slower[:3]
    ]
    return (
        f"; slower in {plural(len(slower), 'layer')}, most of all {', '.join(told)}" if told else ""
    )


RULE = Rule(
    id="layers_no_faster",
    title="The float kernels are as fast",
    help=(
        "A runtime's float kernels are often the result of years of work. Those for other types"
        " need not be faster, least of all for small layers."
    ),
    find=_find,
)
