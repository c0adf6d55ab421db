"""Rules for ai-edge-quantizer, and the operators that its tables support for each kind of
quantization.

A rule selects operators by a regular expression over their output tensors and by type; of two
matching rules the later one applies, unless the library's tables do not support it for that
operator. Rules with the same expression replace each other, so rules that are to be layered use
different expressions with the same meaning (EVERYTHING).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

MIN_MAX, NOTHING = "min_max_uniform_quantize", "no_quantize"
ALGORITHMS = {
    "minmax": MIN_MAX,
    "octav": "OCTAV",
    "mse": "MSE",
    "gptq": "GPTQ",
    "oscar": "OSCAR",
    "fp16": "float_casting",
    "hadamard": "HADAMARD_ROTATION",
    "hadamard_builtin": "DECOMPOSED_HADAMARD_ROTATION",
}
EVERYTHING = (".*", ".+", "^.*", "^.+")
WEIGHTED = (
    "FULLY_CONNECTED",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "CONV_2D_TRANSPOSE",
    "EMBEDDING_LOOKUP",
)
"""Operator types, in the library's names, whose weights support algorithms other than min-max."""

BEYOND_THE_TABLES = {
    ("weight_only", 2): frozenset({"FULLY_CONNECTED", "CONV_2D", "EMBEDDING_LOOKUP"})
}
"""Combinations missing from the tables of ai-edge-quantizer 0.10, which writes them correctly and
LiteRT 2.3 computes correctly.
"""

NO_KERNEL = {("dynamic", 2): frozenset({"CONV_2D"})}
"""Combinations in the tables for which LiteRT 2.3 returns uninitialized memory."""


@dataclass(frozen=True)
class Widths:
    """One way to store and compute an operator.

    Attributes:
        mode: "weight_only", "dynamic" or "static".
        bits: bits of weights.
        activation_bits: 8 or 16, for "static".
        granularity: "TENSORWISE", "CHANNELWISE" or "BLOCKWISE_N".
        symmetric, symmetric_activations: True if the integers are centred on zero.
        unsigned: True for uint8 activations, which only inputs and outputs of a model can have.
        algorithm: key of ALGORITHMS.
    """

    mode: str
    bits: int
    activation_bits: int = 0
    granularity: str = "CHANNELWISE"
    symmetric: bool = True
    symmetric_activations: bool = False
    unsigned: bool = False
    algorithm: str = "minmax"

    @property
    def unchecked(self) -> bool:
        """True if the library must skip its tables."""
        return (self.mode, self.bits) in BEYOND_THE_TABLES

    def config(self) -> Any:
        """Return the library's configuration object."""
        from ai_edge_quantizer.qtyping import OpQuantizationConfig, TensorQuantizationConfig

        weights = TensorQuantizationConfig(
            num_bits=self.bits,
            symmetric=self.symmetric,
            granularity=self.granularity,
            dtype="FLOAT" if self.algorithm == "fp16" else "INT",
        )
        alone = self.mode == "weight_only"
        return OpQuantizationConfig(
            activation_tensor_config=self._activations(),
            weight_tensor_config=weights,
            explicit_dequantize=alone,
            compute_precision="FLOAT" if alone else "INTEGER",
            skip_checks=self.unchecked,
        )

    def _activations(self) -> Any:
        """Return the configuration of activations; 16-bit ones are symmetric, as LiteRT's kernels
        require.
        """
        from ai_edge_quantizer.qtyping import TensorQuantizationConfig

        if not self.activation_bits:
            return None
        middle = self.symmetric_activations or self.activation_bits == 16
        dtype = "UINT" if self.unsigned else "INT"
        return TensorQuantizationConfig(
            num_bits=self.activation_bits, symmetric=middle, dtype=dtype
        )


@dataclass(frozen=True)
class Rule:
    """Quantization of matching operators; `how` None keeps them in float."""

    regex: str
    operator: str
    how: Widths | None


def supported(how: Widths) -> frozenset[str]:
    """Return the operator types, in the library's names, that it can store and LiteRT can compute
    in this way.
    """
    from ai_edge_quantizer.qtyping import TFLOperationName

    listed = BEYOND_THE_TABLES.get((how.mode, how.bits))
    table_kinds = (
        frozenset(name.value for name in TFLOperationName if name.value != "*")
        if listed is None
        else listed
    )
    can = frozenset(kind for kind in table_kinds if _accepts(how, kind))
    return can - NO_KERNEL.get((how.mode, how.bits), frozenset())


def _accepts(how: Widths, operator: str) -> bool:
    from ai_edge_quantizer.algorithm_manager import check_op_quantization_config, is_op_registered

    key = ALGORITHMS[how.algorithm]
    try:
        check_op_quantization_config(key, operator, how.config())
    except ValueError:
        return False
    return bool(is_op_registered(key, operator))


def reach(how: Widths) -> frozenset[str]:
    """Return the operator types that `everywhere` and `embeddings` quantize, for any algorithm."""
    plain = supported(replace(how, algorithm="fp16" if how.algorithm == "fp16" else "minmax"))
    if how.mode != "static":
        return plain
    return plain | supported(Widths("static", 8, how.activation_bits)) | {"EMBEDDING_LOOKUP"}


def everywhere(how: Widths, regexes: Sequence[str] = EVERYTHING) -> list[Rule]:
    """Return rules that quantize everything that can be: weights with the algorithm where it is
    supported, the rest with min-max.

    Args:
        regexes: two expressions with the same meaning.
    """
    plain = replace(how, algorithm="fp16" if how.algorithm == "fp16" else "minmax")
    rules = _plain(regexes[0], plain)
    if how.algorithm == plain.algorithm:
        return rules
    return rules + [Rule(regexes[1], kind, how) for kind in WEIGHTED if kind in supported(how)]


def _plain(regex: str, how: Widths) -> list[Rule]:
    """Return one rule for all types, or one for each type where the library's tables are
    skipped.
    """
    listed = how.unchecked or (how.mode, how.bits) in NO_KERNEL
    return (
        [Rule(regex, kind, how) for kind in sorted(supported(how))]
        if listed
        else [Rule(regex, "*", how)]
    )


def embeddings(how: Widths) -> list[Rule]:
    """Return the rule for embeddings in a static quantization: they have no static form."""
    algorithm = how.algorithm if how.algorithm in ("octav", "mse") else "minmax"
    return [
        Rule(
            EVERYTHING[0],
            "EMBEDDING_LOOKUP",
            Widths("dynamic", how.bits, 0, how.granularity, algorithm=algorithm),
        )
    ]


def exactly(scopes: Sequence[str]) -> str:
    """Return an expression that matches these operators and no others."""
    return r"\A(?:" + "|".join(map(re.escape, scopes)) + r")\Z"


def quantizer(content: bytes, rules: Sequence[Rule]) -> Any:
    """Return a Quantizer of the library for a float file, with these rules."""
    from ai_edge_quantizer.quantizer import Quantizer

    library_quantizer = Quantizer(content)
    for rule in rules:
        how = rule.how
        library_quantizer.update_quantization_recipe(
            rule.regex,
            rule.operator,
            how and how.config(),
            ALGORITHMS[how.algorithm] if how else NOTHING,
        )
    return library_quantizer
