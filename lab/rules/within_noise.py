"""A difference in latency that may be chance."""

from __future__ import annotations

from lab.analysis.differences import LATENCY, differs
from lab.evidence import Finding
from lab.plugs import Case, Rule
from lab.rules._evidence import finding, latencies
from lab.rules._words import percent, seconds
from lab.types import Measurement


def _find(case: Case) -> Finding | None:
    pair = latencies(case)
    if pair is None or case.baseline is None or differs(LATENCY, case.trial, case.baseline):
        return None
    mine, theirs = pair
    change = mine.value / theirs.value - 1
    text = (
        f"The difference in latency may be chance: {seconds(mine.value)} ({_interval(mine)})"
        f" against {seconds(theirs.value)} ({_interval(theirs)}) in float, {percent(abs(change))}"
        f" {'slower' if change > 0 else 'faster'}, and no test tells the two apart."
    )
    remedy = "Take it as equally fast; more rounds in a further study narrow the intervals."
    return finding("within_noise", "speed", text, remedy, abs(change), change=change)


def _interval(m: Measurement) -> str:
    low, high = m.value if m.low is None else m.low, m.value if m.high is None else m.high
    return f"{seconds(low)} to {seconds(high)}"


RULE = Rule(
    id="within_noise",
    title="The difference may be chance",
    help=(
        "Every timing varies. Where the rounds that two variants had together, or else their"
        " intervals, do not tell them apart, one cannot say which is faster."
    ),
    find=_find,
)
