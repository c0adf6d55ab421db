"""Commands about one trial: its differences from another one, its profile, the reasons for them,
the sensitivity of its layers, its scaling.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lab
from lab.cli.across import flips_json, print_flips
from lab.cli.output import check_writable, report, show_progress, table, write, writes_json
from lab.errors import LabError, UsageError


def compare(trial: str, other: str | None, flips: int, json_file: Path | None) -> None:
    """Say how a trial differs from another one, by default its float baseline, and whether that may
    be chance.
    """
    from lab.analysis.front import nearest_baseline
    from lab.plots.differences import difference_rows, differences_json, items_text
    from lab.plots.recipe_diff import diff_json
    from lab.store import records

    check_writable(json_file)
    this, that = records.trial(trial), records.trial(other) if other else None
    that = that or nearest_baseline(this, lab.trials(this.study))
    if that is None:
        raise UsageError(
            "There is no float baseline to compare with", given=trial, remedy="Name another trial"
        )
    rows, items = difference_rows(this, that, lab.available_metrics()), items_text(this, that)
    if json_file is not None:
        differences = {d.metric: d for d in lab.compare(this.id, that.id)}
        value = {
            "trial": this.id,
            "other": that.id,
            "differences": differences_json(differences),
            "rows": rows,
            "items": items,
        }
        write(
            {
                **value,
                "recipes": diff_json(lab.recipe_diff([that, this])),
                **flips_json(this, that, flips),
            },
            json_file,
        )
    if str(json_file) != "-":
        print(f"{this.name} ({this.id}) against {that.name} ({that.id})")
        table(list(rows[0]) if rows else [], [list(row.values()) for row in rows])
        print(items)
        if flips:
            print_flips(this, that, flips)


def compare_arguments(p: argparse.ArgumentParser) -> None:
    """Arguments of `compare`."""
    p.add_argument("trial", help="id of a trial, as `show` lists it")
    p.add_argument("other", nargs="?", help="id of another one (default: its float baseline)")
    p.add_argument(
        "--flips",
        "--samples",
        type=int,
        default=0,
        metavar="N",
        help="also list the N test items that the two answer most differently",
    )
    writes_json(p)


def profile(trial: str, json_file: Path | None) -> None:
    """Show where a trial's time goes, operator by operator, and what its file consists of."""
    from lab.plots.anatomy import size_texts
    from lab.plots.profile import kinds_rows, profile_json, profile_rows
    from lab.store import records

    check_writable(json_file)
    this = records.trial(trial)
    times, anatomy = lab.profile(this), lab.anatomy(this)
    if times is None and anatomy is None:
        raise UsageError(
            "This trial was not profiled",
            given=trial,
            remedy="Its runtime tells nothing, or it is of an earlier version: sweep it again",
        )
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
    writes_json(p)


def sensitivity(
    trial: str, mix: int, wide: bool, keep_float: list[str] | None, json_file: Path | None
) -> None:
    """Measure what each layer of a trial's recipe costs, and keep the worst in float."""
    check_writable(json_file)
    study = lab.wait(lab.start_sensitivity(trial), show_progress())
    _show_layers(study.id, json_file)
    option, parent, added = (
        "wide" if wide else "keep_float",
        str(study.spec.about["study"]),
        list[str](),
    )
    if keep_float:
        added += lab.raise_layers(study.id, keep_float, option)
    if mix:
        added += lab.mixed_precision(study.id, mix, option)
    if added:
        lab.wait(parent, show_progress())
        report(parent, None)


def sensitivity_arguments(p: argparse.ArgumentParser) -> None:
    """Arguments of `sensitivity`."""
    p.add_argument(
        "trial", help="id of a trial whose recipe lets layers be chosen, as `show` lists them"
    )
    p.add_argument(
        "--mix",
        type=int,
        default=0,
        metavar="N",
        help="then add N recipes of mixed precision to its study",
    )
    p.add_argument(
        "--keep-float",
        nargs="+",
        metavar="LAYER",
        help="then add the recipe with these layers kept in float",
    )
    p.add_argument(
        "--wide", action="store_true", help="raise layers to 16-bit activations instead of float"
    )
    writes_json(p)


def _show_layers(study_id: str, json_file: Path | None) -> None:
    from lab.plots.sensitivity import sensitivity_json, sensitivity_rows

    ranking = lab.sensitivity(study_id)
    if json_file is not None:
        write({"study": study_id, **sensitivity_json(ranking)}, json_file)
    if str(json_file) == "-":
        return
    rows = sensitivity_rows(ranking)
    print(f"study {study_id}: what each layer costs, the most harmful first")
    table(list(rows[0]) if rows else [], [[str(v) for v in row.values()] for row in rows])


def explain(of: str, json_file: Path | None) -> None:
    """Say why a trial, or each trial of a study, is not faster or not smaller."""
    check_writable(json_file)
    if "-" in of:
        value: dict[str, Any] = {"trial": of, "explanations": [asdict(f) for f in lab.explain(of)]}
    else:
        from lab.questions.reasons import summary

        explanations = lab.explanations(of)
        value = {
            "study": of,
            **summary(lab.trials(of), explanations),
            "explanations": {
                id_: [asdict(f) for f in findings] for id_, findings in explanations.items()
            },
        }
    if json_file is not None:
        write(value, json_file)
    if str(json_file) != "-":
        _print_findings(value)


def explain_arguments(p: argparse.ArgumentParser) -> None:
    """Arguments of `explain`."""
    p.add_argument("of", metavar="TRIAL_or_STUDY", help="id of a trial or of a study")
    writes_json(p)


def _print_findings(value: dict[str, Any]) -> None:
    if "trial" in value:
        for f in value["explanations"]:
            print(f"{f['about']}, {100 * f['share']:.0f} %: {f['text']}\n  {f['remedy']}")
        return None if value["explanations"] else print("No rule found anything.")
    from lab.registry import rules

    table(
        ["trials", "rule", "reason"],
        [[str(n), id_, rules()[id_].title] for id_, n in value["rules"].items()],
    )
    print(
        f"{value['not_faster']} trials are not faster than the float model, {value['not_smaller']}"
        " not smaller"
    )
    for t in value["unexplained"]:
        print(f"unexplained: {t['trial']} {t['name']} ({t['about']})")
    return None


def scaling(trial: str, threads: str | None, batch: str | None, json_file: Path | None) -> None:
    """Measure a trial and its float baseline with more threads, and with more items a call."""
    check_writable(json_file)
    tried = _numbers(threads, "--threads"), _numbers(batch, "--batch")
    study = lab.wait(lab.start_scaling(trial, *tried), show_progress())
    from lab.plots.scaling import scaling_json, scaling_rows, scaling_texts

    result = lab.scaling(study.id)
    if json_file is not None:
        write({"study": study.id, **scaling_json(result)}, json_file)
    if str(json_file) != "-":
        rows = scaling_rows(result)
        print(f"study {study.id}: threads and batches")
        table(list(rows[0]) if rows else [], [list(row.values()) for row in rows])
        print("\n".join(scaling_texts(result)))
    if not any(curve.points for curve in result.curves):
        raise LabError(
            f"Nothing could be measured in study {study.id}",
            given=next((f[1] for c in result.curves for f in c.failed), ""),
        )


def scaling_arguments(p: argparse.ArgumentParser) -> None:
    """Arguments of `scaling`."""
    p.add_argument("trial", help="id of a trial, as `show` lists them")
    p.add_argument(
        "--threads",
        metavar="N,N",
        help="numbers of threads (default: powers of two up to the cores)",
    )
    p.add_argument("--batch", metavar="N,N", help="items a call (default: 1,2,4,8,16,32)")
    writes_json(p)


def _numbers(text: str | None, option: str) -> list[int] | None:
    """Whole numbers from text such as "1,2,8".

    Raises:
        UsageError: the text is no such list.
    """
    try:
        return None if text is None else [int(part) for part in text.split(",")]
    except ValueError as error:
        raise UsageError(
            f"{option} takes whole numbers", allowed="such as 1,2,4", given=text
        ) from error
