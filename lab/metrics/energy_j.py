"""Energy of one warm call, from the processor's own counters."""

from lab.lazy import np
from lab.plugs import Array, Metric
from lab.statistics import cluster_bootstrap
from lab.types import Measurement


def energy_j(energy: Array) -> Measurement | None:
    """Return the median joules of one call, with a 95 % bootstrap interval over rounds; None if no
    round was counted.

    Args:
        energy: joules of one call in each undisturbed round.
    """
    if not len(energy):
        return None
    low, high = cluster_bootstrap([energy[i : i + 1] for i in range(len(energy))], 0.5)
    return Measurement("energy_j", float(np.median(energy)), "J", len(energy), low, high)


METRIC = Metric(
    id="energy_j",
    title="Energy",
    unit="J",
    direction="minimize",
    needs=("energy",),
    compute=energy_j,
    help=(
        "Joules that the whole processor uses during a call, including idle cores. It is only"
        " available if the processor's counters (RAPL) can be read."
    ),
    noun="energy",
    best="most energy-efficient",
    more_less=("more energy", "less energy"),
)
