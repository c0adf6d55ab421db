"""File formats: everything that the lab shows of a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.evidence import Anatomy
from lab.plugs._packages import Array, missing_package
from lab.types import Layer

FACES = ("inspect", "anatomy", "layers", "loading", "parts", "synthesise")
"""The faces that a format may lack."""


@dataclass(frozen=True)
class Loading:
    """Python lines that load a file without the lab.

    Attributes:
        packages: pip packages that the lines import.
        lines: (file name, facts) -> Python that defines `run(x)`; facts are "input" {"shape",
            "dtype"}, "options" of the target, and whatever `details` returns.
        details: file -> facts that the lines need; may load a framework. None where there are none.
    """

    packages: tuple[str, ...]
    lines: Callable[[str, Mapping[str, Any]], str]
    details: Callable[[Path], dict[str, Any]] | None = None


@dataclass(frozen=True)
class Format:
    """A file format: one package under `lab/formats/`, which imports its readers only when asked.

    Attributes:
        id: as artifacts, techniques and runtimes name it; title: as pages show it.
        suffixes: of its files, the usual one first.
        packages: pip packages that its readers need.
        recognises: (file, its first 64 bytes) -> True where the content is of this format; loads no
            framework. Raises InvalidFile where the content is of this format but damaged.
        source: True where a model may be added as such a file.
        frameworks: names that model cards give the framework that writes it, in lower case.
        compact: False where names and descriptions take so much of a small file that another format
            of the same model would be smaller.
        inspect: file -> its inputs, outputs, number of weights and operators, see
            `lab.formats.inspect.inspect`.
        anatomy: file -> its bytes by part, see `lab.formats.anatomy.anatomy`.
        layers: file -> its layer table, see `lab.formats.layers.layer_table`.
        loading: () -> the lines that load it without the lab.
        parts: file -> {file name: bytes}, where other software wants more than one file;
            None where the file is used as it is.
        synthesise: (file, items, random generator, low, high) -> calibration inputs made from the
            model's batch-normalisation statistics, see `lab.formats.synthesis`.
    """

    id: str
    title: str
    help: str
    suffixes: tuple[str, ...]
    packages: tuple[str, ...] = ()
    recognises: Callable[[Path, bytes], bool] = lambda path, head: False
    source: bool = False
    frameworks: tuple[str, ...] = ()
    compact: bool = True
    inspect: Callable[[Path], Mapping[str, Any]] | None = None
    anatomy: Callable[[Path], Anatomy] | None = None
    layers: Callable[[Path], Sequence[Layer]] | None = None
    loading: Callable[[], Loading] | None = None
    parts: Callable[[Path], dict[str, bytes]] | None = None
    synthesise: Callable[[Path, int, Any, float, float], Array] | None = None

    @property
    def missing(self) -> str | None:
        """The package that must be installed first, or None."""
        return missing_package(self.packages)

    def has(self, face: str) -> bool:
        """Return whether the format has one of FACES."""
        return getattr(self, face) is not None
