"""The compression lab: how small, how fast and how accurate a model can be on the device that it
must run on.

`import lab` loads nothing heavy. The public names are those of `__init__.pyi`; a name is imported
from the module that defines it when it is first used.
(`lab.techniques`, `lab.runtimes`, `lab.metrics` and `lab.datasets` are packages of plugs: what is
in them is listed by `lab.available_techniques()` and so on.)
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

_STUB = Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8")
_MODULE_OF = {
    name: module
    for module, name in re.findall(r"^from (\S+) import (\w+) as \2$", _STUB, re.MULTILINE)
}
EXPORTED = tuple(sorted(_MODULE_OF))


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'lab' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return list(EXPORTED)
