"""Position of a profile's layers under the machine's roofline."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lab.evidence import OperatorFacts
from lab.plugs import Case
from lab.rules._evidence import computes_in, computing, products


@dataclass(frozen=True)
class Placed:
    """A layer that multiplies: what it took, and the least that this machine would need for its
    arithmetic and for its bytes.
    """

    facts: OperatorFacts
    precision: str
    time_s: float
    compute_s: float
    memory_s: float

    @property
    def reach(self) -> float:
        """Return the share of the limit that applies to it which it reaches, 1 at best."""
        return max(self.compute_s, self.memory_s) / max(self.time_s, 1e-12)


def placed(case: Case) -> list[Placed]:
    """The profile's layers whose arithmetic and bytes are known, the heaviest first; none without
    roofline or profile.

    Layers whose precision the roofline was not measured in are left out.
    """
    if case.roofline is None or case.profile is None or case.anatomy is None:
        return []
    precision, peaks = computes_in(case), case.roofline.flops
    spent: dict[str, float] = {}
    for line in computing(case.profile):
        spent[line.layer] = spent.get(line.layer, 0.0) + line.time_s
    found = [
        _placed(case, o, precision[o.name], spent[o.name])
        for o in in_a_call(case)
        if spent.get(o.name) and o.macs and o.moved_bytes and precision.get(o.name) in peaks
    ]
    return sorted(found, key=lambda p: -p.time_s)


def in_a_call(case: Case) -> list[OperatorFacts]:
    """The products of one call: arithmetic and activations of all items of a batch, weights
    once.
    """
    batch = int(case.trial.target.options.get("batch", 1))
    return [_of_batch(o, batch) for o in products(case.anatomy)]


def _of_batch(facts: OperatorFacts, batch: int) -> OperatorFacts:
    moved = facts.moved_bytes and facts.weight_bytes + batch * (
        facts.moved_bytes - facts.weight_bytes
    )
    return replace(facts, macs=facts.macs and batch * facts.macs, moved_bytes=moved)


def _placed(case: Case, facts: OperatorFacts, precision: str, time_s: float) -> Placed:
    assert case.roofline is not None
    assert case.anatomy is not None
    held = max(facts.moved_bytes or 0, sum(o.weight_bytes for o in case.anatomy.operators))
    least = case.roofline.seconds(facts.macs or 0, facts.moved_bytes or 0, precision, held)
    return Placed(facts, precision, time_s, *least)
