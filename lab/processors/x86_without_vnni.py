"""An x86 CPU that has AVX2 or AVX-512, but no VNNI: most from before 2019, and AMD's before Zen
4.
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
        "ONNX Runtime adds up products of 8-bit activations and weights two at a time in 16 bits"
        " there, and a pair that does not fit is cut off. Activations without a sign and weights"
        " with one are at risk, with large weights most."
    ),
    place="On an x86 CPU without VNNI",
    formats=("onnx",),
    runtimes=("ort",),
    differs=_differs,
    load=_load,
    because=because,
)
