"""Techniques, grouped by the format that they start from."""

from __future__ import annotations

from collections.abc import Iterator

from lab import registry
from lab.plugs import Technique
from lab.reference.markdown import code, linked, table


def techniques() -> str:
    """Return an overview, and a section for each technique."""
    found = list(registry.techniques().values())
    sections = "\n".join(_section(t) for t in found)
    return f"{_overview(found)}\n{sections}"


def _overview(found: list[Technique]) -> str:
    rows = [[linked("", t.id), _turns(t), ", ".join(_traits(t)) or "–"] for t in found]
    return table(["technique", "from → to", "traits"], rows)


def _section(t: Technique) -> str:
    facts = [
        [
            _turns(t),
            code(*t.requires),
            ", ".join(t.presets) or "–",
            linked("options.md", *(o.id for o in t.options)),
        ]
    ]
    head = ["from → to", "needs", "presets", "options"]
    return f"## {t.id}\n\n{t.title}. {t.help}\n\n{table(head, facts)}"


def _turns(t: Technique) -> str:
    return " or ".join(t.accepts) + " → " + t.produces


def _traits(t: Technique) -> Iterator[str]:
    if t.conversion:
        yield "converts"
    if t.role == "prune":
        yield "prunes"
    if t.trains:
        yield "trains"
    if t.needs_calibration:
        yield "calibrates"
