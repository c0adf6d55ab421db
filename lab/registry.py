"""Finds the plugs: one file in a folder adds one thing, and no list is kept by hand."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import Any, TypeVar

from lab.errors import LabError, UnknownId
from lab.plugs import Dataset, Format, Metric, Processor, Rule, Runtime, Task, Technique
from lab.types import ModelCard

Plug = TypeVar("Plug")


def discover(package_name: str, constant: str, *, packages: bool = False) -> dict[str, Any]:
    """Return the `constant` of every module of a package, by its id; modules whose name starts with
    `_` are skipped.

    Args:
        packages: True where each plug is a package; the modules beside them are shared pieces.

    Raises:
        LabError: a module defines no such constant, or two define the same id.
    """
    package = importlib.import_module(package_name)
    found: dict[str, Any] = {}
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda i: i.name):
        if not info.name.startswith("_") and (info.ispkg or not packages):
            plug = _constant(f"{package_name}.{info.name}", constant)
            if plug.id in found:
                raise LabError(
                    f"Two files of {package_name} define the id {plug.id!r}",
                    remedy="Rename one of them",
                )
            found[plug.id] = plug
    return found


def _constant(module_name: str, constant: str) -> Any:
    module = importlib.import_module(module_name)
    if not hasattr(module, constant):
        raise LabError(
            f"{module_name} defines no {constant}",
            remedy="Define it, or start the file's name with '_'",
        )
    return getattr(module, constant)


@cache
def formats() -> dict[str, Format]:
    """All file formats by id."""
    return discover("lab.formats", "FORMAT", packages=True)


@cache
def techniques() -> dict[str, Technique]:
    """All techniques by id."""
    return discover("lab.techniques", "TECHNIQUE")


@cache
def runtimes() -> dict[str, Runtime]:
    """All runtimes by id."""
    return discover("lab.runtimes", "RUNTIME")


@cache
def processors() -> dict[str, Processor]:
    """All processors by id."""
    return discover("lab.processors", "PROCESSOR")


@cache
def metrics() -> dict[str, Metric]:
    """All metrics by id."""
    return discover("lab.metrics", "METRIC")


@cache
def rules() -> dict[str, Rule]:
    """All rules that explain trials by id."""
    return discover("lab.rules", "RULE")


@cache
def tasks() -> dict[str, Task]:
    """All tasks by id."""
    return discover("lab.tasks", "TASK")


@cache
def datasets() -> dict[str, Dataset]:
    """All data sets by id."""
    return discover("lab.datasets", "DATASET")


@cache
def sample_cards() -> dict[str, ModelCard]:
    """The cards of the sample models by id."""
    return discover("sample_models", "CARD")


def training_recipe(model_id: str) -> Any:
    """The module of a sample model's recipe: `train` takes a `Training`.

    Raises:
        UnknownId: no sample model with that id.
    """
    if model_id not in sample_cards():
        raise UnknownId.of("training recipe", model_id, sample_cards())
    return importlib.import_module(f"sample_models.{model_id}")


def format_(id_: str) -> Format:
    """One file format.

    Raises:
        UnknownId: there is none with that id.
    """
    return _one("format", id_, formats())


def technique(id_: str) -> Technique:
    """One technique.

    Raises:
        UnknownId: there is none with that id.
    """
    return _one("technique", id_, techniques())


def serving(purpose: str, format_: str) -> dict[str, str]:
    """Return the techniques that serve a purpose for files of a format, each with the setting that
    it needs: those that write the format, else those that read it.

    Args:
        purpose: one of `lab.plugs.PURPOSES`.
    """
    able = {t.id: t for t in techniques().values() if purpose in t.purposes}
    writing = [t for t in able.values() if t.produces == format_]
    chosen = writing or [t for t in able.values() if format_ in t.accepts]
    return {t.id: t.purposes[purpose] for t in chosen}


def runtime(id_: str) -> Runtime:
    """One runtime.

    Raises:
        UnknownId: there is none with that id.
    """
    return _one("runtime", id_, runtimes())


def processor(id_: str) -> Processor:
    """One processor.

    Raises:
        UnknownId: there is none with that id.
    """
    return _one("processor", id_, processors())


def metric(id_: str) -> Metric:
    """One metric.

    Raises:
        UnknownId: there is none with that id.
    """
    return _one("metric", id_, metrics())


def task(id_: str) -> Task:
    """One task.

    Raises:
        UnknownId: there is none with that id.
    """
    return _one("task", id_, tasks())


def dataset(id_: str) -> Dataset:
    """One data set.

    Raises:
        UnknownId: there is none with that id.
    """
    return _one("data set", id_, datasets())


def _one(kind: str, id_: str, known: dict[str, Plug]) -> Plug:
    if id_ not in known:
        raise UnknownId.of(kind, id_, known)
    return known[id_]
