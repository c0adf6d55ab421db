"""Energy that the processor says it used: the RAPL counters of Intel and AMD, as Linux shows them
(Documentation/power/powercap).

They count everything that a processor package does, idle cores and other programs included. Most
virtual machines and containers
have none, and since Linux 5.10 only root may read them: then there is no number, and none is made
up.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
MICRO = 1e-6


@dataclass(frozen=True)
class Zone:
    """The counter of one processor package.

    Attributes:
        file: where it is read, in microjoules; range_uj: it starts again at 0 above this.
    """

    name: str
    file: Path
    range_uj: int

    def read(self) -> int:
        """Microjoules since some moment.

        Raises:
            OSError, ValueError: it cannot be read.
        """
        return int(self.file.read_text())


class Counter:
    """Joules of all packages since it was made; make it before what is to be measured, ask after.

    A counter starts again after about 262 kJ, 20 minutes at 200 W: once is noticed, twice is not.
    """

    def __init__(self, root: Path = POWERCAP) -> None:
        self._zones = zones(root)
        self._start = _read(self._zones)

    def joules(self) -> float | None:
        """Joules so far; None where nothing can be read."""
        now = _read(self._zones)
        if not self._zones or now is None or self._start is None:
            return None
        return MICRO * sum(
            _passed(z, a, b) for z, a, b in zip(self._zones, self._start, now, strict=True)
        )


def _read(found: tuple[Zone, ...]) -> list[int] | None:
    try:
        return [zone.read() for zone in found]
    except (OSError, ValueError):
        return None


def _passed(zone: Zone, before: int, after: int) -> int:
    return after - before if after >= before else after + zone.range_uj - before


@cache
def zones(root: Path = POWERCAP) -> tuple[Zone, ...]:
    """The packages' counters; those of cores, graphics and memory lie below them and are left out,
    as are those of the board.
    """
    folders = sorted(root.glob("intel-rapl:*")) if root.is_dir() else []
    named = [(_text(folder / "name"), folder) for folder in folders if folder.name.count(":") == 1]
    return tuple(
        Zone(name, folder / "energy_uj", int(_text(folder / "max_energy_range_uj") or 0))
        for name, folder in named
        if name.startswith("package")
    )


def _text(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""


def why_not(root: Path = POWERCAP) -> str:
    """Why there is no energy to be read here, as a sentence; "" where there is."""
    if not root.is_dir():
        return (
            "This kernel shows no energy counters (no /sys/class/powercap), as in most virtual"
            " machines and containers."
        )
    if not zones(root):
        return "This processor or this virtual machine has no energy counters (RAPL)."
    try:
        zones(root)[0].read()
    except PermissionError:
        return f"Only root may read the energy counters ({zones(root)[0].file})."
    except (OSError, ValueError) as error:
        return f"The energy counters cannot be read ({error})."
    return ""
