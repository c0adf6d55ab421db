"""Size of the model file."""

from lab.plugs import Array, Metric
from lab.types import Measurement


def size_bytes(file: Array) -> Measurement:
    """Return the bytes of the file on the device's disk."""
    return Measurement("size_bytes", float(len(file)), "B")


METRIC = Metric(
    id="size_bytes",
    title="File size",
    unit="B",
    direction="minimize",
    needs=("file",),
    compute=size_bytes,
    help="Bytes of the model file on the device's disk.",
    noun="size",
    best="smallest",
)
