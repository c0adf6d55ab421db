"""The checks of a processor that is made up in a folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.measure import doctor_machine as machine
from lab.measure.check import Check

CPU = "sys/devices/system/cpu"


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{text}\n")
    return root


CHECKS = [
    machine.clock,
    machine.temperature,
    machine.throttling,
    machine.virtual_machine,
    machine.energy,
    machine.affinity,
    machine.pressure,
    machine.features,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
def test_a_machine_that_tells_nothing_breaks_nothing(check, tmp_path):
    found = check(tmp_path)
    assert found.text.endswith(".")
    assert found.state in ("ok", "warning", "unavailable")
    assert Check.from_json({**vars(found)}) == found


@pytest.mark.parametrize(
    "check",
    [machine.clock, machine.temperature, machine.throttling, machine.energy, machine.pressure],
)
def test_what_is_not_told_is_unavailable_with_its_reason(check, tmp_path):
    found = check(tmp_path)
    assert found.state == "unavailable"
    assert "(" in found.text


@pytest.mark.parametrize(("governor", "state"), [("powersave", "warning"), ("performance", "ok")])
def test_the_governor_and_the_clock(tmp_path, governor, state):
    files = {f"{CPU}/cpu{n}/cpufreq/scaling_governor": governor for n in range(2)}
    files |= {
        f"{CPU}/cpu{n}/cpufreq/scaling_cur_freq": str(khz)
        for n, khz in enumerate((800_000, 3_400_000))
    }
    found = machine.clock(write(tmp_path, files))
    assert found.state == state
    assert "800 to 3400 MHz" in found.text
    assert governor in found.text
    assert ("cpupower" in found.remedy) == (state == "warning")


@pytest.mark.parametrize(("millidegrees", "state"), [("45000", "ok"), ("97000", "warning")])
def test_the_hottest_sensor_counts(tmp_path, millidegrees, state):
    zone = "sys/class/thermal/thermal_zone"
    found = machine.temperature(
        write(
            tmp_path,
            {f"{zone}0/temp": "30000", f"{zone}1/temp": millidegrees, f"{zone}2/type": "x"},
        )
    )
    assert (found.state, found.figures) == (state, {"hottest_c": int(millidegrees) / 1e3})


@pytest.mark.parametrize(("counts", "state"), [((0, 0), "ok"), ((3, 4), "warning")])
def test_throttling_is_counted_over_all_cores(tmp_path, counts, state):
    files = {
        f"{CPU}/cpu{n}/thermal_throttle/core_throttle_count": str(k) for n, k in enumerate(counts)
    }
    found = machine.throttling(write(tmp_path, files))
    assert (found.state, found.figures["throttled"]) == (state, sum(counts))


def test_a_virtual_machine_is_told_by_its_flag_or_its_name(tmp_path):
    bare = write(
        tmp_path / "bare",
        {"proc/cpuinfo": "flags : fpu avx2", "sys/class/dmi/id/product_name": "PowerEdge R7"},
    )
    flag = write(tmp_path / "flag", {"proc/cpuinfo": "flags\t: fpu hypervisor avx2"})
    name = write(
        tmp_path / "name", {"sys/class/dmi/id/product_name": "VirtualBox", ".dockerenv": ""}
    )
    told = [machine.virtual_machine(root).figures for root in (bare, flag, name)]
    assert [f["virtual"] for f in told] == [False, True, True]
    assert [f["container"] for f in told] == [False, False, True]


@pytest.mark.parametrize(
    ("line", "dots", "half", "brain", "saturates"),
    [
        ("flags : avx2", False, False, False, True),
        ("flags : avx2 avx512_vnni avx512_bf16", True, False, True, False),
        ("Features : asimddp fphp", True, True, False, False),
    ],
)
def test_what_instructions_mean(tmp_path, line, dots, half, brain, saturates):
    found = machine.features(write(tmp_path, {"proc/cpuinfo": line}))
    assert (
        found.figures["int8_dot_product"],
        found.figures["float16"],
        found.figures["bfloat16"],
    ) == (
        dots,
        half,
        brain,
    )
    assert ("saturate" in found.text) == saturates
    assert found.state == ("ok" if dots else "warning")


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({"sys/fs/cgroup/cpu.max": "150000 100000"}, 1.5),
        ({"sys/fs/cgroup/cpu.max": "max 100000"}, None),
        (
            {
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
            0.5,
        ),
        ({"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1"}, None),
        ({}, None),
    ],
)
def test_the_limit_of_a_control_group(tmp_path, files, limit):
    assert machine.cpu_limit(write(tmp_path, files)) == limit


def test_fewer_cores_than_there_are_is_a_warning(tmp_path):
    mine = len(os.sched_getaffinity(0))
    for n in range(mine):
        (tmp_path / f"{CPU}/cpu{n}").mkdir(parents=True)
    assert machine.affinity(tmp_path).state == "ok"
    (tmp_path / f"{CPU}/cpu{mine}").mkdir()
    assert machine.affinity(tmp_path).state == "warning"
    limited = machine.affinity(write(tmp_path, {"sys/fs/cgroup/cpu.max": "10000 100000"}))
    assert limited.figures["limit"] == 0.1
    assert "0.1 of" in limited.text


@pytest.mark.parametrize(
    ("after", "state", "others", "steal"),
    [
        ("cpu  100 0 100 900 0 0 0 0", "ok", 0.0, 0.0),
        ("cpu  150 0 100 850 0 0 0 0", "warning", 0.5, 0.0),
        ("cpu  100 0 100 850 0 0 0 50", "warning", 0.0, 0.5),
    ],
)
def test_the_work_of_others_and_what_the_host_takes(tmp_path, after, state, others, steal):
    write(
        tmp_path,
        {
            "proc/stat": "cpu  100 0 100 800 0 0 0 0\ncpu0 1 1 1 1",
            "proc/loadavg": "0.45 0.36 0.98 3/96 19268",
        },
    )
    found = machine.contention(tmp_path, lambda _: write(tmp_path, {"proc/stat": after}) and None)
    assert (found.state, found.figures["load_1min"]) == (state, 0.45)
    assert (found.figures["others_share"], found.figures["steal_share"]) == (
        pytest.approx(others, abs=0.02),
        steal,
    )


@pytest.mark.parametrize(("average", "state"), [("0.91", "ok"), ("23.40", "warning")])
def test_pressure_is_that_of_some_program(tmp_path, average, state):
    text = (
        f"some avg10={average} avg60=0.60 avg300=1.66 total=5043639322\nfull avg10=0.00 avg60=0.00"
        " avg300=0.00 total=0"
    )
    found = machine.pressure(write(tmp_path, {"proc/pressure/cpu": text}))
    assert (found.state, found.figures["waiting_10s_percent"]) == (state, float(average))
