"""Shared parts of a study: links to views, the spec as text, notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lab.store import sharing
from lab.store.sharing import Link
from lab.types import StudySpec


def create_link(study_id: str, view: Mapping[str, Sequence[str]] | None = None) -> Link:
    """A link by which others may look at one view of a study, and at nothing else, until it is
    revoked.

    Args:
        view: the settings of the view, as the address of the Results page names them.

    Raises:
        UnknownId: there is no such study.
    """
    return sharing.create_link(study_id, view or {})


def link(token: str) -> Link:
    """The view that a link leads to.

    Raises:
        UnknownId: there is no such link.
        LinkRevoked: it was taken back.
    """
    return sharing.link(token)


def links(study_id: str) -> list[Link]:
    """The links to a study that were not revoked, newest first."""
    return sharing.links(study_id)


def revoke_link(token: str) -> None:
    """Take a link back.

    Raises:
        UnknownId: there is no such link.
    """
    sharing.revoke_link(token)


def notes(study_id: str) -> dict[str, str]:
    """Notes on a study (key "") and on its trials (keys are their ids), in Markdown."""
    return sharing.notes(study_id)


def set_note(study_id: str, text: str, trial_id: str = "") -> None:
    """Write about a study, or about one of its trials; an empty text removes the note.

    Raises:
        UnknownId: there is no such study or trial.
        UsageError: the text is too long.
    """
    sharing.set_note(study_id, text, trial_id)


def spec_to_text(spec: StudySpec) -> str:
    """A spec as a text for an address: `/sweep?spec=TEXT` opens the form filled in, in any lab."""
    from lab.share.spec_text import spec_to_text as text_of

    return text_of(spec)


def spec_from_text(text: str) -> StudySpec:
    """The spec in such a text.

    Raises:
        InvalidFile, UsageError: it is cut off, or says what cannot be.
    """
    from lab.share.spec_text import spec_from_text as read

    return read(text)
