"""A spec goes into an address and comes out again; what is made up is refused."""

from __future__ import annotations

import json
import zlib
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lab
from lab.errors import LabError
from lab.share.spec_text import LARGEST_BYTES


@pytest.mark.parametrize("model", ["digits_lenet", "signs_resnet8", "machine_autoencoder"])
@pytest.mark.parametrize("preset", ["quick", "standard", "full"])
def test_every_preset_comes_back_whole_and_fits_into_an_address(model: str, preset: str) -> None:
    spec = lab.make_spec(model, preset)
    text = lab.spec_to_text(spec)
    assert json.dumps(lab.spec_from_text(text).to_json()) == json.dumps(spec.to_json())
    assert len(text) < 4000  # what servers and mail programs take
    assert text.replace("-", "").replace("_", "").isalnum()


def packed(value: object) -> str:
    return urlsafe_b64encode(zlib.compress(json.dumps(value).encode())).decode()


@pytest.mark.parametrize(
    "value",
    [
        [],
        3,
        "x",
        {},
        {"model": 3},
        {"model": "m", "targets": ["ort"]},
        {"model": "m", "space": {"gone": {}}},
        {"model": "m", "rounds": -1},
        "x" * (LARGEST_BYTES + 1),
    ],
)
def test_what_is_no_spec_is_refused(value: object) -> None:
    with pytest.raises(LabError):
        lab.spec_from_text(packed(value))


@given(st.text(max_size=200))
def test_any_text_is_a_spec_or_refused(text: str) -> None:
    with pytest.raises(LabError):
        lab.spec_from_text(text)
