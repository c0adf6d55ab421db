"""Versions in the fingerprint, against the library that knows, and against what plugs declare."""

from dataclasses import replace
from importlib.metadata import version

import pytest

from lab import registry
from lab.measure import environment
from lab.measure.environment import fingerprint, packages, versions_of


def test_versions_are_those_installed():
    found = fingerprint()["versions"]
    assert set(found) == set(packages())
    assert found == {name: version(name) for name in packages()}


def test_every_package_that_a_plug_declares_is_in_the_fingerprint():
    for technique in registry.techniques().values():
        assert set(technique.requires) <= set(packages()), technique.id
    for runtime in registry.runtimes().values():
        assert {*runtime.requires, runtime.version_of} <= set(packages()), runtime.id
    for format_ in registry.formats().values():
        assert set(format_.packages) <= set(packages()), format_.id
    assert {"onnx-ir", "onnxscript", "tf-keras", "torch-pruning"} <= set(packages())
    assert "tensorflow-model-optimization" in packages()


def test_two_versions_of_a_dropped_in_runtime_have_unlike_fingerprints(
    monkeypatch: pytest.MonkeyPatch,
):
    """Its package is in no list."""
    dropped = replace(registry.runtime("ort"), id="dropped", version_of="dropped-runtime")
    runtimes = {**registry.runtimes(), "dropped": dropped}
    monkeypatch.setattr(registry, "runtimes", lambda: runtimes)
    seen = []
    for number in ("1.0", "2.0"):
        installed = {**environment._installed(), "dropped-runtime": number}
        with monkeypatch.context() as patch:
            patch.setattr(environment, "_installed", lambda installed=installed: installed)
            seen.append(versions_of(packages.__wrapped__()))
    assert [versions["dropped-runtime"] for versions in seen] == ["1.0", "2.0"]
