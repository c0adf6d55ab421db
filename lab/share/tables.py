"""The tables in README.md and ARCHITECTURE.md, made from the registry: `python -m lab.share.tables`
rewrites them in place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from lab import registry
from lab.home import CHECKOUT
from lab.options import PRESETS
from lab.plugs import Runtime, Technique
from lab.types import ModelCard

DOCUMENTS = ("README.md", "ARCHITECTURE.md")
BLOCK = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _models() -> str:
    cards = registry.sample_cards().values()
    rows = [
        [
            f"`{c.id}`",
            c.framework,
            registry.dataset(c.dataset).title,
            f"{c.parameters or 0:,}",
            f"{c.macs or 0:,}",
            _primary(c),
        ]
        for c in cards
    ]
    return _table(["model", "framework", "data", "parameters", "MACs", "float baseline"], rows)


def _primary(card: ModelCard) -> str:
    """The task's own metric with its interval: "AUC 93.1 % (92.0–94.1 %)"."""
    task = registry.task(card.task)
    m = card.baseline[task.primary]
    return (
        f"{task.noun} {100 * m.value:.1f} % ({100 * (m.low or 0):.1f}–{100 * (m.high or 1):.1f} %)"
    )


def _tasks() -> str:
    rows = [
        [f"`{t.id}`", t.help, f"`{t.primary}`", f"`{t.agreement}`"]
        for t in registry.tasks().values()
    ]
    return _table(["task", "what it does", "accuracy axis", "against float"], rows)


def _datasets() -> str:
    rows = [
        [
            f"`{d.id}`",
            d.title,
            registry.task(d.task).title.lower(),
            str(len(d.class_names)),
            "online" if d.sources else "here",
            d.licence,
        ]
        for d in registry.datasets().values()
    ]
    return _table(["data", "is", "task", "classes", "from", "licence"], rows)


def _techniques() -> str:
    rows = [
        [
            f"`{t.id}`",
            " or ".join(t.accepts) + " → " + t.produces,
            ", ".join(f"`{o.id}`" for o in t.options) or "–",
            t.help,
        ]
        for t in registry.techniques().values()
    ]
    return _table(["technique", "turns", "options", "what it does"], rows)


def _runtimes() -> str:
    rows = [
        [f"`{r.id}`", r.title, ", ".join(r.formats), ", ".join(f"`{o.id}`" for o in r.options)]
        for r in registry.runtimes().values()
    ]
    return _table(["runtime", "is", "runs", "options"], rows)


def _metrics() -> str:
    rows = [
        [f"`{m.id}`", m.unit, {"maximize": "more", "minimize": "less"}[m.direction], m.help]
        for m in registry.metrics().values()
    ]
    return _table(["metric", "unit", "better is", "what it is"], rows)


def _options() -> str:
    plugs: list[Technique | Runtime] = [
        *registry.techniques().values(),
        *registry.runtimes().values(),
    ]
    rows = [
        [
            f"`{p.id}`",
            f"`{o.id}`",
            o.allowed,
            f"{o.default}",
            *(", ".join(map(str, o.values(preset))) for preset in PRESETS),
            o.help,
        ]
        for p in plugs
        for o in p.options
    ]
    return _table(["of", "option", "allowed", "default", *PRESETS, "what it does"], rows)


TABLES: dict[str, Callable[[], str]] = {
    "models": _models,
    "tasks": _tasks,
    "datasets": _datasets,
    "techniques": _techniques,
    "runtimes": _runtimes,
    "metrics": _metrics,
    "options": _options,
}


def refreshed(text: str) -> str:
    """A document with every table between its markers made anew."""
    return BLOCK.sub(lambda m: m[1] + TABLES[m[2]]() + m[3], text)


if __name__ == "__main__":
    for name in DOCUMENTS:
        path = Path(CHECKOUT / name)
        path.write_text(refreshed(path.read_text()))
