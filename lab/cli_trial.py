"""Commands about one trial: how it differs from another one, and where its time and its bytes go."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

import lab
from lab.analysis.front import baseline_of
from lab.cli_output import check_writable, table, write
from lab.errors import UsageError
from lab.store import records


def compare(trial: str, other: str | None, json_file: Path | None) -> None:
    """Say how a trial differs from another one, by default its float baseline, and whether that may be chance."""
    from lab.plots.differences import difference_rows, differences_json, items_text

    check_writable(json_file)
    this, that = records.trial(trial), records.trial(other) if other else None
    that = that or baseline_of(this, lab.trials(this.study))
    if that is None:
        raise UsageError("There is no float baseline to compare with", given=trial, remedy="Name another trial")
    rows, items = difference_rows(this, that, lab.available_metrics()), items_text(this, that)
    if json_file is not None:
        found = {d.metric: d for d in lab.compare(this.id, that.id)}
        write(
            {"trial": this.id, "other": that.id, "differences": differences_json(found), "rows": rows, "items": items},
            json_file,
        )
    if str(json_file) != "-":
        print(f"{this.name} ({this.id}) against {that.name} ({that.id})")
        table(list(rows[0]) if rows else [], [list(row.values()) for row in rows])
        print(items)


def compare_arguments(p: argparse.ArgumentParser) -> None:
    """Arguments of `compare`."""
    p.add_argument("trial", help="id of a trial, as `show` lists it")
    p.add_argument("other", nargs="?", help="id of another one (default: its float baseline)")
    _json(p)


def profile(trial: str, json_file: Path | None) -> None:
    """Show where a trial's time goes, operator by operator, and what its file consists of."""
    from lab.plots.anatomy import size_texts
    from lab.plots.profile import kinds_rows, profile_json, profile_rows

    check_writable(json_file)
    this = records.trial(trial)
    times, anatomy = lab.profile(this), lab.anatomy(this)
    if times is None and anatomy is None:
        raise UsageError("This trial was not profiled", given=trial,
                         remedy="Its runtime tells nothing, or it is of an earlier version: sweep it again")  # fmt: skip
    if json_file is not None:
        write(
            {
                "trial": this.id,
                "profile": profile_json(times) if times else None,
                "anatomy": asdict(anatomy) if anatomy else None,
            },
            json_file,
        )
    if str(json_file) == "-":
        return
    parts = [profile_rows(times), kinds_rows(times)] if times else []
    for rows in [*parts, size_texts(anatomy) if anatomy else []]:
        if rows:
            table(list(rows[0]), [list(row.values()) for row in rows])
            print()
    print(times.note if times else "")


def profile_arguments(p: argparse.ArgumentParser) -> None:
    """Arguments of `profile`."""
    p.add_argument("trial", help="id of a trial, as `show` lists it")
    _json(p)


def _json(p: argparse.ArgumentParser) -> None:
    p.add_argument("--json", dest="json_file", type=Path, metavar="FILE", help="write JSON; - prints it instead")
