"""The report from disk, in a browser without a net."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import lab
from lab.analysis.front import front
from lab.plots.theme import INKS
from lab.store import records
from tests import fakes
from tests.payloads import PAYLOADS

pytestmark = pytest.mark.browser
LIMIT_MS = 120_000
"""Three figures take two or three seconds to draw, but on a machine that is busy with other
tests.
"""
DRAWN = (
    "() => [...document.querySelectorAll('[data-figure]')].every((box) =>"
    " box.classList.contains('js-plotly-plot'))"
)
POINTS = """(n) => document.querySelectorAll('[data-figure]')[n]._fullData.flatMap((t) => (t.customdata ?? []).map((row, i) => {
  const g = document.querySelectorAll('[data-figure]')[n], r = g.getBoundingClientRect(), l = g._fullLayout;
  return [row[0], l.xaxis.d2p(t.x[i]) + l._size.l + r.left, l.yaxis.d2p(t.y[i]) + l._size.t + r.top];
}))"""


@pytest.fixture
def opened(chromium: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Opens a file from disk, offline, and fails where anything but the file was asked for or
    anything was reported as wrong.
    """
    wrong: list[str] = []
    contexts = []

    def open_(file: Path, **settings: Any) -> Any:
        context = chromium.new_context(
            viewport={"width": 1366, "height": 768}, offline=True, **settings
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(LIMIT_MS)
        page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: wrong.append(str(e)))
        page.on("dialog", lambda d: (wrong.append(f"a dialog: {d.message}"), d.dismiss()))
        page.on(
            "request",
            lambda r: wrong.append(f"asked for {r.url}") if r.url not in (file.as_uri(),) else None,
        )
        page.goto(file.as_uri())
        page.wait_for_function(DRAWN)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture
def report(lab_home: Path, tmp_path: Path) -> Path:
    study = lab.example_study()
    assert study
    return lab.export(study, tmp_path / "report.html")


def test_it_shows_the_study(report: Path, opened: Callable[..., Any]) -> None:
    page = opened(report)
    study = lab.example_study()
    assert study
    trials = lab.trials(study)
    shown = {id_ for id_, _, _ in page.evaluate(POINTS, 0)}
    assert shown >= set(front(trials, lab.study(study).spec.objectives))
    assert page.locator("#trials tbody tr").count() == len(trials)
    assert page.locator("#front tbody th a").first.inner_text() in page.locator("body").inner_text()


def test_a_click_on_a_point_finds_its_row(report: Path, opened: Callable[..., Any]) -> None:
    page = opened(report)
    page.locator("[data-figure='0']").scroll_into_view_if_needed()
    id_, x, y = next(p for p in page.evaluate(POINTS, 0) if 0 < p[2] < 700)
    page.mouse.move(x, y)
    page.mouse.click(x, y)
    page.wait_for_selector("tr.found")
    assert page.locator("tr.found").get_attribute("id") in {
        f"row-{p[0]}" for p in page.evaluate(POINTS, 0)
    }
    assert id_


def test_a_column_sorts_both_ways(report: Path, opened: Callable[..., Any]) -> None:
    page = opened(report)
    head = page.locator("#trials thead button", has_text="File size")
    column = head.evaluate("(b) => b.parentElement.cellIndex")
    values = (
        "() => [...document.querySelectorAll('#trials tbody tr')].map((r) =>"
        f" Number(r.cells[{column}].dataset.v))"
    )
    head.click()
    rising = page.evaluate(values)
    head.click()
    assert rising == sorted(rising)
    assert page.evaluate(values) == rising[::-1]
    assert page.locator("#trials th[aria-sort=descending]").count() == 1


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_it_has_the_readers_theme(report: Path, opened: Callable[..., Any], mode: Any) -> None:
    page = opened(report, color_scheme=mode)
    ground, text = INKS[mode].ground, INKS[mode].text
    rgb = "rgb({}, {}, {})".format(*(int(ground[i : i + 2], 16) for i in (1, 3, 5)))
    assert page.evaluate("() => getComputedStyle(document.documentElement).backgroundColor") == rgb
    assert (
        page.evaluate(
            "() => document.querySelector('[data-figure]')._fullLayout.font.color"
        ).upper()
        == text
    )
    other = "dark" if mode == "light" else "light"
    page.emulate_media(color_scheme=other)
    page.wait_for_function(
        "(c) => document.querySelector('[data-figure]')._fullLayout.font.color.toUpperCase() === c",
        arg=INKS[other].text,
    )  # type: ignore[index]


def test_texts_of_people_do_nothing(
    lab_home: Path, tmp_path: Path, opened: Callable[..., Any]
) -> None:
    every = " ".join(PAYLOADS)
    made = [
        replace(t, name=PAYLOADS[t.position % len(PAYLOADS)], float_operators={every: 1})
        for t in fakes.trials(len(PAYLOADS) + 3)
    ]
    study = fakes.study(title=every)
    records.add_study(
        study,
        replace(lab.model(study.model), title=every, description=every, class_names=PAYLOADS),
        made,
    )
    lab.set_note(study.id, every)
    page = opened(lab.export(study.id, tmp_path / "report.html"))
    assert page.locator("#evil, img, svg[onload]").count() == 0
    assert every.split("\u2028")[0] in page.locator("p.note").inner_text()


def test_a_thousand_trials_are_drawn_by_webgl(
    lab_home: Path, tmp_path: Path, opened: Callable[..., Any]
) -> None:
    study = fakes.study()
    records.add_study(study, lab.model(study.model), fakes.trials(1000))
    file = lab.export(study.id, tmp_path / "report.html")
    assert file.stat().st_size < 6_000_000
    page = opened(file)
    assert len(page.evaluate(POINTS, 0)) == 999


def test_without_javascript_the_tables_are_there(report: Path, chromium: Any) -> None:
    context = chromium.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(report.as_uri())
    assert page.locator("#trials tbody tr").count() > 10
    assert page.get_by_text("Figures need JavaScript").first.is_visible()
    context.close()
