"""A spec as a text that fits into an address: its JSON, without what is at its default, compressed,
in letters that addresses allow.
"""

from __future__ import annotations

import json
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from lab.errors import InvalidFile
from lab.spec.reading import check_spec, spec_from_json
from lab.types import StudySpec

LARGEST_BYTES = 2**20
"""Of the JSON: a text of a few characters could unpack to gigabytes."""


def spec_to_text(spec: StudySpec) -> str:
    """The text; `spec_from_text` is the reverse."""
    usual = StudySpec(spec.model).to_json()
    value = {k: v for k, v in spec.to_json().items() if k == "model" or v != usual.get(k)}
    packed = zlib.compress(json.dumps(value, separators=(",", ":")).encode(), 9)
    return urlsafe_b64encode(packed).decode().rstrip("=")


def spec_from_text(text: str) -> StudySpec:
    """The spec, checked but for its model, which may be of another lab.

    Raises:
        InvalidFile: the text is cut off or made up.
        UsageError: what it says cannot be.
    """
    try:
        packed = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        unpacking = zlib.decompressobj()
        plain = unpacking.decompress(packed, LARGEST_BYTES)
        if not unpacking.eof:
            raise ValueError("cut off, or too large")
        value: Any = json.loads(plain)
        if not isinstance(value, dict) or not isinstance(value.get("model"), str):
            raise ValueError("not a spec")
    except (ValueError, zlib.error, RecursionError) as error:
        raise InvalidFile(
            "This link does not hold a whole sweep",
            given=text[:40],
            remedy=f"Copy it again, to its very end ({error})",
        ) from error
    return check_spec(spec_from_json(value))
