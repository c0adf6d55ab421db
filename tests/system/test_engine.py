"""Whatever a technique does, every other trial is completed; whatever kills a process, the study
goes on.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections import Counter
from typing import Any

import psutil
import pytest

import lab
from lab.types import FINISHED
from tests.system.checkout import TAGGED, Checkout, alive, descendants, until

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.usefixtures("same_home")]
SIX = "Option(id='n', label='n', kind='int', default=0, low=0, high=9, help='A number.'),"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    made = Checkout(tmp_path_factory.mktemp("engine"))
    made.add_small()
    made.technique("segfault", "ctypes.string_at(0)")
    made.technique("hang", "time.sleep(1000)", timeout_s=2.0)
    made.technique(
        "hang_long",
        "import os\n    (context.workdir / 'pid').write_text(str(os.getpid()))\n   "
        " time.sleep(1000)",
    )
    made.technique(
        "eat",
        "kept = []\n    for _ in range(200):\n        kept.append(np.ones(2**22))\n       "
        " time.sleep(0.02)",
    )
    made.technique("raises", "raise ValueError('the weights are odd')")
    made.technique("slow", f"time.sleep(0.7)\n    {TAGGED}", SIX)
    made.technique("slow_too", f"time.sleep(0.7)\n    {TAGGED}", SIX)
    return made


def newest() -> str:
    return lab.studies()[0].id


def new_study(known: set[str]) -> str | None:
    return next((s.id for s in lab.studies() if s.id not in known), None)


def sweeping(
    checkout: Checkout, started: list[subprocess.Popen[str]], **spec: Any
) -> tuple[subprocess.Popen[str], str]:
    """A sweep in a process of its own, and the study's id."""
    known = {s.id for s in lab.studies()}
    process = checkout.start(
        "sweep", "small", "--spec", checkout.spec({"test_samples": 50 + len(known), **spec})
    )
    started.append(process)
    return process, until(lambda: new_study(known), 20, "the study is in the store")


def built(study: str) -> int:
    return sum(j["kind"] == "build" and j["outcome"] == "complete" for j in lab.jobs(study))


def assert_whole(study: str, trials: int) -> None:
    """Complete, with every trial once, and nothing built twice."""
    rows = lab.trials(study)
    assert [t.position for t in rows] == list(range(trials))
    assert len({t.id for t in rows}) == trials
    assert {t.state for t in rows} == {"complete"}, [t.error for t in rows if t.error]
    assert lab.study(study).state == "complete"
    keys = Counter(
        j["key"] for j in lab.jobs(study) if j["kind"] != "measure" and j["outcome"] == "complete"
    )
    assert max(keys.values()) == 1, keys


def test_crash_hang_and_greed_cost_only_their_own_trials(checkout: Checkout) -> None:
    space: dict[str, Any] = {
        "segfault": {},
        "hang": {},
        "eat": {},
        "raises": {},
        "onnx_dynamic_int8": {},
        "onnx_fp16": {},
    }
    done, result = checkout.sweep({"space": space}, LAB_JOB_MEMORY_BYTES=str(900 * 2**20))
    by_name = {t["name"]: t for t in result["trials"]}
    assert done.returncode == 0, done.stderr
    assert {
        t["state"] for n, t in by_name.items() if n not in ("segfault", "hang", "eat", "raises")
    } == {"complete"}
    assert len(by_name) == len(space) + 1
    errors = {name: by_name[name]["error"] for name in ("segfault", "hang", "eat", "raises")}
    assert {name: e["type"] for name, e in errors.items()} == {
        "segfault": "JobCrashed",
        "hang": "JobTimedOut",
        "eat": "JobOutOfMemory",
        "raises": "ValueError",
    }
    assert "SIGSEGV" in errors["segfault"]["message"]
    assert "2 s" in errors["hang"]["message"]
    assert "900 MiB" in errors["eat"]["message"]
    assert errors["eat"]["remedy"]
    assert "the weights are odd" in errors["raises"]["message"]


def test_nothing_but_failures_ends_with_status_1(checkout: Checkout) -> None:
    """The float baseline fits no memory of one byte, so that nothing at all could be run."""
    done, _ = checkout.sweep(
        {"space": {"onnx_fp16": {}}, "test_samples": 49}, LAB_JOB_MEMORY_BYTES="1"
    )
    assert done.returncode == 1
    assert "Nothing could be run" in done.stderr
    assert "Traceback" not in done.stderr


def killed_in_mid_sweep(
    checkout: Checkout, started: list[subprocess.Popen[str]], technique: str
) -> str:
    process, study = sweeping(checkout, started, space={technique: {"n": [0, 1, 2, 3, 4, 5]}})
    until(lambda: built(study) >= 2, 30, "two builds")
    below = descendants(process.pid)
    assert below
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    until(lambda: not alive(below), 3, "no orphans")
    assert lab.study(study).state == "running"
    return study


def test_a_killed_sweep_is_resumed_by_the_command(
    checkout: Checkout, started: list[subprocess.Popen[str]]
) -> None:
    study = killed_in_mid_sweep(checkout, started, "slow")
    assert checkout.lab("resume", study).returncode == 0
    assert_whole(study, 7)


def test_a_killed_sweep_goes_on_in_any_process_with_an_engine(
    checkout: Checkout, started: list[subprocess.Popen[str]]
) -> None:
    study = killed_in_mid_sweep(checkout, started, "slow_too")
    started.append(checkout.python("-c", "import lab, time; lab.ensure_engine(); time.sleep(60)"))
    until(lambda: lab.study(study).state in FINISHED, 40, "the study ends")
    assert_whole(study, 7)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_sweep_fails_no_trial(
    checkout: Checkout, started: list[subprocess.Popen[str]], how: signal.Signals
) -> None:
    """A process that ends in an orderly way must not take its unfinished trials for failures."""
    values = [0, 1, 2, 3] if how == signal.SIGINT else [4, 5, 6, 7]
    process, study = sweeping(checkout, started, space={"slow": {"n": values}}, seed=int(how))
    until(
        lambda: (
            lab.study(study).state == "running" and (lab.jobs(study) or len(lab.trials(study)) == 5)
        ),
        30,
        "a job",
    )
    until(lambda: len(descendants(process.pid)) >= 2, 20, "workers")
    below = descendants(process.pid)
    process.send_signal(how)
    process.communicate(timeout=20)
    until(lambda: not alive(below), 3, "no orphans")
    assert not {t.state for t in lab.trials(study)} & {"failed", "cancelled"}
    assert checkout.lab("resume", study).returncode == 0
    assert_whole(study, 5)


def test_cancel_stops_a_hanging_job_at_once(
    checkout: Checkout, started: list[subprocess.Popen[str]]
) -> None:
    process, study = sweeping(checkout, started, space={"hang_long": {}, "onnx_fp16": {}})
    (found,) = until(lambda: list((checkout.home / "work").glob("*/pid")), 30, "the hang")
    hanging = psutil.Process(int(until(found.read_text, 2, "its process")))
    assert hanging in descendants(process.pid)
    lab.cancel(study)
    until(lambda: lab.study(study).state == "cancelled", 2, "the study is cancelled")
    until(lambda: not alive([hanging]), 2, "its worker is gone")
    assert {t.name: t.state for t in lab.trials(study)}["hang_long"] == "cancelled"
    process.communicate(timeout=20)


def overlaps(jobs: list[dict[str, Any]]) -> list[Any]:
    """Pairs of a measurement and another job of the lab that ran at the same time."""
    measured = [j for j in jobs if j["kind"] == "measure"]
    pairs = [(m, o) for m in measured for o in jobs if o["id"] != m["id"]]
    return [
        (m, o)
        for m, o in pairs
        if o["started_at"] < m["finished_at"] and m["started_at"] < o["finished_at"]
    ]


def test_two_sweeps_in_two_processes(
    checkout: Checkout, started: list[subprocess.Popen[str]]
) -> None:
    first, one = sweeping(checkout, started, space={"slow": {"n": [8, 9]}}, seed=101)
    second, two = sweeping(checkout, started, space={"slow_too": {"n": [6, 7, 8, 9]}}, seed=102)
    out = [p.communicate(timeout=120)[1] for p in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), out
    assert_whole(one, 3)
    assert_whole(two, 5)
    jobs = [j for s in (one, two) for j in lab.jobs(s)]
    assert {j["study"] for j in jobs if j["kind"] == "measure"} == {one, two}
    assert overlaps(jobs) == []


TWO = """
import lab
space = {"onnx_fp16": {}, "onnx_dynamic_int8": {"per_channel": [False, True]}}
specs = [lab.make_spec("small", space=space, targets=["ort"], seed=seed, rounds=5, runs=20) for seed in (201, 202)]
ids = [lab.start(spec) for spec in specs]
print(*[lab.wait(i).id for i in ids])
"""


LISTENING = """
import lab, psutil
lab.wait(lab.start(lab.make_spec("small", space={}, targets=["ort"], seed=401, rounds=2, runs=5)))
processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
print([c.laddr for p in processes for c in p.net_connections() if c.status == psutil.CONN_LISTEN])
"""


def test_an_engine_opens_no_port(checkout: Checkout, started: list[subprocess.Popen[str]]) -> None:
    process = checkout.python("-c", LISTENING)
    started.append(process)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert out.strip() == "[]"


def test_two_sweeps_in_one_process(
    checkout: Checkout, started: list[subprocess.Popen[str]]
) -> None:
    process = checkout.python("-c", TWO)
    started.append(process)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    one, two = out.split()
    for study in (one, two):
        assert {t.state for t in lab.trials(study)} == {"complete"}
    assert overlaps([j for s in (one, two) for j in lab.jobs(s)]) == []
