"""A file that is to a good part not weights."""

from __future__ import annotations

from lab import registry
from lab.evidence import Finding
from lab.plugs import Case, Rule
from lab.rules._evidence import finding, part
from lab.rules._words import percent, size

LEAST = 0.2


def _find(case: Case) -> Finding | None:
    if case.baseline is None or case.anatomy is None or part(case.anatomy, "structure") < LEAST:
        return None
    share, rest = part(case.anatomy, "structure"), case.anatomy
    before = case.baseline_anatomy
    grown = (
        f", {size(_bytes(before))} in the float file"
        if before and before.format == rest.format
        else ""
    )
    text = (
        f"{percent(share)} of the file, {size(_bytes(rest))}, are no numbers but the graph's"
        f" description, names and metadata{grown}: quantization does not make them smaller."
    )
    remedy = _remedy(case)
    return finding("structure_dominates", "size", text, remedy, share, structure_bytes=_bytes(rest))


def _bytes(anatomy: object) -> int:
    parts = getattr(anatomy, "parts", {})
    return int(parts.get("structure", 0))


def _remedy(case: Case) -> str:
    format_ = case.anatomy.format if case.anatomy else ""
    shortens = registry.serving("short_names", format_)
    if shortens and not set(shortens) & {s.technique for s in case.trial.recipe.steps}:
        return (
            f"End the recipe with {' or '.join(shortens)}: half and more of it are names. Downloads"
            " gain less, since names compress well."
        )
    known = registry.formats().get(format_)
    if known is not None and not known.compact:
        return (
            "Compare download_bytes, since names and descriptions compress well; a tflite file of"
            " the same model describes its graph in fewer bytes."
        )
    return (
        "Compare download_bytes, since names and descriptions compress well; so small a model has"
        " little else to give."
    )


RULE = Rule(
    id="structure_dominates",
    title="Graph and metadata dominate the file",
    help=(
        "A small model's file is not only weights: operators, names, shapes and metadata keep their"
        " size however weights are stored."
    ),
    find=_find,
)
