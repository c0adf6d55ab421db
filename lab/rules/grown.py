"""A file that is not smaller than the float model's, and what grew in it."""

from __future__ import annotations

from lab.evidence import Anatomy, Finding
from lab.plugs import Case, Rule
from lab.rules._evidence import finding
from lab.rules._words import percent, size

LEAST, MORE = 0.95, 0.05
"""Share of the float file's size that is hardly smaller; share of the file that grew and is worth a
sentence.
"""


def _find(case: Case) -> Finding | None:
    mine, before = case.anatomy, case.baseline_anatomy
    if case.baseline is None or mine is None or before is None or mine.format != before.format:
        return None
    more, ratio = _more(mine, before), mine.size_bytes / max(before.size_bytes, 1)
    share = sum(more.values()) / max(mine.size_bytes, 1)
    if ratio < LEAST or share < MORE:
        return None
    listed = " and ".join(f"{size(n)} of {name}" for name, n in list(more.items())[:3])
    text = (
        f"What was saved came in again: the file has {percent(ratio)} of the float model's size,"
        f" with {listed} more than it."
    )
    remedy = (
        "Quantize in the format that is run: converting a quantized file adds operators and may"
        " turn integers back into floats; leave out steps that change nothing."
    )
    return finding("grown", "size", text, remedy, share, grown=more)


def _more(mine: Anatomy, before: Anatomy) -> dict[str, int]:
    """Part -> bytes by which it grew, the most first."""
    grown = {name: mine.parts[name] - before.parts.get(name, 0) for name in mine.parts}
    return {name: n for name, n in sorted(grown.items(), key=lambda item: -item[1]) if n > 0}


RULE = Rule(
    id="grown",
    title="Parts of the file grew",
    help=(
        "Quantization adds scales, operators and names. Where little is saved on weights, or comes"
        " back as floats, the file is as large as before."
    ),
    find=_find,
)
