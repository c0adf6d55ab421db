"""Evidence that explains a trial: anatomy of its file, profile of its operators, and roofline of
the machine.

All classes are frozen, convert to JSON with `dataclasses.asdict` and back with `from_json`, and are
kept as files of the store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from lab.types import Source

Kind = Literal["compute", "quantize", "dequantize", "layout", "other"]
"""Purpose of an operator: products and sums, quantization, dequantization, data movement
(transposes, copies, reorders), and all others (activations, poolings, additions, shapes).
"""


@dataclass(frozen=True)
class OperatorTime:
    """Operator of a loaded model in a profile, as the runtime ran it.

    Attributes:
        operator: the runtime's name of it, such as "QLinearConv" or "Convolution (NHWC, QC8)
            IGEMM".
        layer: name of the node or layer in the file's layer table; "" if unknown.
        time_s: its seconds in one call of the model, the mean of the middle half of the runs if
            they are recorded individually.
        calls: number of its runs in one call.
        precision: type in which it computes: "float32", "float16", "bfloat16", "int8", "int16",
            "int4" …; "" if unknown.
        placed_on: library or device that computed it: "CPU", "XNNPACK", "LiteRT kernels",
            "reference kernel", "oneDNN brgconv_avx512" …
    """

    operator: str
    layer: str
    time_s: float
    calls: int = 1
    kind: Kind = "other"
    precision: str = ""
    placed_on: str = ""


@dataclass(frozen=True)
class Profile:
    """Profile of one call: the time of each operator, in execution order.

    Attributes:
        runs: number of averaged calls.
        total_s: seconds of a whole call without the profiler; the overhead of profiling is
            subtracted from the operators.
        note: limitations of the times, such as a delegate that appears as one operator; "" if there
            are none.
    """

    operators: tuple[OperatorTime, ...]
    runs: int
    total_s: float
    note: str = ""
    source: Source = "measured"

    @property
    def operators_s(self) -> float:
        """Return the seconds in all operators; the rest of `total_s` is overhead of the runtime."""
        return sum(o.time_s for o in self.operators)

    def share(self, *kinds: Kind) -> float:
        """Return the share of these kinds in the operators' time, 0 … 1."""
        return sum(o.time_s for o in self.operators if o.kind in kinds) / max(
            self.operators_s, 1e-12
        )

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Inverse of `dataclasses.asdict`."""
        return cls(**{**value, "operators": tuple(OperatorTime(**o) for o in value["operators"])})


@dataclass(frozen=True)
class OperatorFacts:
    """Operator of a file, described without running it.

    Attributes:
        name: name in the file's layer table.
        type: the format's own type name, such as "Conv" or "CONV_2D".
        kind: purpose of the operator.
        precision: type in which it computes according to the file: a float operator between
            DequantizeLinear and QuantizeLinear that a runtime can fuse computes in integers.
        weight_dtype: stored type of its weights ("int4", "int8", "float16", "float32" …); "" if it
            has none.
        weights: number of weights.
        weight_bytes: their bytes in the file, without scales.
        zeros: number of weights that are exactly zero.
        saturated: share of integer weights at the ends of their range, 0 … 1; None for floats.
        macs: multiply-accumulate operations for one item; None if a shape is unknown.
        moved_bytes: bytes of inputs, outputs and weights, which it must read and write at least
            once for one item.
    """

    name: str
    type: str
    kind: Kind = "other"
    precision: str = ""
    weight_dtype: str = ""
    weights: int = 0
    weight_bytes: int = 0
    zeros: int = 0
    saturated: float | None = None
    macs: int | None = None
    moved_bytes: int | None = None


@dataclass(frozen=True)
class Anatomy:
    """Anatomy of a model file.

    Attributes:
        parts: name -> bytes, which add up to size_bytes: "weights", "embeddings", "scales" (with
            zero points), "constants" (shapes, indices, tables) and "structure" (graph, names,
            metadata, padding).
        operators: operators in execution order, including those that only describe quantization.
        unfused_pairs: number of pairs of quantize and dequantize operators without an integer
            operator between them that could absorb them.
        live_bytes: bytes of activations alive while each operator runs, planned from the graph for
            one item; empty if unknown.
    """

    format: str
    size_bytes: int
    parts: Mapping[str, int]
    operators: tuple[OperatorFacts, ...] = ()
    unfused_pairs: int = 0
    live_bytes: tuple[int, ...] = ()

    @property
    def weights(self) -> int:
        """Return the number of weights."""
        return sum(o.weights for o in self.operators)

    @property
    def zeros(self) -> int:
        """Return the number of weights that are exactly zero."""
        return sum(o.zeros for o in self.operators)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Inverse of `dataclasses.asdict`."""
        return cls(
            **{
                **value,
                "operators": tuple(OperatorFacts(**o) for o in value["operators"]),
                "live_bytes": tuple(value.get("live_bytes", ())),
            }
        )


@dataclass(frozen=True)
class Roofline:
    """Peak rates of this machine with a number of threads (Williams, Waterman, Patterson 2009, CACM
    52:65).

    Attributes:
        flops: precision -> operations per second (a multiply-accumulate counts as two), such as
            {"float32": 1e11, "int8": 3e11}.
        bytes_per_s: size of the working set in bytes -> bytes read and written per second, from the
            caches to memory.
        note: method of the measurement.
    """

    threads: int
    flops: Mapping[str, float]
    bytes_per_s: Mapping[int, float]
    note: str = ""
    source: Source = "measured"

    def bandwidth(self, size_bytes: float) -> float:
        """Return the bytes per second for a working set: those of the smallest measured size that
        holds it, or of the largest.
        """
        fitting = [size for size in sorted(self.bytes_per_s) if size >= size_bytes]
        return self.bytes_per_s[fitting[0] if fitting else max(self.bytes_per_s)]

    def seconds(
        self, macs: float, moved_bytes: float, precision: str, working_set: float
    ) -> tuple[float, float]:
        """Return the shortest time for this amount of arithmetic, and for moving this number of
        bytes.

        Args:
            precision: unknown ones count as float32.
        """
        peak = self.flops.get(precision, self.flops["float32"])
        return 2 * macs / peak, moved_bytes / self.bandwidth(working_set)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Create from the JSON of `dataclasses.asdict`, whose keys are text."""
        return cls(**{**value, "bytes_per_s": {int(k): v for k, v in value["bytes_per_s"].items()}})


@dataclass(frozen=True)
class Finding:
    """Reason why a trial is not faster or not smaller, with its figures.

    Attributes:
        rule: id of the rule that found it.
        about: "speed", "size" or "accuracy".
        text: one or two sentences that contain the figure.
        remedy: suggestion as a sentence; names techniques, options and targets of this lab if there
            are any.
        share: affected share of the time (or of the bytes), 0 … 1; the largest is shown first.
        evidence: the figures by name; JSON values.
    """

    rule: str
    about: Literal["speed", "size", "accuracy"]
    text: str
    remedy: str
    share: float
    evidence: Mapping[str, Any] = field(default_factory=dict)
