"""x86 CPU with AVX2 or AVX-512 but without VNNI: most CPUs from before 2019, and AMD CPUs before
Zen 4.
"""

from __future__ import annotations

from pathlib import Path

from lab.plugs import Fact, Processor, Session, Setting
from lab.processors._cpus import at_risk, because, saturates, session


def _differs(path: Path, setting: Setting) -> list[Fact]:
    return [] if saturates(setting.features) else at_risk(path, setting)


def _load(path: Path, setting: Setting) -> Session:
    return session(path, setting, saturate=True)


PROCESSOR = Processor(
    id="x86_without_vnni",
    title="x86 CPU without VNNI",
    help=(
        "On these CPUs, ONNX Runtime adds products of 8-bit activations and weights in pairs in 16"
        " bits, which can saturate. Unsigned activations with signed weights are at risk, most of"
        " all with large weights."
    ),
    place="On an x86 CPU without VNNI",
    formats=("onnx",),
    runtimes=("ort",),
    differs=_differs,
    load=_load,
    because=because,
)
