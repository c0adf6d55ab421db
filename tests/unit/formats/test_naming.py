from __future__ import annotations

from lab.formats.naming import samples_suffix, speaking_name


def test_empty_suffixes_leave_no_trace() -> None:
    assert speaking_name("static_wi8_ai8", "", None, "per_channel") == "static_wi8_ai8_per_channel"


def test_the_usual_number_of_items_is_not_named() -> None:
    assert (samples_suffix(128), samples_suffix(512)) == ("", "n512")
