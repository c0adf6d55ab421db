"""Names of code that is written as text or sent to other processes lead somewhere: modules that are
run by name, modules imported by a name made of text, and functions and values that Dask and Pebble
pickle by the path of their module.

Such places are found in the code, so that a new one is tested, too; what it takes to run it is in
RUNS and IMPORTS.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, is_dataclass
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from lab import registry
from tests import small

ROOT = Path(__file__).parents[2]
FOLDERS = ("lab", "sample_models", "pages")
MODULE = re.compile(r"(lab|sample_models)(\.[a-z_][a-z0-9_]*)+")
NO_MODULES = {"lab.db", "lab.json"}
"""Texts that look like a module's name, and are names of files."""


@cache
def trees() -> dict[str, ast.Module]:
    """Name of a module -> its code."""
    files = [ROOT / "streamlit_app.py", *(f for d in FOLDERS for f in (ROOT / d).rglob("*.py"))]
    return {_name(f): ast.parse(f.read_text()) for f in sorted(files)}


def _name(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def _calls() -> dict[str, list[tuple[str, ast.Call]]]:
    found: dict[str, list[tuple[str, ast.Call]]] = {}
    for module, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", "") or getattr(node.func, "id", "")
                found.setdefault(name, []).append((module, node))
    return found


def calls(name: str) -> list[tuple[str, ast.Call]]:
    """(module, call) of every function or method of this name."""
    return _calls().get(name, [])


# --- modules that are run by name -----------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """How a module is started by this test.

    Attributes:
        arguments: after `-m MODULE`; {folder}, {onnx} and {json} are filled in.
        says: what its output holds, a regular expression.
        status: its exit status.
        elsewhere: the test that has it do all of its work, where this run only shows that it
            starts.
        alone: no program is on its PATH.
    """

    arguments: tuple[str, ...]
    says: str
    status: int = 0
    elsewhere: str = ""
    alone: bool = False


RUNS = {
    "lab": Run(("models", "--json"), '"digits_lenet"'),
    "lab.datasets.keywords": Run((), "espeak-ng", 1, "tests/contract/test_datasets.py", alone=True),
    "lab.engine.distilling": Run(
        ("{onnx}", "onnx", "1", "0", "0", "1", "{folder}/items.npy"),
        "Batch normalisations are folded away",
        1,
        "tests/unit/engine/test_distilling.py",
    ),
    "lab.engine.providers": Run(("ort",), '"name": "CPU"'),
    "lab.formats.layers": Run(("{onnx}", "onnx"), '"parameters": 260'),
    "lab.measure.child": Run(
        ("{json}", "{folder}/answer.json"), "KeyError", 1, "tests/system/test_engine.py"
    ),
    "lab.measure.doctor": Run(
        ("never", "{folder}/answer.json"),
        "invalid literal for int",
        1,
        "tests/unit/engine/test_doctor.py",
    ),
    "lab.measure.roofline": Run(
        ("1", "{folder}/answer.json"),
        "OPENBLAS_NUM_THREADS",
        1,
        "tests/unit/measure/test_roofline.py",
    ),
    "lab.reference": Run(("{folder}/no_option",), "", 0, "tests/contract/test_documents.py"),
    "lab.share.model_file": Run(("ort", "onnx", "{onnx}", "{folder}/facts.json"), ""),
    "lab.store.data": Run(("digits",), ""),
    "lab.store.examples": Run(("digits", "4"), ""),
}
"""Modules that can be run, with a small call of each."""


def _is_main(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"


def runnable() -> set[str]:
    """Modules that do something when they are run by name."""
    return {
        module.removesuffix(".__main__")
        for module, tree in trees().items()
        if module.endswith(".__main__") or any(map(_is_main, tree.body))
    }


def named_in_commands() -> set[str]:
    """Modules that follow a "-m" in a list."""
    found = set()
    for tree in trees().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.List | ast.Tuple):
                texts = [getattr(e, "value", None) for e in node.elts]
                found |= {b for a, b in pairwise(texts) if a == "-m"}
    return {module for module in found if isinstance(module, str) and MODULE.match(module)}


def test_every_module_that_runs_is_in_the_table() -> None:
    assert runnable() == set(RUNS)
    assert named_in_commands() <= runnable()


def test_texts_that_name_a_module_name_one() -> None:
    """Also names that reach `-m` or `import_module` through a variable."""
    found = {
        (node.value, f"{module}:{node.lineno}")
        for module, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and MODULE.fullmatch(node.value)
    }
    assert found
    for name, place in found:
        assert name in NO_MODULES or find_spec(name) is not None, f"{place}: {name} is no module"


@pytest.mark.parametrize("module", sorted(RUNS))
def test_a_module_runs_by_its_name(module: str, lab_home: Path, tmp_path: Path) -> None:
    run = RUNS[module]
    onnx, request = small.write_onnx(tmp_path / "small.onnx"), tmp_path / "request.json"
    request.write_text("{}")
    given = [a.format(folder=tmp_path, onnx=onnx, json=request) for a in run.arguments]
    environment = {**os.environ, **({"PATH": ""} if run.alone else {})}
    environment.pop("OPENBLAS_NUM_THREADS", None)  # whoever runs the tests may have set it
    command = [sys.executable, *_starting(module, tmp_path), *given]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    shown = done.stdout + done.stderr
    assert done.returncode == run.status, shown
    assert re.search(run.says, shown), shown
    assert "ModuleNotFoundError" not in shown
    assert not run.elsewhere or (ROOT / run.elsewhere).is_file()
    assert run.status == 0 or run.elsewhere, "name the test that has it do all of its work"


def _starting(module: str, folder: Path) -> list[str]:
    """The reference is written elsewhere than into the documents."""
    if module != "lab.reference":
        return ["-m", module]
    code = (
        f"import runpy, lab.reference as r; r.FOLDER = type(r.FOLDER)({str(folder)!r});"
        " runpy.run_module('lab.reference', run_name='__main__', alter_sys=True)"
    )
    return ["-c", code]


# --- modules that are imported by a name made of text ----------------------------------------------


def _sample_models() -> list[Any]:
    return [registry.training_recipe(id_).train for id_ in registry.sample_cards()]


def _samplers() -> list[Any]:
    from lab.search.samplers import sampler
    from lab.spec.search import SAMPLERS

    return [sampler(name) for name in SAMPLERS]


IMPORTS: dict[str, Callable[[], list[Any]]] = {
    "f'lab.search.{module}'": _samplers,
    "f'sample_models.{model_id}'": _sample_models,
}
"""A text that makes the name of a module -> all that is imported by it."""


def test_every_text_that_makes_a_name_of_a_module_is_in_the_table() -> None:
    made = [call.args[0] for _, call in calls("import_module")]
    assert {ast.unparse(name) for name in made if isinstance(name, ast.JoinedStr)} == set(IMPORTS)


@pytest.mark.parametrize("text", IMPORTS)
def test_modules_are_imported_by_names_made_of_text(text: str) -> None:
    assert all(map(callable, IMPORTS[text]()))


# --- functions and values that are pickled by the path of their module ------------------------------


def sent() -> Iterator[tuple[str, ast.expr, str]]:
    """(module, function that another thread or process runs, place): what is submitted to Dask or
    scheduled in a pool, what a pool's process begins with, and the bodies of jobs in pools.
    """
    for module, call in [*calls("submit"), *calls("schedule")]:
        yield module, call.args[0], f"{module}:{call.lineno}"
    for module, call in calls("ProcessPool"):
        for keyword in call.keywords:
            if keyword.arg == "initializer":
                yield module, keyword.value, f"{module}:{call.lineno}"
    for module, call in calls("run"):
        if ast.unparse(call.func).lower().endswith("pools.run"):
            yield module, call.args[1], f"{module}:{call.lineno}"


def resolved() -> dict[str, Any]:
    """Place -> function; where a parameter is sent on, what the function that has it is called
    with.
    """
    found = {}
    for module, expression, place in sent():
        for given in _given(module, expression):
            found[f"{place} {ast.unparse(given)}"] = _value(module, given)
    return found


def _given(module: str, expression: ast.expr) -> list[ast.expr]:
    if not isinstance(expression, ast.Name):
        return [expression]
    for function in ast.walk(trees()[module]):
        if isinstance(function, ast.FunctionDef) and expression in ast.walk(function):
            names = [a.arg for a in function.args.args if a.arg != "self"]
            if expression.id in names:
                place = names.index(expression.id)
                own = [c for m, c in calls(function.name) if m == module and len(c.args) > place]
                return [c.args[place] for c in own if not _is_parameter(module, c.args[place])]
    return [expression]


def _is_parameter(module: str, expression: ast.expr) -> bool:
    return isinstance(expression, ast.Name) and not hasattr(
        importlib.import_module(module), expression.id
    )


def _value(module: str, expression: ast.expr) -> Any:
    value: Any = importlib.import_module(module)
    for name in ast.unparse(expression).split("."):
        value = getattr(value, name)
    return value


def messages() -> list[type]:
    """The values that travel between processes: every dataclass of `lab.engine.messages`."""
    modules = [m for m in trees() if m.startswith("lab.engine.messages")]
    return [
        value
        for m in modules
        for value in vars(importlib.import_module(m)).values()
        if inspect.isclass(value) and is_dataclass(value) and value.__module__ == m
    ]


def test_functions_that_are_sent_are_found() -> None:
    modules = {function.__module__.split(".")[2] for function in resolved().values()}
    assert {"on_dask_worker", "in_pool_process", "pool_process", "searching"} <= modules
    assert len(messages()) > 5


def test_what_is_sent_is_found_by_its_path_in_another_process() -> None:
    """A process that has imported nothing reads them back; tests/system/test_engine.py and
    tests/unit/search run them.
    """
    values = [*resolved().values(), *messages()]
    for value in values:
        assert getattr(importlib.import_module(value.__module__), value.__qualname__) is value
    code = (
        "import json, pickle, sys\n"
        "values = pickle.load(sys.stdin.buffer)\n"
        "print(json.dumps([[v.__module__, v.__qualname__] for v in values]))"
    )
    command, packed = [sys.executable, "-c", code], pickle.dumps(values)
    done = subprocess.run(command, cwd=ROOT, input=packed, capture_output=True, check=True)
    assert json.loads(done.stdout) == [[v.__module__, v.__qualname__] for v in values]
