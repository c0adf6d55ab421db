"""A latency that was measured while something else kept the machine busy."""

from __future__ import annotations

from lab.evidence import Finding
from lab.plugs import Case, Rule
from lab.rules._evidence import finding, latency
from lab.rules._words import percent

WIDE = 0.03
"""Width of the interval, as a share of the value, up to which other work on the machine has done no
harm.
"""


def _find(case: Case) -> Finding | None:
    mine = latency(case.trial)
    if mine is None or not mine.flags:
        return None
    width = (
        (mine.high - mine.low) / mine.value
        if mine.low is not None and mine.high is not None and mine.value
        else 0.0
    )
    if set(mine.flags) <= {"contended"} and width < WIDE:
        return None
    text = (
        f"The latency is flagged {' and '.join(mine.flags)}: its 95 % interval is {percent(width)}"
        " of its value wide, and the true one may be lower."
    )
    remedy = "Measure it again on an idle machine: start the sweep once more with remeasure."
    return finding(
        "disturbed", "speed", text, remedy, width / 2, flags=list(mine.flags), width=width
    )


RULE = Rule(
    id="disturbed",
    title="The measurement was disturbed",
    help=(
        "Other work on the machine, or a neighbour on a shared one, takes time from the model and"
        " makes it look slower."
    ),
    find=_find,
)
