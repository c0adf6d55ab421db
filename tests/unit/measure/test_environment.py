"""What the fingerprint says of versions, against the library that knows."""

from importlib.metadata import version

from lab.measure.environment import PACKAGES, fingerprint


def test_versions_are_those_installed():
    found = fingerprint()["versions"]
    assert set(found) == set(PACKAGES)
    assert found == {name: version(name) for name in PACKAGES}
