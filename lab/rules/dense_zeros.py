"""Zeros that are stored and multiplied like any other weight."""

from __future__ import annotations

from lab import registry
from lab.evidence import Finding, OperatorFacts
from lab.plugs import Case, Rule
from lab.rules._evidence import bits, finding
from lab.rules._words import percent, size

LEAST = 0.3
NARROW = 4
"""Weights of so few bits have many zeros just because they are rounded to few values."""


def _find(case: Case) -> Finding | None:
    wide = (
        [o for o in case.anatomy.operators if o.weights and bits(o.weight_dtype) > NARROW]
        if case.anatomy
        else []
    )
    zeros, weights = sum(o.zeros for o in wide), sum(o.weights for o in wide)
    if case.baseline is None or case.anatomy is None or not weights or zeros < LEAST * weights:
        return None
    share = sum(map(_zero_bytes, wide)) / max(case.anatomy.size_bytes, 1)
    download = case.trial.measurements.get("download_bytes")
    packed = (
        f" Compressed for the download the file has {size(download.value)}." if download else ""
    )
    runtime = registry.runtimes().get(case.trial.target.runtime)
    kernels = f" {runtime.zeros}" if runtime else ""
    text = (
        f"{percent(zeros / weights)} of the weights are exactly zero, but each is stored:"
        f" {size(sum(map(_zero_bytes, wide)))} of the file are zeros."
        f"{kernels}{packed}"
    )
    remedy = (
        "Judge it by download_bytes, which does shrink; to make the time smaller, whole channels"
        f" must go, not single weights.{_storage(case)}"
    )
    return finding("dense_zeros", "size", text, remedy, share, zeros=zeros, weights=weights)


def _storage(case: Case) -> str:
    """Return the techniques that leave zeros out of files of this format, as a sentence."""
    format_ = registry.formats().get(case.anatomy.format if case.anatomy else "")
    able = registry.serving("sparse_file", format_.id) if format_ else {}
    if not able or format_ is None:
        return ""
    sources = {registry.format_(id_).title for t in able for id_ in registry.technique(t).accepts}
    return (
        f" From a {' or '.join(sorted(sources))} model, {' or '.join(able)} writes a"
        f" {format_.title} file that leaves the zeros out."
    )


def _zero_bytes(operator: OperatorFacts) -> float:
    return operator.weight_bytes * operator.zeros / max(operator.weights, 1)


RULE = Rule(
    id="dense_zeros",
    title="Zeros are stored like other weights",
    help=(
        "Pruning sets single weights to zero. Model files store zeros like any number, and these"
        " runtimes multiply by them, so only compression for the download gains."
    ),
    find=_find,
)
