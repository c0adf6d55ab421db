"""Behaviour of CPUs for products of uint8 and int8 in ONNX Runtime, derived from their features."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from lab.formats.onnx.sessions import CPU
from lab.plugs import Fact, Session, Setting
from lab.processors._network import Emulated
from lab.processors._products import as_x86_runs_it, products
from lab.processors._saturation import can_saturate

DOT_PRODUCTS = {"avx_vnni", "avx512_vnni", "amx_int8", "asimddp", "i8mm"}
"""CPU features that accumulate products of 8-bit integers in 32 bits."""


def saturates(features: Collection[str]) -> bool:
    """Return True if a CPU adds pairs of products in 16 bits: x86 with AVX2 and none of
    DOT_PRODUCTS.

    Older x86 and ARM CPUs widen to 32 bits first.
    """
    return "avx2" in features and not DOT_PRODUCTS & set(features)


def at_risk(path: Path, setting: Setting) -> list[Fact]:
    """Return one fact for each operator of an ONNX file that can saturate in ONNX Runtime's CPU
    kernels.

    Raises:
        InvalidFile: the file is no ONNX file, or ONNX Runtime rejects it.
    """
    if setting.options.get("provider", CPU) != CPU:
        return []
    model = as_x86_runs_it(path, _level(setting))
    found = (
        [(product, can_saturate(product.weights)) for product in products(model)]
        if model is not None
        else []
    )
    return [
        Fact(
            f"{pairs.sum()} of {pairs.size} pairs of weights can saturate",
            product.name,
            product.type,
            int(pairs.sum()),
            pairs.size,
        )
        for product, pairs in found
        if pairs.any()
    ]


def session(path: Path, setting: Setting, saturate: bool) -> Session:
    """Load the file as on a CPU that saturates, or as on one that does not."""
    return Emulated(path, saturate, level=_level(setting))


def because(facts: Sequence[Fact]) -> str:
    """Summarize the facts, such as "312 pairs of weights in 7 operators can saturate"."""
    pairs, operators = sum(fact.count for fact in facts), len(facts)
    return (
        f"{pairs:,} {'pair' if pairs == 1 else 'pairs'} of weights in {operators}"
        f" {'operator' if operators == 1 else 'operators'} can saturate"
    )


def _level(setting: Setting) -> str:
    return str(setting.options.get("graph_optimization", "all"))
