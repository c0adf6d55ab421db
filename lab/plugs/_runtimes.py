"""Runtimes, and emulated processors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from lab.evidence import Profile
from lab.options import Option
from lab.plugs._packages import Array, Toolchain, missing_package


@dataclass(frozen=True)
class TensorInfo:
    """Input or output of a model: shape with None for free axes, and numpy dtype name."""

    shape: tuple[int | None, ...]
    dtype: str


class Session(Protocol):
    """Loaded model. `prepare` quantizes inputs and `run` dequantizes outputs, so that callers only
    see real values.
    """

    input: TensorInfo
    output: TensorInfo

    def prepare(self, x: Array) -> Array:
        """Cast (and quantize) a batch to the model's input type; this is not timed."""
        ...

    def run(self, x: Array) -> Array:
        """Run the model on a prepared batch, shape (batch, *input) -> (batch, *output)."""
        ...


@dataclass(frozen=True)
class Provider:
    """Execution provider or delegate, which computes a runtime's operators.

    Attributes:
        name: its value of the runtime's option.
        available: True if the installed build has it on this machine.
        why: the reason that it is available, or what is missing and how to install it.
    """

    name: str
    available: bool
    why: str


@dataclass(frozen=True)
class Runtime:
    """Runtime that executes files of some formats.

    Attributes:
        preload: import the runtime's package and nothing else, for the cost of a bare process.
        load: (file, options) -> Session.
        toolchain: the warm process that evaluates the test set.
        presets: presets that run on it if no target is named.
        providers: () -> execution providers (or delegates) of its library, each with the reason
            that it is available here or not; None if it has no choice of providers.
        profile: (file, options, item with its batch axis, runs) -> time of each operator; None if
            the library has no profiler.
        zeros: treatment of zero weights by its kernels, as a sentence with its source.
        computes_as_stored: True if each operator computes in the type that the file stores for it.
    """

    id: str
    title: str
    help: str
    formats: tuple[str, ...]
    preload: Callable[[], None]
    load: Callable[[str, Mapping[str, Any]], Session]
    options: tuple[Option, ...] = ()
    requires: tuple[str, ...] = ()
    version_of: str = ""
    toolchain: Toolchain = "light"
    presets: tuple[str, ...] = ("quick", "standard", "full")
    providers: Callable[[], tuple[Provider, ...]] | None = None
    profile: Callable[[str, Mapping[str, Any], Array, int], Profile] | None = None
    zeros: str = "This runtime has no kernels that skip zeros."
    computes_as_stored: bool = False

    @property
    def missing(self) -> str | None:
        """Return the package that must be installed first, or None."""
        return missing_package(self.requires)


@dataclass(frozen=True)
class Fact:
    """Fact about a file on another processor, found without running it.

    Attributes:
        text: the difference in words; for an operator, the text follows the operator's name.
        operator, type: name and type of the operator, "" for the whole file.
        count, of: number of affected elements and of all elements (pairs of weights, scales); 0 if
        nothing is counted.
    """

    text: str
    operator: str = ""
    type: str = ""
    count: int = 0
    of: int = 0


@dataclass(frozen=True)
class Setting:
    """Setting in which a file was evaluated.

    Attributes:
        runtime, options: runtime and options of the target.
        features: CPU features of this machine, from `lab.measure.environment.fingerprint`.
        workdir: folder in which a processor may write files.
    """

    runtime: str
    options: Mapping[str, Any]
    features: tuple[str, ...]
    workdir: Path


@dataclass(frozen=True)
class Processor:
    """Emulated processor on which a file may give other outputs than on this machine.

    Attributes:
        formats: formats of the files whose outputs may differ.
        runtimes: runtimes whose arithmetic it emulates; empty means every one that loads the
            format.
        differs: (file, setting) -> facts, found in the file without running it on data; empty if
            the outputs are the same as here.
        load: (file, setting) -> a session that emulates the processor on this machine.
        because: facts -> the reason for the difference, as the end of a sentence: "3 pairs of
            weights can saturate".
        place: the place, as the beginning of a sentence: "On an x86 CPU without VNNI".
        version: raised when the outputs of the same file change.
    """

    id: str
    title: str
    help: str
    place: str
    formats: tuple[str, ...]
    differs: Callable[[Path, Setting], list[Fact]]
    load: Callable[[Path, Setting], Session]
    because: Callable[[Sequence[Fact]], str]
    runtimes: tuple[str, ...] = ()
    version: int = 1
