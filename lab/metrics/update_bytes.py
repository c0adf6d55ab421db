"""Download size of a variant for a device that has the float baseline."""

from lab.plugs import Array, Metric
from lab.types import Measurement


def update_bytes(file: Array, baseline_file: Array) -> Measurement:
    """Return the bytes of the file compressed by Zstandard (RFC 8878) with the float baseline's
    file as its dictionary.
    """
    import zstandard

    known = zstandard.ZstdCompressionDict(
        baseline_file.tobytes(), dict_type=zstandard.DICT_TYPE_RAWCONTENT
    )
    packed = zstandard.ZstdCompressor(level=12, dict_data=known).compress(file.tobytes())
    return Measurement("update_bytes", float(len(packed)), "B")


METRIC = Metric(
    id="update_bytes",
    title="Update download",
    unit="B",
    direction="minimize",
    needs=("file", "baseline_file"),
    compute=update_bytes,
    help=(
        "Bytes that a device with the float model must download for this variant (Zstandard with"
        " the float file as dictionary)."
    ),
    noun="update",
    best="smallest to update",
    more_less=("larger update", "smaller update"),
    about_both=True,
)
