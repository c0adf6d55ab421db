"""Seconds that the Results page takes in a study of so many trials, without a browser: the first
view, and reruns with another text in the filter.

Usage, in the checkout that is measured: python .../rerun_page.py TRIALS, with LAB_HOME an empty
folder. It prints JSON. It uses nothing but what both sides of a comparison have.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from streamlit.testing.v1 import AppTest

import lab
from lab.store import records
from tests import fakes

TEXTS = ("_1", "_2", "_3", "_4", "_12", "_23", "_34")


def main(count: int) -> None:
    """Fill the store, open the page, change its filter."""
    vars(lab).update(ensure_engine=lambda: None, example_study=lambda: None)
    study = fakes.study(id_="large")
    records.add_study(study, lab.model(study.model), fakes.trials(count, study=study.id))
    app = AppTest.from_file(Path.cwd() / "streamlit_app.py", default_timeout=120)
    app.query_params["study"] = study.id
    first = _seconds(app)
    field = next(f for f in app.text_input if "Name contains" in f.label)
    reruns = []
    for text in TEXTS:
        field.set_value(text)
        reruns.append(_seconds(app))
        field = next(f for f in app.text_input if "Name contains" in f.label)
    print(json.dumps({"first": first, "reruns": reruns}))


def _seconds(app: AppTest) -> float:
    start = time.perf_counter()
    app.run()
    assert not app.exception, app.exception
    return time.perf_counter() - start


if __name__ == "__main__":
    main(int(sys.argv[1]))
