from __future__ import annotations

from lab.compress.calibrating import CALIBRATION, calibration_suffix
from lab.compress.choosing import chosen_suffix
from lab.compress.naming import speaking_name
from lab.options import validate


def test_empty_suffixes_leave_no_trace() -> None:
    assert speaking_name("static_wi8_ai8", "", None, "per_channel") == "static_wi8_ai8_per_channel"


def test_the_usual_calibration_is_not_named() -> None:
    def suffix(**given: object) -> str:
        return calibration_suffix(validate(CALIBRATION, given, "t"))

    assert suffix() == suffix(calibration_samples=128) == ""
    assert suffix(calibration_samples=512, calibration_seed=3) == "n512_seed3"
    assert suffix(calibration_source="noise") == "noise"


def test_chosen_layers_are_named_or_counted() -> None:
    assert chosen_suffix({}) == chosen_suffix({"only": (), "keep_float": ()}) == ""
    assert chosen_suffix({"only": ("a/conv:0",)}) == "only_a_conv_0"
    few, others = ({"keep_float": ("a", "b"), "wide": ("c",)}, {"keep_float": ("a", "c")})
    assert chosen_suffix(few).startswith("float_2_layers_")
    assert chosen_suffix(few).endswith("_wide_c")
    assert chosen_suffix(others)[:15] != chosen_suffix(few)[:20]
