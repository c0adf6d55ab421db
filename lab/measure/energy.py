"""Energy from the processor's own counters: RAPL of Intel and AMD in Linux
(Documentation/power/powercap).

They count everything that a processor package does, including idle cores and other programs. Most
virtual machines and containers have none, and since Linux 5.10 only root may read them; the energy
is then left out, not estimated.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
MICRO = 1e-6


@dataclass(frozen=True)
class Zone:
    """Counter of one processor package.

    Attributes:
        file: file with its value in microjoules.
        range_uj: largest value, after which it starts again at 0.
    """

    name: str
    file: Path
    range_uj: int

    def read(self) -> int:
        """Return the microjoules since an arbitrary moment.

        Raises:
            OSError, ValueError: the counter cannot be read.
        """
        return int(self.file.read_text())


class Counter:
    """Meter of the joules of all packages since its creation; create it before the measured work
    and read it afterwards.

    A counter starts again after about 262 kJ, 20 minutes at 200 W; one overflow is detected, two
    are not.
    """

    def __init__(self, root: Path = POWERCAP) -> None:
        self._zones = zones(root)
        self._start = _read(self._zones)

    def joules(self) -> float | None:
        """Return the joules so far; None if no counter is readable."""
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
    """Return the counters of packages; those of cores, graphics and memory are contained in them
    and left out, as are those of the board.
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
    """Return the reason that energy is not readable, as a sentence; "" if it is."""
    if not root.is_dir():
        return (
            "This kernel provides no energy counters (no /sys/class/powercap), as in most virtual"
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
