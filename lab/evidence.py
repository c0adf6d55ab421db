"""What explains a trial: what its file holds, where its time goes, and what the machine can do at
best.

All are frozen, convert to JSON with `dataclasses.asdict` and back with `from_json`, and are kept as
files of the store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from lab.types import Source

Kind = Literal["compute", "quantize", "dequantize", "layout", "other"]
"""What an operator is for: products and sums, numbers into integers, integers into numbers, moving
data (transposes, copies, reorders), and all the rest (activations, poolings, additions, shapes).
"""


@dataclass(frozen=True)
class OperatorTime:
    """One line of a profile: an operator of a loaded model, as the runtime ran it.

    Attributes:
        operator: what the runtime calls it, such as "QLinearConv" or "Convolution (NHWC, QC8)
            IGEMM".
        layer: the file's name of the node or layer, as its layer table has it where that can be
            told; "" where not.
        time_s: seconds it takes in one call of the model, the mean of the middle half of the runs
            where they are told one by one.
        calls: how often it runs in one call.
        precision: what it computes in: "float32", "float16", "bfloat16", "int8", "int16", "int4" …;
            "" where unknown.
        placed_on: what computed it: "CPU", "XNNPACK", "LiteRT kernels", "reference kernel", "oneDNN
            brgconv_avx512" …
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
    """Where the time of one call goes, operator by operator, in the order in which they ran.

    Attributes:
        runs: calls that were averaged.
        total_s: seconds of a whole call without the profiler; what profiling itself takes is taken
            off the operators.
        note: what the numbers do not tell, such as that a delegate shows as one line; "" where
            nothing is missing.
    """

    operators: tuple[OperatorTime, ...]
    runs: int
    total_s: float
    note: str = ""
    source: Source = "measured"

    @property
    def operators_s(self) -> float:
        """Seconds in all operators; what `total_s` has beyond it is the runtime's own overhead."""
        return sum(o.time_s for o in self.operators)

    def share(self, *kinds: Kind) -> float:
        """Share of the operators' time that these kinds take, 0 … 1."""
        return sum(o.time_s for o in self.operators if o.kind in kinds) / max(
            self.operators_s, 1e-12
        )

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Inverse of `dataclasses.asdict`."""
        return cls(**{**value, "operators": tuple(OperatorTime(**o) for o in value["operators"])})


@dataclass(frozen=True)
class OperatorFacts:
    """One operator of a file, without running it.

    Attributes:
        name: as in the file's layer table; type: the format's own word, such as "Conv" or
            "CONV_2D".
        kind: what it is for.
        precision: what it computes in, as the file says: a float operator between DequantizeLinear
            and QuantizeLinear that a
            runtime can fuse computes in integers.
        weight_dtype: how its weights are stored ("int4", "int8", "float16", "float32" …); "" where
            it has none.
        weights: how many numbers; weight_bytes: what they take in the file, without scales.
        zeros: how many of the weights are exactly zero.
        saturated: share of integer weights that are at the ends of their range, 0 … 1; None for
            floats.
        macs: multiply-accumulate operations for one item; None where a shape is unknown.
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
    """What a model file consists of.

    Attributes:
        parts: name -> bytes, which add up to size_bytes: "weights", "embeddings", "scales" (with
            zero points), "constants"
            (shapes, indices, tables) and "structure" (graph, names, metadata, padding).
        operators: in the order in which they run, those that only describe quantization included.
        unfused_pairs: how many pairs of quantize and dequantize operators stand in the graph with
            no integer operator
            between them that could absorb them.
        live_bytes: activations alive while each operator runs, planned from the graph for one item;
            empty where unknown.
    """

    format: str
    size_bytes: int
    parts: Mapping[str, int]
    operators: tuple[OperatorFacts, ...] = ()
    unfused_pairs: int = 0
    live_bytes: tuple[int, ...] = ()

    @property
    def weights(self) -> int:
        """Numbers stored as weights."""
        return sum(o.weights for o in self.operators)

    @property
    def zeros(self) -> int:
        """Weights that are exactly zero."""
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
    """What this machine reaches at best with so many threads (Williams, Waterman, Patterson 2009,
    CACM 52:65).

    Attributes:
        flops: precision -> operations a second (a multiply-accumulate is two), such as {"float32":
            1e11, "int8": 3e11}.
        bytes_per_s: size of what is worked on, in bytes -> bytes read and written a second, from
            the caches to memory.
        note: how it was measured.
    """

    threads: int
    flops: Mapping[str, float]
    bytes_per_s: Mapping[int, float]
    note: str = ""
    source: Source = "measured"

    def bandwidth(self, size_bytes: float) -> float:
        """Bytes a second for a working set: that of the smallest measured size that holds it, or
        the largest.
        """
        fitting = [size for size in sorted(self.bytes_per_s) if size >= size_bytes]
        return self.bytes_per_s[fitting[0] if fitting else max(self.bytes_per_s)]

    def seconds(
        self, macs: float, moved_bytes: float, precision: str, working_set: float
    ) -> tuple[float, float]:
        """The least time for so much arithmetic, and the least for moving so many bytes.

        Args:
            precision: unknown ones count as float32.
        """
        peak = self.flops.get(precision, self.flops["float32"])
        return 2 * macs / peak, moved_bytes / self.bandwidth(working_set)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Inverse of `dataclasses.asdict`; JSON's keys are text."""
        return cls(**{**value, "bytes_per_s": {int(k): v for k, v in value["bytes_per_s"].items()}})


@dataclass(frozen=True)
class Finding:
    """Why a trial is not faster or not smaller, with the figure that says so.

    Attributes:
        rule: id of the rule that found it.
        about: "speed", "size" or "accuracy".
        text: a sentence or two with the figure in it.
        remedy: what to try, as a sentence; names techniques, options and targets of this lab where
            there are any.
        share: of the time (or of the bytes) that it concerns, 0 … 1: the largest is said first.
        evidence: the figures themselves, by name; JSON values.
    """

    rule: str
    about: Literal["speed", "size", "accuracy"]
    text: str
    remedy: str
    share: float
    evidence: Mapping[str, Any] = field(default_factory=dict)
