"""Compressed size of the model file."""

import zlib

from lab.plugs import Array, Metric
from lab.types import Measurement


def download_bytes(file: Array) -> Measurement:
    """Return the bytes after DEFLATE at its highest level (RFC 1951), as in a zipped app bundle."""
    return Measurement("download_bytes", float(len(zlib.compress(file.tobytes(), 9))), "B")


METRIC = Metric(
    id="download_bytes",
    title="Compressed download",
    unit="B",
    direction="minimize",
    needs=("file",),
    compute=download_bytes,
    help=(
        "Bytes of the file compressed with DEFLATE level 9, as in an app bundle. Pruned zeros"
        " shrink here but not in the file."
    ),
    noun="download",
    best="smallest to download",
    more_less=("larger download", "smaller download"),
)
