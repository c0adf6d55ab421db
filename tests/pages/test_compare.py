"""The Compare page: which trials, each section, what is not known, wrong addresses, names with
tricks.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import lab
from lab.home import folder
from lab.types import StudySpec
from tests import fakes
from tests.pages.conftest import in_address
from tests.pages.test_study import text_of

N = 300
EVIL = "<script>alert(1)</script> **bold** $x$ [link](http://x)"
SECTIONS = ("Recipe", "Numbers", "Classes", "Flipped items", "Layers", "Size")


def labels_of_digits() -> np.ndarray:
    """A made-up test set in the place of the real one."""
    rng = np.random.default_rng(5)
    where = folder("data") / lab.available_datasets()["digits"].digest
    labels = rng.integers(0, 10, N)
    if not where.exists():
        where.mkdir(parents=True)
        np.save(where / "x_test.npy", rng.random((N, 8, 8, 1), np.float32))
        np.save(where / "y_test.npy", labels)
    return labels


def made(study: str = "study-1", *, names=None) -> list:
    """Trials with everything that the page shows, under ids that the store finds them by."""
    trials = [
        replace(t, id=f"{study}-{t.position:04d}", study=study)
        for t in fakes.trials(8, study=study)
    ]
    trials = [replace(t, name=names.get(t.position, t.name)) for t in trials] if names else trials
    home = folder("artifacts")
    return fakes.with_outputs(fakes.with_evidence(trials, home), home, labels_of_digits())


@pytest.fixture
def four(add_study):
    add_study(made())
    return "study-1-0000,study-1-0003,study-1-0004,study-1-0005"


def buttons(app) -> dict:
    return {b.key: b for b in app.button}


def test_an_empty_lab_says_what_to_do(open_page):
    app = open_page("compare")
    assert not app.exception
    assert "side by side" in text_of(app)


def test_without_an_address_the_best_pick_stands_beside_its_float_model(open_page, add_study):
    add_study(made())
    app = open_page("compare")
    assert not app.exception
    chosen = app.multiselect(key="compare_trials").value
    assert len(chosen) == 2
    first, second = (next(t for t in lab.trials("study-1") if t.id == id_) for id_ in chosen)
    assert first.is_baseline
    assert not second.is_baseline


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize("count", [2, 4])
def test_every_section_opens(open_page, four, section, count):
    app = open_page(
        "compare", study="study-1", trials=",".join(four.split(",")[:count]), beside=section
    )
    assert not app.exception
    assert len(app.tabs) == len(SECTIONS)


def test_the_first_is_the_reference_and_another_can_be_made_it(open_page, four):
    app = open_page("compare", study="study-1", trials=four)
    assert app.multiselect(key="compare_trials").value == four.split(",")
    buttons(app)["reference_2"].click().run()
    assert not app.exception
    assert in_address(app, "trials") == "study-1-0004,study-1-0000,study-1-0003,study-1-0005"
    assert app.multiselect(key="compare_trials").value[0] == "study-1-0004"


def test_choosing_changes_the_address(open_page, four):
    app = open_page("compare", study="study-1", trials="study-1-0000,study-1-0003")
    app.multiselect(key="compare_trials").select("study-1-0005").run()
    assert in_address(app, "trials") == "study-1-0000,study-1-0003,study-1-0005"
    app.multiselect(key="compare_trials").set_value([]).run()
    assert app.multiselect(key="compare_trials").value == []
    app.multiselect(key="compare_trials").set_value(["study-1-0005"]).run()
    assert not app.exception
    assert "Choose two to four trials" in text_of(app)


def test_recipes_show_only_what_differs(open_page, four):
    app = open_page("compare", study="study-1", trials="study-1-0003,study-1-0005", beside="Recipe")
    rows = app.dataframe[0].value
    assert list(rows["Setting"]) == ["quantize: granularity"]
    assert list(rows.columns)[1:] == ["A · static_wi8_ai8_3", "B · static_wi8_ai8_5"]
    app = open_page("compare", study="study-1", trials="study-1-0000,study-1-0003", beside="Recipe")
    assert list(app.dataframe[0].value["Setting"]) == ["Step 2"]


def test_numbers_are_those_of_the_trials(open_page, four):
    app = open_page(
        "compare", study="study-1", trials="study-1-0000,study-1-0003", beside="Numbers"
    )
    rows = app.dataframe[0].value.set_index("Metric")
    trial = next(t for t in lab.trials("study-1") if t.position == 3)
    assert rows.loc["File size", "B · static_wi8_ai8_3"].startswith(
        f"{trial.measurements['size_bytes'].value / 1e3:.0f} kB · "
    )
    tests = next(d.value for d in app.dataframe if "Method" in d.value.columns).set_index("Metric")
    assert tests.loc["Top-1 accuracy", "Method"] == "item by item (McNemar)"
    assert set(tests.columns) >= {"A", "B", "p"}


def test_classes_are_listed_by_loss(open_page, four):
    app = open_page(
        "compare", study="study-1", trials="study-1-0000,study-1-0003", beside="Classes"
    )
    rows = app.dataframe[0].value
    assert len(rows) == 10
    expected = {
        str(c.number): (c.won, c.lost) for c in lab.per_class("study-1-0003", "study-1-0000")
    }
    assert {row["Class"]: (row["Won"], row["Lost"]) for _, row in rows.iterrows()} == expected


def test_flipped_items_are_counted_drawn_and_paged(open_page, four):
    found = lab.flips("study-1-0003", "study-1-0000")
    broken = found.of("broken")
    assert len(broken) > 24  # or there would be no second page
    app = open_page(
        "compare", study="study-1", trials="study-1-0000,study-1-0003", beside="Flipped items"
    )
    shown = text_of(app).replace("\\", "")
    assert f"breaks {len(broken)} that A gets right, fixes {len(found.of('fixed'))}" in shown
    (drawn,) = [h.body for h in app.get("html") if "Test items that flipped" in h.body]
    assert drawn.count("<img") == 24
    assert f"#{broken[0].item}<" in drawn
    app = open_page(
        "compare",
        study="study-1",
        trials="study-1-0000,study-1-0003",
        beside="Flipped items",
        sheet="2",
    )
    (drawn,) = [h.body for h in app.get("html") if "Test items that flipped" in h.body]
    assert drawn.count("<img") == min(24, len(broken) - 24)
    assert f"#{broken[24].item}<" in drawn
    app = open_page(
        "compare",
        study="study-1",
        trials="study-1-0000,study-1-0003",
        beside="Flipped items",
        flip="fixed",
    )
    table = next(d.value for d in app.dataframe if "Kind" in d.value.columns)
    assert list(table["Item"]) == [str(f.item) for f in found.of("fixed")]


def test_another_of_several_can_be_set_against_the_reference(open_page, four):
    app = open_page("compare", study="study-1", trials=four, beside="Flipped items", against="C")
    found = lab.flips("study-1-0004", "study-1-0000")
    assert f"C breaks {len(found.of('broken'))}" in text_of(app).replace("\\", "")


def test_where_answers_are_not_here_it_is_said(open_page, add_study):
    bare = [replace(t, details=replace(t.details, outputs=None, correct=None)) for t in made()]
    add_study(bare)
    for section in ("Classes", "Flipped items"):
        app = open_page(
            "compare", study="study-1", trials="study-1-0000,study-1-0003", beside=section
        )
        assert not app.exception
        assert "not in this lab" in app.info[0].value
    bits = [
        replace(
            t,
            id=f"bits-{t.position:04d}",
            study="bits",
            details=replace(t.details, outputs=None),
        )
        for t in made("bits")
    ]
    add_study(bits, id_="bits")
    app = open_page("compare", study="bits", trials="bits-0000,bits-0003", beside="Flipped items")
    assert not app.exception
    assert "they stay where they were evaluated" in text_of(app)


def test_trials_of_other_data_are_compared_in_size_and_time_only(open_page, four, add_study):
    from lab.store import records

    trials = [
        replace(t, id=f"other-{t.position:04d}", study="other", environment="env-2")
        for t in made("other")
    ]
    records.add_study(
        fakes.study("other", model="signs_resnet8", spec=StudySpec("signs_resnet8")),
        lab.model("signs_resnet8"),
        trials,
    )
    app = open_page("compare", study="study-1", trials="study-1-0000,other-0003", beside="Numbers")
    assert not app.exception
    assert "different test data" in app.warning[0].value
    assert "different machines" in app.warning[1].value
    assert [t.label for t in app.tabs] == ["Recipe", "Numbers", "Layers", "Size"]
    rows = set(app.dataframe[0].value["Metric"])
    assert "File size" in rows
    assert "Top-1 accuracy" not in rows


def test_wrong_addresses_are_said(open_page, four):
    app = open_page("compare", study="gone", trials="study-1-0000,nothing-0001,study-1-0003")
    assert not app.exception
    said = " ".join(w.value for w in app.warning)
    assert "not in this lab" in said
    assert app.multiselect(key="compare_trials").value == ["study-1-0000", "study-1-0003"]
    app = open_page("compare", study="study-1", trials=EVIL)
    assert not app.exception


def test_names_with_tricks_stay_text(open_page, add_study):
    add_study(made(names={3: EVIL}), title=EVIL)
    for section in SECTIONS:
        app = open_page(
            "compare",
            study="study-1",
            trials="study-1-0000,study-1-0003,study-1-0004",
            beside=section,
        )
        assert not app.exception
        shown = [m.value for kind in ("markdown", "caption") for m in app.get(kind)]
        shown += [
            text for group in app.button_group for text in group.options
        ]  # which are Markdown, too
        assert not any("<script>" in text or "**bold**" in text for text in shown)
        assert not any("<script" in h.body for h in app.get("html"))


def test_the_trials_panel_leads_here(open_page, add_study, monkeypatch):
    add_study(made())
    app = open_page("study", study="study-1", trial="study-1-0003", detail="Compare")
    assert not app.exception
    app.button(key="open_compare").click().run()
    assert not app.exception
    assert app.title[0].value == "Compare"
    assert in_address(app, "trials").endswith(",study-1-0003")
