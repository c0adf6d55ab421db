"""CPU with instructions that accumulate products of 8-bit integers in 32 bits: VNNI or AMX on x86,
dot product on ARM.
"""

from __future__ import annotations

from pathlib import Path

from lab.plugs import Fact, Processor, Session, Setting
from lab.processors._cpus import at_risk, because, saturates, session


def _differs(path: Path, setting: Setting) -> list[Fact]:
    return at_risk(path, setting) if saturates(setting.features) else []


def _load(path: Path, setting: Setting) -> Session:
    return session(path, setting, saturate=False)


PROCESSOR = Processor(
    id="integer_dot_product",
    title="CPU with integer dot products",
    help=(
        "VNNI and AMX on x86 and the dot product on ARM add products of 8-bit integers exactly. A"
        " file that loses accuracy here because pairs of products saturate in 16 bits keeps its"
        " accuracy there."
    ),
    place="On a CPU with VNNI, or on ARM",
    formats=("onnx",),
    runtimes=("ort",),
    differs=_differs,
    load=_load,
    because=because,
)
