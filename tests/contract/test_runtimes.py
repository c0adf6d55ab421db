"""What every runtime promises, held against each one that the registry finds."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.errors import InvalidFile, InvalidOption
from lab.formats.feeding import fit_items, run_all
from lab.options import PRESETS, grid, validate
from lab.plugs import Runtime
from lab.registry import runtimes
from tests import tiny

every = pytest.mark.parametrize(
    "runtime",
    [
        pytest.param(
            r, id=r.id, marks=[pytest.mark.slow] if r.toolchain in ("torch", "tensorflow") else []
        )
        for r in runtimes().values()
    ],
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tiny.Sources:
    return tiny.Sources(tmp_path_factory.mktemp("files"))


@every
def test_it_says_what_it_is(runtime: Runtime) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]+", runtime.id)
    assert runtime.title
    assert runtime.help.endswith(".")
    assert set(runtime.formats) <= set(tiny.WRITERS)
    assert runtime.version_of
    assert runtime.missing is None
    runtime.preload()


@every
def test_its_options_obey_themselves(runtime: Runtime) -> None:
    for option in runtime.options:
        assert option.label
        assert option.help.endswith(".")
        for value in (option.default, *(v for preset in PRESETS for v in option.values(preset))):
            assert option.validate(value) == value


@every
def test_every_target_of_the_full_preset_answers_alike(
    runtime: Runtime, files: tiny.Sources
) -> None:
    x, file = tiny.items(10), files[runtime.formats[0]]
    targets = grid(runtime.options, {o.id: o.values("full") for o in runtime.options})
    answers = [_answers(runtime, file, options, x) for options in targets]
    for target, outputs in zip(targets, answers, strict=True):
        if outputs is None:
            continue
        assert outputs.shape == (10, tiny.CLASSES)
        exact = all(target[o.id] == targets[0][o.id] for o in runtime.options if o.affects_output)
        np.testing.assert_allclose(outputs, answers[0], atol=1e-5 if exact else 0.05)


def _answers(runtime: Runtime, file: Path, options: dict[str, Any], x: Any) -> Any:
    """None where this machine's processor lacks what the target asks for."""
    try:
        return run_all(runtime.load(str(file), options), x, 4)
    except InvalidOption:
        return None


@every
def test_a_batch_is_answered_as_single_items_are_or_is_refused(
    runtime: Runtime, files: tiny.Sources
) -> None:
    file, options = str(files[runtime.formats[0]]), validate(runtime.options, {}, runtime.id)
    one_by_one = _answers(runtime, files[runtime.formats[0]], options, tiny.items(4))
    if runtime.id == "executorch":  # its programs have fixed shapes
        with pytest.raises(InvalidFile, match=r"batch of 4.*Choose batch 1"):
            runtime.load(file, {**options, "batch": 4})
        return
    session = runtime.load(file, {**options, "batch": 4})
    assert session.input.shape[0] in (4, None)
    together = session.run(session.prepare(fit_items(tiny.items(4), session.input.shape)))
    np.testing.assert_allclose(together, one_by_one, atol=1e-5)


@every
def test_a_session_takes_stored_items_of_any_number_type(
    runtime: Runtime, files: tiny.Sources
) -> None:
    session = runtime.load(
        str(files[runtime.formats[0]]), validate(runtime.options, {}, runtime.id)
    )
    pixels = np.random.default_rng(0).integers(
        0, 255, (3, tiny.SIDE, tiny.SIDE, tiny.CHANNELS), dtype=np.uint8
    )
    prepared = session.prepare(fit_items(pixels, session.input.shape)[:1])
    assert prepared.dtype.name == session.input.dtype
    assert session.run(prepared).shape == (1, tiny.CLASSES)
    assert len(session.output.shape) == 2


@every
@pytest.mark.parametrize("content", [b"", b"this is no model at all"])
def test_a_broken_file_is_refused_with_words(
    runtime: Runtime, content: bytes, tmp_path: Path
) -> None:
    (tmp_path / "broken").write_bytes(content)
    with pytest.raises(InvalidFile, match="broken"):
        runtime.load(str(tmp_path / "broken"), {})
