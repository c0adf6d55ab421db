"""Public names of the package `lab`."""

from __future__ import annotations

import inspect
from typing import Any

import lab
from lab.reference.markdown import code, table


def public_names() -> str:
    """Return the table of the public names with the first sentence of their docstrings."""
    rows = [[code(_call(name)), _sentence(getattr(lab, name))] for name in sorted(lab.EXPORTED)]
    stable = "Only these names are stable; modules below `lab` may be renamed between versions."
    return f"{stable}\n\n{table(['name', 'does'], rows)}"


def _call(name: str) -> str:
    """Return a name with its parameters, optional ones in brackets."""
    found = getattr(lab, name)
    if inspect.isclass(found):
        return name
    parameters = inspect.signature(found).parameters.values()
    return f"{name}({', '.join(map(_parameter, parameters))})"


def _parameter(p: inspect.Parameter) -> str:
    stars = "*" * (p.kind is p.VAR_POSITIONAL) + "**" * (p.kind is p.VAR_KEYWORD)
    return f"{stars}{p.name}" if p.default is p.empty else f"[{p.name}]"


def _sentence(found: Any) -> str:
    """Return the first sentence of a docstring."""
    paragraph = " ".join((inspect.getdoc(found) or "").split("\n\n")[0].split())
    return paragraph.partition(". ")[0].rstrip(".") + "."
