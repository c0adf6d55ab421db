"""The machine's state, read from made-up /sys and /proc."""

from __future__ import annotations

from pathlib import Path

from lab.measure.conditions import conditions


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text + "\n")


def test_what_can_be_read_is_in_si_units(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1800000",
            "sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq": "2400000",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand",
            "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "3",
            "sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count": "4",
            "sys/class/thermal/thermal_zone0/temp": "48312",
            "sys/class/thermal/thermal_zone1/temp": "61500",
            "proc/loadavg": "0.50 0.40 0.30 1/200 4242",
        },
    )
    found = conditions(tmp_path / "sys", tmp_path / "proc")
    assert found.pop("cores")
    assert found == {
        "load": 0.5,
        "clock_hz": [1.8e9, 2.4e9],
        "governor": "ondemand",
        "temperature_c": 61.5,
        "throttled": 7,
    }


def test_what_cannot_be_read_is_absent(tmp_path: Path) -> None:
    found = conditions(tmp_path, tmp_path)
    assert {k: v for k, v in found.items() if k != "cores"} == dict.fromkeys(
        ("load", "clock_hz", "governor", "temperature_c", "throttled")
    )
