"""Samplers by their names in a spec, see `lab.spec.search`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

from lab.errors import UnknownId
from lab.search.space import Task
from lab.spec.search import SAMPLERS

_WHERE: Mapping[str, tuple[str, str]] = {
    "ehvi": ("ehvi", "propose"),
    "tpe": ("evolved", "tpe"),
    "nsga2": ("evolved", "nsga2"),
    "random": ("chance", "propose"),
}


def sampler(name: str) -> Callable[[Task, int], list[str]]:
    """Return the function that chooses a number of untried candidates.

    Raises:
        UnknownId: no sampler has that name.
        MissingPackage: the sampler needs a package that is not installed.
    """
    if name not in SAMPLERS:
        raise UnknownId.of("sampler", name, SAMPLERS)
    module, function = _WHERE[name]
    found: Callable[[Task, int], list[str]] = getattr(
        import_module(f"lab.search.{module}"), function
    )
    return found
