from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lab
from tests import tiny

pytestmark = pytest.mark.slow
MODELS = [id_ for id_, card in lab.models().items() if card.format == "torch_export"]


def inputs(card: Any) -> Any:
    import torch

    rng = np.random.default_rng(0)
    shape = (3, *card.input.shape)
    return torch.from_numpy(
        rng.integers(1, 9, shape) if card.input.dtype == "int64" else rng.random(shape, "float32")
    )


@pytest.mark.parametrize("id_", MODELS)
def test_a_program_as_modules_answers_and_is_named_as_before_and_so_does_what_is_saved(
    id_: str, tmp_path: Path
) -> None:
    import torch

    from lab.formats.torch_export.files import fixed_batch, load_program
    from lab.formats.torch_export.layers import layers
    from lab.formats.torch_export.modules import as_modules, save_modules

    card = lab.model(id_)
    program = load_program(Path(card.path))
    model, x = as_modules(program), inputs(card)
    saved = save_modules(model, program, tmp_path / "saved.pt2")
    again = load_program(saved)
    with torch.no_grad():
        before, as_model, after = program.module()(x), model(x), again.module()(x)
    torch.testing.assert_close(as_model, before, rtol=0, atol=0)
    torch.testing.assert_close(after, before, rtol=0, atol=0)
    assert fixed_batch(again) is None
    assert [row.parameters for row in layers(saved)] == [
        row.parameters for row in layers(Path(card.path))
    ]
    named = {name for name, _ in model.named_parameters()}
    assert named == {
        name for name in program.state_dict if name in dict(program.named_parameters())
    }
    assert all(p.requires_grad for p in model.parameters())


def test_training_it_leaves_the_program_alone_and_moves_the_statistics() -> None:
    import torch

    from lab.formats.torch_export.files import load_program
    from lab.formats.torch_export.modules import as_modules

    program = load_program(Path(lab.model("signs_resnet8").path))
    before = {name: tensor.clone() for name, tensor in program.state_dict.items()}
    model = as_modules(program).train()
    model(inputs(lab.model("signs_resnet8"))).sum().backward()
    torch.optim.SGD(model.parameters(), 0.1).step()
    norms = {n: m for n, m in model.named_modules() if isinstance(m, torch.nn.BatchNorm2d)}
    assert norms
    assert not any(
        torch.equal(norm.running_mean, before[f"{name}.running_mean"])
        for name, norm in norms.items()
    )
    assert all(torch.equal(tensor, before[key]) for key, tensor in program.state_dict.items())


def test_dropout_drops_in_training_only() -> None:
    import torch

    from lab.formats.torch_export.files import load_program
    from lab.formats.torch_export.modules import as_modules

    model, x = (
        as_modules(load_program(Path(lab.model("motion_transformer").path))),
        inputs(lab.model("motion_transformer")),
    )
    assert torch.equal(model(x), model(x))
    model.train()
    torch.manual_seed(0)
    assert not torch.equal(model(x), model(x))


def test_a_layer_that_is_called_often_is_one_module() -> None:
    import torch

    from lab.formats.torch_export.files import load_program
    from lab.formats.torch_export.modules import as_modules

    model = as_modules(load_program(Path(lab.model("keywords_gru").path)))
    calls: dict[str, int] = {}
    for node in model.graph.nodes:
        if node.op == "call_module":
            calls[node.target] = calls.get(node.target, 0) + 1
    linears = [name for name, m in model.named_modules() if isinstance(m, torch.nn.Linear)]
    assert len(linears) == 5
    assert calls["gru.gates"] == calls["gru.state"] > 10


def test_a_fixed_batch_stays(tmp_path: Path) -> None:
    from lab.formats.torch_export.files import fixed_batch, load_program
    from lab.formats.torch_export.modules import as_modules, save_modules

    program = load_program(tiny.write_torch_export(tmp_path / "one.pt2", batch=4))
    assert (
        fixed_batch(
            load_program(save_modules(as_modules(program), program, tmp_path / "again.pt2"))
        )
        == 4
    )


def test_a_batch_that_is_set_free_renames_no_layer(tmp_path: Path) -> None:
    from lab.formats.torch_export.files import fixed_batch, load_program, with_free_batch

    bound = load_program(tiny.write_torch_export(tmp_path / "one.pt2", batch=1))
    free = with_free_batch(bound)
    assert (fixed_batch(bound), fixed_batch(free)) == (1, None)
    assert list(free.state_dict) == list(bound.state_dict)
