"""A trial's model file with a README of how to load it, as one ZIP file, for whoever has no lab.

`python -m lab.share.model_file RUNTIME FORMAT FILE TO` looks into a file in a process of its own,
so that the web process loads no framework.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lab import registry
from lab.errors import LabError, UnknownId, UsageError
from lab.formats.loading import loading_of, snippet, stored_shape
from lab.home import CHECKOUT
from lab.plots import formatting, words
from lab.plots.table import ordered_metrics, remarks
from lab.store import records
from lab.types import Artifact, ModelCard, Trial

README = "README.md"
_EARLIEST = (1980, 1, 1, 0, 0, 0)


def export_model(trial_id: str, to: Path) -> Path:
    """Write a trial's file and its README into a ZIP file; the same trial gives the same bytes.

    Raises:
        UnknownId: there is no such trial.
        UsageError: its file is not in this lab, or the ending is not .zip.
    """
    if to.suffix != ".zip":
        raise UsageError(
            "A model is exported as a ZIP file", allowed="a name that ends in .zip", given=to.name
        )
    trial = records.trial(trial_id)
    if trial.artifact is None or not Path(trial.artifact.path).is_file():
        raise UsageError(
            "This trial's file is not in this lab",
            given=trial_id,
            remedy="Run the trial again: its recipe is known",
        )
    card = records.card_of(trial.study)
    contents = _contents(trial.artifact, _plain_name(f"{card.id}-{trial.name}"))
    text = readme(trial, card, look(trial.target.runtime, trial.artifact), contents)
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in {README: text.encode(), **contents}.items():
            archive.writestr(zipfile.ZipInfo(name, _EARLIEST), content, zipfile.ZIP_DEFLATED, 9)
    return to


def _plain_name(text: str) -> str:
    """Without what a file system or a shell could take for something else."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("._-")[:120] or "model"


def _contents(artifact: Artifact, name: str) -> dict[str, bytes]:
    """Return the files as their runtime expects them, by file name."""
    path, format_ = Path(artifact.path), registry.formats().get(artifact.format)
    if format_ is not None and format_.parts is not None:
        return format_.parts(path)
    return {f"{name}{path.suffix}": path.read_bytes()}


def look(runtime: str, artifact: Artifact) -> dict[str, Any]:
    """Return the facts that loading a file needs: "input" and "output" {"shape", "dtype"}, and its
    format's `details`.

    Raises:
        LabError: the runtime cannot load it here.
    """
    with TemporaryDirectory() as folder:
        to = Path(folder) / "facts.json"
        command = [
            sys.executable,
            "-m",
            "lab.share.model_file",
            runtime,
            artifact.format,
            artifact.path,
            str(to),
        ]
        done = subprocess.run(command, capture_output=True, text=True, cwd=CHECKOUT, check=False)
        if done.returncode or not to.exists():
            raise LabError(
                "This file cannot be loaded here, so that nobody can be told how",
                given=done.stderr.strip()[-300:],
            )
        return dict(json.loads(to.read_text()))


def _facts(runtime: str, format_: str, path: str) -> dict[str, Any]:
    session, loading = registry.runtime(runtime).load(path, {}), loading_of(format_)
    ends = {"input": session.input, "output": session.output}
    found = {name: {"shape": list(end.shape), "dtype": end.dtype} for name, end in ends.items()}
    return {**found, **(loading.details(Path(path)) if loading.details else {})}


# --- the README -----------------------------------------------------------------------------------


def readme(
    trial: Trial, card: ModelCard, facts: Mapping[str, Any], contents: Mapping[str, bytes]
) -> str:
    """Return the README of a file: origin, input and output, metrics, and lines that load it.

    Args:
        facts: as `look` tells them.
        contents: name -> bytes of each file beside the README.
    """
    assert trial.artifact is not None
    file = next(iter(contents))
    told = {**facts, "options": dict(trial.target.options)}
    parts = [
        f"# {_md(card.title)}: {_md(trial.name)}",
        _what(trial, card),
        "## Load it",
        _install(trial),
        f"```python\n{snippet(trial.artifact.format, file, told, card.input, card.class_names)}```",
        "## What it takes and gives",
        _ends(card, facts),
        "## How good it is",
        _numbers(trial),
        "## Files",
        _files(contents, trial.artifact),
        "## Where it comes from",
        _origin(card),
    ]
    return "\n\n".join(parts) + "\n"


def _md(text: object) -> str:
    """Text that somebody typed, on one line and letter by letter; what Markdown leaves alone stays
    readable in an editor, too.
    """
    return re.sub(
        r"([\\`*\[\]<>|#&~$]|(?<![^\W_])_|_(?![^\W_])|(?<=\w):(?=/))",
        r"\\\1",
        " ".join(str(text).split()),
    )


def _what(trial: Trial, card: ModelCard) -> str:
    known = registry.techniques()
    steps = [
        known[s.technique].title if s.technique in known else s.technique
        for s in trial.recipe.steps
    ]
    made = f"Made by: {_md(', then '.join(steps))}." if steps else "The model as it came."
    return (
        f"A model for {_md(card.task.replace('_', ' '))}, in the format"
        f" {_md(trial.artifact.format if trial.artifact else '')}. {made}"
    )


def _install(trial: Trial) -> str:
    format_ = trial.artifact.format if trial.artifact else ""
    pinned = [
        f"{name}=={version}" if version else name
        for name in loading_of(format_).packages
        for version in [_version(trial, name)]
    ]
    return f"```\npip install numpy {' '.join(pinned)}\n```"


def _version(trial: Trial, package: str) -> str:
    """That which it was measured with; "" where that was not recorded, or looks like none."""
    with suppress(UnknownId):
        found = str(
            (records.environment(trial.environment or "").get("versions") or {}).get(package, "")
        )
        return found if re.fullmatch(r"[0-9A-Za-z.+!-]*", found) else ""
    return ""


def _ends(card: ModelCard, facts: Mapping[str, Any]) -> str:
    spec, quantized = card.input, facts.get("quantized", {})
    plain = (spec.scale, spec.offset) == (1.0, 0.0)
    lines = [
        f"- Input of the file: {_tensor(facts['input'])}{_scale(quantized.get('input'))}.",
        f"- Output of the file: {_tensor(facts['output'])}{_scale(quantized.get('output'))}.",
        f"- An item as the data have it: shape {stored_shape(spec)}"
        + (f", layout {spec.data_layout or spec.layout}." if len(spec.shape) > 1 else "."),
        (
            "- The data are the model's numbers as they are."
            if plain
            else f"- From data to the model's numbers: x × {spec.scale:g} + {spec.offset:g}."
        ),
    ]
    return "\n".join(
        [*lines, f"- Classes, in the order of the output: {_md(', '.join(card.class_names))}."]
        if card.class_names
        else lines
    )


def _tensor(end: Mapping[str, Any]) -> str:
    shape = ", ".join("any" if size is None else str(size) for size in end["shape"])
    return f"{end['dtype']}, shape ({shape})"


def _scale(quantized: Mapping[str, float] | None) -> str:
    if quantized is None:
        return ""
    return (
        f"; an integer q stands for (q - {quantized['zero_point']}) × {quantized['scale']:.9g},"
        " which the lines above do"
    )


def _numbers(trial: Trial) -> str:
    metrics = registry.metrics()
    rows = [
        (metrics[id_].title if id_ in metrics else id_, trial.measurements[id_])
        for id_ in ordered_metrics([trial], metrics)
    ]
    table = ["| | value | 95 % interval | |", "|---|---|---|---|"]
    table += [
        f"| {_md(title)} | {formatting.value(m.value, m.unit)} |"
        f" {formatting.interval(m) or 'exact'} | {_md(remarks(m))} |"
        for title, m in rows
    ]
    return "\n".join(
        [f"Measured as {_md(words.trial_text(trial))}; {_md(_machine(trial))}", "", *table]
    )


def _machine(trial: Trial) -> str:
    with suppress(UnknownId):
        facts = records.environment(trial.environment or "")
        runtime = registry.runtimes().get(trial.target.runtime)
        version = _version(trial, runtime.version_of) if runtime else ""
        return f"{facts.get('cpu', 'an unknown processor')}, {facts.get('os', '')}" + (
            f", {runtime.version_of} {version}." if runtime and version else "."
        )
    return "the machine was not recorded."


def _files(contents: Mapping[str, bytes], artifact: Artifact) -> str:
    lines = [
        f"- `{name}`, {len(content):,} bytes, SHA-256 `{sha256(content).hexdigest()}`"
        for name, content in contents.items()
    ]
    whole = (
        f"\n\nIn the lab the two are one file with the SHA-256 `{artifact.sha256}`."
        if len(contents) > 1
        else ""
    )
    return "\n".join(lines) + whole


def _origin(card: ModelCard) -> str:
    data = registry.datasets().get(card.dataset)
    facts = {
        "Model": card.provenance,
        "Licence of the model": card.licence,
        "Data": data.title if data else "its owner's",
        "Where the data come from": data.provenance if data else "",
        "Licence of the data": data.licence if data else "",
    }
    return "\n".join(f"- {name}: {_md(text)}" for name, text in facts.items() if text)


if __name__ == "__main__":
    Path(sys.argv[4]).write_text(json.dumps(_facts(*sys.argv[1:4])))
