"""RAPL's counters, in a made-up /sys/class/powercap."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lab import registry
from lab.measure.energy import Counter, why_not, zones

RANGE_UJ = 262_143_328_850


def add_zone(root: Path, number: str, name: str, uj: int) -> Path:
    folder = root / f"intel-rapl:{number}"
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{name}\n")
    (folder / "max_energy_range_uj").write_text(f"{RANGE_UJ}\n")
    (folder / "energy_uj").write_text(f"{uj}\n")
    return folder / "energy_uj"


def test_all_packages_are_added_up_and_their_parts_are_not(tmp_path: Path) -> None:
    first, second = (
        add_zone(tmp_path, "0", "package-0", 1_000_000),
        add_zone(tmp_path, "1", "package-1", 5_000_000),
    )
    parts = [
        add_zone(tmp_path, "0:0", "core", 0),
        add_zone(tmp_path, "0:1", "dram", 0),
        add_zone(tmp_path, "2", "psys", 0),
    ]
    counter = Counter(tmp_path)
    assert counter.joules() == 0
    first.write_text("3500000\n")
    second.write_text("5250000\n")
    for part in parts:
        part.write_text("90000000\n")
    assert counter.joules() == pytest.approx(2.75)


def test_a_counter_that_starts_again_is_noticed(tmp_path: Path) -> None:
    file = add_zone(tmp_path, "0", "package-0", RANGE_UJ - 2_000_000)
    counter = Counter(tmp_path)
    file.write_text("1000000\n")
    assert counter.joules() == pytest.approx(3.0)


def test_nothing_is_made_up_where_nothing_can_be_read(tmp_path: Path) -> None:
    assert Counter(tmp_path / "none").joules() is None
    assert "no /sys/class/powercap" in why_not(tmp_path / "none")
    assert Counter(tmp_path).joules() is None
    assert "has no energy counters" in why_not(tmp_path)
    file = add_zone(tmp_path / "vanishing", "0", "package-0", 5)
    counter = Counter(tmp_path / "vanishing")
    file.unlink()
    assert counter.joules() is None
    assert "cannot be read" in why_not(tmp_path / "vanishing")


def test_counters_of_root_alone_are_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_zone(tmp_path, "0", "package-0", 5)
    assert why_not(tmp_path) == ""
    assert [z.name for z in zones(tmp_path)] == ["package-0"]
    before = Path.read_text

    def refused(self: Path, *given: str) -> str:
        if self.name == "energy_uj":
            raise PermissionError(13, "Permission denied")
        return before(self, *given)

    monkeypatch.setattr(Path, "read_text", refused)
    assert "Only root may read" in why_not(tmp_path)
    assert Counter(tmp_path).joules() is None


def test_the_metric_is_the_median_of_rounds_with_an_interval_around_it() -> None:
    joules = np.array([0.010, 0.012, 0.011, 0.013, 0.011])
    found = registry.metric("energy_j").compute(energy=joules)
    assert found is not None
    assert (found.value, found.unit, found.n) == (0.011, "J", 5)
    assert found.low is not None
    assert found.high is not None
    assert joules.min() <= found.low <= 0.011 <= found.high <= joules.max()
    assert registry.metric("energy_j").compute(energy=np.array([])) is None
