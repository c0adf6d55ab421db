from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.errors import InvalidFile, InvalidOption
from lab.plugs import TensorInfo
from lab.runtimes.litert import RUNTIME
from tests import stored, tiny


def test_both_runtimes_answer_alike(tiny_onnx: Path, tiny_tflite: Path) -> None:
    x = tiny.items(30)
    np.testing.assert_allclose(
        tiny.answers("ort", tiny_onnx, x), tiny.answers("litert", tiny_tflite, x), atol=1e-5
    )


def test_the_batch_is_the_one_of_the_file(tiny_tflite: Path) -> None:
    assert RUNTIME.load(str(tiny_tflite), {}).input == TensorInfo((1, 8, 8, 3), "float32")


@pytest.mark.parametrize(
    ("technique", "dtype"), [("tflite_static_wi8_ai8", "int8"), ("tflite_static_wi8_ai16", "int16")]
)
def test_integers_at_the_border_stay_inside(
    technique: str, dtype: str, tiny_tflite: Path, tmp_path: Path
) -> None:
    file, x = tiny.apply(technique, tiny_tflite, tmp_path), tiny.items(100)
    session = RUNTIME.load(str(file), {})
    assert session.input.dtype == session.prepare(x[:1]).dtype.name == dtype
    outputs = tiny.answers("litert", file, x)
    assert outputs.dtype == np.float32
    assert np.corrcoef(outputs.ravel(), tiny.answers("litert", tiny_tflite, x).ravel())[0, 1] > 0.99


def test_quantizing_rounds_and_clips(tiny_tflite: Path, tmp_path: Path) -> None:
    session = RUNTIME.load(str(tiny.apply("tflite_static_wi8_ai8", tiny_tflite, tmp_path)), {})
    prepared = session.prepare(np.array([-1e9, 0.0, 1e9], dtype=np.float32))
    assert (prepared.min(), prepared.max()) == (-128, 127)


def test_without_xnnpack_it_answers_the_same(tiny_tflite: Path) -> None:
    x = tiny.items(1)
    on, off = (RUNTIME.load(str(tiny_tflite), {"xnnpack": flag}).run(x) for flag in (True, False))
    np.testing.assert_allclose(on, off, atol=1e-5)


def test_answers_outlive_the_next_run(tiny_tflite: Path) -> None:
    session, x = RUNTIME.load(str(tiny_tflite), {}), tiny.items(2)
    first = session.run(x[:1])
    kept = first.copy()
    session.run(x[1:])
    assert (first == kept).all()


def test_a_file_that_it_cannot_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.tflite").write_bytes(b"no model at all, only text")
    with pytest.raises(InvalidFile, match=r"LiteRT refuses.*broken\.tflite"):
        RUNTIME.load(str(tmp_path / "broken.tflite"), {})


# --- delegates ------------------------------------------------------------------------------------

DELEGATE = r"""
#include <stdint.h>
#include <stdlib.h>
#include <stddef.h>
typedef struct Delegate {
  void* data;
  int (*prepare)(void* context, struct Delegate* self);
  void* from_buffer; void* to_buffer; void* free_buffer;
  int64_t flags;
  void* builder;
} Delegate;
static int prepared = 0;
int times_prepared(void) { return prepared; }
static int prepare(void* context, Delegate* self) { prepared++; return STATUS; }
Delegate* tflite_plugin_create_delegate(char** keys, char** values, size_t count, void (*report)(const char*)) {
  if (ABSENT) { report("no such device"); return NULL; }
  Delegate* made = calloc(1, sizeof(Delegate));
  made->prepare = prepare;
  return made;
}
void tflite_plugin_destroy_delegate(Delegate* made) { free(made); }
"""


@pytest.fixture(scope="module")
def delegates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Libraries of delegates that take no operator: one that works, one that fails, one without its
    device, one that is none.
    """
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("needs a C compiler")
    folder = tmp_path_factory.mktemp("delegates")
    (folder / "delegate.c").write_text(DELEGATE)
    (folder / "none.c").write_text("int nothing(void) { return 0; }")
    kinds = {
        "works": ("delegate", 0, 0),
        "fails": ("delegate", 1, 0),
        "absent": ("delegate", 0, 1),
        "none": ("none", 0, 0),
    }
    for name, (source, status, absent) in kinds.items():
        flags = ["-shared", "-fPIC", f"-DSTATUS={status}", f"-DABSENT={absent}"]
        subprocess.run(
            [compiler, *flags, str(folder / f"{source}.c"), "-o", str(folder / f"{name}.so")],
            check=True,
        )
    return {name: str(folder / f"{name}.so") for name in kinds}


@pytest.mark.parametrize("xnnpack", [True, False])
def test_a_delegate_is_loaded_and_asked(
    xnnpack: bool, delegates: dict[str, str], tiny_tflite: Path
) -> None:
    asked, x = ctypes.PyDLL(delegates["works"]).times_prepared, tiny.items(1)
    before = asked()
    session = RUNTIME.load(str(tiny_tflite), {"delegate": delegates["works"], "xnnpack": xnnpack})
    assert asked() > before
    np.testing.assert_allclose(
        session.run(x), RUNTIME.load(str(tiny_tflite), {"xnnpack": xnnpack}).run(x), atol=1e-5
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [("none", "lacks the function tflite_plugin_create_delegate"), ("absent", "no such device")],
)
def test_a_library_that_is_no_delegate_is_refused(
    name: str, words: str, delegates: dict[str, str], tiny_tflite: Path
) -> None:
    with pytest.raises(InvalidOption, match=rf"'delegate'.*{words}.*{name}\.so"):
        RUNTIME.load(str(tiny_tflite), {"delegate": delegates[name]})


def test_a_delegate_that_fails_is_refused(delegates: dict[str, str], tiny_tflite: Path) -> None:
    with pytest.raises(InvalidFile, match=r"LiteRT refuses.*tiny\.tflite"):
        RUNTIME.load(str(tiny_tflite), {"delegate": delegates["fails"]})


def test_a_library_that_is_not_there_is_refused(tiny_tflite: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "absent.so", tiny_tflite):
        with pytest.raises(InvalidOption, match=r"'delegate'.*Check the path"):
            RUNTIME.load(str(tiny_tflite), {"delegate": str(path)})


def test_delegates_are_listed_with_how_they_are_brought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert RUNTIME.providers is not None
    found = {provider.name: provider for provider in RUNTIME.providers()}
    assert {"xnnpack", "gpu", "nnapi", "coreml", "hexagon", "edgetpu"} <= set(found)
    assert found["xnnpack"].available
    assert all(provider.why and not provider.why.endswith(".") for provider in found.values())
    (tmp_path / "libedgetpu.so.1.0").write_bytes(b"")
    monkeypatch.setenv("LD_LIBRARY_PATH", f"/nowhere:{tmp_path}")
    (edgetpu,) = (provider for provider in RUNTIME.providers() if provider.name == "edgetpu")
    assert edgetpu.available
    assert str(tmp_path / "libedgetpu.so.1.0") in edgetpu.why


# --- kernels --------------------------------------------------------------------------------------


def _interpreted(file: Path, x: Any) -> Any:
    """Answers of LiteRT's own kernels, without the lab's precautions."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        str(file), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def _wide(folder: Path, activation: int = 0) -> Path:
    """The tiny model with rows of 64 weights, and an activation fused into its dense layer."""
    from lab.formats.tflite.files import load_tflite, packed

    source = tiny.write_tflite(folder / "wide.tflite", filters=64)
    model = load_tflite(source)
    model.subgraphs[0].operators[2].builtinOptions.fusedActivationFunction = activation
    source.write_bytes(packed(model, source.read_bytes()))
    return source


def test_blocks_without_an_activation_need_no_xnnpack(tmp_path: Path) -> None:
    source, x = _wide(tmp_path), tiny.items(1)
    file = tiny.apply("tflite_dynamic_wi4_afp32", source, tmp_path / "out", block_size="32")
    on, off = (RUNTIME.load(str(file), {"xnnpack": flag}).run(x) for flag in (True, False))
    np.testing.assert_allclose(on, off, atol=0.01 * np.ptp(on))


def test_blocks_with_an_activation_do(tmp_path: Path) -> None:
    """Where the last line fails, LiteRT's own kernels have learned of the activation, and need not
    be refused them.
    """
    source, x = _wide(tmp_path, activation=1), tiny.items(1)
    file = tiny.apply("tflite_dynamic_wi4_afp32", source, tmp_path / "out", block_size="32")
    assert RUNTIME.load(str(file), {}).run(x).min() == 0
    with pytest.raises(
        InvalidFile,
        match=r"wrong results for this layer's block-wise weights.*Given: 'y'.*xnnpack on, or choose block_size 0",
    ):
        RUNTIME.load(str(file), {"xnnpack": False})
    assert _interpreted(file, x).min() < 0


def test_two_bit_blocks_are_computed_by_nobody(tmp_path: Path) -> None:
    file = tiny.apply(
        "tflite_dynamic_wi2_afp32", _wide(tmp_path), tmp_path / "out", block_size="32"
    )
    with pytest.raises(InvalidFile, match=r"LiteRT refuses.*INT2"):
        RUNTIME.load(str(file), {})
    with pytest.raises(InvalidFile, match="wrong results"):
        RUNTIME.load(str(file), {"xnnpack": False})
    with pytest.raises(InvalidFile, match=r"refuses this file in 16-bit floats"):
        RUNTIME.load(str(file), {"precision": "float16"}).run(tiny.items(1))


def test_own_kernels_mistake_the_least_four_bit_integer(tmp_path: Path) -> None:
    """What the technique notes on the trial; where it fails, the note can go."""
    source, x = _wide(tmp_path), tiny.items(50)
    file = tiny.apply(
        "tflite_dynamic_wi4_afp32",
        source,
        tmp_path / "out",
        algorithm="octav",
        operators=("FULLY_CONNECTED",),
    )
    least = (stored.weights(file)["dense"].integers == -8).any(axis=1)
    assert 0 < least.sum() < tiny.CLASSES
    sessions = [RUNTIME.load(str(file), {"xnnpack": flag}) for flag in (True, False)]
    on, off = (np.concatenate([session.run(item[None]) for item in x]) for session in sessions)
    error = np.abs(on - off).max(axis=0) / np.ptp(on, axis=0)
    assert (error[least] > 0.1).all()
    assert (error[~least] < 0.02).all()


def test_16_bit_floats_err_as_much_as_they_should(tiny_tflite: Path) -> None:
    from lab.formats.feeding import run_all

    x = tiny.items(50)
    full, half = (
        run_all(RUNTIME.load(str(tiny_tflite), {"precision": p}), x, 1)
        for p in ("float32", "float16")
    )
    error = np.abs(half - full).max() / np.abs(full).max()
    assert 2.0**-16 < error < 2.0**-8


def test_16_bit_floats_leave_integers_alone(tiny_tflite: Path, tmp_path: Path) -> None:
    file, x = tiny.apply("tflite_static_wi8_ai8", tiny_tflite, tmp_path), tiny.items(20)
    sessions = [RUNTIME.load(str(file), {"precision": p}) for p in ("float32", "float16")]
    assert sessions[0].input == sessions[1].input
    for item in x:
        prepared = sessions[0].prepare(item[None])
        assert (sessions[0].run(prepared) == sessions[1].run(prepared)).all()


@pytest.mark.parametrize("options", [{"xnnpack": False}, {"delegate": "/some/library.so"}])
def test_16_bit_floats_are_xnnpacks(options: dict[str, object], tiny_tflite: Path) -> None:
    with pytest.raises(InvalidOption, match="float16 needs XNNPACK"):
        RUNTIME.load(str(tiny_tflite), {"precision": "float16", **options})


def test_16_bit_floats_take_no_16_bit_integers(tiny_tflite: Path, tmp_path: Path) -> None:
    file = tiny.apply("tflite_static_wi8_ai16", tiny_tflite, tmp_path)
    with pytest.raises(InvalidFile, match=r"no 16-bit integers.*io float32"):
        RUNTIME.load(str(file), {"precision": "float16"})
    file = tiny.apply("tflite_static_wi8_ai16", tiny_tflite, tmp_path, io="float32")
    assert RUNTIME.load(str(file), {"precision": "float16"}).run(tiny.items(1)).shape == (
        1,
        tiny.CLASSES,
    )


def test_16_bit_floats_of_a_broken_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.tflite").write_bytes(b"no model at all, only text")
    with pytest.raises(InvalidFile, match=r"broken\.tflite"):
        RUNTIME.load(str(tmp_path / "broken.tflite"), {"precision": "float16"})
