"""A batch's arithmetic is that of all its items; its weights are read once."""

from __future__ import annotations

from dataclasses import replace

from lab.evidence import Anatomy, OperatorFacts
from lab.plugs import Case
from lab.rules._roofline import in_a_call
from lab.types import Target
from tests import fakes

CONV = OperatorFacts(
    "c", "Conv", "compute", "float32", "float32", 100, 400, macs=1000, moved_bytes=1000
)
FILE = Anatomy("onnx", 500, {"weights": 400, "structure": 100}, (CONV,))


def test_a_call_of_eight_items() -> None:
    trial = fakes.trial("x", 0.9, 500, 1e-4)
    eight = replace(trial, target=Target("ort", {"threads": 1, "batch": 8}))
    assert in_a_call(Case(trial, anatomy=FILE)) == [CONV]
    (scaled,) = in_a_call(Case(eight, anatomy=FILE))
    assert (scaled.macs, scaled.moved_bytes, scaled.weight_bytes) == (8000, 400 + 8 * 600, 400)
