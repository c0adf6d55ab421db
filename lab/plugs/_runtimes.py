"""What runs files, here and, emulated, elsewhere."""

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
    """A model's input or output: shape with None for free axes, numpy dtype name."""

    shape: tuple[int | None, ...]
    dtype: str


class Session(Protocol):
    """A loaded model. Quantized inputs and outputs are hidden: `run` takes and gives real
    numbers.
    """

    input: TensorInfo
    output: TensorInfo

    def prepare(self, x: Array) -> Array:
        """Cast (and quantize) a batch to the type that the model takes: outside the timed part."""
        ...

    def run(self, x: Array) -> Array:
        """One call on a prepared batch, shape (batch, *input) -> (batch, *output)."""
        ...


@dataclass(frozen=True)
class Provider:
    """An execution provider or delegate: what computes a runtime's operators.

    Attributes:
        name: as the option of the runtime takes it.
        available: whether the installed build has it on this machine.
        why: what makes it available, or what is missing and how to bring it.
    """

    name: str
    available: bool
    why: str


@dataclass(frozen=True)
class Runtime:
    """Runs files of some formats.

    Attributes:
        preload: import the runtime's package and nothing else: what a bare process costs.
        load: (file, options) -> Session.
        toolchain: which warm process answers the test set in it.
        presets: those that run on it when nobody names a target.
        providers: () -> the execution providers (or delegates) that its library knows of, each with
            why it can be used
            here, or why not; None where it has none to choose from.
        profile: (file, options, item with its batch axis, runs) -> where the time goes, operator by
            operator; None where
            nothing of the library tells.
        zeros: how its kernels treat weights that are zero, as a sentence with its source.
        computes_as_stored: True where each operator computes in the type that the file stores for
            it.
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
    zeros: str = "This runtime has no kernel that skips them."
    computes_as_stored: bool = False

    @property
    def missing(self) -> str | None:
        """The package that must be installed first, or None."""
        return missing_package(self.requires)


@dataclass(frozen=True)
class Fact:
    """What a look at a file tells about it on another machine.

    Attributes:
        text: what differs there, in words; with an operator it goes on after the operator's name.
        operator, type: the operator that it is about, "" where it is about the whole file.
        count, of: how many of how many (pairs of weights, scales) are concerned; 0 where nothing is
            counted.
    """

    text: str
    operator: str = ""
    type: str = ""
    count: int = 0
    of: int = 0


@dataclass(frozen=True)
class Setting:
    """How a file runs here.

    Attributes:
        runtime, options: of the target that it was evaluated on.
        features: this machine's CPU features, as `lab.measure.environment.fingerprint` tells them.
        workdir: where a machine may write files.
    """

    runtime: str
    options: Mapping[str, Any]
    features: tuple[str, ...]
    workdir: Path


@dataclass(frozen=True)
class Processor:
    """Somewhere else where a file may run and answer differently than it does here.

    Attributes:
        formats: of the files that it is known to answer differently.
        runtimes: those whose arithmetic it stands for; empty means every one that loads the format.
        differs: (file, setting) -> facts, from a look at the file that runs nothing of it on data;
            empty where the file
            answers there as it does here.
        load: (file, setting) -> a session that answers on this machine as the file does there.
        because: facts -> why the answers differ, as the end of a sentence: "3 pairs of weights can
            saturate".
        place: where, as the beginning of a sentence: "On an x86 CPU without VNNI".
        version: raised when the same file would answer otherwise.
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
