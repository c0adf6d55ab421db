"""Operator profiles of OpenVINO, from the performance counters of its CPU plug-in."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from lab.errors import LabError
from lab.evidence import Kind, OperatorTime, Profile
from lab.formats.profiling import WARM_UP, fed, fitted, in_turns, kind_of, said, warmed
from lab.lazy import np
from lab.plugs import Array, Session

_PRECISIONS = {
    "i8": "int8", "u8": "int8", "f32": "float32", "bf16": "bfloat16", "f16": "float16",
    "i16": "int16", "i32": "int32", "i64": "int64", "i4": "int4", "u4": "int4",
}  # fmt: skip
_TICK_S, _INTERRUPTED, BLOCKS = 1e-6, 1.2, 5
_NOTE = (
    "OpenVINO counts whole microseconds: half a microsecond is added for the fraction dropped in"
    " each run, and half a microsecond for the one dropped from the average. Operators under a"
    " microsecond are left out."
)
_LAYER = re.compile(r'<layer [^>]*?name="([^"]*)" type="([^"]*)"')


class Counting(Session, Protocol):
    """Session whose operators are timed."""

    compiled: Any

    def counters(self) -> list[Any]:
        """Return the ProfilingInfo of each operator: averages of all calls up to now."""
        ...


def profile(bare: Session, counting: Counting, graph: str, item: Array, runs: int) -> Profile:
    """See `lab.plugs.Runtime.profile`.

    Args:
        bare, counting: sessions of the file with these options, without and with counters.
        graph: model.xml of the file.

    Raises:
        LabError: the counters contain no operator.
    """
    x = fed(bare, item)
    some = max(warmed(runs, lambda: bare.run(x), lambda: counting.run(x)) // BLOCKS, 1)
    total, taken = _timed(bare, counting, x, some)
    types = {html.unescape(name): type_ for name, type_ in _LAYER.findall(graph)}
    facts = {
        o.get_friendly_name(): _facts(o)
        for o in counting.compiled.get_runtime_model().get_ordered_ops()
    }
    operators = [
        _operator(row, taken[row.node_name], facts.get(row.node_name, {}), types)
        for row in counting.counters()
        if taken[row.node_name] > 0
    ]
    if not operators:
        raise LabError(
            "OpenVINO's counters contain no operator that takes a microsecond",
            remedy="The operators are too fast to be timed separately",
        )
    profiled, cost = fitted(operators, total)
    return Profile(profiled, BLOCKS * some, total, said(_NOTE, cost))


def _timed(
    bare: Session, counting: Counting, x: Array, some: int
) -> tuple[float, dict[str, float]]:
    """Return the seconds of a whole call and of each operator; 0.0 for operators below a
    microsecond.

    Counters are averages since the file was loaded. The first calls, which prepare weights, are
    subtracted. Interrupted calls are detected in blocks of `some` calls, whose median then replaces
    the mean.
    """
    sums, totals = [_sums(counting, WARM_UP)], []
    for block in range(1, BLOCKS + 1):
        totals.append(in_turns(some, lambda: bare.run(x), lambda: counting.run(x))[0])
        sums.append(_sums(counting, WARM_UP + block * some))
    return float(np.median(totals)), {
        name: _steady([s[name] for s in sums], some) for name in sums[0]
    }


def _sums(counting: Counting, calls: int) -> dict[str, float]:
    return {row.node_name: row.real_time.total_seconds() * calls for row in counting.counters()}


def _steady(sums: Sequence[float], some: int) -> float:
    """Return the seconds of one call from the sums after each block."""
    if sums[-1] == 0:
        return 0.0
    mean, middle = (sums[-1] - sums[0]) / (BLOCKS * some), float(np.median(np.diff(sums))) / some
    return max(middle if mean > _INTERRUPTED * middle + 2 * _TICK_S else mean, 0.0) + _TICK_S


def _facts(node: Any) -> dict[str, str]:
    wanted = ("originalLayersNames", "outputPrecisions", "runtimePrecision")
    info = node.get_rt_info()
    return {key: str(getattr(info[key], "value", info[key])) for key in wanted if key in info}


def _operator(
    row: Any, seconds: float, facts: Mapping[str, str], types: Mapping[str, str]
) -> OperatorTime:
    parts = {
        name: types[name]
        for name in facts.get("originalLayersNames", "").split(",")
        if name in types
    }
    how, _, suffix = row.exec_type.rpartition("_")
    place = (
        f"reference kernel {how}"
        if how.startswith("ref")
        else "CPU"
        if how in ("", "unknown")
        else how
    )
    return OperatorTime(
        row.node_type,
        _layer(parts),
        seconds,
        1,
        _kind(row.node_type, facts, parts),
        _PRECISIONS.get(suffix.lower(), ""),
        place,
    )


def _layer(parts: Mapping[str, str]) -> str:
    """Return the file's operator that a node computes: the one that multiplies, else the last one
    that is more than a type conversion.
    """
    products = [name for name, type_ in parts.items() if kind_of(type_) == "compute"]
    others = [
        name for name, type_ in parts.items() if kind_of(type_) not in ("quantize", "dequantize")
    ]
    return next(iter(products or others[-1:] or list(parts)[-1:]), "")


def _kind(type_: str, facts: Mapping[str, str], parts: Mapping[str, str]) -> Kind:
    if type_ == "Convert":
        before, after = (
            facts.get(key, "").startswith(("f", "bf"))
            for key in ("runtimePrecision", "outputPrecisions")
        )
        return "other" if before == after else "quantize" if before else "dequantize"
    kinds = {kind_of(part) for part in parts.values()}
    if type_ != "Subgraph" or not kinds:
        return kind_of(type_)
    return "compute" if "compute" in kinds else kinds.pop() if len(kinds) == 1 else "other"
