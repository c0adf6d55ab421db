"""Flipped items and classes as words, tables, HTML and a heatmap."""

from __future__ import annotations

import re
from base64 import b64decode
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from lab.analysis.flips import (
    Flips,
    alarm_flips,
    class_changes,
    class_flips,
    confusion_change,
    known_flips,
)
from lab.plots.examples import examples_info
from lab.plots.flips import (
    MOST_CLASSES,
    class_rows,
    confusion_info,
    confusion_spec,
    flip_rows,
    flips_html,
    flips_json,
    flips_text,
    kind_texts,
    naming,
)

EVIL = "<script>alert(1)</script>"
LABELS = np.array([0, 1, 2, 0])
BEFORE = np.array([[0.9, 0.1, 0.0], [0.7, 0.2, 0.1], [0.5, 0.3, 0.2], [0.8, 0.1, 0.1]])
AFTER = np.array([[0.2, 0.8, 0.0], [0.1, 0.9, 0.0], [0.1, 0.6, 0.3], [0.7, 0.2, 0.1]])
NAMES = naming("classification", ("zero", "one", "two"))


@pytest.fixture
def found() -> Flips:
    return class_flips(LABELS, BEFORE, AFTER)


def test_all_items_in_a_sentence(found):
    assert (
        flips_text(found, NAMES)
        == "Of 4 test items, B breaks 1 that A gets right, fixes 1, and is wrong in another way on"
        " 1. Both are right on 1. Percentages are the probabilities that each model gives its"
        " own prediction."
    )
    assert kind_texts(found, NAMES) == {
        "broken": "Broken by B (1)",
        "fixed": "Fixed by B (1)",
        "changed": "Both wrong, differently (1)",
    }


def test_rows_name_truth_and_both_answers(found):
    rows = {row["Item"]: row for row in flip_rows(found.flips, found.value, NAMES)}
    assert rows["0"] == {
        "Item": "0",
        "Truth": "zero",
        "A": "zero (90 %)",
        "B": "one (80 %)",
        "Kind": "broken by B",
        "Gap": "0.70",
    }
    assert rows["2"]["Kind"] == "both wrong"


def test_alarms_have_scores_and_a_threshold():
    flips = alarm_flips(np.array([0, 1]), np.array([1.0, 1.0]), np.array([3.0, 2.5]), 2.0)
    names = naming("anomaly_detection", ())
    assert flip_rows(flips.flips, flips.value, names)[0] == {
        "Item": "0",
        "Truth": "normal",
        "A": "no alarm (1)",
        "B": "alarm (3)",
        "Kind": "broken by B",
        "Gap": "1.00",
    }
    assert "above 2 raises an alarm" in flips_text(flips, names)
    assert "in another way" not in flips_text(flips, names)


def test_what_is_not_known_is_not_invented():
    flips = known_flips(np.array([True, False]), np.array([False, True]), np.array([1, 2]))
    rows = flip_rows(flips.flips, flips.value, NAMES)
    assert [(r["A"], r["B"], r["Gap"]) for r in rows] == [("one", "?", "–"), ("?", "two", "–")]
    assert "are not in this lab" in flips_text(flips, NAMES)
    assert "in another way" not in flips_text(flips, NAMES)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text += data


def test_items_are_drawn_with_their_own_picture(found):
    images = np.random.default_rng(0).integers(0, 256, (4, 5, 5, 3))
    images[..., 0, 0, 0], images[..., 0, 1, 0] = 0, 255
    shown = [f.item for f in found.flips]
    html = flips_html(found.flips, found.value, NAMES, examples_info(images[shown], LABELS[shown]))
    pictures = [b64decode(text) for text in re.findall(r"data:image/png;base64,([^\"]+)", html)]
    assert len(pictures) == 3
    for content, item in zip(pictures, shown, strict=True):
        np.testing.assert_array_equal(
            np.asarray(Image.open(BytesIO(content)).convert("RGB")), images[item]
        )
    parser = Tags()
    parser.feed(html)
    assert set(parser.tags) == {"div", "img", "span"}
    assert parser.text.count("✓") == 2  # the one that is right, of a broken and of a fixed item
    assert parser.text.count("✗") == 4


@pytest.mark.parametrize("show", ["text", "none"])
def test_names_and_texts_with_html_stay_text(found, show):
    names = naming("classification", (EVIL, f'"{EVIL}', "two"), EVIL, "B")
    pictures = (
        examples_info(np.zeros(3), [0, 0, 0], show="text", texts=[EVIL] * 3)
        if show == "text"
        else None
    )
    parser = Tags()
    parser.feed(flips_html(found.flips, found.value, names, pictures))
    assert set(parser.tags) <= {"div", "span"}
    assert EVIL in parser.text
    spec = confusion_spec(
        confusion_info(confusion_change(LABELS, BEFORE.argmax(1), AFTER.argmax(1), 3), names)
    )
    assert "<script" not in repr(spec)


def test_classes_as_a_table_the_greatest_loss_first():
    a, b = BEFORE.argmax(1) == LABELS, AFTER.argmax(1) == LABELS
    rows = class_rows(class_changes(LABELS, a, b), NAMES)
    assert [row["Class"] for row in rows] == ["zero", "two", "one"]
    assert (rows[0]["A right"], rows[0]["B right"], rows[0]["Lost"], rows[0]["Points"]) == (
        "100.0 %",
        "50.0 %",
        1,
        -50.0,
    )
    assert [row["Verdict"] for row in rows] == ["may be chance", "equal", "may be chance"]


def test_the_heatmap_colours_what_is_better_and_writes_what_moved():
    change = confusion_change(LABELS, BEFORE.argmax(1), AFTER.argmax(1), 3)
    (trace,) = confusion_spec(confusion_info(change, NAMES))["data"]
    assert trace["text"] == [["-1", "+1", ""], ["-1", "+1", ""], ["-1", "+1", ""]]
    assert trace["z"] == [
        [-1, -1, 0],
        [1, 1, 0],
        [1, -1, 0],
    ]  # on the diagonal more is better, elsewhere less
    assert trace["zmax"] == -trace["zmin"] > 1  # pale enough for the numbers on it
    assert trace["hovertext"][0][1] == "<b>zero</b> predicted as one: +1 items"


def test_of_many_classes_those_that_change_are_shown():
    change = np.zeros((60, 60), int)
    change[5, 5], change[5, 50] = -1, 1
    info = confusion_info(change, naming("classification", [f"c{i}" for i in range(60)]))
    assert info.rows == ("c5", "c50")
    assert info.left_out == 58
    assert len(confusion_info(np.ones((60, 60), int), NAMES).rows) == MOST_CLASSES


def test_as_json_nothing_is_lost(found):
    value = flips_json(found)
    assert value["n"] == 4
    assert [f["item"] for f in value["flips"]] == [f.item for f in found.flips]
