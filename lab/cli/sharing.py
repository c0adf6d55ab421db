"""Commands for links to views, and for notes."""

from __future__ import annotations

import argparse
from urllib.parse import parse_qs, urlencode

import lab
from lab.cli.output import table


def links(study: str, new: str | None, revoke: str | None, spec: bool) -> None:
    """List the links to views of a study, make one, revoke one, or print the study's sweep as a
    link.
    """
    if revoke:
        lab.revoke_link(revoke)
    if new is not None:
        created = lab.create_link(study, parse_qs(new.lstrip("?"), keep_blank_values=True))
        return print(f"/?link={created.token}")
    if spec:
        return print(f"/sweep?spec={lab.spec_to_text(lab.study(study).spec)}")
    rows = [
        [f"/?link={x.token}", x.created_at, urlencode(x.view, doseq=True)]
        for x in lab.links(lab.study(study).id)
    ]
    table(["link", "made", "view"], rows)


def links_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `links`."""
    parser.add_argument("study", metavar="STUDY")
    parser.add_argument(
        "--new",
        nargs="?",
        const="",
        metavar="VIEW",
        help="make one; VIEW as in the address of the Results page: 'goal=latency_s&view=solid'",
    )
    parser.add_argument(
        "--revoke", metavar="TOKEN", help="revoke one: it leads nowhere from now on"
    )
    parser.add_argument(
        "--spec",
        action="store_true",
        help="the sweep itself, for another lab: opens its New sweep page filled in",
    )


def note(where: str, text: str | None) -> None:
    """Show the note on a study or a trial, or write it; an empty text removes it."""
    trial = where if "-" in where else ""
    study = where.rpartition("-")[0] if trial else where
    if text is not None:
        lab.set_note(study, text, trial)
    elif written := lab.notes(lab.study(study).id).get(trial):
        print(written)


def note_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `note`."""
    parser.add_argument("where", metavar="STUDY_OR_TRIAL")
    parser.add_argument("text", nargs="?", metavar="MARKDOWN")
