"""The command line: several studies, and flipped items."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

import lab
from lab.cli import main
from lab.home import folder
from lab.store import records
from tests import fakes
from tests.unit.engine.test_paired_predictions import digits, ours, stored

__all__ = ["digits", "stored"]


@pytest.fixture
def two(lab_home):
    ids = []
    for name, cpu in (("a", "one"), ("b", "two")):
        environment = records.keep_environment({"cpu": cpu, "cores": 2})
        trials = [
            replace(t, environment=environment) for t in ours(fakes.trials(12, 1, name), name)
        ]
        records.add_study(fakes.study(name), lab.model("digits_lenet"), trials)
        ids.append(environment)
    return ids


def test_studies_of_two_machines_have_a_front_each(two, capsys, tmp_path):
    main(["across", "a", "b", "--json", str(tmp_path / "out.json")])
    said = capsys.readouterr().out
    assert said.startswith("2 separate fronts")
    assert "one, 2 cores: " in said
    value = json.loads((tmp_path / "out.json").read_text())
    assert value["studies"] == ["a", "b"]
    assert {g["terms"]["environment"] for g in value["groups"]} == set(two)
    for group in value["groups"]:
        assert all(id_ in said for id_ in group["front"])


def test_an_unknown_study_is_bad_usage(two, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["across", "a", "gone"])
    assert stopped.value.code == 2
    assert "no study with that id" in capsys.readouterr().err


def test_flipped_items_are_listed_the_widest_gap_first(stored, capsys):
    main(["compare", stored[3].id, stored[0].id, "--flips", "5"])
    lines = capsys.readouterr().out.strip().splitlines()
    found = lab.flips(stored[3].id, stored[0].id)
    assert [int(line.split()[0]) for line in lines[-5:]] == [f.item for f in found.flips[:5]]
    assert f"Of {found.n} test items" in "\n".join(lines)


def test_as_json_they_come_with_the_difference_of_the_recipes(stored, tmp_path):
    main(
        [
            "compare",
            stored[3].id,
            stored[0].id,
            "--flips",
            "5",
            "--json",
            str(tmp_path / "out.json"),
        ]
    )
    value = json.loads((tmp_path / "out.json").read_text())
    found = lab.flips(stored[3].id, stored[0].id)
    assert [f["item"] for f in value["flips"]["flips"]] == [f.item for f in found.flips[:5]]
    assert value["flips"]["n"] == found.n
    (row,) = value["recipes"]["rows"]
    assert row["values"] == [None, stored[3].recipe.steps[1].to_json()]
    main(["compare", stored[3].id, stored[0].id, "--json", str(tmp_path / "out.json")])
    assert "flips" not in json.loads((tmp_path / "out.json").read_text())


def test_without_answers_the_command_says_so(digits, capsys):
    records.add_study(fakes.study(), lab.model("digits_lenet"), ours(fakes.trials(4, failed=0)))
    assert folder("data").exists()
    with pytest.raises(SystemExit) as stopped:
        main(["compare", "study-1-0003", "study-1-0000", "--flips", "5"])
    assert stopped.value.code == 1
    assert "not in this lab" in capsys.readouterr().err
