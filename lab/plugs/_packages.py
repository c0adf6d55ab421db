"""Shared parts of plugs: arrays, toolchains, and required packages."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from lab.errors import MissingPackage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]
else:
    Array = Any
Toolchain = Literal["light", "nncf", "torch", "tensorflow"]
"""Libraries loaded by a job's process; training runs in separate processes, "torch_training" and
"tensorflow_training".
"""


@cache
def missing_package(requires: tuple[str, ...]) -> str | None:
    """Return the first required package (pip name, with `-` for `_`) that is not installed, without
    importing any.
    """
    return next((name for name in requires if find_spec(module_of(name)) is None), None)


def module_of(package: str) -> str:
    """Return the module name of a pip package."""
    return _MODULES.get(package, package.replace("-", "_"))


_MODULES = {"scikit-learn": "sklearn"}


def require(what: str, packages: tuple[str, ...]) -> None:
    """Raise MissingPackage for the first package that is not installed."""
    if (absent := missing_package(packages)) is not None:
        raise MissingPackage.of(what, absent)
