"""Markdown elements of the reference."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; bars inside cells are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def code(*names: str) -> str:
    """Return names as inline code, separated by commas; a dash for none."""
    return ", ".join(f"`{name}`" for name in names) or "–"


def link(text: str, target: str) -> str:
    """Return a Markdown link."""
    return f"[{text}]({target})"


def linked(page: str, *names: str) -> str:
    """Return names as links to their headings on a page of the reference; a dash for none."""
    return ", ".join(link(f"`{name}`", f"{page}#{name}") for name in names) or "–"
