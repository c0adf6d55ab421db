"""Layers that are left in float stay in float, and no others: counted from the types of the tensors
in the files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.errors import InvalidFile, InvalidOption
from lab.formats.layers import layer_table
from lab.formats.tflite.files import load_tflite, packed
from lab.formats.tflite.layers import rows_and_operators
from tests import stored, tiny

ADDED = {"QUANTIZE", "DEQUANTIZE"}
SAMPLE_MODELS = Path(__file__).resolve().parents[4] / "sample_models" / "weights"


def how(source: Path, file: Path) -> dict[str, set[str]]:
    """Layer of the float file -> types of the integers that its operator reads, stores and hands
    on; biases do not count.
    """
    names, (_, row_of) = (
        [layer.name for layer in layer_table(source, "tflite")],
        rows_and_operators(load_tflite(source)),
    )
    model = stored.load(file)
    tensors, made_by = model.subgraphs[0].tensors, {}
    found: dict[str, set[str]] = {}
    kept = []
    for kind, operator in stored.operators(model):
        made_by |= {int(n): (kind, operator) for n in operator.outputs}
        kept += [] if kind in ADDED else [operator]
    assert len(kept) == len(row_of)
    for operator, row in zip(kept, row_of, strict=True):
        if row is not None and names[row] not in found:  # what follows renames only
            touched = [tensors[n] for n in (*operator.inputs, *operator.outputs) if n >= 0]
            touched += [_behind(tensors, made_by, int(n)) for n in operator.inputs if n >= 0]
            found[names[row]] = {stored.NAMES[t.type] for t in touched if _scaled(t)} - {
                "INT32",
                "INT64",
            }
    return found


def _behind(tensors: Any, made_by: dict[int, Any], number: int) -> Any:
    """The stored integers that a tensor is the floats of."""
    kind, operator = made_by.get(number, ("", None))
    source = tensors[operator.inputs[0]] if kind == "DEQUANTIZE" else tensors[number]
    return (
        source
        if kind == "DEQUANTIZE" and int(operator.inputs[0]) not in made_by
        else tensors[number]
    )


def _scaled(tensor: Any) -> bool:
    return stored.NAMES[tensor.type] == "FLOAT16" or (
        tensor.quantization is not None and tensor.quantization.scale is not None
    )


ALL = [
    ("tflite_static_wi8_ai8", {"INT8"}),
    ("tflite_static_wi8_ai16", {"INT8", "INT16"}),
    ("tflite_dynamic_wi8_afp32", {"INT8"}),
    ("tflite_dynamic_wi4_afp32", {"INT4"}),
    ("tflite_weight_only_wi4", {"INT4"}),
    ("tflite_fp16", {"FLOAT16"}),
]


@pytest.mark.parametrize(("id_", "types"), ALL)
def test_one_layer_kept_and_one_alone(
    id_: str, types: set[str], tiny_tflite: Path, tmp_path: Path
) -> None:
    kept = how(tiny_tflite, tiny.apply(id_, tiny_tflite, tmp_path / "keep", keep_float=("y",)))
    alone = how(tiny_tflite, tiny.apply(id_, tiny_tflite, tmp_path / "only", only=("y",)))
    assert (kept["relu"], kept["y"]) == (types, set())
    assert (alone["relu"], alone["pool"], alone["y"]) == (set(), set(), types)


def test_layers_at_the_border_decide_what_the_file_takes_and_gives(
    tiny_tflite: Path, tmp_path: Path
) -> None:
    def ends(**params: Any) -> list[str]:
        graph = stored.load(
            tiny.apply("tflite_static_wi8_ai8", tiny_tflite, tmp_path, **params)
        ).subgraphs[0]
        return [stored.NAMES[graph.tensors[n].type] for n in (*graph.inputs, *graph.outputs)]

    assert ends() == ["INT8", "INT8"]
    assert ends(keep_float=("relu",)) == ["FLOAT32", "INT8"]
    assert ends(keep_float=("y",), io="uint8") == ["UINT8", "FLOAT32"]
    assert ends(only=("pool",)) == ["FLOAT32", "FLOAT32"]
    assert ends(wide=("relu",)) == ["INT16", "INT8"]
    assert ends(wide=("y",)) == ["INT8", "INT16"]
    assert ends(operators=("CONV_2D",)) == ["INT8", "FLOAT32"]


def test_wide_layers_have_16_bit_activations_and_8_bit_weights(
    tiny_tflite: Path, tmp_path: Path
) -> None:
    file = tiny.apply(
        "tflite_static_wi8_ai8", tiny_tflite, tmp_path, wide=("y",), keep_float=("pool",)
    )
    assert how(tiny_tflite, file) == {"relu": {"INT8"}, "pool": set(), "y": {"INT8", "INT16"}}
    assert stored.weights(file)["dense"].type == "INT8"
    both = tiny.apply(
        "tflite_static_wi8_ai8", tiny_tflite, tmp_path, wide=("y",), keep_float=("y",)
    )
    assert how(tiny_tflite, both)["y"] == set()


def test_16_bits_bring_a_layer_nearer_to_float(tiny_tflite: Path, tmp_path: Path) -> None:
    x = tiny.items(100)
    float_ = tiny.answers("litert", tiny_tflite, x)

    def error(**params: Any) -> float:
        file = tiny.apply("tflite_static_wi8_ai8", tiny_tflite, tmp_path, **params)
        return float(((tiny.answers("litert", file, x) - float_) ** 2).mean())

    assert error(wide=("y",)) < 0.9 * error()
    assert error(wide=("relu", "pool", "y")) < error(wide=("y",))


def test_types_of_operators(tiny_tflite: Path, tmp_path: Path) -> None:
    file = tiny.apply(
        "tflite_static_wi8_ai8", tiny_tflite, tmp_path, operators=("CONV_2D", "AVERAGE_POOL_2D")
    )
    assert how(tiny_tflite, file) == {"relu": {"INT8"}, "pool": {"INT8"}, "y": set()}


def test_a_layer_that_cannot_be_quantized_alone_leaves_the_float_file(
    tiny_tflite: Path, tmp_path: Path
) -> None:
    file = tiny.apply("tflite_weight_only_wi8", tiny_tflite, tmp_path, only=("pool",))
    assert file.read_bytes() == tiny_tflite.read_bytes()


def test_names_that_the_file_lacks_are_refused(tiny_tflite: Path, tmp_path: Path) -> None:
    for option in ("keep_float", "only", "wide"):
        with pytest.raises(InvalidOption, match=rf"{option}.*relu, pool, y.*'rely'.*'relu'\?"):
            tiny.apply("tflite_static_wi8_ai8", tiny_tflite, tmp_path, **{option: ("rely",)})


def test_what_has_no_16_bit_kernel_is_named(tmp_path: Path) -> None:
    source = tiny.write_tflite(tmp_path / "tiny.tflite")
    model, swish = load_tflite(source), stored.s.BuiltinOperator.HARD_SWISH
    model.operatorCodes[1].builtinCode = model.operatorCodes[1].deprecatedBuiltinCode = swish
    (tmp_path / "swish.tflite").write_bytes(packed(model, source.read_bytes()))
    with pytest.raises(
        InvalidFile, match=r"'pool' cannot have 16-bit activations.*'HARD_SWISH'.*keep_float"
    ):
        tiny.apply(
            "tflite_static_wi8_ai8", tmp_path / "swish.tflite", tmp_path / "out", wide=("pool",)
        )


def test_tensors_of_one_name_are_told_apart(tmp_path: Path) -> None:
    """Older converters give several tensors one name, and the library knows operators by those of
    their outputs.
    """
    source = tiny.write_tflite(tmp_path / "tiny.tflite")
    model = load_tflite(source)
    for tensor in model.subgraphs[0].tensors:
        if tensor.name in (b"relu", b"pool", b"y"):
            tensor.name = b"same;name"
    (tmp_path / "same.tflite").write_bytes(packed(model, source.read_bytes()))
    names = [layer.name for layer in layer_table(tmp_path / "same.tflite", "tflite")]
    assert names == ["same", "same (2)", "same (3)"]
    file = tiny.apply(
        "tflite_static_wi8_ai8",
        tmp_path / "same.tflite",
        tmp_path / "out",
        keep_float=("same (3)",),
    )
    assert how(tmp_path / "same.tflite", file) == {
        "same": {"INT8"},
        "same (2)": {"INT8"},
        "same (3)": set(),
    }


def _with_shared_weights(folder: Path) -> Path:
    """The tiny model with two more dense layers of the same weights, before its own: y1 and y2."""
    source = tiny.write_tflite(folder / "tiny.tflite")
    model, schema = load_tflite(source), stored.s
    graph, dense = model.subgraphs[0], model.subgraphs[0].operators[2]
    values = (
        np.random.default_rng(3)
        .normal(scale=0.3, size=(tiny.FILTERS, tiny.FILTERS))
        .astype(np.float32)
    )
    model.buffers.append(tiny._buffer(schema, values))
    graph.tensors.append(tiny._tensor(schema, "shared", values.shape, len(model.buffers) - 1))
    shared, before = len(graph.tensors) - 1, int(dense.inputs[0])
    for name in ("y1", "y2"):
        graph.tensors.append(tiny._tensor(schema, name, (1, tiny.FILTERS), 0))
        made = len(graph.tensors) - 1
        options = schema.FullyConnectedOptionsT()
        graph.operators.insert(
            -1,
            tiny._operator(
                schema,
                2,
                [before, shared, -1],
                made,
                schema.BuiltinOptions.FullyConnectedOptions,
                options,
            ),
        )
        before = made
    dense.inputs = [before, *map(int, dense.inputs[1:])]
    (folder / "shared.tflite").write_bytes(packed(model, source.read_bytes()))
    return folder / "shared.tflite"


@pytest.mark.parametrize(("id_", "types"), ALL)
def test_of_two_layers_with_the_same_weights_one_is_kept(
    id_: str, types: set[str], tmp_path: Path
) -> None:
    source, x = _with_shared_weights(tmp_path), tiny.items(50)
    for kept, other in (("y1", "y2"), ("y2", "y1")):
        file = tiny.apply(id_, source, tmp_path / kept, keep_float=(kept,))
        found = how(source, file)
        assert (found[kept], found[other], found["y"]) == (set(), types, types)
        outputs, float_ = tiny.answers("litert", file, x), tiny.answers("litert", source, x)
        assert np.corrcoef(outputs.ravel(), float_.ravel())[0, 1] > 0.95


# --- sample models --------------------------------------------------------------------------------


@pytest.fixture(
    scope="module",
    params=[
        "keywords_dscnn.keras",
        "signs_mobilenetv2.pt2",
        "langid_transformer.pt2",
        "keywords_gru.pt2",
    ],
)
def converted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = SAMPLE_MODELS / request.param
    if not source.exists():
        pytest.skip("this model is not trained here")
    conversion = "keras_to_tflite" if source.suffix == ".keras" else "torch_to_tflite"
    return tiny.apply(conversion, source, tmp_path_factory.mktemp(source.stem))


def _context(workdir: Path, source: Path) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    from lab.plugs import Context

    details = Interpreter(str(source)).get_input_details()[0]
    shape, rng = tuple(int(size) for size in details["shape"][1:]), np.random.default_rng(0)
    x = (
        rng.integers(0, 60, (8, *shape))
        if np.issubdtype(details["dtype"], np.integer)
        else rng.normal(size=(8, *shape))
    )
    workdir.mkdir(parents=True, exist_ok=True)
    items = x.astype(details["dtype"])
    return Context(workdir, None, lambda n: items[:n], lambda n: (items[:n], np.zeros(n)))  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize(
    "id_", ["tflite_static_wi8_ai8", "tflite_dynamic_wi8_afp32", "tflite_weight_only_wi4"]
)
def test_exactly_the_layers_that_were_named(id_: str, converted: Path, tmp_path: Path) -> None:
    from lab.options import validate
    from lab.registry import technique

    plug, rng = technique(id_), np.random.default_rng(0)

    def done(**params: Any) -> dict[str, bool]:
        """Layer -> whether anything of it is integer."""
        if plug.needs_calibration:
            params["calibration_samples"] = 8
        file = plug.apply(
            converted, validate(plug.options, params, id_), _context(tmp_path / "out", converted)
        )
        return {name: bool(types) for name, types in how(converted, file).items()}

    usual = done()
    quantized = [name for name, any_ in usual.items() if any_]
    assert len(quantized) >= 5
    for _ in range(3):
        chosen = tuple(rng.choice(quantized, rng.integers(1, 5), replace=False))
        assert done(keep_float=chosen) == {
            name: any_ and name not in chosen for name, any_ in usual.items()
        }
        assert done(only=chosen) == {name: name in chosen for name in usual}
