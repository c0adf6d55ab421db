"""The page of a report: everything in one file, and a policy in it that forbids the browser to
fetch anything else.

Plotly takes 4.8 MB as it comes; packed, a third of that. The page unpacks it
(`DecompressionStream`, in browsers since 2023). Only the
two scripts that are named by their digests may run: if a text of somebody ever got through as
markup, it would stay without effect.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from lab.plots.theme import CONFIG, INKS, dark_for_light
from lab.share.markup import Html, el, joined, json_in_script
from lab.share.report import background, results
from lab.share.report.elements import section
from lab.share.report.figures import Figure, figures
from lab.share.report.values import Report, report_of

_HERE = Path(__file__).parent


def write_report(study_id: str, to: Path, notes: Mapping[str, str] | None = None) -> None:
    """Write a study's report, one HTML file that needs no other file and no server.

    Args:
        notes: as in `lab.share.report.values.report_of`.

    Raises:
        UnknownId: there is no such study.
    """
    to.write_text(page(report_of(study_id, notes)), encoding="utf-8")


def page(report: Report) -> str:
    """The whole file."""
    drawn = figures(report)
    body = [
        results.header(report),
        el(
            "main",
            results.best(report),
            _figures(drawn),
            results.front_table(report),
            results.all_trials(report),
            results.failed(report),
            background.reasons(report),
            background.recipes(report),
            background.machines(report),
            background.protocol(report),
            background.model_and_data(report),
        ),
        _scripts(drawn),
    ]
    return f"<!doctype html>\n{el('html', _head(report, drawn), el('body', body), lang='en')}\n"


def _head(report: Report, drawn: Sequence[Figure]) -> Html:
    return el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=_policy(drawn)),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", f"{report.card.title}: {report.study.title or 'compression study'}"),
        Html(f"<style>{_style()}</style>"),
    )


def _policy(drawn: Sequence[Figure]) -> str:
    """Content policy: nothing is fetched, scripts are named by digest, code made of text is allowed
    only where WebGL draws, whose library makes some.
    """
    scripts = [_digest(_script()), *([_digest(_plotly()[0])] if drawn else [])]
    webgl = any(
        trace.get("type") == "scattergl" for figure in drawn for trace in figure.spec["data"]
    )
    allowed = " ".join([*scripts, *(["'unsafe-eval'"] if webgl else [])])
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:;"
        " base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _style() -> str:
    """Style sheet of the page, with the colours of the figures."""
    light, dark = (
        "".join(f"--{name}:{color};" for name, color in vars(INKS[mode]).items())
        for mode in ("light", "dark")
    )
    colors = f":root{{{light}}}@media (prefers-color-scheme: dark){{:root{{{dark}}}}}"
    return colors + (_HERE / "page.css").read_text(encoding="utf-8")


@cache
def _script() -> str:
    return (_HERE / "page.js").read_text(encoding="utf-8")


@cache
def _plotly() -> tuple[str, str]:
    """Plotly's script as its package brings it, and packed, in base64."""
    import plotly

    text = (Path(plotly.__file__).parent / "package_data" / "plotly.min.js").read_bytes()
    return text.decode(), base64.b64encode(gzip.compress(text, 9, mtime=0)).decode()


def _figures(drawn: Sequence[Figure]) -> Html | None:
    if not drawn:
        return None
    shown = [
        el(
            "figure",
            el("h3", f.title),
            el(
                "div",
                "Figures need JavaScript; the tables have the same numbers.",
                class_="plot",
                role="img",
                aria_label=f.alt,
                data_figure=n,
                style=f"min-height:{f.spec['layout'].get('height', 400)}px",
            ),
            el("figcaption", f.note),
        )
        for n, f in enumerate(drawn)
    ]
    return section(
        "figures",
        "Figures",
        el("p", "Point at a marker to read it; click it to find its row.", class_="muted"),
        shown,
    )


def _scripts(drawn: Sequence[Figure]) -> Html:
    """The figures as data, and the scripts that draw them."""
    if not drawn:
        return Html(f"<script>{_script()}</script>")
    data = {"figures": [f.spec for f in drawn], "dark": dark_for_light(), "config": CONFIG}
    return joined(
        [
            Html(
                f'<script type="application/json" id="figure-data">{json_in_script(data)}</script>'
            ),
            Html(f'<script type="text/plain" id="plotly">{_plotly()[1]}</script>'),
            Html(f"<script>{_script()}</script>"),
        ]
    )
