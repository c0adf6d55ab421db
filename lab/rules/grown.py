"""A file that is larger than the float model's, and what grew in it."""

from __future__ import annotations

from lab.evidence import Anatomy, Finding
from lab.plugs import Case, Rule
from lab.rules._evidence import found
from lab.rules._words import percent, size

LEAST = 1.01
"""Times the size of the float file."""


def _find(case: Case) -> Finding | None:
    mine, before = case.anatomy, case.baseline_anatomy
    if (
        case.baseline is None
        or mine is None
        or before is None
        or mine.size_bytes < LEAST * before.size_bytes
        or mine.format != before.format
    ):
        return None
    more = _more(mine, before)
    listed = ", ".join(f"{size(n)} of {name}" for name, n in more.items())
    text = (f"The file is {size(mine.size_bytes - before.size_bytes)} larger than the float model's ({percent(mine.size_bytes / before.size_bytes - 1)}): more "
            f"came in than went out, {listed}.")  # fmt: skip
    remedy = ("Quantize in the format that is run: converting a quantized file adds operators and may turn integers back into floats; leave out steps "
              "that change nothing.")  # fmt: skip
    return found("grown", "size", text, remedy, sum(more.values()) / mine.size_bytes, grown=more)


def _more(mine: Anatomy, before: Anatomy) -> dict[str, int]:
    """Part -> bytes by which it grew, the most first."""
    grown = {name: mine.parts[name] - before.parts.get(name, 0) for name in mine.parts}
    return {name: n for name, n in sorted(grown.items(), key=lambda item: -item[1]) if n > 0}


RULE = Rule(
    id="grown",
    title="The file grew",
    help="Quantization adds scales, operators and names. Where little is saved on weights, the file is larger than before.",
    find=_find,
)
