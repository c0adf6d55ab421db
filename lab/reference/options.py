"""Options of techniques and runtimes: each distinct one once, with its users."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from lab import registry
from lab.options import PRESETS, Option
from lab.reference.markdown import code, link, table

Users = list[tuple[str, str, Option]]
"""(page, id, option) of each technique and runtime that has an option."""


def options() -> str:
    """Return a section for each option id; a paragraph for each distinct meaning of it."""
    by_id: dict[str, Users] = defaultdict(list)
    for page, owner, option in _declared():
        by_id[option.id].append((page, owner, option))
    sections = (f"## {id_}\n\n{_meanings(users)}" for id_, users in sorted(by_id.items()))
    return "\n".join(sections)


def _declared() -> Iterator[tuple[str, str, Option]]:
    for t in registry.techniques().values():
        yield from (("techniques.md", t.id, option) for option in t.options)
    for r in registry.runtimes().values():
        yield from (("runtimes.md", r.id, option) for option in r.options)


def _meanings(users: Users) -> str:
    groups: dict[tuple[str, str], Users] = defaultdict(list)
    for page, owner, option in users:
        groups[option.help, option.allowed].append((page, owner, option))
    return "\n".join(_meaning(*key, group) for key, group in groups.items())


def _meaning(help_: str, allowed: str, users: Users) -> str:
    by_default: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for page, owner, option in users:
        by_default[_values(option)].append(link(f"`{owner}`", f"{page}#{owner}"))
    rows = [[", ".join(owners), *values] for values, owners in by_default.items()]
    return f"{help_} Allowed: {allowed}.\n\n{table(['used by', 'default', 'presets try'], rows)}"


def _values(option: Option) -> tuple[str, str]:
    """Return the default, and what presets try where that differs from it."""
    tried = {preset: option.values(preset) for preset in PRESETS}
    differs = {p: v for p, v in tried.items() if v != (option.default,)}
    words = "; ".join(f"{p}: {', '.join(map(_text, v))}" for p, v in differs.items())
    return code(_text(option.default)), words or "–"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if value not in ("", ()) else "none"
