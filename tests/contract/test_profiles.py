"""Every runtime that tells where its time goes tells it in the same terms."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from lab.errors import LabError
from lab.evidence import Kind, Profile
from lab.options import validate
from lab.plugs import Runtime
from lab.registry import runtimes
from tests import tiny

RUNS = 12
every = pytest.mark.parametrize(
    "runtime",
    [
        pytest.param(
            r, id=r.id, marks=[pytest.mark.slow] if r.toolchain in ("torch", "tensorflow") else []
        )
        for r in runtimes().values()
        if r.profile
    ],
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tiny.Sources:
    return tiny.Sources(tmp_path_factory.mktemp("files"))


def _profile(runtime: Runtime, file: Path, **options: object) -> Profile:
    assert runtime.profile
    return runtime.profile(
        str(file), validate(runtime.options, options, runtime.id), tiny.items(1), RUNS
    )


@every
def test_a_profile_names_what_ran_and_how_long(runtime: Runtime, files: tiny.Sources) -> None:
    found = _profile(runtime, files[runtime.formats[0]])
    assert {o.kind for o in found.operators} <= set(get_args(Kind))
    assert all(o.operator and o.placed_on and o.calls == 1 for o in found.operators)
    assert all(o.time_s >= 0 for o in found.operators)
    assert 0 < found.operators_s < 2 * found.total_s, (
        "more or less; the profiles of larger models are tested nearer"
    )
    assert 0 < found.runs <= RUNS
    assert sum(o.kind == "compute" for o in found.operators) == 2, (
        "the convolution and the dense layer"
    )
    assert {o.precision for o in found.operators if o.kind == "compute"} == {"float32"}
    assert found.source == "measured"


@every
def test_a_profile_survives_json(runtime: Runtime, files: tiny.Sources) -> None:
    found = _profile(runtime, files[runtime.formats[0]])
    assert Profile.from_json(json.loads(json.dumps(asdict(found)))) == found


@every
def test_profiling_leaves_the_answers_alone(runtime: Runtime, files: tiny.Sources) -> None:
    file, x = files[runtime.formats[0]], tiny.items(2)
    before = tiny.answers(runtime.id, file, x)
    _profile(runtime, file)
    np.testing.assert_array_equal(tiny.answers(runtime.id, file, x), before)


@every
def test_what_ran_is_told_in_the_same_order_each_time(
    runtime: Runtime, files: tiny.Sources
) -> None:
    first, again = (_profile(runtime, files[runtime.formats[0]]) for _ in range(2))
    wanted = [o.operator for o in first.operators if o.kind == "compute"]
    assert [o.operator for o in again.operators if o.kind == "compute"] == wanted


@every
def test_a_broken_file_is_refused(runtime: Runtime, tmp_path: Path) -> None:
    (tmp_path / "broken").write_bytes(b"this is no model at all")
    with pytest.raises(LabError, match="broken"):
        _profile(runtime, tmp_path / "broken")
